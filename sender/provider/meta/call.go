package meta

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goodhour/goodhour/sender/provider"
)

// answerBytesMax is the most that is read of an answer. A page of templates
// takes under 1 MB.
const answerBytesMax = 8 << 20

// retryAfterMax bounds what a Retry-After header may ask for.
const retryAfterMax = time.Hour

// call makes one request and returns the body of a 2xx answer. net/http itself
// repeats a POST only if not a byte of it was written to a stale connection.
func (m *Meta) call(ctx context.Context, method, url string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, m.config.Timeout)
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, m.fail(provider.Message, "the request has no valid address")
	}
	request.Header.Set("Authorization", "Bearer "+m.config.Token.Reveal())
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := m.client.Do(request)
	if err != nil {
		return nil, m.lost(err, connected.Load())
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax+1))
	switch {
	case response.StatusCode < 200 || response.StatusCode > 299:
		return nil, m.refused(response, answer)
	case err != nil:
		return nil, m.lost(err, true)
	case len(answer) > answerBytesMax:
		return nil, m.fail(provider.Ambiguous, "the answer was too long to read")
	}
	return answer, nil
}

// lost judges a call without answer. Before a connection was there nothing can
// have been sent; after that anything may have been. The cause is not quoted:
// it may hold bytes of the answer.
func (m *Meta) lost(err error, connected bool) *provider.Error {
	e := m.fail(provider.RetrySafe, "no connection: nothing was sent; check the network and base_url")
	e.Scope = provider.ScopeAccount
	if connected {
		e = m.fail(provider.Ambiguous, "the connection broke before the answer: a status may still tell")
	}
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, cause) {
			e.Cause = cause
		}
	}
	return e
}

func (m *Meta) fail(class provider.Class, detail string) *provider.Error {
	return &provider.Error{Provider: m.config.Name, Class: class, Detail: detail}
}

// errorAnswer is what Graph says of an error. What it says in words is not
// read: it may quote the recipient.
type errorAnswer struct {
	Error *struct {
		Code    int    `json:"code"`
		Subcode int    `json:"error_subcode"`
		Trace   string `json:"fbtrace_id"`
	} `json:"error"`
}

// refused judges an answer that is no success.
func (m *Meta) refused(response *http.Response, answer []byte) *provider.Error {
	var parsed errorAnswer
	v := byStatus(response.StatusCode)
	e := &provider.Error{Provider: m.config.Name}
	// A code of 0 stands for an expired login, which a 401 says as well.
	if json.Unmarshal(answer, &parsed) == nil && parsed.Error != nil && parsed.Error.Code != 0 {
		e.Code = strconv.Itoa(parsed.Error.Code)
		e.Trace = traceOf(parsed.Error.Trace)
		if known, ok := byCode(parsed.Error.Code, parsed.Error.Subcode); ok {
			v = known
		}
	}
	e.Class, e.Scope, e.Detail, e.RetryAfter, e.OptedOut = v.class, v.scope, v.detail, v.retryAfter, v.optedOut
	if asked := retryAfter(response.Header); e.Class == provider.RetrySafe && asked > e.RetryAfter {
		e.RetryAfter = asked
	}
	return e
}

// retryAfter reads the header in its form of seconds; 0 if there is none.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(strings.TrimSpace(h.Get("Retry-After")))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, int(retryAfterMax/time.Second)))*time.Second, retryAfterMax)
}

// traceOf passes on a trace only if it looks like one.
func traceOf(s string) string {
	plain := strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	}) < 0
	if !plain || len(s) > 40 || strings.Trim(s, "0123456789") == "" {
		return ""
	}
	return s
}
