package broker_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/broker"
	"github.com/goodhour/goodhour/ingest/broker/brokertest"
	"github.com/goodhour/goodhour/ingest/event"
)

func TestMain(m *testing.M) { brokertest.Main(m) }

func start(t *testing.T, dir string) *broker.Broker {
	t.Helper()
	b, err := broker.Start(broker.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// link is a connection to a broker with one topic.
type link struct {
	t        *testing.T
	kafka    *ingest.Kafka
	client   *kafka.Client
	producer *ingest.Producer
}

const topic = "kept"

func dial(t *testing.T, addr string) *link {
	t.Helper()
	k, err := ingest.Connect(ingest.KafkaConfig{Brokers: []string{addr}, OtherTopics: []string{topic}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	if err := k.EnsureTopics(t.Context(), 2, 1, topic); err != nil {
		t.Fatal(err)
	}
	transport := &kafka.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	l := &link{
		t: t, kafka: k, producer: ingest.NewProducer(k),
		client: &kafka.Client{Addr: kafka.TCP(addr), Transport: transport, Timeout: 10 * time.Second},
	}
	t.Cleanup(func() {
		if err := l.producer.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func (l *link) publish(n, size int) {
	l.t.Helper()
	records := make([]event.Record, n)
	for i := range records {
		// What does not compress, so that sizes on disk are what they seem.
		value := make([]byte, size)
		x := uint32(i + 1)
		for j := range value {
			x = x*1664525 + 1013904223
			value[j] = byte(x >> 24)
		}
		records[i] = event.Record{Topic: topic, Key: []byte(strconv.Itoa(i)), Value: value}
	}
	if err := l.producer.PublishRecords(l.t.Context(), records); err != nil {
		l.t.Fatal(err)
	}
}

func (l *link) ends() map[ingest.TopicPartition]int64 {
	l.t.Helper()
	ends, err := l.kafka.HighWatermarks(l.t.Context(), []string{topic})
	if err != nil {
		l.t.Fatal(err)
	}
	return ends
}

// starts returns where each partition's log starts.
func (l *link) starts() map[ingest.TopicPartition]int64 {
	l.t.Helper()
	got, err := l.client.ListOffsets(l.t.Context(), &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{topic: {kafka.FirstOffsetOf(0), kafka.FirstOffsetOf(1)}},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	out := make(map[ingest.TopicPartition]int64)
	for _, o := range got.Topics[topic] {
		if o.Error != nil {
			l.t.Fatal(o.Error)
		}
		out[ingest.TopicPartition{Topic: topic, Partition: int32(o.Partition)}] = o.FirstOffset
	}
	return out
}

func (l *link) clusterID() string {
	l.t.Helper()
	m, err := l.client.Metadata(l.t.Context(), &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		l.t.Fatal(err)
	}
	return m.ClusterID
}

func total(offsets map[ingest.TopicPartition]int64) (sum int64) {
	for _, o := range offsets {
		sum += o
	}
	return sum
}

func TestTheLogAndTheAddressOutliveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, dir)
	l := dial(t, first.Addr())
	l.publish(100, 50)
	id, ends := l.clusterID(), l.ends()
	first.Close()
	first.Close()
	second := start(t, dir)
	if second.Addr() != first.Addr() {
		t.Errorf("the address was %s and is %s", first.Addr(), second.Addr())
	}
	l = dial(t, second.Addr())
	if got := l.ends(); total(got) != 100 || fmt.Sprint(got) != fmt.Sprint(ends) {
		t.Errorf("the log's ends were %v and are %v", ends, got)
	}
	if got := l.clusterID(); got != id || len(id) != 22 {
		t.Errorf("the cluster id was %s and is %s", id, got)
	}
	if other := dial(t, start(t, t.TempDir()).Addr()).clusterID(); other == id {
		t.Errorf("another directory has the same cluster id %s", id)
	}
}

func TestItListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	host, _, err := net.SplitHostPort(start(t, t.TempDir()).Addr())
	if err != nil || !net.ParseIP(host).IsLoopback() {
		t.Errorf("it listens on %s: %v", host, err)
	}
}

func TestOneProcessHasTheDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := start(t, dir)
	_, err := broker.Start(broker.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second broker on the same directory: %v", err)
	}
	b.Close()
	start(t, dir)
}

func TestATakenPortIsReplacedOnlyIfItWasNotAskedFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := start(t, dir)
	addr := b.Addr()
	b.Close()
	var listen net.ListenConfig
	taken, err := listen.Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	again := start(t, dir)
	if again.Addr() == addr {
		t.Errorf("two listen on %s", addr)
	}
	again.Close()
	_, err = broker.Start(broker.Config{Dir: dir, Port: taken.Addr().(*net.TCPAddr).Port, Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		t.Error("a taken port that was asked for was given up silently")
	}
}

func TestACrashLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	process := brokertest.Start(t, brokertest.Options{Dir: dir})
	l := dial(t, process.Addr)
	sum := int64(0)
	for range 5 {
		l.publish(200, 400)
		sum += 200
	}
	id := l.clusterID()
	process.Kill()
	l = dial(t, start(t, dir).Addr())
	if got := total(l.ends()); got != sum {
		t.Errorf("%d of %d acknowledged records are there", got, sum)
	}
	if got := l.clusterID(); got != id {
		t.Errorf("the cluster id was %s and is %s", id, got)
	}
}

func TestRetentionLeavesWhatIsNotLoaded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := start(t, dir)
	l := dial(t, b.Addr())
	l.publish(400, 10_000)
	ends := l.ends()
	p0, p1 := ingest.TopicPartition{Topic: topic, Partition: 0}, ingest.TopicPartition{Topic: topic, Partition: 1}
	apply := func(loaded map[ingest.TopicPartition]int64, limit int64) {
		t.Helper()
		if err := b.ApplyRetention(loaded, limit); err != nil {
			t.Fatal(err)
		}
	}
	apply(ends, 100<<20) // enough room
	if got := total(l.starts()); got != 0 {
		t.Errorf("%d records were deleted below the limit", got)
	}
	apply(map[ingest.TopicPartition]int64{p0: 10, p1: 0, {Topic: "unknown"}: 5}, 0)
	if got := l.starts(); got[p0] != 10 || got[p1] != 0 {
		t.Errorf("with 10 and 0 records loaded the logs start at %v", got)
	}
	apply(ends, 1_000_000) // of 4 MB
	for tp, begin := range l.starts() {
		if left := ends[tp] - begin; left < 20 || left > 80 {
			t.Errorf("%d of %d records are left of %s", left, ends[tp], tp)
		}
	}
	apply(ends, 0)
	for tp, begin := range l.starts() {
		if begin >= ends[tp] {
			t.Errorf("nothing is left of %s: its end would be forgotten in a crash", tp)
		}
	}
}

// After a crash kfake knows the end of a log by its records only.
func TestRetentionAndACrashDoNotMoveTheEndOfALog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := start(t, dir)
	l := dial(t, b.Addr())
	for range 6 {
		l.publish(1000, 8_000) // more than one file of each partition
	}
	b.Close()

	process := brokertest.Start(t, brokertest.Options{Dir: dir})
	l = dial(t, process.Addr)
	l.publish(10, 100)
	ends := l.ends()
	process.ApplyRetention(ends, 0)
	process.Kill()

	l = dial(t, start(t, dir).Addr())
	if got := l.ends(); fmt.Sprint(got) != fmt.Sprint(ends) {
		t.Errorf("the log's ends were %v and are %v", ends, got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for tp, end := range ends {
		// A reader at the end goes on there.
		got, err := l.client.Fetch(ctx, &kafka.FetchRequest{
			Topic: topic, Partition: int(tp.Partition), Offset: end, MaxBytes: 1 << 20, MaxWait: 10 * time.Millisecond,
		})
		if err != nil || got.Error != nil {
			t.Errorf("read %s at its end %d: %v, %v", tp, end, err, got)
		}
	}
}
