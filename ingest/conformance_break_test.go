package ingest_test

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

func testGap(f *fixture) {
	f.create(f.read, 2)
	f.put(f.read, 0, 0, 10)
	c := f.run()
	f.loaded(c)
	c.stop()
	f.put(f.read, 0, 10, 20)
	f.put(f.read, 1, 100, 110)
	f.deleteRecords(f.read, 0, 15)

	c = f.run()
	b := f.broken(c, f.read, 0, ingest.BreakGap).Break
	if b.NextOffset != 10 || b.LogStart != 15 {
		f.t.Errorf("the break is %+v, want position 10, log start 15", b)
	}
	if !strings.Contains(b.Error(), "5 offsets were deleted") {
		f.t.Errorf("the error does not say how much was lost: %v", b)
	}
	var stopped *ingest.BreakError
	if err := c.WaitForEnd(f.ctx()); !errors.As(err, &stopped) {
		f.t.Errorf("WaitForEnd over a stopped partition: %v", err)
	}
	// The other partition goes on.
	other := map[ingest.TopicPartition]int64{{Topic: f.read, Partition: 1}: 10}
	if err := c.WaitFor(f.ctx(), other); err != nil {
		f.t.Fatal(err)
	}
	f.wantReads(0, 10, 100, 110)
	if _, err := c.Accept(f.ctx(), f.read, 1, "ana"); err == nil {
		f.t.Error("a partition that is not broken was accepted")
	}

	accepted, err := c.Accept(f.ctx(), f.read, 0, "ana")
	if err != nil {
		f.t.Fatal(err)
	}
	if accepted.NextOffset != 15 || accepted.Break != ingest.BreakGap || accepted.AcceptedBy != "ana" {
		f.t.Errorf("accepted %+v", accepted)
	}
	f.loaded(c)
	f.wantReads(0, 10, 15, 20, 100, 110)
	if n := f.log.count("partition stopped"); n != 1 {
		f.t.Errorf("the stop was told %d times, want once:\n%s", n, f.log)
	}
	got := warehousetest.Query(f.t, f.db, `select * from ops.acceptances`)
	if len(got) != 1 || !strings.Contains(strings.Join(got[0], " "), "ana") {
		f.t.Errorf("the decision is not kept: %v", got)
	}
}

func testGapWhileRunning(f *fixture) {
	f.create(f.read, 1)
	for n := range 10 {
		f.put(f.read, 0, n, n+1) // each a record batch of its own
	}
	// One record a batch and an answer: three are under way at most.
	loading, release := make(chan struct{}, 10), make(chan struct{})
	c := f.runInto(loaderFunc{f.db, func(ctx context.Context, batch *event.Batch) error {
		loading <- struct{}{}
		<-release
		return f.db.Load(ctx, batch)
	}}, func(cfg *ingest.ConsumerConfig) { cfg.Limits.Records, cfg.FetchBytes = 1, 1 })
	<-loading
	f.deleteRecords(f.read, 0, 8)
	close(release)
	b := f.broken(c, f.read, 0, ingest.BreakGap).Break
	read := int(b.NextOffset)
	if read < 1 || read > 3 || b.LogStart != 8 {
		f.t.Errorf("the break is %+v, want position 1 to 3, log start 8", b)
	}
	f.wantReads(0, read) // what was under way is loaded
	if _, err := c.Accept(f.ctx(), f.read, 0, "ana"); err != nil {
		f.t.Fatal(err)
	}
	f.loaded(c)
	f.wantReads(0, read, 8, 10)
}

func testRecreated(f *fixture) {
	f.create(f.read, 2)
	f.put(f.read, 0, 0, 10)
	f.put(f.read, 1, 10, 20)
	c := f.run()
	f.loaded(c)
	c.stop()
	f.drop(f.read)
	f.create(f.read, 2)
	// More than the old one had: by offsets alone it would look whole.
	f.put(f.read, 0, 5, 30)

	c = f.run()
	f.broken(c, f.read, 0, ingest.BreakRecreated)
	f.broken(c, f.read, 1, ingest.BreakRecreated)
	f.wantReads(0, 20)
	// Accepting works without a running consumer too.
	c.stop()
	offline := f.consumer(f.db)
	for partition := range int32(2) {
		if _, err := offline.Accept(f.ctx(), f.read, partition, "ana"); err != nil {
			f.t.Fatal(err)
		}
	}
	c = f.run()
	f.loaded(c)
	f.wantReads(0, 30)
}

