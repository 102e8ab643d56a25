package ingest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
)

// flow is one partition on its way through a session. Each field belongs to
// one goroutine.
type flow struct {
	id      event.Partition // read-only
	topicID [16]byte        // read-only
	name    string          // read-only
	stored  int64           // read-only: the position at the session's start; -1: none

	// The fetcher's.
	fetch   int64 // the offset to ask for next
	fresh   bool  // nothing was passed on yet
	stopped bool
	retryAt time.Time
	pause   *backoff

	// The assembler's.
	decoded int64 // the offset to decode next
	from    int64 // where the open batch found it; -1: nothing is stored yet
	touched bool  // the open batch advances it
}

// session reads and loads from what is stored until the cluster changes, a
// restart is asked for, or something fails. Nothing outlives it: after any
// doubt the next session begins with the positions that the loader has. It
// reports whether it got anywhere, so that the next need not wait.
func (c *Consumer) session(ctx context.Context, spare [2]*event.Batch) (progress bool) {
	plan, err := c.plan(ctx)
	if err != nil {
		c.failing(ctx, planning, err)
		return false
	}
	c.told.over(planning)
	ctx, abort := context.WithCancel(ctx)
	defer abort()
	fetchCtx, stop := context.WithCancel(ctx)
	defer stop()

	answers := make(chan fetched)
	stale := make(chan struct{}, 1)
	var fetchers, others sync.WaitGroup
	for leader, flows := range plan.leaders {
		f := &fetcher{
			kafka: c.cfg.Kafka, leader: leader, flows: flows, consumer: c, maxBytes: int32(c.cfg.FetchBytes),
			out: answers, stale: func() { poke(stale) }, replan: c.restart,
		}
		fetchers.Go(func() { f.run(fetchCtx) })
	}
	others.Go(func() {
		c.watch(fetchCtx, plan, stale)
		stop() // in good order: what was fetched is still loaded
	})
	others.Go(func() {
		<-fetchCtx.Done()
		fetchers.Wait()
		close(answers)
	})
	a := newAssembler(c, spare)
	others.Go(func() {
		defer close(a.closed)
		a.run(ctx, answers)
	})
	defer others.Wait()
	defer abort() // runs before the wait

	for batch := range a.closed {
		if err := c.cfg.Loader.Load(ctx, batch); err != nil {
			c.failing(ctx, loading, fmt.Errorf("load a batch of %d records: %w", batch.Records, err))
			return progress
		}
		progress = true
		c.told.over(loading)
		c.advance(batch)
		batch.Reset()
		a.free <- batch
	}
	if a.err != nil {
		c.failing(ctx, mapping, a.err)
		return false
	}
	return true // it ended in good order
}

// failing tells of a trouble of the consumer as a whole, unless it is only
// that Run is ending.
func (c *Consumer) failing(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		c.told.trouble(what, err)
	}
}

// plan is which partition is read from which broker.
type plan struct {
	cluster *cluster
	leaders map[int32][]*flow
}

// plan compares what is stored with what the cluster has.
func (c *Consumer) plan(ctx context.Context) (*plan, error) {
	cluster, err := c.cfg.Kafka.cluster(ctx, c.cfg.Topics)
	if err != nil {
		return nil, err
	}
	positions, err := c.cfg.Loader.Positions(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the stored positions: %w", err)
	}
	stored := make(map[TopicPartition]event.Position, len(positions))
	for _, p := range positions {
		stored[TopicPartition{p.Topic, p.Partition.Partition}] = p
	}
	out := &plan{cluster: cluster, leaders: make(map[int32][]*flow)}
	for _, name := range c.cfg.Topics {
		topic := cluster.topics[name]
		for tp, position := range stored {
			if tp.Topic != name {
				continue
			}
			c.setPosition(position.Partition, position.NextOffset)
			if topic.err == nil && int(tp.Partition) >= len(topic.partitions) {
				c.setTrouble(position.Partition, fmt.Errorf("the topic has %d partitions now: this one is gone", len(topic.partitions)))
			}
		}
		if topic.err != nil {
			err := fmt.Errorf("topic %s: %w", name, topic.err)
			c.told.trouble(name, err)
			c.setTopicTrouble(name, err)
			continue
		}
		c.told.over(name)
		for n, partition := range topic.partitions {
			id := event.Partition{ClusterID: cluster.id, Topic: name, TopicID: topic.idText(), Partition: int32(n)}
			position, known := stored[TopicPartition{name, int32(n)}]
			if !known {
				position = event.Position{Partition: id, NextOffset: -1}
			}
			if f := c.planPartition(id, topic.id, partition, position); f != nil {
				out.leaders[partition.leader] = append(out.leaders[partition.leader], f)
			}
		}
	}
	return out, nil
}

// planPartition returns how a partition is read, or nil where it cannot be now.
func (c *Consumer) planPartition(id event.Partition, topicID [16]byte, now partitionState, position event.Position) *flow {
	tp := TopicPartition{id.Topic, id.Partition}
	broken := identityBreak(position, id)
	if broken == nil {
		broken = c.knownBreak(id, position.NextOffset)
	}
	if broken != nil {
		c.setPosition(position.Partition, position.NextOffset)
		c.setBreak(broken)
		return nil
	}
	c.setPosition(id, position.NextOffset)
	c.clearBreak(tp)
	if now.leader < 0 {
		err := fmt.Errorf("partition %s has no leader", tp)
		c.told.trouble(tp.String(), err)
		c.setTrouble(id, err)
		return nil
	}
	return &flow{
		id: id, topicID: topicID, name: tp.String(),
		stored: position.NextOffset, fetch: max(position.NextOffset, 0), from: position.NextOffset,
		fresh: true, pause: newBackoff(100*time.Millisecond, 5*time.Second),
	}
}

// watch returns when the session should end: the cluster is no longer as
// planned, or a restart was asked for.
func (c *Consumer) watch(ctx context.Context, p *plan, stale <-chan struct{}) {
	const (
		look  = 2 * time.Second        // without a reason: new partitions, a topic made anew
		hurry = 100 * time.Millisecond // with one: the least pause between two looks
	)
	timer := time.NewTimer(look)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.again:
			return
		case <-stale:
		case <-timer.C:
		}
		now, err := c.cfg.Kafka.cluster(ctx, c.cfg.Topics)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			c.told.trouble("cluster metadata", err)
		case !now.same(p.cluster):
			return
		default:
			c.told.over("cluster metadata")
		}
		if !sleep(ctx, hurry) {
			return
		}
		timer.Reset(look)
	}
}

// same reports whether the other has the same topics, partitions and leaders.
func (c *cluster) same(other *cluster) bool {
	if c.id != other.id || len(c.topics) != len(other.topics) {
		return false
	}
	for name, t := range c.topics {
		o := other.topics[name]
		if t.id != o.id || (t.err == nil) != (o.err == nil) || len(t.partitions) != len(o.partitions) {
			return false
		}
		for n := range t.partitions {
			if t.partitions[n].leader != o.partitions[n].leader {
				return false
			}
		}
	}
	return true
}
