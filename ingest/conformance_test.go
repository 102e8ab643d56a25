package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

// conformance is what must hold on every broker. Each case gets a broker,
// topics of its own and an empty warehouse.
var conformance = []struct {
	name string
	run  func(f *fixture)
}{
	{"every event is loaded once", testLoadsOnce},
	{"a partition added later is read from its start", testNewPartition},
	{"a topic made later is read", testNewTopic},
	{"records deleted before they were loaded stop the partition", testGap},
	{"records deleted while others wait for the loader stop the partition", testGapWhileRunning},
	{"a topic made anew stops its partitions", testRecreated},
	{"a topic made anew stops a running consumer", testRecreatedWhileRunning},
	{"another cluster stops every partition", testOtherCluster},
	{"a log cut off below the position stops the partition", testTruncated},
	{"a new partition whose log does not start at 0 is read", testStartsLater},
	{"holes of compaction are passed over", testCompacted},
	{"aborted records and markers never become rows", testAborted},
	{"a record behind an open transaction holds up the barrier", testOpenTransaction},
	{"a record that is too large is refused and says by whom", testTooLarge},
	{"a broker's restart is waited out and told once", testRestart},
	{"a consumer that starts before its broker is well once it is there", testStartsBeforeBroker},
	{"positions show in the consumer group", testGroup},
	{"a batch that another loader loaded is not loaded again", testFenced},
	{"a load that fails is repeated", testLoadFails},
	{"cancelling in mid-load loses and doubles nothing", testCancel},
	{"a slow loader gets full batches", testSlowLoader},
	{"what cannot be decoded becomes a dead letter and can be replayed", testDeadLetters},
}

func testLoadsOnce(f *fixture) {
	var topics []string
	topics = append(topics, f.kafka.EventTopics()...)
	for _, topic := range topics {
		f.create(topic, 3)
	}
	every := func(cfg *ingest.ConsumerConfig) { cfg.Topics, cfg.Limits.Records = topics, 100 }
	orders := make([]event.Event, 0, 50)
	for n := range 50 {
		o, err := event.New("order-"+strconv.Itoa(n), "shop", fmt.Sprintf("external:shop:c%d", n%7), happenedAt(n),
			event.OrderCompletedData{OrderID: strconv.Itoa(n), Amount: 1_0000, Currency: "BRL"})
		if err != nil {
			f.t.Fatal(err)
		}
		orders = append(orders, o)
	}
	f.publish(0, 500)
	if err := f.producer.Publish(f.ctx(), orders); err != nil {
		f.t.Fatal(err)
	}
	first := f.run(every)
	f.loaded(first)
	f.wantReads(0, 500)
	first.stop()

	// The same events again: from the producer, and in other partitions than
	// their keys would choose.
	f.publish(100, 600)
	for partition := range int32(3) {
		f.put(f.read, partition, 400, 450)
	}
	second := f.run(every)
	f.loaded(second)
	f.wantReads(0, 600)
	if got := warehousetest.Query(f.t, f.db, "select count(*) from raw.order_completed"); got[0][0] != "50" {
		f.t.Errorf("%s orders are there, want 50", got[0][0])
	}
	for _, s := range second.Status().Partitions {
		if s.Lag() != 0 || s.NextOffset != s.HighWatermark || s.Error != nil || s.Break != nil {
			f.t.Errorf("after the end was reached: %+v", s)
		}
	}
	if n := len(second.Status().Partitions); n != 3*len(topics) {
		f.t.Errorf("the status has %d partitions, want %d", n, 3*len(topics))
	}
	if f.log.count("trouble") > 0 {
		f.t.Errorf("there was trouble:\n%s", f.log)
	}
	f.wantNoDeadLetters()
}

