package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/broker"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/warehouse"
)

// The whole road: an event is published to the embedded broker, and loaded
// into a warehouse.
func Example() {
	if err := example(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// goodhour.read/0 is loaded up to offset 1, lag 0
}

func example() error {
	dir, err := os.MkdirTemp("", "goodhour-example-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	logger := slog.New(slog.DiscardHandler)

	b, err := broker.Start(broker.Config{Dir: filepath.Join(dir, "broker"), Logger: logger})
	if err != nil {
		return err
	}
	defer b.Close()
	kafka, err := ingest.Connect(ingest.KafkaConfig{Brokers: []string{b.Addr()}, TopicPrefix: "goodhour."})
	if err != nil {
		return err
	}
	defer kafka.Close()
	topic := kafka.Topic(event.TopicRead)
	if err := kafka.EnsureTopics(ctx, 1, 1, topic); err != nil {
		return err
	}

	e, err := event.New("read:wamid.1", "meta/1", "phone:+5511999990000", time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC),
		event.MessageReadData{Message: event.Message{ProviderMessageID: "wamid.1", Provider: "meta", NumberID: "1"}})
	if err != nil {
		return err
	}
	producer := ingest.NewProducer(kafka)
	defer producer.Close()
	if err := producer.Publish(ctx, []event.Event{e}); err != nil {
		return err
	}

	db, err := warehouse.Open(ctx, warehouse.Options{Path: filepath.Join(dir, "warehouse.duckdb"), Now: time.Now, Logger: logger})
	if err != nil {
		return err
	}
	defer db.Close()
	keyer, err := identity.NewKeyer(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		return err
	}
	consumer, err := ingest.NewConsumer(ingest.ConsumerConfig{
		Kafka: kafka, Topics: []string{topic}, Loader: db,
		NewDecoder: func() *event.Decoder { return event.NewDecoder(keyer) },
		Limits:     ingest.Limits{Records: 50_000, Bytes: 64 << 20, Age: 500 * time.Millisecond},
		Logger:     logger, Now: time.Now,
	})
	if err != nil {
		return err
	}
	runCtx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- consumer.Run(runCtx) }()
	err = consumer.WaitForEnd(ctx)
	stop()
	if err != nil {
		return err
	}
	if err := <-done; err != nil {
		return err
	}
	for _, p := range consumer.Status().Partitions {
		fmt.Printf("%s/%d is loaded up to offset %d, lag %d\n", p.Topic, p.Partition.Partition, p.NextOffset, p.Lag())
	}
	return nil
}
