package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/goodhour/goodhour/api/web/report"
	"github.com/goodhour/goodhour/api/web/texts"
	"github.com/goodhour/goodhour/ingest/fileimport"
)

// tryOptions are the flags of try beside those of an import.
type tryOptions struct {
	keep     string
	report   string
	language string
	noServe  bool
}

// try is a first look at a file of orders: everything that an import and a
// serve do, by the same road, in a data directory that goes when it ends.
type try struct {
	*cli    // with the configuration of the trial
	reading *importFlags
	options tryOptions
	tag     language.Tag
	files   []string
	args    []string // as they were given, but --no-serve
	begun   time.Time
}

func runTry(ctx context.Context, c *cli, args []string) (err error) {
	t := &try{begun: c.now(), args: slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return strings.TrimLeft(arg, "-") == "no-serve" })}
	flags, f := newImportFlags(c, "try", fileimport.Orders)
	o := &t.options
	flags.StringVar(&o.keep, "keep", "", "keep the data in `DIR`, a new or empty one: goodhour serve --data DIR goes on from there")
	flags.StringVar(&o.report, "report", "report.html", "`FILE` that the report is written to")
	flags.StringVar(&o.language, "language", "en", "`LANGUAGE` of the report: en or zh")
	flags.BoolVar(&o.noServe, "no-serve", false, "write the report and exit, without the dashboard")
	if t.files, err = parseMixed(flags, args); err != nil {
		return err
	}
	if len(t.files) == 0 {
		return usagef("name a file of orders")
	}
	if err := f.complete(c, flags); err != nil {
		return err
	}
	if t.tag, err = language.Parse(o.language); err != nil || !slices.ContainsFunc(texts.Tags(), sameLanguage(t.tag)) {
		return usagef("--language %s: want en or zh", o.language)
	}
	if info, err := os.Stat(filepath.Dir(o.report)); err != nil || !info.IsDir() {
		return usagef("--report %s: there is no folder %s to write it to", o.report, filepath.Dir(o.report))
	}
	for _, file := range t.files {
		if _, err := os.Stat(file); err != nil {
			return usagef("%v", err)
		}
	}
	t.reading = f
	data, remove, err := tryData(o.keep)
	if err != nil {
		return err
	}
	inner := *c
	inner.cfg = tryConfig(&c.cfg, data)
	t.cli = &inner
	kept := false
	defer func() {
		if o.keep == "" || !kept {
			err = errors.Join(err, remove())
		}
	}()
	return t.run(ctx, &kept)
}

// sameLanguage tells whether another tag is of the same language, whatever its
// region or script.
func sameLanguage(tag language.Tag) func(language.Tag) bool {
	base, _ := tag.Base()
	return func(other language.Tag) bool {
		its, _ := other.Base()
		return its == base
	}
}

// tryData makes the data directory of a trial, and says how to take it back.
func tryData(keep string) (data string, remove func() error, err error) {
	if keep == "" {
		if data, err = os.MkdirTemp("", "goodhour-try-"); err != nil {
			return "", nil, fmt.Errorf("make a temporary data directory: %w; set TMPDIR to a folder with room", err)
		}
		return data, func() error { return os.RemoveAll(data) }, nil
	}
	entries, err := os.ReadDir(keep)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := os.MkdirAll(keep, 0o700); err != nil {
			return "", nil, fmt.Errorf("make the data directory: %w", err)
		}
	case err != nil:
		return "", nil, fmt.Errorf("look into --keep %s: %w", keep, err)
	case len(entries) > 0:
		return "", nil, usagef("--keep %s: it is not empty; name a new directory, or bring the file into this one with goodhour import orders --data %s", keep, keep)
	}
	return keep, func() error { return os.RemoveAll(keep) }, nil
}

