package ingest_test

import (
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/goodhour/goodhour/ingest"
)

// fakeCluster is kfake itself, for what the embedded broker does not have:
// several nodes, old versions, faults at will.
type fakeCluster struct{ *kfake.Cluster }

func (c fakeCluster) Addr() string { return c.ListenAddrs()[0] }

func (fakeCluster) Restart(t *testing.T, _ func(func(string, int32) string)) {
	t.Helper()
	t.Fatal("this cluster cannot be restarted")
}

func (fakeCluster) Another(t *testing.T) testBroker {
	t.Helper()
	return startCluster(t)
}

func startCluster(t *testing.T, options ...kfake.Opt) fakeCluster {
	t.Helper()
	c, err := kfake.NewCluster(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return fakeCluster{c}
}

func TestALeaderThatMovesIsFollowed(t *testing.T) {
	t.Parallel()
	cluster := startCluster(t, kfake.NumBrokers(3))
	f := newFixture(t, cluster)
	f.create(f.read, 6)
	f.publish(0, 100)
	c := f.run()
	f.loaded(c)
	for round := range int32(4) {
		for partition := range int32(6) {
			if err := cluster.MoveTopicPartition(f.read, partition, (partition+round)%3); err != nil {
				t.Fatal(err)
			}
		}
		f.publish(100+100*int(round), 200+100*int(round))
		f.loaded(c)
	}
	f.wantReads(0, 500)
}

func TestABrokerThatGoesAwayIsReplaced(t *testing.T) {
	t.Parallel()
	cluster := startCluster(t, kfake.NumBrokers(3))
	f := newFixture(t, cluster)
	f.create(f.read, 6)
	f.publish(0, 100)
	c := f.run()
	f.loaded(c)
	if err := cluster.RemoveNode(2); err != nil {
		t.Fatal(err)
	}
	f.publish(100, 200)
	f.loaded(c)
	f.wantReads(0, 200)
}

func TestErrorsOfOnePartitionAreRetriedAndToldOnce(t *testing.T) {
	t.Parallel()
	cluster := startCluster(t, kfake.NumBrokers(1))
	f := newFixture(t, cluster)
	f.create(f.read, 2)
	fault := cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Fetch}, Topic: f.read, Partitions: []int32{0}, Err: kerr.KafkaStorageError, Count: 5,
	})
	f.put(f.read, 0, 0, 10)
	f.put(f.read, 1, 10, 20)
	c := f.run()
	// The other partition is not held up.
	if err := c.WaitFor(f.ctx(), map[ingest.TopicPartition]int64{{Topic: f.read, Partition: 1}: 10}); err != nil {
		t.Fatal(err)
	}
	f.loaded(c)
	f.wantReads(0, 20)
	if hits := fault.Hits(); hits != 5 {
		t.Errorf("%d faults hit, want 5", hits)
	}
	if n := f.log.count("trouble, retrying"); n != 1 {
		t.Errorf("the trouble was told %d times, want once:\n%s", n, f.log)
	}
	if n := f.log.count("trouble over"); n != 1 {
		t.Errorf("the end of the trouble was told %d times, want once:\n%s", n, f.log)
	}
}

// As after a broker's restart, before its partitions are elected.
func TestAPartitionThatWaitsForItsLeaderIsPublishedToOnceItHasOne(t *testing.T) {
	t.Parallel()
	cluster := startCluster(t, kfake.NumBrokers(1))
	f := newFixture(t, cluster)
	f.create(f.read, 2)
	host, port, err := net.SplitHostPort(cluster.Addr())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	cluster.ControlKey(int16(kmsg.Metadata), func(request kmsg.Request) (kmsg.Response, error, bool) {
		if asked.Add(1) > 2 {
			return nil, nil, false
		}
		cluster.KeepControl()
		answer := request.ResponseKind().(*kmsg.MetadataResponse)
		broker := kmsg.NewMetadataResponseBroker()
		broker.Host, broker.Port = host, int32(number)
		answer.Brokers = append(answer.Brokers, broker)
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic = &f.read
		for i := range int32(2) {
			partition := kmsg.NewMetadataResponseTopicPartition()
			partition.Partition, partition.Leader, partition.ErrorCode = i, -1, kerr.LeaderNotAvailable.Code
			topic.Partitions = append(topic.Partitions, partition)
		}
		answer.Topics = append(answer.Topics, topic)
		return answer, nil, true
	})
	// The second question comes after the first answer has been taken in.
	f.eventually("the producer hears of it", func() bool { return asked.Load() > 1 })
	f.publish(0, 50)
	c := f.run()
	f.loaded(c)
	f.wantReads(0, 50)
}

