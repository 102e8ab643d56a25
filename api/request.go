package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gorilla/mux"
)

// request is what the server knows of a request while it works on it.
type request struct {
	id        string
	principal principal
	route     *route // nil until one matched
	mediaType string // of the body; empty where the route takes none
	body      []byte
	// made and count go to the audit log: what it made, and how many rows or
	// events it was about.
	made  string
	count int64
}

type requestKey struct{}

func requestOf(ctx context.Context) *request {
	info, _ := ctx.Value(requestKey{}).(*request)
	return info
}

// bodyTimeout is how long a client may take to send a body.
const bodyTimeout = 30 * time.Second

// readBody reads the whole body, of at most limit bytes, which is UTF-8.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := s.readRaw(w, r, limit)
	if err == nil && !utf8.Valid(body) {
		return nil, problemf(problemInvalidBody, "It is not valid UTF-8.")
	}
	return body, err
}

// readRaw reads the whole body, of at most limit bytes, whatever it is.
func (s *Server) readRaw(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(s.now().Add(bodyTimeout)); err != nil {
		return nil, fmt.Errorf("set the deadline of the body: %w", err)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, problemf(problemSlowClient, "It may take %s.", bodyTimeout)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, problemf(problemInvalidBody, "The body ended early.")
	case err != nil:
		return nil, err
	}
	// Left in place, the deadline would cancel a handler that works longer: the
	// server goes on reading to notice a client that leaves.
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("lift the deadline of the body: %w", err)
	}
	return body, nil
}

// mediaType returns the body's media type if it is one of those accepted.
func mediaType(r *http.Request, accepted ...string) (string, error) {
	got, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || !slices.Contains(accepted, got) || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return "", problemf(problemMediaType, "Want %s in UTF-8.", strings.Join(accepted, " or "))
	}
	return got, nil
}

// checkQuery refuses query parameters that the route does not know, that
// repeat, or that cannot be decoded.
func checkQuery(r *http.Request, rt *route) error {
	if r.URL.RawQuery == "" || rt.foreign {
		return nil
	}
	known := rt.query
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return problemf(problemInvalidParameter, "The query string cannot be decoded: escape %% and ; in it.")
	}
	for name, values := range query {
		if !slices.Contains(known, name) {
			if len(known) == 0 {
				return problemf(problemInvalidParameter, "This address has no query parameters.")
			}
			return problemf(problemInvalidParameter, "Unknown query parameter; this address knows %s.", strings.Join(known, ", "))
		}
		if len(values) > 1 {
			return problemf(problemInvalidParameter, "%s: given more than once.", name)
		}
		if !utf8.ValidString(values[0]) || strings.ContainsRune(values[0], 0) {
			return problemf(problemInvalidParameter, "%s: not valid UTF-8 text.", name)
		}
	}
	return nil
}

// pathSegment returns a variable of the path, decoded.
func pathSegment(r *http.Request, name string) (string, error) {
	value, err := url.PathUnescape(mux.Vars(r)[name])
	if err != nil || !utf8.ValidString(value) || strings.ContainsFunc(value, isControl) || len(value) > 1024 {
		return "", problemf(problemInvalidParameter, "%s: want at most 1024 bytes of UTF-8 text.", name)
	}
	return value, nil
}

// choice returns a query parameter that is one of the options; the first is
// the default.
func choice(r *http.Request, name string, options ...string) (string, error) {
	value := r.URL.Query().Get(name)
	if value == "" {
		return options[0], nil
	}
	if !slices.Contains(options, value) {
		return "", problemf(problemInvalidParameter, "%s: want one of %s.", name, strings.Join(options, ", "))
	}
	return value, nil
}

// wholeNumber returns a query parameter between 1 and most.
func wholeNumber(r *http.Request, name string, standard, most int) (int, error) {
	value := r.URL.Query().Get(name)
	if value == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > most {
		return 0, problemf(problemInvalidParameter, "%s: want a whole number from 1 to %d.", name, most)
	}
	return n, nil
}

// instant returns a query parameter that is a day or an RFC 3339 time, in UTC;
// the zero time if it is absent.
func instant(r *http.Request, name string) (time.Time, error) {
	value := r.URL.Query().Get(name)
	if value == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.DateOnly, value); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339Nano, value)
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, problemf(problemInvalidParameter,
			"%s: want a day in UTC such as 2026-03-01, or a time such as 2026-03-01T09:00:00Z.", name)
	}
	return t.UTC(), nil
}
