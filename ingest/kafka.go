package ingest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/goodhour/goodhour/ingest/event"
)

// KafkaConfig says where the brokers are and how to log in to them.
type KafkaConfig struct {
	// Brokers are host:port addresses; one that answers is enough.
	Brokers []string
	// ClientID names goodhour in the brokers' logs and quotas; empty: "goodhour".
	ClientID string
	// TopicPrefix comes before every topic's name, such as "goodhour.".
	TopicPrefix string
	// OtherTopics are the full names of further topics that are read or
	// written: a user's own. Metadata is asked for the known topics only, so
	// that a cluster of thousands is not a burden.
	OtherTopics []string
	TLS         TLSConfig
	SASL        SASLConfig
}

// requestTimeout bounds every request that is not a long poll.
const requestTimeout = 30 * time.Second

// Kafka is a connection to a cluster, shared by consumers and producers. It is
// safe for concurrent use.
type Kafka struct {
	prefix    string
	clientID  string
	addr      net.Addr
	transport *kafka.Transport
	client    *kafka.Client
}

// Connect checks the configuration, reports every problem it finds, and
// prepares the connection. It does not talk to the brokers yet: they may start
// after us.
func Connect(cfg KafkaConfig) (*Kafka, error) {
	var problems []error
	if len(cfg.Brokers) == 0 {
		problems = append(problems, errors.New("no broker is configured: set at least one host:port"))
	}
	for _, b := range cfg.Brokers {
		if host, port, err := net.SplitHostPort(b); err != nil || host == "" || port == "" {
			problems = append(problems, fmt.Errorf("broker %q: want host:port", b))
		}
	}
	tlsConfig, err := cfg.TLS.config()
	if err != nil {
		problems = append(problems, err)
	}
	mechanism, err := cfg.SASL.mechanism()
	if err != nil {
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("kafka: %w", errors.Join(problems...))
	}
	k := &Kafka{
		prefix:   cfg.TopicPrefix,
		clientID: cfg.ClientID,
		addr:     kafka.TCP(cfg.Brokers...),
	}
	if k.clientID == "" {
		k.clientID = "goodhour"
	}
	known := append(k.EventTopics(), k.Topic(event.TopicDeadLetter))
	k.transport = &kafka.Transport{
		ClientID:    k.clientID,
		DialTimeout: 5 * time.Second,
		// A moved leader is found within a second; at the default of 6 s it
		// took up to 5.6 s.
		MetadataTTL:    time.Second,
		MetadataTopics: append(known, cfg.OtherTopics...),
		TLS:            tlsConfig,
		SASL:           mechanism,
	}
	k.client = &kafka.Client{Addr: k.addr, Transport: k.transport, Timeout: requestTimeout}
	return k, nil
}

// Close closes the connections that are idle, and the others when they become so.
func (k *Kafka) Close() { k.transport.CloseIdleConnections() }

// Topic returns the full name of one of goodhour's topics.
func (k *Kafka) Topic(t event.Topic) string { return k.prefix + string(t) }

// EventTopics returns the full names of the topics that carry events: all of
// goodhour's but the dead letters.
func (k *Kafka) EventTopics() []string {
	return []string{
		k.Topic(event.TopicDelivery), k.Topic(event.TopicRead), k.Topic(event.TopicReply),
		k.Topic(event.TopicPurchase), k.Topic(event.TopicCustomer), k.Topic(event.TopicSend),
		k.Topic(event.TopicAccount),
	}
}

// EnsureTopics makes those of the named topics that do not exist, and waits
// until each partition has a leader. An existing topic is left as it is:
// partitions, retention and compaction are its owner's choice.
func (k *Kafka) EnsureTopics(ctx context.Context, partitions, replication int, topics ...string) error {
	have, err := k.cluster(ctx, topics)
	if err != nil {
		return fmt.Errorf("look for topics: %w", err)
	}
	var missing []kafka.TopicConfig
	for _, name := range topics {
		if errors.Is(have.topics[name].err, kafka.UnknownTopicOrPartition) {
			missing = append(missing, kafka.TopicConfig{Topic: name, NumPartitions: partitions, ReplicationFactor: replication})
		}
	}
	if len(missing) > 0 {
		if err := k.createTopics(ctx, missing); err != nil {
			return err
		}
	}
	return k.awaitLeaders(ctx, topics)
}

func (k *Kafka) createTopics(ctx context.Context, missing []kafka.TopicConfig) error {
	response, err := k.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: missing})
	if err != nil {
		return fmt.Errorf("create %d topics: %w", len(missing), err)
	}
	var problems []error
	for name, err := range response.Errors {
		if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			problems = append(problems, fmt.Errorf("create topic %s: %w", name, err))
		}
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(problems...)
}

// awaitLeaders waits until every partition of the topics has a leader, and the
// transport knows it: creation is not finished when a broker answers it, and a
// producer would be told that there is no such topic.
func (k *Kafka) awaitLeaders(ctx context.Context, topics []string) error {
	pause := newBackoff(20*time.Millisecond, time.Second)
	for {
		err := k.leaderProblem(ctx, topics)
		if err == nil {
			return nil
		}
		if !pause.wait(ctx) {
			return fmt.Errorf("wait for leaders of the topics: %w (last: %w)", context.Cause(ctx), err)
		}
	}
}

// leaderProblem looks at what the brokers say now, then at what the transport
// knows, which may be a second old.
func (k *Kafka) leaderProblem(ctx context.Context, topics []string) error {
	cluster, err := k.cluster(ctx, topics)
	if err != nil {
		return err
	}
	if err := cluster.problem(topics); err != nil {
		return err
	}
	known, err := k.client.Metadata(ctx, &kafka.MetadataRequest{Topics: topics})
	if err != nil {
		return err
	}
	for _, t := range known.Topics {
		if t.Error != nil {
			return fmt.Errorf("topic %s: %w", t.Name, t.Error)
		}
		if have := len(cluster.topics[t.Name].partitions); len(t.Partitions) != have {
			return fmt.Errorf("topic %s: %d of %d partitions are known", t.Name, len(t.Partitions), have)
		}
		for _, p := range t.Partitions {
			if p.Error != nil {
				return fmt.Errorf("partition %d of %s: %w", p.ID, t.Name, p.Error)
			}
		}
	}
	return nil
}
