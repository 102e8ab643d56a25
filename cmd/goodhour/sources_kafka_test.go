//go:build kafka

package main

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/kafkatest"
)

// TestKafkaSourcesKilledLoseAndDoubleNothing kills serve at random instants
// while a producer writes plain JSON and Debezium's envelopes to topics of
// another shape, and compares every table with that of an undisturbed load.
func TestKafkaSourcesKilledLoseAndDoubleNothing(t *testing.T) {
	const (
		kills   = 12
		perKill = 1_000 // records of each topic
	)
	kafka := kafkatest.Start(t, kafkatest.Options{})
	ctx := deadline(t, 5*time.Minute)
	producer := foreignTopics(ctx, t, kafka.Brokers())
	killed := newSourced(t, kafka.Brokers(), exampleSources(t))
	killed.with(ctx, t, nil) // makes goodhour's own topics
	random := rand.New(rand.NewPCG(11, 12))
	for i := range kills {
		serve := killed.serve(t, "--config", killed.file, "--set", "load.batch_rows=500", "--set", "load.batch_age=20ms",
			"--set", "api.listen=127.0.0.1:0")
		producing := make(chan error, 1)
		go func() {
			var err error
			for n := i * perKill; n < (i+1)*perKill && err == nil; n += 50 {
				var records []event.Record
				for m := n; m < n+50; m++ {
					records = append(records, plainOrder(m), debeziumOrder(m))
					if m%10 == 0 { // as a producer that tries again
						records = append(records, plainOrder(m), debeziumOrder(m))
					}
				}
				err = producer.PublishRecords(ctx, records)
			}
			producing <- err
		}()
		select {
		case <-time.After(time.Duration(200+random.IntN(1300)) * time.Millisecond):
		case err := <-serve.exited:
			t.Fatalf("serve ended by itself before kill %d: %v\n%s", i, err, serve.output())
		}
		serve.kill(t)
		if err := <-producing; err != nil {
			t.Fatal(err)
		}
	}
	killed.with(ctx, t, nil)
	undisturbed := newSourced(t, kafka.Brokers(), exampleSources(t))
	undisturbed.shareIdentityKey(t, killed.installation)
	undisturbed.with(ctx, t, nil)
	compareTables(ctx, t, killed.installation, undisturbed.installation)
	if rows := undisturbed.hashes(ctx, t)["raw.order_completed"].Rows; rows != 2*kills*perKill {
		t.Errorf("%d of %d orders are loaded", rows, 2*kills*perKill)
	}
}