func TestAFailingCommitToTheGroupDoesNotStopLoading(t *testing.T) {
	t.Parallel()
	cluster := startCluster(t, kfake.NumBrokers(1))
	f := newFixture(t, cluster)
	f.create(f.read, 1)
	fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.NotCoordinator, Count: 2})
	f.publish(0, 10)
	c := f.run(func(cfg *ingest.ConsumerConfig) { cfg.Group = "monitored" })
	f.loaded(c)
	f.wantReads(0, 10)
	f.eventually("the commit was repeated with success", func() bool {
		return fault.Hits() == 2 && f.log.count("trouble over") == 1
	})
	if n := f.log.count("trouble, retrying"); n != 1 {
		t.Errorf("the trouble was told %d times, want once:\n%s", n, f.log)
	}
}

// While no metadata can be had, only the fetch itself can tell that the topic
// is another one, although the new one reaches past the old position.
func TestATopicMadeAnewIsNotReadUnderTheOldPosition(t *testing.T) {
	t.Parallel()
	cluster := startCluster(t, kfake.NumBrokers(1))
	f := newFixture(t, cluster)
	f.create(f.read, 1)
	f.put(f.read, 0, 0, 10)
	c := f.run()
	f.loaded(c)
	var hidden atomic.Bool
	hidden.Store(true)
	cluster.ControlKey(int16(kmsg.Metadata), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return nil, errors.New("no metadata now"), hidden.Load()
	})
	if err := cluster.DeleteTopic(f.read); err != nil {
		t.Fatal(err)
	}
	if err := cluster.CreateTopic(f.read, 1, nil); err != nil {
		t.Fatal(err)
	}
	// Straight into the new topic: a client would need metadata.
	cluster.fill(t, f, 30)
	f.eventually("the fetch is refused", func() bool { return c.status(t, f.read, 0).Error != nil })
	hidden.Store(false)
	f.broken(c, f.read, 0, ingest.BreakRecreated)
	f.wantReads(0, 10)
}

