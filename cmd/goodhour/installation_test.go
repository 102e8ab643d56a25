package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest"
)

// installation is a data directory and its configuration.
type installation struct {
	data    string
	brokers []string
}

func newInstallation(t *testing.T, brokers []string) *installation {
	t.Helper()
	return &installation{data: t.TempDir(), brokers: brokers}
}

func (i *installation) cli() *cli {
	cfg := defaultConfig()
	cfg.Data = i.data
	cfg.Kafka.Brokers = i.brokers
	cfg.Kafka.Group = "goodhour-" + filepath.Base(filepath.Dir(i.data))
	return &cli{
		cfg: cfg, env: os.LookupEnv, stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard,
		log: slog.New(slog.DiscardHandler), now: time.Now,
	}
}

func (i *installation) connect(t *testing.T) *ingest.Producer {
	t.Helper()
	kafka, err := ingest.Connect(ingest.KafkaConfig{Brokers: i.brokers, TopicPrefix: defaultConfig().Kafka.TopicPrefix})
	if err != nil {
		t.Fatal(err)
	}
	producer := ingest.NewProducer(kafka)
	t.Cleanup(func() {
		if err := producer.Close(); err != nil {
			t.Error(err)
		}
		kafka.Close()
	})
	return producer
}

func (i *installation) prepareTopics(ctx context.Context, t *testing.T) {
	t.Helper()
	a, err := openApp(ctx, i.cli())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

// loadToEnd loads all that the topics hold and closes in good order.
func (i *installation) loadToEnd(ctx context.Context, t *testing.T) {
	t.Helper()
	a, err := openApp(ctx, i.cli())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.WaitForEnd(ctx), a.Close()); err != nil {
		t.Fatal(err)
	}
}

func (i *installation) shareIdentityKey(t *testing.T, from *installation) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(from.data, "identity.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(i.data, "identity.key"), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// process is a serve in a process of its own.
type process struct {
	cmd    *exec.Cmd
	out    *strings.Builder
	exited chan error
}

func (i *installation) serve(t *testing.T) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{out: &strings.Builder{}, exited: make(chan error, 1)}
	p.cmd = exec.Command(self, "serve", "--data", i.data, "--set", "kafka.brokers="+strings.Join(i.brokers, ","), //nolint:gosec // ourselves
		"--set", "load.batch_rows=2000", "--set", "load.batch_age=50ms")
	p.cmd.Env = append(os.Environ(), "GOODHOUR_TEST_RUN_MAIN=1")
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.exited <- p.cmd.Wait() }()
	return p
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.exited
}

func (p *process) output() string { return p.out.String() }

// run runs a command in this process and returns the data that it printed.
func (i *installation) run(ctx context.Context, t *testing.T, args ...string) string {
	t.Helper()
	out, talk, code := i.try(ctx, args...)
	if code != exitOK {
		t.Fatalf("goodhour %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, talk)
	}
	return out
}

// try is run for a command that may fail: it returns the data and the talk
// that it printed, and its exit code.
func (i *installation) try(ctx context.Context, args ...string) (out, talk string, code int) {
	var stdout, stderr strings.Builder
	args = append(args, "--data", i.data)
	if len(i.brokers) > 0 {
		args = append(args, "--set", "kafka.brokers="+strings.Join(i.brokers, ","))
	}
	noEnv := func(string) (string, bool) { return "", false }
	code = run(ctx, args, noEnv, strings.NewReader(""), &stdout, &stderr)
	return stdout.String(), stderr.String(), code
}