func testNewPartition(f *fixture) {
	f.create(f.read, 1)
	f.put(f.read, 0, 0, 10)
	c := f.run()
	f.loaded(c)
	client := &kafka.Client{Addr: kafka.TCP(f.broker.Addr()), Transport: &kafka.Transport{}}
	grown, err := client.CreatePartitions(f.ctx(), &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: f.read, Count: 2}},
	})
	if err != nil || grown.Errors[f.read] != nil {
		f.t.Fatal(err, grown)
	}
	f.admin.PurgeTopicsFromClient(f.read)
	f.eventually("the new partition has a leader", func() bool {
		err := f.admin.ProduceSync(f.ctx(), f.record(f.read, 1, 10)).FirstErr()
		return err == nil
	})
	f.put(f.read, 1, 11, 20)
	f.loaded(c)
	f.wantReads(0, 20)
}

func testNewTopic(f *fixture) {
	c := f.run()
	f.eventually("the missing topic is told", func() bool { return f.log.count("trouble, retrying") == 1 })
	short, cancel := context.WithTimeout(f.t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := c.WaitForEnd(short); !errors.Is(err, kafka.UnknownTopicOrPartition) || !errors.Is(err, context.DeadlineExceeded) {
		f.t.Errorf("WaitForEnd without a topic: %v", err)
	}
	f.create(f.read, 2)
	f.publish(0, 10)
	f.loaded(c)
	f.wantReads(0, 10)
	if n := f.log.count("trouble, retrying"); n != 1 {
		f.t.Errorf("the trouble was told %d times, want once:\n%s", n, f.log)
	}
}

// consumeAll reads the numbers of the committed events in a topic with another
// client than ours.
// transaction writes events from, …, to-1 to partition 0 in one transaction.
// beginTransaction writes events and leaves the transaction open.
func testTooLarge(f *fixture) {
	f.create(f.read, 1, "max.message.bytes=20000")
	large := func(n, size int) event.Record {
		e := readEvent(f.t, n)
		r, err := e.Record(strings.TrimSuffix(f.read, string(event.TopicRead)))
		if err != nil {
			f.t.Fatal(err)
		}
		noise := make([]byte, size)
		x := uint32(n + 1)
		for i := range noise {
			x = x*1664525 + 1013904223
			noise[i] = 'a' + byte(x>>24)%26
		}
		r.Headers = append(r.Headers, event.Header{Key: "noise", Value: noise})
		return r
	}
	records := []event.Record{large(0, 10), large(1, 60_000), large(2, 10), large(3, 1_100_000), large(4, 10)}
	err := f.producer.PublishRecords(f.ctx(), records)
	var failed *ingest.PublishError
	if !errors.As(err, &failed) || len(failed.Failures) != 2 {
		f.t.Fatalf("published with error %v", err)
	}
	var byBroker, byUs *ingest.RecordTooLargeError
	if failed.Failures[0].Index != 1 || !errors.As(failed.Failures[0].Err, &byBroker) || !byBroker.Broker || byBroker.Limit != 20_000 {
		f.t.Errorf("the broker's refusal is %+v", failed.Failures[0])
	}
	if failed.Failures[1].Index != 3 || !errors.As(failed.Failures[1].Err, &byUs) || byUs.Broker || byUs.Limit != 1_000_000 {
		f.t.Errorf("our refusal is %+v", failed.Failures[1])
	}
	c := f.run()
	f.loaded(c)
	f.wantReads(0, 1, 2, 3, 4, 5)
}

func testRestart(f *fixture) {
	f.create(f.read, 2)
	f.publish(0, 50)
	c := f.run()
	f.loaded(c)
	f.broker.Restart(f.t, nil)
	f.publish(50, 100)
	f.loaded(c)
	f.wantReads(0, 100)
	for _, what := range []string{`what="broker`, `what="cluster metadata"`, "what=loading", `what="reading`} {
		if n := f.log.count("trouble, retrying\" " + what); n > 1 {
			f.t.Errorf("%s was told %d times, want once:\n%s", what, n, f.log)
		}
	}
	for _, s := range c.Status().Partitions {
		if s.Error != nil || s.Break != nil {
			f.t.Errorf("after the restart: %+v", s)
		}
	}
}

func testStartsBeforeBroker(f *fixture) {
	f.create(f.read, 1)
	var c *running
	f.broker.Restart(f.t, func(func(string, int32) string) {
		c = f.run()
		f.eventually("the trouble shows", func() bool { return c.Status().Error != nil })
	})
	// Without anything to load.
	f.eventually("the trouble is over", func() bool { return c.Status().Error == nil && f.log.count("trouble over") == 1 })
	if n := f.log.count("trouble, retrying"); n != 1 {
		f.t.Errorf("the trouble was told %d times, want once:\n%s", n, f.log)
	}
	f.loaded(c)
}

func testGroup(f *fixture) {
	f.create(f.read, 2)
	f.publish(0, 40)
	group := f.read + ".group"
	c := f.run(func(cfg *ingest.ConsumerConfig) { cfg.Group = group })
	f.loaded(c)
	want := map[int]int64{}
	for _, s := range c.Status().Partitions {
		want[int(s.Partition.Partition)] = s.NextOffset
	}
	client := &kafka.Client{Addr: kafka.TCP(f.broker.Addr()), Transport: &kafka.Transport{}}
	var got map[int]int64
	f.eventually("the positions show in the group", func() bool {
		response, err := client.OffsetFetch(f.ctx(), &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{f.read: {0, 1}}})
		if err != nil {
			return false
		}
		got = map[int]int64{}
		for _, p := range response.Topics[f.read] {
			got[p.Partition] = p.CommittedOffset
		}
		return cmp.Equal(got, want)
	})
}

