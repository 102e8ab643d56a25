package ingest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/goodhour/goodhour/ingest/event"
)

// cluster is what the brokers say of themselves and of the topics asked for.
type cluster struct {
	id     string
	topics map[string]topicState
}

type topicState struct {
	id         [16]byte // zero where the broker has no topic ids (before Kafka 2.8)
	err        error
	partitions []partitionState // by partition number
}

type partitionState struct {
	leader int32 // -1: none now
	err    error
}

// idText is a topic's id in Kafka's own notation; empty where there is none.
func (t topicState) idText() string {
	if t.id == [16]byte{} {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(t.id[:])
}

// problem returns the first reason why the topics cannot be read in full.
func (c *cluster) problem(topics []string) error {
	for _, name := range topics {
		t := c.topics[name]
		if t.err != nil {
			return fmt.Errorf("topic %s: %w", name, t.err)
		}
		for n, p := range t.partitions {
			if p.leader < 0 {
				return fmt.Errorf("partition %d of %s has no leader", n, name)
			}
		}
	}
	return nil
}

// metadataVersion is the first that gives topic ids by name and is flexible.
// kafka-go stops at 8, without them.
const metadataVersion = 12

// cluster asks any broker for the state of the topics.
func (k *Kafka) cluster(ctx context.Context, topics []string) (*cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	versions, err := k.versions(ctx, anyBroker)
	if err != nil {
		return nil, err
	}
	request := kmsg.NewPtrMetadataRequest()
	request.Version = min(metadataVersion, versions[request.Key()])
	for _, name := range topics {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = new(name)
		request.Topics = append(request.Topics, topic)
	}
	got, err := k.ask(ctx, anyBroker, request, nil)
	if err != nil {
		return nil, fmt.Errorf("ask for metadata: %w", err)
	}
	return newCluster(got.response.(*kmsg.MetadataResponse), topics), nil
}

func newCluster(response *kmsg.MetadataResponse, topics []string) *cluster {
	out := &cluster{topics: make(map[string]topicState, len(topics))}
	if response.ClusterID != nil {
		out.id = *response.ClusterID
	}
	for i := range response.Topics {
		t := &response.Topics[i]
		if t.Topic == nil {
			continue
		}
		state := topicState{id: t.TopicID, err: kafkaError(t.ErrorCode)}
		state.partitions = make([]partitionState, len(t.Partitions))
		for _, p := range t.Partitions {
			if int(p.Partition) >= len(state.partitions) || p.Partition < 0 {
				state.err = fmt.Errorf("the broker names partition %d of %d", p.Partition, len(t.Partitions))
				continue
			}
			state.partitions[p.Partition] = partitionState{leader: p.Leader, err: kafkaError(p.ErrorCode)}
		}
		out.topics[*t.Topic] = state
	}
	for _, name := range topics {
		if _, ok := out.topics[name]; !ok {
			out.topics[name] = topicState{err: kafka.UnknownTopicOrPartition}
		}
	}
	return out
}

// kafkaError returns nil for code 0.
func kafkaError(code int16) error {
	if code == 0 {
		return nil
	}
	return kafka.Error(code)
}

// logRange is the part of a partition's log that exists: from start to before
// end, which is the high watermark.
type logRange struct {
	start, end int64
}

// logRanges asks the leaders for the range of each partition. A partition
// whose range could not be read is missing, and its error is in the second map.
func (k *Kafka) logRanges(ctx context.Context, partitions map[string][]int32) (map[TopicPartition]logRange, map[TopicPartition]error, error) {
	request := &kafka.ListOffsetsRequest{Topics: make(map[string][]kafka.OffsetRequest)}
	for topic, numbers := range partitions {
		for _, n := range numbers {
			request.Topics[topic] = append(request.Topics[topic], kafka.FirstOffsetOf(int(n)), kafka.LastOffsetOf(int(n)))
		}
	}
	response, err := k.client.ListOffsets(ctx, request)
	if err != nil {
		return nil, nil, fmt.Errorf("list offsets: %w", err)
	}
	ranges, failed := make(map[TopicPartition]logRange), make(map[TopicPartition]error)
	for topic, offsets := range response.Topics {
		for _, o := range offsets {
			tp := TopicPartition{Topic: topic, Partition: int32(o.Partition)}
			switch {
			case o.Error != nil:
				failed[tp] = fmt.Errorf("list offsets of %s: %w", tp, o.Error)
			case o.FirstOffset < 0 || o.LastOffset < o.FirstOffset:
				failed[tp] = fmt.Errorf("list offsets of %s: the broker says %d to %d", tp, o.FirstOffset, o.LastOffset)
			default:
				ranges[tp] = logRange{start: o.FirstOffset, end: o.LastOffset}
			}
		}
	}
	return ranges, failed, nil
}

// HighWatermarks returns, for every partition of the topics, the offset after
// the last record that the cluster holds, records of open transactions
// included. Any partition that cannot be asked is an error: a barrier must not
// miss one.
func (k *Kafka) HighWatermarks(ctx context.Context, topics []string) (map[TopicPartition]int64, error) {
	logs, err := k.logs(ctx, topics)
	if err != nil {
		return nil, fmt.Errorf("high watermarks: %w", err)
	}
	out := make(map[TopicPartition]int64, len(logs))
	for id, log := range logs {
		out[TopicPartition{id.Topic, id.Partition}] = log.end
	}
	return out, nil
}

// logs returns the range of every partition of the topics.
func (k *Kafka) logs(ctx context.Context, topics []string) (map[event.Partition]logRange, error) {
	// The first request on a connection that died while idle fails, one for
	// each such connection: that says nothing about the brokers.
	const attempts = 3
	pause := newBackoff(50*time.Millisecond, time.Second)
	for attempt := 1; ; attempt++ {
		logs, err := k.askLogs(ctx, topics)
		if err == nil || attempt == attempts || !pause.wait(ctx) {
			return logs, err
		}
	}
}

func (k *Kafka) askLogs(ctx context.Context, topics []string) (map[event.Partition]logRange, error) {
	cluster, err := k.cluster(ctx, topics)
	if err != nil {
		return nil, err
	}
	if err := cluster.problem(topics); err != nil {
		return nil, err
	}
	partitions := make(map[string][]int32)
	for _, topic := range topics {
		for n := range cluster.topics[topic].partitions {
			partitions[topic] = append(partitions[topic], int32(n))
		}
	}
	ranges, failed, err := k.logRanges(ctx, partitions)
	if err != nil {
		return nil, err
	}
	out := make(map[event.Partition]logRange, len(ranges))
	var problems []error
	for topic, numbers := range partitions {
		for _, n := range numbers {
			tp := TopicPartition{Topic: topic, Partition: n}
			log, ok := ranges[tp]
			switch {
			case failed[tp] != nil:
				problems = append(problems, failed[tp])
			case !ok:
				problems = append(problems, fmt.Errorf("the brokers did not answer for %s", tp))
			}
			out[event.Partition{ClusterID: cluster.id, Topic: topic, TopicID: cluster.topics[topic].idText(), Partition: n}] = log
		}
	}
	return out, errors.Join(problems...)
}

// topicSetting asks for a setting of a topic; empty where the broker does not
// know it.
func (k *Kafka) topicSetting(ctx context.Context, topic, name string) (string, error) {
	response, err := k.client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{name},
		}},
	})
	if err != nil {
		return "", fmt.Errorf("read %s of topic %s: %w", name, topic, err)
	}
	for _, resource := range response.Resources {
		if resource.Error != nil {
			return "", fmt.Errorf("read %s of topic %s: %w", name, topic, resource.Error)
		}
		for _, entry := range resource.ConfigEntries {
			if entry.ConfigName == name {
				return entry.ConfigValue, nil
			}
		}
	}
	return "", nil
}

// TopicPartition names a partition as a person does.
type TopicPartition struct {
	Topic     string // full name
	Partition int32
}

func (tp TopicPartition) String() string { return fmt.Sprintf("%s/%d", tp.Topic, tp.Partition) }
