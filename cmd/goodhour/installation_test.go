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
	"sync"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest"
)

// installation is a data directory and its configuration.
type installation struct {
	data    string
	brokers []string // nil: the embedded one
	prefix  string   // of the topics
}

func newInstallation(t *testing.T, brokers []string) *installation {
	t.Helper()
	return &installation{data: t.TempDir(), brokers: brokers, prefix: defaultConfig().Kafka.TopicPrefix}
}

// settings are the flags of a command on the installation.
func (i *installation) settings() []string {
	out := []string{"--data", i.data, "--set", "kafka.topic_prefix=" + i.prefix}
	if len(i.brokers) > 0 {
		out = append(out, "--set", "kafka.brokers="+strings.Join(i.brokers, ","))
	}
	return out
}

func (i *installation) cli() *cli {
	cfg := defaultConfig()
	cfg.Data = i.data
	cfg.Kafka.Brokers, cfg.Kafka.TopicPrefix = i.brokers, i.prefix
	cfg.Kafka.Group = "goodhour-" + filepath.Base(filepath.Dir(i.data))
	return &cli{
		cfg: cfg, env: os.LookupEnv, stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard,
		log: slog.New(slog.DiscardHandler), now: time.Now,
	}
}

func (i *installation) connect(t *testing.T) *ingest.Producer {
	t.Helper()
	kafka, err := ingest.Connect(ingest.KafkaConfig{Brokers: i.brokers, TopicPrefix: i.prefix})
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

// process is a goodhour in a process of its own.
type process struct {
	cmd    *exec.Cmd
	out    *transcript
	exited chan error
}

// serve starts a serve on the installation; more are further arguments.
func (i *installation) serve(t *testing.T, more ...string) *process {
	t.Helper()
	return startProcess(t, nil, append(append([]string{"serve"}, i.settings()...), more...)...)
}

// startProcess starts a goodhour; env is added to this process's own.
func startProcess(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// What a killed process leaves behind. Its path is short: a socket lies there.
	temp, err := os.MkdirTemp("", "goodhour-test-") //nolint:usetesting // so
	if err != nil {
		t.Fatal(err)
	}
	p := &process{out: newTranscript(), exited: make(chan error, 1)}
	p.cmd = exec.Command(self, args...) //nolint:gosec // ourselves
	p.cmd.Env = append(append(os.Environ(), "GOODHOUR_TEST_RUN_MAIN=1", "TMPDIR="+temp), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.exited <- p.cmd.Wait() }()
	t.Cleanup(func() {
		// If the test failed before it ended the process itself.
		if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		if err := os.RemoveAll(temp); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.exited //nolint:errcheck // killed is what it should say
}

// stop asks the process to end in good order.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := <-p.exited; err != nil {
		t.Errorf("goodhour ended with %v\n%s", err, p.output())
	}
}

func (p *process) output() string { return p.out.String() }

// await waits for a line of the output and returns what stands between two texts in it.
func (p *process) await(ctx context.Context, t *testing.T, before, after string) string {
	t.Helper()
	for {
		text, grown := p.out.read()
		if _, rest, ok := strings.Cut(text, before); ok {
			if found, _, ok := strings.Cut(rest, after); ok {
				return found
			}
		}
		select {
		case <-grown:
		case err := <-p.exited:
			t.Fatalf("goodhour ended: %v\n%s", err, p.output())
		case <-ctx.Done():
			t.Fatalf("goodhour did not say %q: %v\n%s", before, context.Cause(ctx), p.output())
		}
	}
}

// transcript is what a process prints, while it prints.
type transcript struct {
	mu    sync.Mutex
	text  strings.Builder
	grown chan struct{} // closed at the next write
}

func newTranscript() *transcript { return &transcript{grown: make(chan struct{})} }

func (w *transcript) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.grown)
	w.grown = make(chan struct{})
	return w.text.Write(b)
}

func (w *transcript) read() (string, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String(), w.grown
}

func (w *transcript) String() string {
	text, _ := w.read()
	return text
}

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
	args = append(args, i.settings()...)
	noEnv := func(string) (string, bool) { return "", false }
	code = run(ctx, args, noEnv, strings.NewReader(""), &stdout, &stderr)
	return stdout.String(), stderr.String(), code
}
