package ingest_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

func testCompacted(f *fixture) {
	f.create(f.read, 1, "cleanup.policy=compact", "segment.ms=50", "min.cleanable.dirty.ratio=0.01", "max.compaction.lag.ms=100")
	same := func(from, to int) {
		f.t.Helper()
		for n := from; n < to; n++ {
			r := f.record(f.read, 0, n)
			r.Key = []byte("one key")
			if err := f.admin.ProduceSync(f.ctx(), r).FirstErr(); err != nil {
				f.t.Fatal(err)
			}
		}
	}
	same(0, 30)
	// The markers of a transaction at the end, and of one that was aborted.
	f.transaction("compacted", kgo.TryAbort, 30, 31)
	f.transaction("compacted", kgo.TryCommit, 31, 32)
	var kept []int
	f.eventually("compaction made holes", func() bool {
		kept = f.consumeAll(f.read)
		return len(kept) < 15
	})
	c := f.run()
	f.loaded(c)
	// Compaction may have gone on since; what was loaded is some late part.
	rows := warehousetest.Query(f.t, f.db, "select ce_id from raw.message_read order by ce_id")
	if len(rows) > len(kept) || len(rows) == 0 {
		f.t.Errorf("%d events are loaded, the log had %d when it was compacted", len(rows), len(kept))
	}
	for _, row := range rows {
		if row[0] == "read-30" {
			f.t.Error("the aborted event was loaded")
		}
	}
	f.wantNoDeadLetters()
	s := c.status(f.t, f.read, 0)
	if s.NextOffset != s.HighWatermark {
		f.t.Errorf("the position is %d, the high watermark %d", s.NextOffset, s.HighWatermark)
	}
}

func (f *fixture) consumeAll(topic string) []int {
	f.t.Helper()
	marks, err := f.kafka.HighWatermarks(f.ctx(), []string{topic})
	if err != nil {
		f.t.Fatal(err)
	}
	client := f.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	defer client.Close()
	var out []int
	left := len(marks)
	for left > 0 {
		fetches := client.PollFetches(f.ctx())
		if err := fetches.Err(); err != nil {
			f.t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= marks[ingest.TopicPartition{Topic: topic, Partition: r.Partition}] {
				left--
			}
			if r.Attrs.IsControl() {
				return
			}
			for _, h := range r.Headers {
				if h.Key == "ce_id" {
					n, err := strconv.Atoi(strings.TrimPrefix(string(h.Value), "read-"))
					if err != nil {
						f.t.Fatal(err)
					}
					out = append(out, n)
				}
			}
		})
	}
	return out
}

func (f *fixture) transaction(id string, end kgo.TransactionEndTry, from, to int) {
	f.t.Helper()
	f.beginTransaction(id, from, to)(end)
}

func (f *fixture) beginTransaction(id string, from, to int) (end func(kgo.TransactionEndTry)) {
	f.t.Helper()
	client := f.client(kgo.TransactionalID(f.read+id), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := client.BeginTransaction(); err != nil {
		f.t.Fatal(err)
	}
	for n := from; n < to; n++ {
		if err := client.ProduceSync(f.ctx(), f.record(f.read, 0, n)).FirstErr(); err != nil {
			f.t.Fatal(err)
		}
	}
	return func(commit kgo.TransactionEndTry) {
		f.t.Helper()
		if err := client.EndTransaction(f.ctx(), commit); err != nil {
			f.t.Fatal(err)
		}
	}
}

func testAborted(f *fixture) {
	f.create(f.read, 1)
	f.put(f.read, 0, 0, 5)
	f.transaction("a", kgo.TryAbort, 5, 10)
	f.transaction("a", kgo.TryCommit, 10, 15)
	// Two transactions that overlap, with other records between.
	endB := f.beginTransaction("b", 15, 20)
	f.put(f.read, 0, 20, 25)
	endC := f.beginTransaction("c", 25, 30)
	endB(kgo.TryAbort)
	f.put(f.read, 0, 30, 35)
	endC(kgo.TryCommit)
	f.transaction("a", kgo.TryAbort, 35, 40)

	c := f.run()
	f.loaded(c) // the last thing in the log is an abort marker
	f.wantReads(0, 5, 10, 15, 20, 25, 25, 30, 30, 35)
	s := c.status(f.t, f.read, 0)
	if s.NextOffset != s.HighWatermark || s.Lag() != 0 {
		f.t.Errorf("the position is %d, the high watermark %d", s.NextOffset, s.HighWatermark)
	}
	// A new start in the middle of the log filters just as well.
	c.stop()
	f.transaction("a", kgo.TryAbort, 40, 45)
	f.put(f.read, 0, 45, 50)
	c = f.run()
	f.loaded(c)
	f.wantReads(0, 5, 10, 15, 20, 25, 25, 30, 30, 35, 45, 50)
	f.wantNoDeadLetters()
}

func testOpenTransaction(f *fixture) {
	f.create(f.read, 2)
	f.put(f.read, 0, 0, 5)
	c := f.run()
	f.loaded(c)
	end := f.beginTransaction("open", 5, 10)
	f.put(f.read, 0, 10, 15) // invisible: behind the open transaction
	f.put(f.read, 1, 20, 25)
	if err := c.WaitFor(f.ctx(), map[ingest.TopicPartition]int64{{Topic: f.read, Partition: 1}: 5}); err != nil {
		f.t.Fatal(err)
	}
	f.eventually("the broker told of the open transaction", func() bool {
		return c.status(f.t, f.read, 0).HighWatermark == 15
	})
	short, cancel := context.WithTimeout(f.t.Context(), 300*time.Millisecond)
	defer cancel()
	err := c.WaitForEnd(short)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), f.read+"/0 stands at 5 of 15") ||
		!strings.Contains(err.Error(), "transaction") {
		f.t.Errorf("the barrier before an open transaction: %v", err)
	}
	f.wantReads(0, 5, 20, 25)
	end(kgo.TryCommit)
	f.loaded(c)
	f.wantReads(0, 15, 20, 25)
}
