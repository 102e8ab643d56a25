package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// withServer runs do with the API of the running serve if there is one, else
// with that of the data directory opened here, over the same kind of socket.
func withServer(ctx context.Context, c *cli, do func(*controlClient) error) (err error) {
	client, err := dialControl(ctx, c.cfg.Data)
	if err == nil {
		return do(client)
	}
	if !errors.Is(err, errNotServing) {
		return err
	}
	a, err := openApp(ctx, c)
	if err != nil {
		return err
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

// problemAnswer is an answer of the API that is not 2xx, as RFC 9457 has it.
type problemAnswer struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Detail string `json:"detail"`
	} `json:"errors"`
}

// api asks one route of the API and decodes the answer into out, unless that
// is nil. A problem becomes an error in the API's own words.
func (c *controlClient) api(ctx context.Context, method, path, contentType string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://goodhour"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask the API: %w", err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask the API: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("read the API's answer: %w", err)
	}
	if res.StatusCode/100 != 2 {
		return problemError(res.StatusCode, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("read the API's answer: %w", err)
	}
	return nil
}

func problemError(status int, answer []byte) error {
	var p problemAnswer
	if json.Unmarshal(answer, &p) != nil || p.Title == "" {
		return fmt.Errorf("the API answered %d: %s", status, bytes.TrimSpace(answer))
	}
	text := strings.TrimSuffix(p.Title, ".")
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	for _, e := range p.Errors {
		text += "\n  " + e.Detail
	}
	return errors.New(text)
}
