//go:build kafka

package kafkatest_test

import (
	"testing"

	"github.com/segmentio/kafka-go"

	"github.com/goodhour/goodhour/ingest/kafkatest"
)

// TestJars gets the jars, so that a slow download is not part of another test.
func TestJars(t *testing.T) { kafkatest.Jars(t) }

// TestKafkaKeepsItsLogOverARestart also shows that Start, Restart and Stop work.
func TestKafkaKeepsItsLogOverARestart(t *testing.T) {
	k := kafkatest.Start(t, kafkatest.Options{Properties: map[string]string{"num.partitions": "3"}})
	client := &kafka.Client{Addr: kafka.TCP(k.Brokers()...), Transport: &kafka.Transport{}}
	created, err := client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: "kept", NumPartitions: -1, ReplicationFactor: -1}},
	})
	if err != nil || created.Errors["kept"] != nil {
		t.Fatalf("create: %v, %v", err, created)
	}
	k.Restart()
	metadata, err := client.Metadata(t.Context(), &kafka.MetadataRequest{Topics: []string{"kept"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(metadata.Topics[0].Partitions); got != 3 {
		t.Errorf("after the restart the topic has %d partitions, want 3", got)
	}
	k.Stop()
	k.Stop()
}
