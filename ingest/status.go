package ingest

import (
	"cmp"
	"slices"

	"github.com/goodhour/goodhour/ingest/event"
)

// Status is how a consumer stands.
type Status struct {
	// Error is what keeps the consumer as a whole from loading now; nil: nothing.
	Error error
	// Partitions by topic and number.
	Partitions []PartitionStatus
}

// PartitionStatus is how one partition stands.
type PartitionStatus struct {
	event.Partition
	// NextOffset is the position that is stored; -1: none yet.
	NextOffset int64
	// LogStart, HighWatermark and LastStable are what the broker said last;
	// -1: nothing yet. Records from LastStable on belong to open transactions.
	LogStart, HighWatermark, LastStable int64
	// Break says why the partition stands still until an operator accepts it.
	Break *BreakError
	// Error is what keeps the partition from being read now; it is retried.
	Error error
	// LastReceivedMicros is Kafka's time of the newest record loaded since the
	// process began, in microseconds since the Unix epoch; 0: none.
	LastReceivedMicros int64
}

// Lag is how many offsets are still to be loaded, open transactions and holes
// included; -1: not known.
func (s *PartitionStatus) Lag() int64 {
	if s.HighWatermark < 0 {
		return -1
	}
	from := s.NextOffset
	if from < 0 {
		from = max(s.LogStart, 0)
	}
	return max(0, s.HighWatermark-from)
}

func (s *PartitionStatus) name() TopicPartition {
	return TopicPartition{s.Topic, s.Partition.Partition}
}

// Status returns a copy of how the consumer stands now.
func (c *Consumer) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := Status{Error: c.told.current(planning, mapping, loading), Partitions: make([]PartitionStatus, 0, len(c.states))}
	for _, s := range c.states {
		out.Partitions = append(out.Partitions, *s)
	}
	slices.SortFunc(out.Partitions, func(a, b PartitionStatus) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition.Partition, b.Partition.Partition))
	})
	return out
}

// state returns a partition's status, made on first use. The caller holds mu.
func (c *Consumer) state(id event.Partition) *PartitionStatus {
	tp := TopicPartition{id.Topic, id.Partition}
	s := c.states[tp]
	if s == nil {
		s = &PartitionStatus{Partition: id, NextOffset: -1, LogStart: -1, HighWatermark: -1, LastStable: -1}
		c.states[tp] = s
	}
	return s
}

// setPosition notes what is stored.
func (c *Consumer) setPosition(id event.Partition, next int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state(id)
	s.Partition, s.NextOffset = id, next
	c.notify()
}

// setLog notes what the broker says of a log that it could read.
func (c *Consumer) setLog(id event.Partition, start, highWatermark, lastStable int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state(id)
	s.LogStart, s.HighWatermark, s.LastStable, s.Error = start, highWatermark, lastStable, nil
}

func (c *Consumer) setTrouble(id event.Partition, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state(id).Error = err
}

func (c *Consumer) setTopicTrouble(topic string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for tp, s := range c.states {
		if tp.Topic == topic {
			s.Error = err
		}
	}
}

// setBreak stops a partition, and tells of it once.
func (c *Consumer) setBreak(b *BreakError) {
	c.mu.Lock()
	s := c.state(b.Partition)
	known := s.Break != nil && *s.Break == *b
	s.Break, s.Error = b, nil
	c.notify()
	c.mu.Unlock()
	if !known {
		c.cfg.Logger.Error("partition stopped", "topic", b.Partition.Topic, "partition", b.Partition.Partition,
			"break", b.Kind, "error", b)
	}
}

func (c *Consumer) clearBreak(tp TopicPartition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.states[tp]; s != nil {
		s.Break = nil
	}
}

func (c *Consumer) stopped(tp TopicPartition) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.states[tp]
	return s != nil && s.Break != nil
}

// knownBreak returns the break that was found earlier in the same log at the
// same position by its offsets: a log that was cut off may have grown past the
// position since, and would then look whole.
func (c *Consumer) knownBreak(id event.Partition, next int64) *BreakError {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.states[TopicPartition{id.Topic, id.Partition}]
	if s == nil || s.Break == nil || s.Break.Now != id || s.Break.NextOffset != next {
		return nil
	}
	if s.Break.Kind != BreakGap && s.Break.Kind != BreakTruncated {
		return nil
	}
	return s.Break
}

// advance notes that a batch was loaded.
func (c *Consumer) advance(batch *event.Batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range batch.Moves {
		c.state(m.Partition).NextOffset = m.To
	}
	for _, rows := range batch.Rows {
		if rows != nil {
			c.noteReceived(batch.Topics, rows)
		}
	}
	c.notify()
}

// noteReceived keeps the newest of Kafka's times. The caller holds mu.
func (c *Consumer) noteReceived(topics []string, rows *event.Rows) {
	var s *PartitionStatus
	for i, received := range rows.ReceivedAt {
		// Records of a partition come in runs: look it up once a run.
		if i == 0 || rows.Topic[i] != rows.Topic[i-1] || rows.Partition[i] != rows.Partition[i-1] {
			s = c.states[TopicPartition{topics[rows.Topic[i]], rows.Partition[i]}]
		}
		if s != nil {
			s.LastReceivedMicros = max(s.LastReceivedMicros, received)
		}
	}
}