func testRecreatedWhileRunning(f *fixture) {
	f.create(f.read, 1)
	f.put(f.read, 0, 0, 10)
	c := f.run()
	f.loaded(c)
	f.drop(f.read)
	f.create(f.read, 1)
	f.put(f.read, 0, 20, 50)
	f.broken(c, f.read, 0, ingest.BreakRecreated)
	f.wantReads(0, 10)
	if _, err := c.Accept(f.ctx(), f.read, 0, "ana"); err != nil {
		f.t.Fatal(err)
	}
	f.loaded(c)
	f.wantReads(0, 10, 20, 50)
}

func testOtherCluster(f *fixture) {
	f.create(f.read, 2)
	f.put(f.read, 0, 0, 10)
	c := f.run()
	f.loaded(c)
	c.stop()

	prefix := strings.TrimSuffix(f.read, string(event.TopicRead))
	other := newFixtureWithPrefix(f.t, f.broker.Another(f.t), prefix, f.db)
	other.create(other.read, 2)
	other.put(other.read, 0, 5, 20)
	moved := other.run()
	b := other.broken(moved, other.read, 0, ingest.BreakCluster).Break
	if b.Partition.ClusterID == b.Now.ClusterID {
		f.t.Errorf("the break names one cluster: %+v", b)
	}
	other.broken(moved, other.read, 1, ingest.BreakCluster)
	f.wantReads(0, 10)
	moved.stop()

	// Back at the right brokers, nothing is broken.
	c = f.run()
	f.loaded(c)
	c.stop()

	moved = other.run()
	for partition := range int32(2) {
		other.broken(moved, other.read, partition, ingest.BreakCluster)
		if _, err := moved.Accept(f.ctx(), other.read, partition, "ana"); err != nil {
			f.t.Fatal(err)
		}
	}
	other.loaded(moved)
	f.wantReads(0, 20)
}

func testTruncated(f *fixture) {
	f.create(f.read, 2)
	f.put(f.read, 0, 0, 10)
	saved := f.t.TempDir()
	f.broker.Restart(f.t, func(dir func(string, int32) string) {
		if err := os.CopyFS(saved, os.DirFS(dir(f.read, 0))); err != nil {
			f.t.Fatal(err)
		}
	})
	f.put(f.read, 0, 10, 20)
	f.put(f.read, 1, 100, 110)
	c := f.run()
	f.loaded(c)
	c.stop()
	f.broker.Restart(f.t, func(dir func(string, int32) string) {
		if err := os.RemoveAll(dir(f.read, 0)); err != nil {
			f.t.Fatal(err)
		}
		if err := os.CopyFS(dir(f.read, 0), os.DirFS(saved)); err != nil {
			f.t.Fatal(err)
		}
	})
	f.put(f.read, 0, 200, 205)
	f.put(f.read, 1, 110, 120)

	c = f.run()
	b := f.broken(c, f.read, 0, ingest.BreakTruncated).Break
	if b.NextOffset != 20 || b.LogEnd != 15 {
		f.t.Errorf("the break is %+v, want position 20, log end 15", b)
	}
	// It stays stopped when new records have grown past the position.
	f.put(f.read, 0, 205, 215)
	other := map[ingest.TopicPartition]int64{{Topic: f.read, Partition: 1}: 20}
	if err := c.WaitFor(f.ctx(), other); err != nil {
		f.t.Fatal(err)
	}
	f.wantReads(0, 20, 100, 120)
	if _, err := c.Accept(f.ctx(), f.read, 0, "ana"); err != nil {
		f.t.Fatal(err)
	}
	f.loaded(c)
	f.wantReads(0, 20, 100, 120, 200, 215)
}

func testStartsLater(f *fixture) {
	f.create(f.read, 1)
	f.put(f.read, 0, 0, 10)
	f.deleteRecords(f.read, 0, 4)
	c := f.run()
	f.loaded(c)
	f.wantReads(4, 10)
	// And one that is empty, but not at 0.
	f.create(f.kafka.Topic(event.TopicReply), 1)
	f.put(f.kafka.Topic(event.TopicReply), 0, 0, 3)
	f.deleteRecords(f.kafka.Topic(event.TopicReply), 0, 3)
	c.stop()
	c = f.run(func(cfg *ingest.ConsumerConfig) { cfg.Topics = append(cfg.Topics, f.kafka.Topic(event.TopicReply)) })
	f.loaded(c)
	f.eventually("the empty partition's position is stored", func() bool {
		return c.status(f.t, f.kafka.Topic(event.TopicReply), 0).NextOffset == 3
	})
}
