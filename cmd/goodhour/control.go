package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A running serve owns the data directory's files. The other commands reach
// it over HTTP on a Unix socket. A socket's path may be about 107 bytes long
// at most and a data directory's may be longer, so the socket lies in a short
// private directory and control.json in the data directory says where.

// controlFile is what control.json holds.
type controlFile struct {
	Socket string `json:"socket"`
	PID    int    `json:"pid"`
}

func controlPath(data string) string { return filepath.Join(data, "control.json") }

// startControl serves the other commands on the socket and announces it. The
// returned function stops it and takes the announcement back.
func startControl(data string, server *http.Server) (stop func() error, err error) {
	removeStaleSocket(data)
	dir, err := os.MkdirTemp("", "goodhour-") // mode 0700
	if err != nil {
		return nil, fmt.Errorf("make a directory for the control socket: %w", err)
	}
	socket := filepath.Join(dir, "control.sock")
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", socket)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen on the control socket: %w", err), os.RemoveAll(dir))
	}
	b, err := json.Marshal(controlFile{Socket: socket, PID: os.Getpid()})
	if err == nil {
		err = writeFileAtomic(controlPath(data), b)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("announce the control socket: %w", err), listener.Close(), os.RemoveAll(dir))
	}
	stopHTTP := serveHTTP(server, listener)
	return func() error {
		return errors.Join(os.Remove(controlPath(data)), stopHTTP(), os.RemoveAll(dir))
	}, nil
}

// removeStaleSocket removes the folder of a socket that a killed process left
// announced. The caller has the data directory open, so that process is gone.
func removeStaleSocket(data string) {
	b, err := os.ReadFile(controlPath(data))
	var left controlFile
	if err != nil || json.Unmarshal(b, &left) != nil {
		return
	}
	if dir := filepath.Dir(left.Socket); strings.HasPrefix(filepath.Base(dir), "goodhour-") {
		_ = os.RemoveAll(dir) // at worst it stays where it is
	}
}

// errNotServing says that no serve runs on the data directory.
var errNotServing = errors.New("no goodhour serve is running on this data directory")

// controlClient asks a running serve.
type controlClient struct {
	http *http.Client
}

// dialControl finds the serve that runs on the data directory, or returns
// errNotServing. An announcement left by a crash counts as none.
func dialControl(ctx context.Context, data string) (*controlClient, error) {
	b, err := os.ReadFile(controlPath(data))
	if errors.Is(err, os.ErrNotExist) {
		return nil, errNotServing
	}
	if err != nil {
		return nil, fmt.Errorf("find the running serve: %w", err)
	}
	var f controlFile
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("read %s: %w", controlPath(data), err)
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", f.Socket)
	}
	conn, err := dial(ctx, "", "")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, errNotServing
	}
	if err != nil {
		return nil, fmt.Errorf("reach the running serve (pid %d): %w", f.PID, err)
	}
	return &controlClient{&http.Client{Transport: &http.Transport{DialContext: dial}}}, conn.Close()
}

// call posts one request and reads the answer. An answer that is not 2xx is an
// error in the server's own words.
func (c *controlClient) call(ctx context.Context, path string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://goodhour"+path, bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("ask the running serve: %w", err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask the running serve: %w", err)
	}
	defer res.Body.Close()
	b, err = io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("read the running serve's answer: %w", err)
	}
	if res.StatusCode/100 != 2 {
		return errors.New(string(bytes.TrimSpace(b)))
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("read the running serve's answer: %w", err)
	}
	return nil
}

// writeFileAtomic writes a file whole or not at all, for its owner alone.
func writeFileAtomic(name string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Chmod(0o600)
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