// loaderFunc lets a test stand between the consumer and the warehouse.
type loaderFunc struct {
	ingest.Loader
	load func(ctx context.Context, batch *event.Batch) error
}

func (l loaderFunc) Load(ctx context.Context, batch *event.Batch) error { return l.load(ctx, batch) }

func testFenced(f *fixture) {
	f.create(f.read, 2)
	f.publish(0, 100)
	first := true
	c := f.runInto(loaderFunc{f.db, func(ctx context.Context, batch *event.Batch) error {
		if first {
			first = false
			// Another loader got in before us.
			if err := f.db.Load(ctx, batch); err != nil {
				return err
			}
		}
		return f.db.Load(ctx, batch)
	}}, func(cfg *ingest.ConsumerConfig) { cfg.Limits.Records = 10 })
	f.loaded(c)
	f.wantReads(0, 100)
	if n := f.log.count("trouble, retrying"); n != 1 {
		f.t.Errorf("being fenced was told %d times, want once:\n%s", n, f.log)
	}
}

func testLoadFails(f *fixture) {
	f.create(f.read, 2)
	f.publish(0, 100)
	failures := 3
	c := f.runInto(loaderFunc{f.db, func(ctx context.Context, batch *event.Batch) error {
		if failures > 0 {
			failures--
			return errors.New("the disk is full")
		}
		return f.db.Load(ctx, batch)
	}})
	f.loaded(c)
	f.wantReads(0, 100)
	if n := f.log.count("the disk is full"); n != 1 {
		f.t.Errorf("the trouble was told %d times, want once:\n%s", n, f.log)
	}
	if err := c.Status().Error; err != nil {
		f.t.Errorf("the status still says %v", err)
	}
}

func testCancel(f *fixture) {
	f.create(f.read, 2)
	f.publish(0, 300)
	small := func(cfg *ingest.ConsumerConfig) { cfg.Limits.Records = 20 }
	for stopAt := range 5 {
		ctx, cancel := context.WithCancel(f.t.Context())
		n := 0
		c := f.consumer(loaderFunc{f.db, func(ctx context.Context, batch *event.Batch) error {
			if n++; n > stopAt {
				cancel() // in the middle of the load
			}
			return f.db.Load(ctx, batch)
		}}, small)
		if err := c.Run(ctx); err != nil {
			f.t.Fatal(err)
		}
		cancel()
	}
	c := f.run(small)
	f.loaded(c)
	f.wantReads(0, 300)
}

