package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/broker"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/ingest/source"
	"github.com/goodhour/goodhour/sender"
	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/warehouse"
)

// app is the composition root: everything that runs in one process, wired
// here and nowhere else.
type app struct {
	cfg   Config
	world string // whose customers the data directory holds; empty: not decided
	log   *slog.Logger
	now   func() time.Time // the wall's
	clock sender.Clock     // the customers': the wall's too, but in the demo
	keyer *identity.Keyer
	rules *policy.Rules

	broker    *broker.Broker // nil where brokers are configured
	kafka     *ingest.Kafka
	producer  *ingest.Producer
	warehouse *warehouse.DB
	consumer  *ingest.Consumer

	sources []*source.Source // of both consumers

	sending sending

	library *warehouse.Library
	// publishing is held by the one model run at a time.
	publishing chan struct{}

	context context.Context // of the loops
	stop    context.CancelFunc
	running sync.WaitGroup
}

// openApp opens the data directory and begins to load the topics. Close stops
// it. Only one process at a time can have a data directory open.
func openApp(ctx context.Context, c *cli) (_ *app, err error) {
	return openAppAt(ctx, c, wallClock{})
}

// openAppAt is openApp with another clock for the customers' time.
func openAppAt(ctx context.Context, c *cli, clock sender.Clock) (_ *app, err error) {
	a := &app{cfg: c.cfg, log: c.log, now: c.now, clock: clock, publishing: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if a.keyer, err = openKeyer(&a.cfg); err != nil {
		return nil, err
	}
	// The warehouse first: its lock keeps a second process from the broker's
	// files too.
	a.warehouse, err = warehouse.Open(ctx, warehouse.Options{
		Path:        warehousePath(&a.cfg),
		MemoryLimit: int64(a.cfg.Warehouse.MemoryLimit),
		Threads:     a.cfg.Warehouse.Threads,
		Now:         a.now,
		Logger:      a.log,
	})
	if err != nil {
		return nil, err
	}
	if a.world, err = claimWorld(&a.cfg); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(tempPath(&a.cfg)); err != nil {
		return nil, fmt.Errorf("remove what an import left behind: %w", err)
	}
	a.library, err = warehouse.OpenLibrary(ctx, a.cfg.Data, readLimits(a.cfg.SQL), a.log)
	if err != nil {
		return nil, err
	}
	if err := a.openLedger(ctx); err != nil {
		return nil, err
	}
	if err := a.openLog(ctx); err != nil {
		return nil, err
	}
	if err := a.openSending(ctx, c.env); err != nil {
		return nil, err
	}
	a.start(ctx)
	return a, nil
}

// tempPath is where an import stages its rows.
func tempPath(cfg *Config) string { return filepath.Join(cfg.Data, "tmp") }

// readLimits bound the queries on the published file.
func readLimits(c SQLConfig) warehouse.Limits {
	return warehouse.Limits{
		MemoryBytes: int64(c.MemoryLimit), Threads: c.Threads, Queries: c.Queries, Timeout: time.Duration(c.Timeout),
	}
}

// openLog connects to the brokers, or starts the embedded one, and wires what
// reads and writes the topics.
func (a *app) openLog(ctx context.Context) error {
	connection, err := a.cfg.Kafka.connection()
	if err != nil {
		return err
	}
	if len(connection.Brokers) == 0 {
		a.broker, err = broker.Start(broker.Config{Dir: filepath.Join(a.cfg.Data, "broker"), Logger: a.log})
		if err != nil {
			return err
		}
		connection.Brokers = []string{a.broker.Addr()}
	}
	connection.OtherTopics = a.cfg.sourceTopics()
	if a.kafka, err = ingest.Connect(connection); err != nil {
		return err
	}
	topics := append(a.kafka.EventTopics(), a.kafka.Topic(event.TopicDeadLetter))
	err = a.kafka.EnsureTopics(ctx, a.cfg.Kafka.Partitions, a.cfg.Kafka.Replication, topics...)
	if err != nil {
		return fmt.Errorf("prepare the topics: %w", err)
	}
	a.producer = ingest.NewProducer(a.kafka)
	a.consumer, err = a.newConsumer(ctx, a.warehouse, a.loadLimits(), a.cfg.Kafka.Group)
	return err
}

// start runs the loops that loading needs.
func (a *app) start(ctx context.Context) {
	a.context, a.stop = context.WithCancel(ctx)
	a.loop("consumer", a.consumer.Run)
	a.loop("ledger", a.sending.consumer.Run)
	a.loop("dead letters", a.publishDeadLetters)
	if a.broker != nil {
		a.loop("retention", a.retain)
	}
}

// loop runs something until Close.
func (a *app) loop(name string, run func(context.Context) error) {
	a.running.Go(func() {
		if err := run(a.context); err != nil && a.context.Err() == nil {
			a.log.Error("loop ended", "loop", name, "error", err)
		}
	})
}

// deadLetterPause is how long a dead letter may wait in the warehouse before it
// is on its topic.
const deadLetterPause = 2 * time.Second

// publishDeadLetters brings dead letters from the warehouse to their topic.
// Trouble is told once, until it has passed.
func (a *app) publishDeadLetters(ctx context.Context) error {
	ticker := time.NewTicker(deadLetterPause)
	defer ticker.Stop()
	told := false
	for {
		_, err := a.producer.PublishDeadLetters(ctx, a.warehouse)
		if err != nil && ctx.Err() == nil && !told {
			a.log.Warn("dead letters wait for their topic", "error", err)
		}
		told = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// retain keeps the embedded broker's log within its limit: what the warehouse
// has loaded may go, oldest first. A user's own Kafka has its own retention.
func (a *app) retain(ctx context.Context) error {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := a.applyRetention(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("the embedded broker keeps old records", "error", err)
		}
	}
}

func (a *app) applyRetention(ctx context.Context) error {
	// Nobody but its own readers needs the dead-letter topic: its end counts.
	loaded, err := a.kafka.HighWatermarks(ctx, []string{a.kafka.Topic(event.TopicDeadLetter)})
	if err != nil {
		return err
	}
	// What only one of the two projections has read must stay.
	read := nextOffsets(a.sending.consumer)
	for name, next := range nextOffsets(a.consumer) {
		loaded[name] = min(next, read[name])
	}
	return a.broker.ApplyRetention(loaded, int64(a.cfg.Kafka.EmbeddedRetention))
}

// nextOffsets is how far a consumer has loaded each partition.
func nextOffsets(consumer *ingest.Consumer) map[ingest.TopicPartition]int64 {
	out := make(map[ingest.TopicPartition]int64)
	for _, p := range consumer.Status().Partitions {
		out[ingest.TopicPartition{Topic: p.Topic, Partition: p.Partition.Partition}] = max(p.NextOffset, 0)
	}
	return out
}

// invalidated is closed when DuckDB has given the warehouse up, as it does on a
// full disk: nothing can be loaded until the file is opened again.
func (a *app) invalidated() <-chan struct{} {
	out := make(chan struct{})
	a.loop("watch", func(ctx context.Context) error {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-ticker.C:
				if errors.Is(a.consumer.Status().Error, warehouse.ErrInvalidated) {
					close(out)
					return nil
				}
			}
		}
	})
	return out
}

// Close stops the loops and closes everything in the opposite order of
// opening. It can be called on an app that is only half open.
func (a *app) Close() error {
	if a.stop != nil {
		a.stop()
		a.running.Wait()
	}
	var errs []error
	for _, s := range a.sources {
		errs = append(errs, s.Close())
	}
	if a.producer != nil {
		errs = append(errs, a.producer.Close())
	}
	if a.kafka != nil {
		a.kafka.Close()
	}
	if a.broker != nil {
		a.broker.Close()
	}
	errs = append(errs, a.sending.close())
	if a.library != nil {
		errs = append(errs, a.library.Close())
	}
	if a.warehouse != nil {
		errs = append(errs, a.warehouse.Close())
	}
	return errors.Join(errs...)
}
