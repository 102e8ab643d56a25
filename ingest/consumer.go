package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
)

// ConsumerConfig says what is read, and who loads it.
type ConsumerConfig struct {
	Kafka *Kafka
	// Topics to read, full names; Kafka.EventTopics for all of goodhour's.
	Topics []string
	Loader Loader
	// Sources read those of the topics that are not goodhour's own, by topic.
	// A Source belongs to one consumer.
	Sources map[string]Source
	// NewDecoder makes the decoder of the consumer's one decoding goroutine.
	NewDecoder func() *event.Decoder
	Limits     Limits
	// FetchBytes bounds the compressed bytes of one answer of a broker; two
	// answers a broker are in memory at most. A single record batch that is
	// larger still comes through. 0 means 8 MiB.
	FetchBytes int
	// Group is the consumer group that positions are mirrored to, for lag
	// monitors; empty: none. Nothing is read from there.
	Group  string
	Logger *slog.Logger
	// Now is the wall clock.
	Now func() time.Time
}

// The troubles of a consumer as a whole.
const (
	planning = "reading the cluster and the stored positions"
	mapping  = "mapping the records of a source"
	loading  = "loading"
)

const defaultFetchBytes = 8 << 20

// Consumer reads topics into a Loader: every record that the cluster holds
// committed, once, whatever crashes. One consumer reads all partitions.
type Consumer struct {
	cfg  ConsumerConfig
	told *told

	// wake tells the decoding goroutine that somebody waits.
	wake chan struct{}
	// again ends the session in good order and starts the next from what is
	// stored.
	again   chan struct{}
	running atomic.Bool
	awaited atomic.Int32

	mu      sync.Mutex
	states  map[TopicPartition]*PartitionStatus
	waiters map[*waiter]struct{}
}

// NewConsumer checks the configuration and reports every problem it finds.
func NewConsumer(cfg ConsumerConfig) (*Consumer, error) {
	var problems []error
	if cfg.Kafka == nil || cfg.Loader == nil || cfg.NewDecoder == nil || cfg.Logger == nil || cfg.Now == nil {
		problems = append(problems, errors.New("Kafka, Loader, NewDecoder, Logger and Now are all needed"))
	}
	if len(cfg.Topics) == 0 {
		problems = append(problems, errors.New("there is no topic to read"))
	}
	if cfg.FetchBytes == 0 {
		cfg.FetchBytes = defaultFetchBytes
	}
	if cfg.FetchBytes < 1 || cfg.FetchBytes > maxResponseBytes/2 {
		problems = append(problems, fmt.Errorf("fetch bytes must be between 1 and %d", maxResponseBytes/2))
	}
	if err := cfg.Limits.validate(); err != nil {
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("consumer: %w", errors.Join(problems...))
	}
	return &Consumer{
		cfg:     cfg,
		told:    newTold(cfg.Logger),
		wake:    make(chan struct{}, 1),
		again:   make(chan struct{}, 1),
		states:  make(map[TopicPartition]*PartitionStatus),
		waiters: make(map[*waiter]struct{}),
	}, nil
}

// Run reads and loads until ctx ends, and then returns nil. Trouble with the
// brokers or the loader is told once and retried with a growing pause; it
// shows in Status. What was fetched but not loaded when ctx ends is fetched
// again by the next Run.
func (c *Consumer) Run(ctx context.Context) error {
	if !c.running.CompareAndSwap(false, true) {
		return errors.New("this consumer is running already")
	}
	defer c.running.Store(false)
	mirrorDone := c.startMirror(ctx)
	defer func() { <-mirrorDone }()

	pause := newBackoff(100*time.Millisecond, 5*time.Second)
	spare := [2]*event.Batch{{}, {}}
	for ctx.Err() == nil {
		if c.session(ctx, spare) {
			pause.reset()
		}
		pause.wait(ctx)
	}
	return nil
}

// restart starts anew from what is stored, once what was read is loaded.
func (c *Consumer) restart() { poke(c.again) }

// poke leaves a signal, unless one is there already.
func poke(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
