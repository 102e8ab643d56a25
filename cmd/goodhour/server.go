package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/goodhour/goodhour/warehouse"
)

// openPatience is how long to wait for another process that has the data
// directory open: a command is done in a moment, and a serve that starts can
// soon be asked.
const openPatience = 15 * time.Second

// whenFree tries again as long as another process has the data directory open.
func whenFree(ctx context.Context, c *cli, try func() error) error {
	giveUp := time.After(openPatience)
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for told := false; ; told = true {
		err := try()
		locked, held := errors.AsType[*warehouse.LockedError](err)
		if !held || locked.PID == os.Getpid() {
			return err
		}
		if !told {
			fmt.Fprintf(c.stderr, "Waiting for %s, which has the data directory %s open.\n", locked.Holder(), c.cfg.Data)
		}
		select {
		case <-ticker.C:
		case <-giveUp:
			return err
		case <-ctx.Done():
			return err
		}
	}
}

// openOrAsk opens the data directory, or finds the serve that has it open: it
// returns one of the two.
func openOrAsk(ctx context.Context, c *cli) (a *app, client *controlClient, err error) {
	err = whenFree(ctx, c, func() (err error) {
		if client, err = dialControl(ctx, c.cfg.Data); !errors.Is(err, errNotServing) {
			return err
		}
		a, err = openApp(ctx, c)
		return err
	})
	return a, client, err
}

// withServer runs do with the API of the running serve if there is one, else
// with that of the data directory opened here, over the same kind of socket.
func withServer(ctx context.Context, c *cli, do func(*controlClient) error) (err error) {
	a, client, err := openOrAsk(ctx, c)
	switch {
	case err != nil:
		return err
	case client != nil:
		return do(client)
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	server, err := a.api()
	if err != nil {
		return err
	}
	stop, err := startControl(c.cfg.Data, server.HTTPServer(controlHandler(a, server.SocketHandler())))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if client, err = dialControl(ctx, c.cfg.Data); err != nil {
		return err
	}
	return do(client)
}

// answer asks one route of the API for JSON. An answer that is not 2xx becomes
// an error in the API's own words.
func (c *controlClient) answer(ctx context.Context, method, path, contentType string, body []byte) (json.RawMessage, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://goodhour"+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask the API: %w", err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the API: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return nil, fmt.Errorf("read the API's answer: %w", err)
	}
	if res.StatusCode/100 != 2 {
		return nil, problemError(res.StatusCode, answer)
	}
	return answer, nil
}

// apiProblem is an answer of the API that is not 2xx, as RFC 9457 has it, with
// the members that the API adds.
type apiProblem struct {
	Title    string `json:"title"`
	Detail   string `json:"detail"`
	Rejected int    `json:"rejected"`
	Errors   []struct {
		Line   int    `json:"line"`
		Field  string `json:"field"`
		Detail string `json:"detail"`
	} `json:"errors"`
}

// problemError is a problem as a person reads it: the detail says it all, unless
// there are several, each with its place.
func problemError(status int, answer []byte) error {
	var p apiProblem
	if json.Unmarshal(answer, &p) != nil || p.Title == "" {
		return fmt.Errorf("the API answered %d: %s", status, bytes.TrimSpace(answer))
	}
	if len(p.Errors) == 0 {
		return errors.New(strings.TrimSuffix(cmp.Or(p.Detail, p.Title), "."))
	}
	lines := []string{strings.TrimSuffix(p.Title, ".") + ":"}
	for _, e := range p.Errors {
		line := e.Detail
		if e.Field != "" {
			line = e.Field + ": " + line
		}
		if e.Line > 0 {
			line = fmt.Sprintf("line %d: %s", e.Line, line)
		}
		lines = append(lines, line)
	}
	if more := p.Rejected - len(p.Errors); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return errors.New(strings.Join(lines, "\n  "))
}

// show prints an answer of the API: as it is for scripts, else for people.
func show[T any](c *cli, answer json.RawMessage, write func(io.Writer, *T) error) error {
	if c.json {
		return printJSON(c.stdout, answer)
	}
	var value T
	if err := json.Unmarshal(answer, &value); err != nil {
		return fmt.Errorf("read the API's answer: %w", err)
	}
	return write(c.stdout, &value)
}