func testSlowLoader(f *fixture) {
	f.create(f.read, 2)
	f.publish(0, 1000)
	const limit = 25
	taken := make(chan int)
	c := f.runInto(loaderFunc{f.db, func(ctx context.Context, batch *event.Batch) error {
		select {
		case taken <- batch.Records:
		case <-ctx.Done():
			return ctx.Err()
		}
		return f.db.Load(ctx, batch)
	}}, func(cfg *ingest.ConsumerConfig) { cfg.Limits.Records, cfg.Limits.Age = limit, time.Millisecond })
	total := 0
	for total < 1000 {
		select {
		case n := <-taken:
			if total += n; n > limit {
				f.t.Fatalf("a batch has %d records, the limit is %d", n, limit)
			}
		case <-f.ctx().Done():
			f.t.Fatalf("%d of 1000 records came", total)
		}
	}
	f.loaded(c)
	f.wantReads(0, 1000)
}

func testDeadLetters(f *fixture) {
	letters := f.kafka.Topic(event.TopicDeadLetter)
	f.create(f.read, 1)
	f.create(letters, 1)
	bad := f.record(f.read, 0, 1)
	bad.Value = []byte(`{"message_id": 7`)
	odd := &kgo.Record{Topic: f.read, Partition: 0, Value: []byte("not an event")}
	if err := f.admin.ProduceSync(f.ctx(), f.record(f.read, 0, 0), bad, odd, f.record(f.read, 0, 3)).FirstErr(); err != nil {
		f.t.Fatal(err)
	}
	c := f.run()
	f.loaded(c)
	f.wantReads(0, 1, 3, 4)

	n, err := f.producer.PublishDeadLetters(f.ctx(), f.db)
	if err != nil || n != 2 {
		f.t.Fatalf("%d dead letters published: %v", n, err)
	}
	if n, err = f.producer.PublishDeadLetters(f.ctx(), f.db); err != nil || n != 0 {
		f.t.Errorf("%d dead letters published a second time: %v", n, err)
	}
	client := f.client(kgo.ConsumeTopics(letters), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var got []*kgo.Record
	for len(got) < 2 {
		fetches := client.PollFetches(f.ctx())
		if err := fetches.Err(); err != nil {
			f.t.Fatal(err)
		}
		got = append(got, fetches.Records()...)
	}
	if string(got[0].Value) != string(bad.Value) || string(got[0].Key) != string(bad.Key) || string(got[1].Value) != "not an event" {
		f.t.Errorf("the dead-letter topic has %q and %q", got[0].Value, got[1].Value)
	}
	headers := map[string]string{}
	for _, h := range got[0].Headers {
		headers[h.Key] = string(h.Value)
	}
	if headers[ingest.HeaderDeadLetterTopic] != f.read || headers[ingest.HeaderDeadLetterPartition] != "0" ||
		headers[ingest.HeaderDeadLetterOffset] != "1" || headers[ingest.HeaderDeadLetterReason] == "" || headers["ce_id"] != "read-1" {
		f.t.Errorf("the headers are %v", headers)
	}

	// Replayed as it is, it cannot be read still: one more dead letter.
	stored, err := f.db.UnpublishedDeadLetters(f.ctx(), 10)
	if err != nil || len(stored) != 0 {
		f.t.Fatal(stored, err)
	}
	if err := f.producer.ReplayDeadLetter(f.ctx(), f.db, 1); err != nil {
		f.t.Fatal(err)
	}
	f.loaded(c)
	if rows := warehousetest.Query(f.t, f.db, "select count(*) from pii.dead_letters"); rows[0][0] != "3" {
		f.t.Errorf("there are %s dead letters, want 3", rows[0][0])
	}
}
