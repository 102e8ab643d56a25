package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/warehouse"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

// testBroker is a broker that the conformance tests can ill-treat.
type testBroker interface {
	Addr() string
	// Restart stops it, lets damage work on the folder of the partition's log
	// while it is down, and starts it again on the same port.
	Restart(t *testing.T, damage func(partitionDir func(topic string, partition int32) string))
	// Another starts a broker of another cluster.
	Another(t *testing.T) testBroker
}

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

// happenedAt is when the tests' events happened.
func happenedAt(n int) time.Time {
	return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
}

// fixture is what a test needs: a broker with its own topics, and a warehouse.
type fixture struct {
	t        *testing.T
	broker   testBroker
	kafka    *ingest.Kafka
	producer *ingest.Producer
	admin    *kgo.Client
	db       *warehouse.DB
	log      *logBuffer
	read     string // the topic that most tests use
}

var prefixes struct {
	sync.Mutex
	next int
}

func newFixture(t *testing.T, b testBroker) *fixture {
	t.Helper()
	prefixes.Lock()
	prefixes.next++
	prefix := fmt.Sprintf("t%d.", prefixes.next)
	prefixes.Unlock()
	return newFixtureWithPrefix(t, b, prefix, warehousetest.New(t))
}

func newFixtureWithPrefix(t *testing.T, b testBroker, prefix string, db *warehouse.DB) *fixture {
	t.Helper()
	k := connect(t, ingest.KafkaConfig{Brokers: []string{b.Addr()}, TopicPrefix: prefix})
	f := &fixture{
		t: t, broker: b, kafka: k, producer: ingest.NewProducer(k), db: db,
		log: &logBuffer{}, read: k.Topic(event.TopicRead),
	}
	t.Cleanup(func() {
		if err := f.producer.Close(); err != nil {
			t.Error(err)
		}
	})
	f.admin = f.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	return f
}

func connect(t *testing.T, cfg ingest.KafkaConfig) *ingest.Kafka {
	t.Helper()
	k, err := ingest.Connect(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

// client is a franz-go client: the other side, not ours.
func (f *fixture) client(options ...kgo.Opt) *kgo.Client {
	f.t.Helper()
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(f.broker.Addr()))...)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(client.Close)
	return client
}

func (f *fixture) ctx() context.Context {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	f.t.Cleanup(cancel)
	return ctx
}

