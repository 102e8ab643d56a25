package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/goodhour/goodhour/api"
	"github.com/goodhour/goodhour/warehouse"
)

// runServe runs everything until it is told to stop.
func runServe(ctx context.Context, c *cli, args []string) (err error) {
	if len(args) > 0 {
		return usagef("unexpected argument %q", args[0])
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
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.cfg.API.Listen)
	if err != nil {
		return fmt.Errorf("listen on api.listen %s: %w; choose another with --set api.listen=127.0.0.1:PORT", c.cfg.API.Listen, err)
	}
	stopAPI := serveHTTP(server.HTTPServer(server.Handler()), listener)
	defer func() { err = errors.Join(err, stopAPI()) }()
	stopControl, err := startControl(c.cfg.Data, server.HTTPServer(controlHandler(a, server.SocketHandler())))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopControl()) }()
	a.loop("models", a.publishOften)
	a.announce(c, listener.Addr().String())
	select {
	case <-ctx.Done():
		fmt.Fprintln(c.stderr, "Stopping.")
		return nil
	case <-a.invalidated():
		// Whoever supervises starts us again, and the file with us.
		return a.consumer.Status().Error
	}
}

// api wires the HTTP API to the parts that run here.
func (a *app) api() (*api.Server, error) {
	keys, err := api.OpenKeys(keysPath(&a.cfg), a.now)
	if err != nil {
		return nil, err
	}
	return api.New(api.Config{
		Library:    a.library,
		Publisher:  a.producer,
		Keyer:      a.keyer,
		Keys:       keys,
		Audit:      api.OpenAudit(filepath.Join(a.cfg.Data, "audit.log"), a.now),
		RequireKey: a.cfg.API.RequireKey,
		Status:     a.status,
		Now:        a.now,
		Logger:     a.log,
		Version:    buildVersion(),
	})
}

// status tells the API how loading stands.
func (a *app) status(context.Context) api.Status {
	now := a.consumer.Status()
	loading := api.Check{Name: "topics", OK: now.Error == nil}
	if now.Error != nil {
		loading.Detail = now.Error.Error()
	}
	out := api.Status{Checks: []api.Check{loading}}
	for _, p := range now.Partitions {
		partition := api.Partition{
			Topic: p.Topic, Partition: p.Partition.Partition, NextOffset: p.NextOffset, HighWatermark: p.HighWatermark,
		}
		if p.Break != nil {
			partition.Stopped = p.Break.Error()
		}
		out.Partitions = append(out.Partitions, partition)
	}
	return out
}

// serveHTTP serves until the returned function is called, which waits for the
// requests under way.
func serveHTTP(server *http.Server, listener net.Listener) (stop func() error) {
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err := server.Shutdown(ctx)
		if serveErr := <-done; !errors.Is(serveErr, http.ErrServerClosed) {
			err = errors.Join(err, serveErr)
		}
		return err
	}
}

// announce says what runs and where, with the lines to paste.
func (a *app) announce(c *cli, address string) {
	fmt.Fprintf(c.stderr, "goodhour %s, data in %s\n", buildVersion(), a.cfg.Data)
	if a.broker != nil {
		fmt.Fprintf(c.stderr, "Topics: embedded broker on %s, for evaluation; set kafka.brokers for your own Kafka.\n", a.broker.Addr())
	} else {
		fmt.Fprintf(c.stderr, "Topics: Kafka at %v, prefix %s\n", a.cfg.Kafka.Brokers, a.cfg.Kafka.TopicPrefix)
	}
	file := warehouse.PublishedLink(a.cfg.Data)
	fmt.Fprintf(c.stderr, "API: http://%s/v1/segments (GET /openapi.json lists all)\n", address)
	fmt.Fprintf(c.stderr, "SQL: goodhour sql --data %s \"from marts.segments\"\n", a.cfg.Data)
	fmt.Fprintf(c.stderr, "DuckDB shell: duckdb -readonly %s\n", file)
	fmt.Fprintf(c.stderr, "pandas: duckdb.connect(%q, read_only=True).sql(\"from marts.customers\").df()\n", file)
}
