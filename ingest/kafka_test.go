//go:build kafka

package ingest_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/goodhour/goodhour/ingest/kafkatest"
)

// apache is Apache Kafka under test.
type apache struct{ kafka *kafkatest.Kafka }

func startApache(t *testing.T) *apache {
	t.Helper()
	return &apache{kafka: kafkatest.Start(t, kafkatest.Options{Properties: map[string]string{
		// Compaction often enough for a test.
		"log.cleaner.backoff.ms": "100",
	}})}
}

func (a *apache) Addr() string { return a.kafka.Brokers()[0] }

func (a *apache) Restart(t *testing.T, damage func(partitionDir func(topic string, partition int32) string)) {
	t.Helper()
	a.kafka.Stop()
	if damage != nil {
		damage(func(topic string, partition int32) string {
			return filepath.Join(a.kafka.LogDir(), fmt.Sprintf("%s-%d", topic, partition))
		})
	}
	a.kafka.Restart()
}

func (a *apache) Another(t *testing.T) testBroker {
	t.Helper()
	return startApache(t)
}

// TestKafkaConformance runs the conformance tests against Apache Kafka. They
// share one, each with topics of its own.
func TestKafkaConformance(t *testing.T) {
	a := startApache(t)
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) { c.run(newFixture(t, a)) })
	}
}