// fill writes n records to partition 0 without asking for metadata.
func (c fakeCluster) fill(t *testing.T, f *fixture, n int) {
	t.Helper()
	conn, err := kafka.DialPartition(f.ctx(), "tcp", c.Addr(), kafka.Partition{
		Topic: f.read, ID: 0, Leader: kafka.Broker{Host: "127.0.0.1", Port: c.port(t)},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	messages := make([]kafka.Message, n)
	for i := range messages {
		messages[i] = kafka.Message{Value: []byte("of the new topic")}
	}
	if _, err := conn.WriteMessages(messages...); err != nil {
		t.Fatal(err)
	}
}

func (c fakeCluster) port(t *testing.T) int {
	t.Helper()
	_, text, err := net.SplitHostPort(c.Addr())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Before Kafka 2.8 brokers have no topic ids, and before 3.1 they cannot be
// asked for records by them.
func TestOldBrokersAreRead(t *testing.T) {
	t.Parallel()
	for name, version := range map[string]*kversion.Versions{
		"0.11": kversion.V0_11_0(), "2.3": kversion.V2_3_0(), "2.8": kversion.V2_8_0(), "3.0": kversion.V3_0_0(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, startCluster(t, kfake.NumBrokers(1), kfake.MaxVersions(version)))
			f.create(f.read, 2)
			f.put(f.read, 0, 0, 20)
			f.put(f.read, 1, 20, 40)
			f.transaction("old", kgo.TryAbort, 40, 50)
			c := f.run()
			f.loaded(c)
			f.wantReads(0, 40)

			// Whatever the brokers can tell, the topic's end is noticed.
			f.drop(f.read)
			f.create(f.read, 2)
			f.put(f.read, 0, 60, 65)
			f.eventually("the partition is stopped", func() bool { return c.status(t, f.read, 0).Break != nil })
			if _, err := c.Accept(f.ctx(), f.read, 0, "ana"); err != nil {
				t.Fatal(err)
			}
			if err := c.WaitFor(f.ctx(), map[ingest.TopicPartition]int64{{Topic: f.read, Partition: 0}: 5}); err != nil {
				t.Fatal(err)
			}
			f.eventually("the new topic's records are loaded", func() bool { return c.status(t, f.read, 0).NextOffset == 5 })
			f.wantReads(0, 40, 60, 65)
		})
	}
}

func TestABrokerThatIsTooOldIsToldSo(t *testing.T) {
	t.Parallel()
	f := newFixture(t, startCluster(t, kfake.NumBrokers(1)))
	f.create(f.read, 1)
	old := kversion.V0_10_2()
	old.SetMaxKeyVersion(int16(kmsg.CreateTopics), 3)
	f = newFixture(t, startCluster(t, kfake.NumBrokers(1), kfake.MaxVersions(old), kfake.SeedTopics(1, "t.read")))
	c := f.run(func(cfg *ingest.ConsumerConfig) { cfg.Topics = []string{"t.read"} })
	f.eventually("it is told", func() bool { return f.log.count("goodhour reads Kafka 0.11 or newer") == 1 })
	c.stop()
}

// A log whose last records were all taken by compaction gives no record from
// the position to its end, for ever. A slow remote store looks the same.
func TestAVacantEndOfALogIsPassedOver(t *testing.T) {
	t.Parallel()
	f := func(tiered string, passed bool) {
		t.Helper()
		cluster := startCluster(t, kfake.NumBrokers(1))
		f := newFixture(t, cluster)
		f.create(f.read, 1)
		f.put(f.read, 0, 0, 5)
		c := f.run()
		f.loaded(c)
		cluster.ControlKey(int16(kmsg.Fetch), func(k kmsg.Request) (kmsg.Response, error, bool) {
			cluster.KeepControl()
			return vacantAnswer(k.(*kmsg.FetchRequest), 5, 7)
		})
		cluster.ControlKey(int16(kmsg.DescribeConfigs), func(k kmsg.Request) (kmsg.Response, error, bool) {
			cluster.KeepControl()
			return settingAnswer(k.(*kmsg.DescribeConfigsRequest), "remote.storage.enable", tiered), nil, true
		})
		f.put(f.read, 0, 5, 7)
		if passed {
			f.loaded(c)
			f.wantReads(0, 5)
			return
		}
		f.eventually("the trouble is told", func() bool { return f.log.count("is the remote store slow?") == 1 })
		if s := c.status(t, f.read, 0); s.NextOffset != 5 || s.Error == nil {
			t.Errorf("tiered %q: the partition is %+v", tiered, s)
		}
	}
	f("false", true)
	f("", true)
	f("true", false)
}

// vacantAnswer answers fetches at an offset as if the log had nothing from
// there to its end.
func vacantAnswer(request *kmsg.FetchRequest, offset, end int64) (kmsg.Response, error, bool) {
	topic := request.Topics[0]
	if topic.Partitions[0].FetchOffset != offset {
		return nil, nil, false
	}
	response := request.ResponseKind().(*kmsg.FetchResponse)
	t := kmsg.NewFetchResponseTopic()
	t.Topic, t.TopicID = topic.Topic, topic.TopicID
	p := kmsg.NewFetchResponseTopicPartition()
	p.HighWatermark, p.LastStableOffset, p.LogStartOffset = end, end, 0
	t.Partitions = append(t.Partitions, p)
	response.Topics = append(response.Topics, t)
	return response, nil, true
}

func settingAnswer(request *kmsg.DescribeConfigsRequest, name, value string) kmsg.Response {
	response := request.ResponseKind().(*kmsg.DescribeConfigsResponse)
	r := kmsg.NewDescribeConfigsResponseResource()
	r.ResourceType, r.ResourceName = request.Resources[0].ResourceType, request.Resources[0].ResourceName
	if value != "" {
		c := kmsg.NewDescribeConfigsResponseResourceConfig()
		c.Name, c.Value = name, &value
		r.Configs = append(r.Configs, c)
	}
	response.Resources = append(response.Resources, r)
	return response
}
