package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/provider/meta"
	"github.com/goodhour/goodhour/sender/sandbox"
)

// demoCampaign is what the demo sends, as a template of its id.
//
//go:embed demo/campaign.yaml
var demoCampaign string

const (
	demoData     = "data-demo"
	demoAccount  = "demo"
	demoLookback = 14 * 24 * time.Hour // history ends so long before now
	demoAfter    = 48 * time.Hour      // virtual time that customers have to answer
)

// demoOptions are the command's flags.
type demoOptions struct {
	check     bool
	noServe   bool
	customers int
	days      int
	seed      uint64
	named     bool // one of the three above was given
}

// demo is the whole loop on an invented world: everything that serve runs, a
// sandbox in the same process, and a clock that jumps over what is not worth
// waiting for.
type demo struct {
	*app

	options demoOptions
	out     io.Writer
	virtual *sandbox.VirtualClock
	box     *sandbox.Sandbox
	state   demoState
	begun   time.Time
}

// demoState is what a second run needs to know of the first.
type demoState struct {
	Seed      uint64    `json:"seed"`
	Customers int       `json:"customers"`
	Start     time.Time `json:"start"` // of the history
	End       time.Time `json:"end"`
	// Events is how many different events the history has; 0: not loaded yet.
	Events int `json:"events"`
	// Campaigns counts the campaigns begun.
	Campaigns int `json:"campaigns"`
}

func demoStatePath(cfg *Config) string { return filepath.Join(cfg.Data, "demo.json") }

func runDemo(ctx context.Context, c *cli, args []string) (err error) {
	d := &demo{out: c.stdout, begun: c.now()}
	flags := newFlags(c, "demo")
	flags.BoolVar(&d.options.check, "check", false, "run to the end, print each promise with its figure, and exit 0 only if all held")
	flags.BoolVar(&d.options.noServe, "no-serve", false, "exit when the campaign is over")
	flags.IntVar(&d.options.customers, "customers", 20_000, "how many invented customers")
	flags.IntVar(&d.options.days, "days", 90, "how many days of history")
	flags.Uint64Var(&d.options.seed, "seed", 1, "which world")
	if err := parseFlags(flags, args); err != nil {
		return err
	}
	if d.options.customers < 100 || d.options.days < 7 {
		return usagef("want at least 100 customers and 7 days")
	}
	flags.Visit(func(f *flag.Flag) {
		d.options.named = d.options.named || f.Name == "customers" || f.Name == "days" || f.Name == "seed"
	})
	return d.run(ctx, c)
}

// run opens everything, in the order in which one part needs the other's
// address, and plays the story.
func (d *demo) run(ctx context.Context, c *cli) (err error) {
	inner := *c
	inner.cfg.demo = true
	if inner.cfg.Data == defaultConfig().Data {
		inner.cfg.Data = demoData
	}
	inner.cfg.Kafka.Brokers = nil // nothing leaves this machine
	if err := os.MkdirAll(inner.cfg.Data, 0o700); err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	if err := d.openState(&inner); err != nil {
		return err
	}
	d.virtual, err = sandbox.OpenVirtualClock(filepath.Join(inner.cfg.Data, "clock"), d.state.End, inner.now)
	if err != nil {
		return err
	}
	provider, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the sandbox: %w", err)
	}
	pages, err := listenNear(ctx, inner.cfg.API.Listen)
	if err != nil {
		return errors.Join(err, provider.Close())
	}
	if wanted := inner.cfg.API.Listen; wanted != pages.Addr().String() && !strings.HasSuffix(wanted, ":0") {
		d.say("%s is taken by another program.", wanted)
	}
	inner.cfg.API.Listen = pages.Addr().String()
	account, err := openSandboxAccount(filepath.Join(inner.cfg.Data, "sandbox"))
	if err != nil {
		return errors.Join(err, provider.Close(), pages.Close())
	}
	inner.cfg.Accounts = []AccountConfig{demoAccountConfig("http://"+provider.Addr().String(), &account)}

	if d.app, err = openAppAt(ctx, &inner, d.virtual); err != nil {
		return errors.Join(err, provider.Close(), pages.Close())
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	d.box, err = sandbox.Open(sandbox.Config{
		Dir:     filepath.Join(inner.cfg.Data, "sandbox"),
		World:   d.worldConfig(),
		Account: account, WebhookURL: inner.cfg.publicURL() + "/webhooks/meta",
		Clock: d.virtual, Shop: d.producer, Logger: d.log,
	})
	if err != nil {
		return errors.Join(err, provider.Close(), pages.Close())
	}
	defer func() { err = errors.Join(err, d.box.Close()) }()
	stopProvider := serveHTTP(&http.Server{Handler: d.box.Handler(), ReadHeaderTimeout: 10 * time.Second}, provider)
	defer func() { err = errors.Join(err, stopProvider()) }()
	server, err := d.api()
	if err != nil {
		return errors.Join(err, pages.Close())
	}
	stopPages := serveHTTP(server.HTTPServer(server.Handler()), pages)
	defer func() { err = errors.Join(err, stopPages()) }()
	stopControl, err := startControl(inner.cfg.Data, server.HTTPServer(controlHandler(d.app, server.SocketHandler())))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopControl()) }()
	d.loop("sandbox", d.box.Run)
	d.startSending()
	d.say("DEMO: an invented world; nothing leaves this machine.")
	d.say("Dashboard: %s/", inner.cfg.publicURL())
	err = d.play(ctx)
	if ctx.Err() != nil {
		return nil // Ctrl-C
	}
	return err
}

