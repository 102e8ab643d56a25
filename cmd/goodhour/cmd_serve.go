package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/goodhour/goodhour/api"
	"github.com/goodhour/goodhour/api/web"
	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/warehouse"
)

// runServe runs everything until it is told to stop.
func runServe(ctx context.Context, c *cli, args []string) (err error) {
	if len(args) > 0 {
		return usagef("unexpected argument %q", args[0])
	}
	var a *app
	err = whenFree(ctx, c, func() (err error) {
		a, err = openApp(ctx, c)
		return err
	})
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
	a.startSending()
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

// api wires the HTTP API and the dashboard to the parts that run here.
func (a *app) api() (*api.Server, error) {
	keys, err := api.OpenKeys(keysPath(&a.cfg), a.now)
	if err != nil {
		return nil, err
	}
	pages, err := web.New(web.Config{
		Library:   a.library,
		Status:    a.pageStatus,
		Campaigns: a.sending.campaigns,
		Accounts:  a.pageAccounts(),
		Demo:      a.world == worldDemo,
		Data:      a.namedData(),
		Version:   buildVersion(),
		Now:       a.now,
		Logger:    a.log,
	})
	if err != nil {
		return nil, err
	}
	return api.New(api.Config{
		Library:       a.library,
		Publisher:     a.producer,
		Keyer:         a.keyer,
		Keys:          keys,
		People:        a.warehouse,
		Audit:         api.OpenAudit(auditPath(a.cfg.Data), a.now),
		RequireKey:    a.cfg.API.RequireKey,
		Status:        a.status,
		Campaigns:     a.sending.campaigns,
		Accounts:      a.accountNames(),
		Templates:     a.sending.ledger.Templates,
		SyncTemplates: a.syncTemplates,
		Webhooks:      webhooks(a.sending.accounts),
		DeadLetter:    a.deadLetterWebhook,
		PublicURL:     a.cfg.publicURL(),
		Pages:         pages,
		Now:           a.now,
		Logger:        a.log,
		Version:       buildVersion(),
	})
}

// namedData is the data directory where a command has to name it.
func (a *app) namedData() string {
	if a.cfg.Data == defaultConfig().Data {
		return ""
	}
	return a.cfg.Data
}

func (a *app) pageAccounts() []web.Account {
	out := make([]web.Account, len(a.sending.accounts))
	for i := range a.sending.accounts {
		c := &a.sending.accounts[i].config
		out[i] = web.Account{Name: c.Name, Provider: c.Provider, Mode: plan.Mode(c.Mode)}
	}
	return out
}

func (a *app) accountNames() []string {
	out := make([]string, len(a.sending.accounts))
	for i := range a.sending.accounts {
		out[i] = a.sending.accounts[i].config.Name
	}
	return out
}

// pageStatus tells the pages how loading stands.
func (a *app) pageStatus(ctx context.Context) web.Status {
	var out web.Status
	for _, check := range a.status(ctx).Checks {
		if !check.OK {
			out.Problems = append(out.Problems, check.Name+": "+check.Detail)
		}
	}
	for _, p := range a.consumer.Status().Partitions {
		if p.Break != nil {
			out.Problems = append(out.Problems, p.Break.Error())
		}
		out.RecordsBehind += max(0, p.HighWatermark-max(p.NextOffset, p.LogStart, 0))
	}
	return out
}

func (a *app) syncTemplates(ctx context.Context, account string) (int, error) {
	if a.sending.sender == nil {
		return 0, errors.New("no account is configured; add one under accounts: in the configuration")
	}
	return a.sending.sender.SyncTemplates(ctx, account)
}

// deadLetterWebhook keeps a webhook that could not be read, whole: as a record
// of a type that nobody reads, which both projections pass over and the
// warehouse files among its dead letters.
func (a *app) deadLetterWebhook(ctx context.Context, source string, body []byte, reason string) error {
	id := sha256.Sum256(body)
	return a.producer.PublishRecords(ctx, []event.Record{{
		Topic: a.kafka.Topic(event.TopicAccount),
		Value: body,
		Headers: []event.Header{
			{Key: "content-type", Value: []byte("application/json")},
			{Key: "ce_specversion", Value: []byte("1.0")},
			{Key: "ce_id", Value: []byte(hex.EncodeToString(id[:]))},
			{Key: "ce_source", Value: []byte(source)},
			{Key: "ce_type", Value: []byte(event.TypeUnreadable)},
			{Key: ingest.HeaderDeadLetterReason, Value: []byte(reason)},
		},
	}})
}

// publicURL is how providers reach the API.
func (c *Config) publicURL() string {
	if c.API.PublicURL != "" {
		return c.API.PublicURL
	}
	return "http://" + c.API.Listen
}

// status tells the API how loading stands.
func (a *app) status(context.Context) api.Status {
	now := a.consumer.Status()
	check := func(name string, err error) api.Check {
		if err != nil {
			return api.Check{Name: name, Detail: err.Error()}
		}
		return api.Check{Name: name, OK: true}
	}
	ledger := a.sending.consumer.Status()
	for _, p := range ledger.Partitions {
		if ledger.Error == nil && p.Break != nil {
			ledger.Error = p.Break // one is enough: offsets list has them all
		}
	}
	out := api.Status{Checks: []api.Check{check("topics", now.Error), check("ledger", ledger.Error)}}
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
	for i := range a.sending.accounts {
		account := &a.sending.accounts[i].config
		fmt.Fprintf(c.stderr, "Account %s: mode %s; webhooks come to %s/webhooks/%s\n", account.Name, account.Mode, a.cfg.publicURL(), account.Provider)
	}
	fmt.Fprintf(c.stderr, "Dashboard: http://%s/\n", address)
	fmt.Fprintf(c.stderr, "API: http://%s/v1/segments (GET /openapi.json lists all)\n", address)
	fmt.Fprintf(c.stderr, "SQL: goodhour sql --data %s \"from marts.segments\"\n", a.cfg.Data)
	fmt.Fprintf(c.stderr, "DuckDB shell: duckdb -readonly %s\n", file)
	fmt.Fprintf(c.stderr, "pandas: duckdb.connect(%q, read_only=True).sql(\"from marts.customers\").df()\n", file)
}