// create makes a topic with settings, "name=value".
func (f *fixture) create(topic string, partitions int32, settings ...string) {
	f.t.Helper()
	if len(settings) == 0 {
		if err := f.kafka.EnsureTopics(f.ctx(), int(partitions), 1, topic); err != nil {
			f.t.Fatal(err)
		}
		return
	}
	request := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, 1
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = name, &value
		t.Configs = append(t.Configs, c)
	}
	request.Topics = append(request.Topics, t)
	response, err := request.RequestWith(f.ctx(), f.admin)
	f.must(err, func() int16 { return response.Topics[0].ErrorCode })
	// Now it exists; wait for its leaders.
	if err := f.kafka.EnsureTopics(f.ctx(), int(partitions), 1, topic); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) must(err error, code func() int16) {
	f.t.Helper()
	if err == nil {
		err = kerr.ErrorForCode(code())
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// drop deletes a topic and waits until it is gone.
func (f *fixture) drop(topic string) {
	f.t.Helper()
	request := kmsg.NewPtrDeleteTopicsRequest()
	t := kmsg.NewDeleteTopicsRequestTopic()
	t.Topic = &topic
	request.TopicNames = []string{topic}
	request.Topics = append(request.Topics, t)
	response, err := request.RequestWith(f.ctx(), f.admin)
	f.must(err, func() int16 { return response.Topics[0].ErrorCode })
	f.admin.PurgeTopicsFromClient(topic)
	f.eventually("the topic is gone", func() bool {
		meta := kmsg.NewPtrMetadataRequest()
		mt := kmsg.NewMetadataRequestTopic()
		mt.Topic = &topic
		meta.Topics = append(meta.Topics, mt)
		got, err := meta.RequestWith(f.ctx(), f.admin)
		return err == nil && got.Topics[0].ErrorCode == kerr.UnknownTopicOrPartition.Code
	})
}

// deleteRecords moves the start of a partition's log to an offset.
func (f *fixture) deleteRecords(topic string, partition int32, before int64) {
	f.t.Helper()
	request := kmsg.NewPtrDeleteRecordsRequest()
	request.TimeoutMillis = 10_000
	t := kmsg.NewDeleteRecordsRequestTopic()
	t.Topic = topic
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = partition, before
	t.Partitions = append(t.Partitions, p)
	request.Topics = append(request.Topics, t)
	response, err := request.RequestWith(f.ctx(), f.admin)
	f.must(err, func() int16 { return response.Topics[0].Partitions[0].ErrorCode })
}

// readEvent is a read receipt; n tells one from another.
func readEvent(t *testing.T, n int) event.Event {
	t.Helper()
	e, err := event.New("read-"+strconv.Itoa(n), "test", fmt.Sprintf("phone:+55119%08d", n%1000), happenedAt(n),
		event.MessageReadData{Message: event.Message{
			MessageID: "m" + strconv.Itoa(n), ProviderMessageID: "wamid." + strconv.Itoa(n), Provider: "sandbox", NumberID: "1",
		}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (f *fixture) events(from, to int) []event.Event {
	f.t.Helper()
	var out []event.Event
	for n := from; n < to; n++ {
		out = append(out, readEvent(f.t, n))
	}
	return out
}

// publish publishes the events from, …, to-1 with our own producer.
func (f *fixture) publish(from, to int) {
	f.t.Helper()
	if err := f.producer.Publish(f.ctx(), f.events(from, to)); err != nil {
		f.t.Fatal(err)
	}
}

// record returns an event as a record for one partition.
func (f *fixture) record(topic string, partition int32, n int) *kgo.Record {
	f.t.Helper()
	e := readEvent(f.t, n)
	r, err := e.Record("")
	if err != nil {
		f.t.Fatal(err)
	}
	out := &kgo.Record{Topic: topic, Partition: partition, Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return out
}

// put writes the events from, …, to-1 to one partition.
func (f *fixture) put(topic string, partition int32, from, to int) {
	f.t.Helper()
	var records []*kgo.Record
	for n := from; n < to; n++ {
		records = append(records, f.record(topic, partition, n))
	}
	if err := f.admin.ProduceSync(f.ctx(), records...).FirstErr(); err != nil {
		f.t.Fatal(err)
	}
}

// running is a consumer at work.
type running struct {
	*ingest.Consumer
	stop func()
}

func testKeyer() *identity.Keyer {
	keyer, err := identity.NewKeyer(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		panic(err)
	}
	return keyer
}

func newDecoder() *event.Decoder { return event.NewDecoder(testKeyer()) }

// consumer returns a consumer that does not run.
func (f *fixture) consumer(loader ingest.Loader, change ...func(*ingest.ConsumerConfig)) *ingest.Consumer {
	f.t.Helper()
	cfg := ingest.ConsumerConfig{
		Kafka: f.kafka, Topics: []string{f.read}, Loader: loader, NewDecoder: newDecoder,
		Limits: ingest.Limits{Records: 1000, Bytes: 16 << 20, Age: 50 * time.Millisecond},
		Logger: slog.New(slog.NewTextHandler(f.log, nil)), Now: time.Now,
	}
	for _, c := range change {
		c(&cfg)
	}
	c, err := ingest.NewConsumer(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// run starts a consumer into the warehouse; the end of the test stops it.
func (f *fixture) run(change ...func(*ingest.ConsumerConfig)) *running {
	f.t.Helper()
	return f.runInto(f.db, change...)
}

func (f *fixture) runInto(loader ingest.Loader, change ...func(*ingest.ConsumerConfig)) *running {
	f.t.Helper()
	c := f.consumer(loader, change...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			f.t.Errorf("Run: %v", err)
		}
	})
	f.t.Cleanup(stop)
	return &running{Consumer: c, stop: stop}
}

// loaded waits until the consumer has everything.
func (f *fixture) loaded(c *running) {
	f.t.Helper()
	if err := c.WaitForEnd(f.ctx()); err != nil {
		f.t.Fatalf("%v\n%s", err, f.log)
	}
}

// wantReads checks that exactly the events of the ranges [from, to) are in the
// warehouse, once each.
func (f *fixture) wantReads(ranges ...int) {
	f.t.Helper()
	want := make(map[string]bool)
	for i := 0; i < len(ranges); i += 2 {
		for n := ranges[i]; n < ranges[i+1]; n++ {
			want["read-"+strconv.Itoa(n)] = true
		}
	}
	rows := warehousetest.Query(f.t, f.db, "select ce_id from raw.message_read")
	seen := make(map[string]bool)
	for _, row := range rows {
		switch id := row[0]; {
		case seen[id]:
			f.t.Errorf("event %s is there twice", id)
		case !want[id]:
			f.t.Errorf("event %s should not be there", id)
		default:
			seen[id] = true
		}
	}
	if len(seen) != len(want) {
		f.t.Errorf("%d of %d events are there", len(seen), len(want))
	}
}

// wantNoDeadLetters checks that nothing was taken for a broken event.
func (f *fixture) wantNoDeadLetters() {
	f.t.Helper()
	for _, row := range warehousetest.Query(f.t, f.db, `select "partition", "offset", reason from pii.dead_letters`) {
		f.t.Errorf("a dead letter is there: %v", row)
	}
}

// status returns the status of one partition.
func (c *running) status(t *testing.T, topic string, partition int32) ingest.PartitionStatus {
	t.Helper()
	for _, s := range c.Status().Partitions {
		if s.Topic == topic && s.Partition.Partition == partition {
			return s
		}
	}
	return ingest.PartitionStatus{NextOffset: -2}
}

// eventually waits until check holds.
func (f *fixture) eventually(what string, check func() bool) {
	f.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !check() {
		select {
		case <-tick.C:
		case <-deadline.C:
			f.t.Fatalf("waited %s until %s\n%s", patience, what, f.log)
		}
	}
}

// broken waits until a partition is stopped by a break of a kind.
func (f *fixture) broken(c *running, topic string, partition int32, kind string) ingest.PartitionStatus {
	f.t.Helper()
	var stopped ingest.PartitionStatus
	f.eventually(fmt.Sprintf("%s/%d is stopped (%s)", topic, partition, kind), func() bool {
		stopped = c.status(f.t, topic, partition)
		return stopped.Break != nil
	})
	if stopped.Break.Kind != kind {
		f.t.Fatalf("the break is %q, want %q: %v", stopped.Break.Kind, kind, stopped.Break)
	}
	text := stopped.Break.Error()
	command := fmt.Sprintf("goodhour offsets accept %s/%d", topic, partition)
	if !strings.Contains(text, command) {
		f.t.Errorf("the error %q does not name the command %q", text, command)
	}
	return stopped
}

// logBuffer keeps what was logged.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBuffer) count(text string) int { return strings.Count(l.String(), text) }