// say prints a line with the seconds since the start.
func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.out, "%6.1fs  %s\n", time.Since(d.begun).Seconds(), fmt.Sprintf(format, args...))
}

// listenNear listens on the address, or where it is taken on a free port.
func listenNear(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err == nil {
		return listener, nil
	}
	if listener, err = config.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("listen for the dashboard: %w", err)
	}
	return listener, nil
}

func demoAccountConfig(address string, account *sandbox.Account) AccountConfig {
	return AccountConfig{
		Name: demoAccount, Provider: "meta", Mode: string(plan.Sandbox),
		BaseURL: address, AccountID: account.WABAID, Numbers: []string{account.NumberID},
		// As fast as Meta lets a number be, so that nobody has to wait.
		CampaignPerMinute: 3000, PerSecond: 50,
		secrets: accountSecrets{token: account.AccessToken, appSecret: account.AppSecret, verifyToken: account.VerifyToken},
	}
}

func (d *demo) worldConfig() sandbox.WorldConfig {
	return sandbox.WorldConfig{
		Seed: d.state.Seed, Customers: d.state.Customers, Start: d.state.Start, End: d.state.End,
		Provider: meta.DefaultName, NumberID: sandboxNumber,
	}
}

// openState reads what an earlier run left, or begins anew.
func (d *demo) openState(c *cli) error {
	b, err := os.ReadFile(demoStatePath(&c.cfg))
	switch {
	case errors.Is(err, os.ErrNotExist):
		if _, err := os.Stat(warehousePath(&c.cfg)); err == nil {
			return fmt.Errorf("%s holds other data than the demo's: name an empty directory with --data", c.cfg.Data)
		}
		end := c.now().UTC().Add(-demoLookback).Truncate(24 * time.Hour)
		d.state = demoState{
			Seed: d.options.seed, Customers: d.options.customers,
			Start: end.AddDate(0, 0, -d.options.days), End: end,
		}
		return d.saveState(&c.cfg)
	case err != nil:
		return fmt.Errorf("read how far the demo came: %w", err)
	}
	if err := json.Unmarshal(b, &d.state); err != nil {
		return fmt.Errorf("read how far the demo came, in %s: %w; remove the directory to begin anew", demoStatePath(&c.cfg), err)
	}
	asked := d.state
	asked.Seed, asked.Customers = d.options.seed, d.options.customers
	asked.Start = asked.End.AddDate(0, 0, -d.options.days)
	if d.options.named && asked != d.state {
		return usagef("%s holds the world of seed %d with %d customers from %s: leave --customers, --days and --seed out, or name another directory with --data",
			c.cfg.Data, d.state.Seed, d.state.Customers, d.state.Start.Format(time.DateOnly))
	}
	return nil
}

func (d *demo) saveState(cfg *Config) error {
	b, err := json.Marshal(d.state)
	if err != nil {
		return fmt.Errorf("note how far the demo came: %w", err)
	}
	return writeFileAtomic(demoStatePath(cfg), append(b, '\n'))
}

// historyBatch is how many events are handed to the topics at once.
const historyBatch = 10_000

// loadHistory brings the past into the topics, and waits until both projections
// have read it. Its events have ids of their own, so a run that was cut short
// is simply repeated.
func (d *demo) loadHistory(ctx context.Context) error {
	if d.state.Events > 0 {
		d.say("History is there: %d events.", d.state.Events)
		return nil
	}
	days := d.state.End.Sub(d.state.Start).Hours() / 24
	d.say("Bringing %.0f days of %d customers through the topics.", days, d.state.Customers)
	began := d.now()
	batch := make([]event.Event, 0, historyBatch)
	total := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := d.producer.Publish(ctx, batch)
		total += len(batch)
		batch = batch[:0]
		return err
	}
	for e := range sandbox.NewWorld(d.worldConfig()).History() {
		if batch = append(batch, e); len(batch) == historyBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	// With what the ledger found in it: who stopped is an event of its own.
	if err := d.settle(ctx); err != nil {
		return err
	}
	took := d.now().Sub(began)
	d.say("%d events are in the warehouse and the ledger: %.0f a second, from their making on.", total, float64(total)/took.Seconds())
	d.state.Events = total
	return d.saveState(&d.cfg)
}
