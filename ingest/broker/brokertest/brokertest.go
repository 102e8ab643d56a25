// Package brokertest starts the embedded broker in a process of its own, for
// benchmarks that must not share its CPU time and for tests that kill it. The
// process is the test binary itself, so TestMain must call Main.
package brokertest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/broker"
)

// environment carries the child's configuration.
const environment = "GOODHOUR_BROKERTEST"

// Options of the broker in its own process.
type Options struct {
	Dir      string
	Port     int
	Settings map[string]string
}

// retention is a line on the child's standard input: apply retention.
type retention struct {
	Loaded []loaded
	Limit  int64
}

type loaded struct {
	Partition ingest.TopicPartition
	Offset    int64
}

// Main runs the tests, or the broker in the process that Start made.
func Main(m *testing.M) {
	if text, ok := os.LookupEnv(environment); ok {
		if err := child(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child runs a broker until standard input ends, which it does when the parent
// closes it or dies.
func child(text string) error {
	var options Options
	if err := json.Unmarshal([]byte(text), &options); err != nil {
		return err
	}
	b, err := broker.Start(broker.Config{
		Dir: options.Dir, Port: options.Port, Settings: options.Settings,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	defer b.Close()
	fmt.Println(b.Addr())
	orders := json.NewDecoder(os.Stdin)
	for {
		var order retention
		if err := orders.Decode(&order); err != nil {
			return nil // the parent is done
		}
		positions := make(map[ingest.TopicPartition]int64)
		for _, l := range order.Loaded {
			positions[l.Partition] = l.Offset
		}
		if err := b.ApplyRetention(positions, order.Limit); err != nil {
			return err
		}
		fmt.Println("applied")
	}
}

// Process is a broker in its own process.
type Process struct {
	// Addr is its host:port.
	Addr string
	tb   testing.TB
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

// Start starts a broker, which is stopped at the end of the test.
func Start(tb testing.TB, options Options) *Process {
	tb.Helper()
	text, err := json.Marshal(options)
	if err != nil {
		tb.Fatal(err)
	}
	// Stop ends it, in good order; the test's context would kill it.
	cmd := exec.CommandContext(context.WithoutCancel(tb.Context()), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), environment+"="+string(text))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	p := &Process{tb: tb, cmd: cmd, in: stdin, out: bufio.NewReader(stdout)}
	tb.Cleanup(p.Stop)
	p.Addr = p.line()
	return p
}

func (p *Process) line() string {
	p.tb.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.tb.Fatalf("the broker's process ended: %v", err)
	}
	return strings.TrimSpace(line)
}

// ApplyRetention does what broker.Broker's method does.
func (p *Process) ApplyRetention(positions map[ingest.TopicPartition]int64, limit int64) {
	p.tb.Helper()
	order := retention{Limit: limit}
	for tp, offset := range positions {
		order.Loaded = append(order.Loaded, loaded{Partition: tp, Offset: offset})
	}
	if err := json.NewEncoder(p.in).Encode(order); err != nil {
		p.tb.Fatal(err)
	}
	p.line()
}

// Stop ends the broker in good order. It is idempotent.
func (p *Process) Stop() {
	if p.cmd == nil {
		return
	}
	_ = p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		p.tb.Errorf("the broker's process: %v", err)
	}
	p.cmd = nil
}

// Kill ends the broker as a crash would.
func (p *Process) Kill() {
	p.tb.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.tb.Fatalf("kill the broker's process: %v", err)
	}
	_ = p.cmd.Wait()
	_ = p.in.Close()
	p.cmd = nil
}
