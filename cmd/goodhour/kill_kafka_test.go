//go:build kafka

package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/kafkatest"
)

// TestKafkaKillLosesAndDoublesNothing kills the ingesting process 50 times at
// random instants while a producer writes events with duplicates within and
// across partitions to a real Apache Kafka, and then compares every table with
// that of an undisturbed load of the same topics into an empty warehouse, and
// with that of the same events in shuffled order.
func TestKafkaKillLosesAndDoublesNothing(t *testing.T) {
	const (
		kills   = 50
		perKill = 3_000 // events published while the next process to be killed runs
	)
	kafka := kafkatest.Start(t, kafkatest.Options{})
	ctx := deadline(t, 15*time.Minute)
	killed := newInstallation(t, kafka.Brokers())

	killed.prepareTopics(ctx, t)
	parts := slices.Collect(slices.Chunk(story(t, 7, kills*perKill), perKill))
	random := rand.New(rand.NewPCG(7, 50))
	producer := killed.connect(t)
	for i := range kills {
		serve := killed.serve(t, "--set", "load.batch_rows=2000", "--set", "load.batch_age=50ms", "--set", "api.listen=127.0.0.1:0")
		producing := make(chan error, 1)
		go func() { producing <- publishWithDuplicates(ctx, producer, killed.prefix, parts[i], 100) }()
		// A random instant between "just started" and "well under way".
		select {
		case <-time.After(time.Duration(random.IntN(1200)) * time.Millisecond):
		case err := <-serve.exited:
			t.Fatalf("serve ended by itself before kill %d: %v\n%s", i, err, serve.output())
		}
		serve.kill(t)
		if err := <-producing; err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("killed %d times while %d events were published, a fifth of them three times", kills, kills*perKill)

	killed.loadToEnd(ctx, t)
	undisturbed := newInstallation(t, kafka.Brokers())
	undisturbed.shareIdentityKey(t, killed)
	undisturbed.loadToEnd(ctx, t)
	compareTables(ctx, t, killed, undisturbed)

	// The same events in another order, from other topics: who is one person
	// comes out the same under whatever identifier they were seen first.
	shuffled := newInstallation(t, kafka.Brokers())
	shuffled.prefix = "shuffled."
	shuffled.shareIdentityKey(t, killed)
	shuffled.prepareTopics(ctx, t)
	events := slices.Concat(parts...)
	random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	if err := publishWithDuplicates(ctx, shuffled.connect(t), shuffled.prefix, events, 2_000); err != nil {
		t.Fatal(err)
	}
	shuffled.loadToEnd(ctx, t)
	compareTables(ctx, t, shuffled, undisturbed)
}

// publishWithDuplicates publishes the events a slice at a time, and every
// fifth event twice more: once right behind, in the same partition, and once
// at the end under another key, so in another partition.
func publishWithDuplicates(ctx context.Context, producer *ingest.Producer, prefix string, events []event.Event, slice int) error {
	var elsewhere []event.Record
	for len(events) > 0 {
		n := min(slice, len(events))
		var records []event.Record
		for i := range events[:n] {
			r, err := events[i].Record(prefix)
			if err != nil {
				return err
			}
			records = append(records, r)
			if i%5 == 0 {
				records = append(records, r)
				r.Key = append([]byte("elsewhere "), r.Key...)
				elsewhere = append(elsewhere, r)
			}
		}
		if err := producer.PublishRecords(ctx, records); err != nil {
			return err
		}
		events = events[n:]
	}
	return producer.PublishRecords(ctx, elsewhere)
}
