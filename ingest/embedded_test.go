package ingest_test

import (
	"log/slog"
	"net/url"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/goodhour/goodhour/ingest/broker"
)

// embedded is the embedded broker under test.
type embedded struct {
	cfg    broker.Config
	broker *broker.Broker
}

func startEmbedded(t *testing.T, change ...func(*broker.Config)) *embedded {
	t.Helper()
	cfg := broker.Config{
		Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler),
		// Compaction often enough for a test.
		Settings: map[string]string{"log.cleaner.backoff.ms": "100"},
	}
	for _, c := range change {
		c(&cfg)
	}
	e := &embedded{cfg: cfg}
	e.start(t)
	t.Cleanup(func() { e.broker.Close() })
	return e
}

func (e *embedded) start(t *testing.T) {
	t.Helper()
	b, err := broker.Start(e.cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.broker = b
}

func (e *embedded) Addr() string { return e.broker.Addr() }

func (e *embedded) Restart(t *testing.T, damage func(partitionDir func(topic string, partition int32) string)) {
	t.Helper()
	e.broker.Close()
	if damage != nil {
		damage(func(topic string, partition int32) string {
			return filepath.Join(e.cfg.Dir, "log", "partitions", url.PathEscape(topic)+"-"+strconv.Itoa(int(partition)))
		})
	}
	e.start(t)
}

func (e *embedded) Another(t *testing.T) testBroker {
	t.Helper()
	return startEmbedded(t)
}

// TestEmbedded runs the conformance tests against the embedded broker.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newFixture(t, startEmbedded(t)))
		})
	}
}
