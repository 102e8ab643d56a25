package ingest_test

import (
	"context"
	"log/slog"
	"os/signal"
	"syscall"
	"time"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
)

// loadUntilInterrupted reads all topics into a loader until Ctrl-C.
func loadUntilInterrupted(loader ingest.Loader, keyer *identity.Keyer) error {
	kafka, err := ingest.Connect(ingest.KafkaConfig{
		Brokers: []string{"kafka.example:9093"}, TopicPrefix: "goodhour.",
		TLS:  ingest.TLSConfig{Enabled: true},
		SASL: ingest.SASLConfig{Mechanism: "scram-sha-512", Username: "goodhour", Password: "from a file"},
	})
	if err != nil {
		return err
	}
	defer kafka.Close()
	consumer, err := ingest.NewConsumer(ingest.ConsumerConfig{
		Kafka: kafka, Topics: kafka.EventTopics(), Loader: loader,
		NewDecoder: func() *event.Decoder { return event.NewDecoder(keyer) },
		Limits:     ingest.Limits{Records: 50_000, Bytes: 64 << 20, Age: 500 * time.Millisecond},
		Group:      "goodhour", Logger: slog.Default(), Now: time.Now,
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return consumer.Run(ctx)
}

func ExampleConsumer() {
	_ = loadUntilInterrupted // called with a *warehouse.DB
}
