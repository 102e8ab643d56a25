package api

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/goodhour/goodhour/ingest/broker"
)

// shared is what the tests of this binary use together: a broker, on which
// each test has its own topics, and the published file of the small world in
// testdata/world.ndjson. Both are made when first needed.
var shared struct {
	dir    string
	broker func() (*broker.Broker, error)
	world  func() (string, error)
}

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "goodhour-api-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	shared.dir = dir
	var started *broker.Broker
	shared.broker = sync.OnceValues(func() (*broker.Broker, error) {
		var err error
		started, err = broker.Start(broker.Config{Dir: filepath.Join(dir, "broker"), Logger: slog.New(slog.DiscardHandler)})
		return started, err
	})
	shared.world = sync.OnceValues(func() (string, error) { return buildWorld(filepath.Join(dir, "world")) })
	defer func() {
		if started != nil {
			started.Close()
		}
	}()
	return m.Run()
}
