package ingest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
)

// waiter waits until partitions are loaded up to marks.
type waiter struct {
	marks []mark
	done  chan struct{} // closed when all are reached, or one cannot be
	err   error         // set before done is closed
}

// mark is an offset of a log. Where its ids are empty, any log of that name is
// meant.
type mark struct {
	id     event.Partition
	offset int64
}

func (m *mark) name() TopicPartition { return TopicPartition{m.id.Topic, m.id.Partition} }

// WaitForEnd waits until everything is loaded that the cluster held at the
// call: up to the high watermarks of all partitions. Every leader must answer:
// until then it asks again, as long as ctx lasts. See WaitFor.
func (c *Consumer) WaitForEnd(ctx context.Context) error {
	before := make(map[event.Partition]int64)
	for _, s := range c.Status().Partitions {
		before[s.Partition] = s.NextOffset
	}
	logs, err := c.cfg.Kafka.logs(ctx, c.cfg.Topics)
	for pause := newBackoff(100*time.Millisecond, time.Second); err != nil; {
		if !pause.wait(ctx) {
			return fmt.Errorf("wait for the end of the topics: %w: %w", context.Cause(ctx), err)
		}
		logs, err = c.cfg.Kafka.logs(ctx, c.cfg.Topics)
	}
	marks := make([]mark, 0, len(logs))
	for id, log := range logs {
		// A log that ends before what was loaded of it would look finished.
		if next, known := before[id]; known && next > log.end {
			return offsetBreak(id, next, log)
		}
		marks = append(marks, mark{id: id, offset: log.end})
	}
	return c.wait(ctx, marks)
}

// WaitFor waits until each partition is loaded up to, not including, the
// offset in marks. While somebody waits, the open batch is closed at once. A
// stopped partition is an error at once, a *BreakError. A record behind an open
// transaction cannot be read before the transaction ends: then it waits until
// ctx ends, and the error says which partition and why.
func (c *Consumer) WaitFor(ctx context.Context, marks map[TopicPartition]int64) error {
	list := make([]mark, 0, len(marks))
	for tp, offset := range marks {
		list = append(list, mark{id: event.Partition{Topic: tp.Topic, Partition: tp.Partition}, offset: offset})
	}
	return c.wait(ctx, list)
}

func (c *Consumer) wait(ctx context.Context, marks []mark) error {
	w := &waiter{marks: marks, done: make(chan struct{})}
	c.awaited.Add(1)
	defer c.awaited.Add(-1)
	c.mu.Lock()
	c.waiters[w] = struct{}{}
	c.notify()
	c.mu.Unlock()
	poke(c.wake)
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, waiting := c.waiters[w]; !waiting {
		return w.err // done and ctx came together
	}
	delete(c.waiters, w)
	return fmt.Errorf("wait until the topics are loaded: %w: %s", context.Cause(ctx), c.missing(marks))
}

// notify looks whether any waiter is done. The caller holds mu.
func (c *Consumer) notify() {
	for w := range c.waiters {
		if w.err = c.blocked(w.marks); w.err != nil || c.reached(w.marks) {
			delete(c.waiters, w)
			close(w.done)
		}
	}
}

func (c *Consumer) reached(marks []mark) bool {
	for i := range marks {
		if !c.states[marks[i].name()].reached(&marks[i]) {
			return false
		}
	}
	return true
}

// reached reports whether a mark was loaded. A mark in another log than the
// one that was loaded is not, whatever its offset.
func (s *PartitionStatus) reached(m *mark) bool {
	if s == nil {
		return m.offset == 0
	}
	if differ(s.ClusterID, m.id.ClusterID) || differ(s.TopicID, m.id.TopicID) {
		return false
	}
	return m.offset == 0 || s.NextOffset >= m.offset
}

// blocked returns why a mark can never be reached without an operator.
func (c *Consumer) blocked(marks []mark) error {
	for i := range marks {
		if s := c.states[marks[i].name()]; s != nil && s.Break != nil {
			return s.Break
		}
	}
	return nil
}

// missing says which partitions are behind their marks, and why as far as known.
func (c *Consumer) missing(marks []mark) string {
	const most = 5
	var behind []string
	if err := c.told.current(planning, loading); err != nil {
		behind = append(behind, err.Error())
	}
	for i := range marks {
		m := &marks[i]
		s := c.states[m.name()]
		switch {
		case s.reached(m):
		case s == nil:
			behind = append(behind, fmt.Sprintf("%s has not been looked at", m.name()))
		case s.Error != nil:
			behind = append(behind, fmt.Sprintf("%s stands at %d of %d: %v", m.name(), s.NextOffset, m.offset, s.Error))
		case s.LastStable >= 0 && s.LastStable < m.offset && s.NextOffset >= s.LastStable:
			behind = append(behind, fmt.Sprintf("%s stands at %d of %d: a transaction that began at offset %d is neither committed nor aborted",
				m.name(), s.NextOffset, m.offset, s.LastStable))
		default:
			behind = append(behind, fmt.Sprintf("%s stands at %d of %d", m.name(), s.NextOffset, m.offset))
		}
	}
	slices.Sort(behind)
	if len(behind) > most {
		behind = append(behind[:most], fmt.Sprintf("and %d more", len(behind)-most))
	}
	return strings.Join(behind, "; ")
}