// tryConfig is the configuration of a trial: the models' and the limits as they
// are configured, but nothing that reaches beyond the data directory.
func tryConfig(configured *Config, data string) Config {
	cfg := *configured
	cfg.Data = data
	cfg.Kafka = defaultConfig().Kafka // the embedded broker
	cfg.Identity = IdentityConfig{}   // a key of its own
	cfg.Accounts = nil                // nothing can be sent
	cfg.Models.AsOf = asOfLastEvent
	cfg.API.PublicURL = ""
	if host, _, err := net.SplitHostPort(cfg.API.Listen); err != nil || !loopback(host) {
		cfg.API.Listen = defaultConfig().API.Listen
	}
	return cfg
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// run sets kept once there is something worth keeping.
func (t *try) run(ctx context.Context, kept *bool) (err error) {
	a, err := openApp(ctx, t.cli)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	t.say("Reading %s.", strings.Join(t.files, ", "))
	imported, err := importEvents(ctx, t.cli, a, t.files, t.reading.options)
	if err = t.reading.finish(t.cli, imported, err); err != nil {
		return t.ended(ctx, err)
	}
	t.say("Loaded. Running the models.")
	published, err := a.Publish(ctx, publishRequest{})
	if err != nil {
		return t.ended(ctx, err)
	}
	if err := t.writeReport(ctx, a); err != nil {
		return t.ended(ctx, err)
	}
	*kept = true
	if !t.json {
		if err := printReach(ctx, t.cli); err != nil {
			return t.ended(ctx, err)
		}
	}
	t.say("Report: %s, as of the last order, %s. It is one file: open it in a browser, print it, forward it.",
		t.options.report, published.AsOf.Format(time.DateOnly))
	if t.options.keep != "" {
		t.say("Kept in %s. To go on: goodhour serve --data %s --set models.as_of=last-event", t.options.keep, t.options.keep)
	}
	if t.options.noServe {
		return nil
	}
	return t.serve(ctx, a)
}

// ended is the error of a trial that was cut short: that it was stopped says it
// all, whatever broke by it.
func (t *try) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("stopped before the report was written; nothing is kept")
	}
	return err
}

// writeReport writes the report whole or not at all.
func (t *try) writeReport(ctx context.Context, a *app) error {
	reader, release, err := a.library.Acquire()
	if err != nil {
		return err
	}
	defer release()
	names := make([]string, len(t.files))
	for i, file := range t.files {
		names[i] = filepath.Base(file)
	}
	var b bytes.Buffer
	err = report.Write(ctx, &b, reader, report.Options{
		Files: names, Again: t.args, Data: t.options.keep, Language: t.tag, Version: buildVersion(),
	})
	if err != nil {
		return err
	}
	if err := writeFileAtomic(t.options.report, b.Bytes()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// serve shows the dashboard until it is told to stop.
func (t *try) serve(ctx context.Context, a *app) (err error) {
	pages, err := listenNear(ctx, t.cfg.API.Listen)
	if err != nil {
		return err
	}
	a.cfg.API.Listen = pages.Addr().String()
	server, err := a.api()
	if err != nil {
		return errors.Join(err, pages.Close())
	}
	stopPages := serveHTTP(server.HTTPServer(server.Handler()), pages)
	defer func() { err = errors.Join(err, stopPages()) }()
	stopControl, err := startControl(t.cfg.Data, server.HTTPServer(controlHandler(a, server.SocketHandler())))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopControl()) }()
	t.say("Dashboard: http://%s/", a.cfg.API.Listen)
	t.say("SQL, in another terminal: goodhour sql --data %s \"from marts.customers limit 10\"", t.cfg.Data)
	if t.options.keep == "" {
		t.say("Nothing is sent. Ctrl-C ends it, and takes everything away but the report; --keep DIR keeps the data.")
	} else {
		t.say("Nothing is sent. Ctrl-C ends it.")
	}
	select {
	case <-ctx.Done():
		return nil
	case <-a.invalidated():
		return a.consumer.Status().Error
	}
}

// say prints a line of progress with the seconds since the start.
func (t *try) say(format string, args ...any) {
	fmt.Fprintf(t.stderr, "%6.1fs  %s\n", t.now().Sub(t.begun).Seconds(), fmt.Sprintf(format, args...))
}
