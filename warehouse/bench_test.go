package warehouse_test

import (
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/warehouse"
)

func openBench(b *testing.B) *warehouse.DB {
	b.Helper()
	db, err := warehouse.Open(b.Context(), warehouse.Options{
		Path: filepath.Join(b.TempDir(), "warehouse.duckdb"),
		Now:  time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	return db
}

const (
	second     = int64(time.Second / time.Microsecond)
	day        = 24 * 60 * 60 * second
	benchStart = int64(1_780_000_000_000_000)
)

// feed gives batches of a topic that is read in about the order of time.
type feed struct {
	random *rand.Rand
	next   int64 // offset
	now    int64 // microseconds
	spread int64 // how far the times of a batch go back
}

func newFeed(spread int64) *feed {
	return &feed{random: rand.New(rand.NewPCG(1, 2)), now: benchStart, spread: spread}
}

func (f *feed) fill(b *event.Batch, n int) {
	b.Reset()
	appendReads(b, f.random, n, func(int) int64 {
		f.now += 10_000
		return f.now - f.random.Int64N(f.spread)
	})
	from := f.next
	if from == 0 {
		from = -1
	}
	f.next += int64(n)
	for _, id := range b.Rows[event.MessageRead].Identity {
		b.AddIdentity(identity.Identity{ID: id, Namespace: identity.NamespacePhone, Value: hex.EncodeToString(id[8:])})
	}
	b.Moves = append(b.Moves, event.Move{Partition: partition(0), From: from, To: f.next})
}

// BenchmarkLoad loads batches of new events, with de-duplication and offsets,
// into a table that holds a million rows and grows. Narrow: a batch's times
// lie within minutes. Wide: they lie anywhere in 90 days.
//
// Each batch is also appended to the same table of another file with the
// driver's own Appender, one transaction a batch, without de-duplication and
// offsets; the two take turns, so that the ratio holds on a busy machine.
func BenchmarkLoad(b *testing.B) {
	for _, size := range []int{50_000, 100_000} {
		for _, times := range []struct {
			name   string
			spread int64
		}{{"narrow", 5 * second}, {"wide", 90 * day}} {
			b.Run(fmt.Sprintf("%s/batch=%d", times.name, size), func(b *testing.B) {
				benchmarkLoad(b, size, times.spread)
			})
		}
	}
}

func benchmarkLoad(b *testing.B, size int, spread int64) {
	db, bare := openBench(b), openBare(b)
	f := newFeed(spread)
	var batch event.Batch
	for range 10 {
		f.fill(&batch, 100_000)
		if err := db.Load(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
		appendBare(b, bare, batch.Rows[event.MessageRead])
	}
	var loading, appending time.Duration
	rows := 0
	for b.Loop() {
		for range 500_000 / size {
			f.fill(&batch, size)
			rows += size
			start := time.Now()
			appendBare(b, bare, batch.Rows[event.MessageRead])
			appending += time.Since(start)
			start = time.Now()
			if err := db.Load(b.Context(), &batch); err != nil {
				b.Fatal(err)
			}
			loading += time.Since(start)
		}
	}
	b.ReportMetric(0, "ns/op") // it would count both
	b.ReportMetric(float64(rows)/loading.Seconds(), "rows/s")
	b.ReportMetric(float64(rows)/appending.Seconds(), "appender-rows/s")
	b.ReportMetric(appending.Seconds()/loading.Seconds(), "ratio")
}

// openBare opens a warehouse's file with the driver alone.
func openBare(b *testing.B) *sql.Conn {
	b.Helper()
	empty := openBench(b)
	if err := empty.Close(); err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("duckdb", empty.Path())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	conn, err := db.Conn(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	if _, err := conn.ExecContext(b.Context(), "set global memory_limit = '1GB'; set global wal_autocheckpoint = '256MB'"); err != nil {
		b.Fatal(err)
	}
	return conn
}

func appendBare(b *testing.B, conn *sql.Conn, r *event.Rows) {
	b.Helper()
	if _, err := conn.ExecContext(b.Context(), "begin transaction"); err != nil {
		b.Fatal(err)
	}
	err := conn.Raw(func(raw any) error {
		a, err := duckdb.NewAppenderFromConn(raw.(driver.Conn), "raw", "message_read")
		if err != nil {
			return err
		}
		for i := range r.Len() {
			if err := a.AppendRow(
				string(r.Source.At(i)), string(r.ID.At(i)), time.UnixMicro(r.Time[i]), duckdb.UUID(r.Identity[i]),
				string(r.Columns[0].Text.At(i)), string(r.Columns[1].Text.At(i)), string(r.Columns[2].Text.At(i)),
				string(r.Columns[3].Text.At(i)), string(r.Columns[4].Text.At(i)),
				"goodhour.read", r.Partition[i], r.Offset[i], time.UnixMicro(r.ReceivedAt[i]),
			); err != nil {
				return err
			}
		}
		return a.Close()
	})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := conn.ExecContext(b.Context(), "commit"); err != nil {
		b.Fatal(err)
	}
}
