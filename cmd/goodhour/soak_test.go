//go:build soak

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/event"
)

// TestSoak runs one serve, one producer, eight readers over HTTP and a wild
// analyst's model for two minutes. Nothing may hurt loading: no error in
// serve's log, every event loaded. Whoever asks for too much, or tries to
// write, read files, attach or change settings, gets a clear error.
func TestSoak(t *testing.T) {
	const length = 2 * time.Minute
	ctx := deadline(t, length+3*time.Minute)
	home := newInstallation(t, nil)
	own := t.TempDir()
	// It needs far more memory than a run may take.
	wild := "select a.range as a, list(b.range::varchar || repeat('x', 100)) as b\nfrom range(3000) as a, range(30000) as b\ngroup by all\n"
	if err := os.WriteFile(filepath.Join(own, "wild.sql"), []byte(wild), 0o600); err != nil {
		t.Fatal(err)
	}
	serve := home.serve(t, "--set", "models.dir="+own, "--set", "models.every=5s", "--set", "models.memory_limit=256MiB",
		"--set", "models.own_deadline=3s", "--set", "sql.memory_limit=64MiB", "--set", "sql.timeout=3s", "--set", "api.listen=127.0.0.1:0")
	address := serve.await(ctx, t, "API: ", "/v1/")
	client, err := dialControl(ctx, home.data)
	if err != nil {
		t.Fatal(err)
	}
	info, err := client.Log(ctx)
	if err != nil {
		t.Fatal(err)
	}
	home.brokers = info.Brokers
	producer := home.connect(t)
	events := story(t, 11, 200_000)
	if err := producer.Publish(ctx, events[:1000]); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Publish(ctx, publishRequest{}); err != nil {
		t.Fatal(err)
	}

	working, stop := context.WithTimeout(ctx, length)
	defer stop()
	var published, answered, postponed, refused atomic.Int64
	published.Store(1000)
	var work sync.WaitGroup
	work.Go(func() { publishUntil(working, t, producer, events[1000:], &published) })
	for reader := range 8 {
		work.Go(func() {
			for i := reader; working.Err() == nil; i++ {
				q := soakQueries[i%len(soakQueries)]
				status, body, err := askSQL(working, address, q.sql)
				switch {
				case working.Err() != nil:
				case err != nil:
					t.Errorf("%s: %v", q.sql, err)
				case q.refused && status/100 == 4 || q.refused && status == http.StatusServiceUnavailable:
					refused.Add(1)
					if !strings.Contains(body, `"detail"`) {
						t.Errorf("%s: refused without a reason: %s", q.sql, body)
					}
				case !q.refused && status == http.StatusOK:
					answered.Add(1)
				case !q.refused && slices.Contains(comeAgain, status):
					postponed.Add(1)
				default:
					t.Errorf("%s: status %d: %s", q.sql, status, body)
				}
			}
		})
	}
	work.Wait()
	if err := client.WaitForEnd(ctx); err != nil {
		t.Fatal(err)
	}
	last, err := client.Publish(ctx, publishRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, left := last.LeftOut["analyst.wild"]; !left {
		t.Errorf("the wild model was built: %v", last.LeftOut)
	}
	loaded := 0
	offsets, err := client.Offsets(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range offsets {
		loaded += int(p.NextOffset)
	}
	if int64(loaded) != published.Load() {
		t.Errorf("%d events published, %d loaded", published.Load(), loaded)
	}
	serve.stop(t)
	for line := range strings.Lines(serve.output()) {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "lock") {
			t.Error(line)
		}
	}
	if answered.Load() == 0 || refused.Load() == 0 {
		t.Error("no query was answered, or none refused")
	}
	t.Logf("%d events loaded; %d queries answered, %d told to come again, %d refused",
		loaded, answered.Load(), postponed.Load(), refused.Load())
}

// comeAgain are the answers to a good query while hogs take all places and both
// cores: over its deadline, over the rate, or no free place.
var comeAgain = []int{http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusServiceUnavailable}

var soakQueries = []struct {
	sql     string
	refused bool
}{
	{sql: "select heat_class, count(*) from marts.customers group by all"},
	{sql: "create table marts.mine as select 1", refused: true},
	{sql: "select count(*), sum(amount) from raw.order_completed"},
	{sql: "select count(distinct a.range::varchar || b.range::varchar) from range(100000) as a, range(100000) as b", refused: true},
	{sql: "from marts.segments"},
	{sql: "from read_csv('/etc/passwd')", refused: true},
	{sql: "select count(*) from marts.messages"},
	{sql: "attach '/tmp/x.duckdb' as x", refused: true},
	{sql: "select 1"},
	{sql: "set memory_limit = '10GB'", refused: true},
	{sql: "select campaign_id, sum(delivered_count) from marts.campaigns group by all"},
	{sql: "select sum(a.range * b.range * c.range) from range(100000) as a, range(100000) as b, range(1000) as c", refused: true},
	{sql: "copy (select 1) to '/tmp/x.csv'", refused: true},
	{sql: "install httpfs", refused: true},
}

// askSQL asks a serve and returns the status and the answer.
func askSQL(ctx context.Context, address, query string) (int, string, error) {
	body, err := json.Marshal(map[string]string{"sql": query})
	if err != nil {
		return 0, "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/v1/sql", bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return res.StatusCode, string(b), err
}

// publishUntil publishes events, over and over under other sources, until ctx ends.
func publishUntil(ctx context.Context, t *testing.T, producer *ingest.Producer, events []event.Event, published *atomic.Int64) {
	t.Helper()
	for round := 0; ; round++ {
		for part := range slices.Chunk(events, 2000) {
			batch := slices.Clone(part)
			for i := range batch {
				batch[i].Source = fmt.Sprintf("story-%d", round)
			}
			// The batch under way at the end is finished, so that the count is exact.
			if err := producer.Publish(context.WithoutCancel(ctx), batch); err != nil {
				t.Error(err)
				return
			}
			published.Add(int64(len(batch)))
			if ctx.Err() != nil {
				return
			}
		}
	}
}
