package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
)

// The ways in which a log can break. A partition whose log broke stops until
// the operator accepts it; the others go on.
const (
	// BreakGap: records were deleted before they were loaded.
	BreakGap = "gap"
	// BreakTruncated: the log ends before what was loaded of it.
	BreakTruncated = "truncated"
	// BreakRecreated: the topic was deleted and made anew under its name.
	BreakRecreated = "recreated"
	// BreakCluster: the brokers are another cluster.
	BreakCluster = "cluster"
)

// BreakError says that a partition's log is no longer the one that was being
// loaded, with everything the operator needs.
type BreakError struct {
	// Kind is one of the constants above.
	Kind string
	// Partition as it was loaded so far; Now as the broker has it.
	Partition, Now event.Partition
	// NextOffset is the position that is stored.
	NextOffset int64
	// LogStart and LogEnd are the log's range when it was looked at; -1: unknown.
	LogStart, LogEnd int64
}

func (b *BreakError) Error() string {
	tp := TopicPartition{Topic: b.Partition.Topic, Partition: b.Partition.Partition}
	var what string
	switch b.Kind {
	case BreakGap:
		what = fmt.Sprintf("the log starts at offset %d but was loaded only up to %d: %d offsets were deleted before they were loaded. "+
			"Accepting goes on at the log's start; what was in them is lost here",
			b.LogStart, b.NextOffset, b.LogStart-b.NextOffset)
	case BreakTruncated:
		what = fmt.Sprintf("the log ends at offset %d but was loaded up to %d: it was cut off, and new records may stand under offsets already loaded. "+
			"Accepting reads it again from its start; events that are loaded already are recognised and change nothing",
			b.LogEnd, b.NextOffset)
	case BreakRecreated:
		what = fmt.Sprintf("the topic was deleted and made anew (its id was %s, it is %s): what the old one held from offset %d on is lost here. "+
			"Accepting reads the new one from its start; events that are loaded already are recognised and change nothing",
			b.Partition.TopicID, b.Now.TopicID, b.NextOffset)
	case BreakCluster:
		what = fmt.Sprintf("the brokers are another cluster (it was %s, it is %s): what the old one held from offset %d on has not been loaded. "+
			"If the brokers' address is wrong, mend it. Accepting reads the new log from its start; events that are loaded already are recognised and change nothing",
			b.Partition.ClusterID, b.Now.ClusterID, b.NextOffset)
	}
	return fmt.Sprintf("%s stands still: %s. To accept: goodhour offsets accept %s", tp, what, tp)
}

// identityBreak returns the break between what was loaded and what the broker
// has, judged by cluster and topic id; nil if it is the same log. A side that
// has no id says nothing.
func identityBreak(stored event.Position, now event.Partition) *BreakError {
	b := &BreakError{Partition: stored.Partition, Now: now, NextOffset: stored.NextOffset, LogStart: -1, LogEnd: -1}
	switch {
	case differ(stored.ClusterID, now.ClusterID):
		b.Kind = BreakCluster
	case differ(stored.TopicID, now.TopicID):
		b.Kind = BreakRecreated
	default:
		return nil
	}
	return b
}

func differ(a, b string) bool { return a != "" && b != "" && a != b }

// offsetBreak returns the break of a log that does not reach from the stored
// offset on; nil if it does.
func offsetBreak(id event.Partition, stored int64, log logRange) *BreakError {
	b := &BreakError{Partition: id, Now: id, NextOffset: stored, LogStart: log.start, LogEnd: log.end}
	switch {
	case stored < log.start:
		b.Kind = BreakGap
	case stored > log.end:
		b.Kind = BreakTruncated
	default:
		return nil
	}
	return b
}

// Accept decides that a stopped partition goes on: at the start of the log
// that the broker has now. by names the operator. It works beside a running
// consumer, which then goes on at once, and without one. A partition that is
// not broken is an error, so that nobody moves a position by mistake.
func (c *Consumer) Accept(ctx context.Context, topic string, partition int32, by string) (*event.Acceptance, error) {
	tp := TopicPartition{Topic: topic, Partition: partition}
	broken, now, log, err := c.inspect(ctx, tp)
	if err != nil {
		return nil, fmt.Errorf("accept %s: %w", tp, err)
	}
	if broken == nil || c.running.Load() && !c.stopped(tp) {
		return nil, fmt.Errorf("accept %s: it does not stand still over a broken log, there is nothing to accept", tp)
	}
	acceptance := event.Acceptance{
		Partition:  now,
		NextOffset: log.start,
		Break:      broken.Kind,
		Detail:     broken.Error(),
		AcceptedBy: by,
		AcceptedAt: c.cfg.Now().UTC().Truncate(time.Microsecond),
	}
	if err := c.cfg.Loader.Accept(ctx, acceptance); err != nil {
		return nil, fmt.Errorf("accept %s: %w", tp, err)
	}
	c.clearBreak(tp)
	c.restart()
	return &acceptance, nil
}

// inspect looks at one partition: how it is broken, if it is, and what the
// broker has now.
func (c *Consumer) inspect(ctx context.Context, tp TopicPartition) (*BreakError, event.Partition, logRange, error) {
	none := event.Partition{}
	cluster, err := c.cfg.Kafka.cluster(ctx, []string{tp.Topic})
	if err != nil {
		return nil, none, logRange{}, err
	}
	topic := cluster.topics[tp.Topic]
	if topic.err != nil {
		return nil, none, logRange{}, fmt.Errorf("topic %s: %w", tp.Topic, topic.err)
	}
	if int(tp.Partition) >= len(topic.partitions) || tp.Partition < 0 {
		return nil, none, logRange{}, fmt.Errorf("the topic has %d partitions now", len(topic.partitions))
	}
	ranges, failed, err := c.cfg.Kafka.logRanges(ctx, map[string][]int32{tp.Topic: {tp.Partition}})
	if err == nil {
		err = failed[tp]
	}
	if err != nil {
		return nil, none, logRange{}, err
	}
	positions, err := c.cfg.Loader.Positions(ctx)
	if err != nil {
		return nil, none, logRange{}, err
	}
	now := event.Partition{ClusterID: cluster.id, Topic: tp.Topic, TopicID: topic.idText(), Partition: tp.Partition}
	log := ranges[tp]
	for _, stored := range positions {
		if stored.Topic != tp.Topic || stored.Partition.Partition != tp.Partition {
			continue
		}
		broken := identityBreak(stored, now)
		if broken == nil {
			broken = offsetBreak(now, stored.NextOffset, log)
		}
		if broken == nil {
			// A log that was cut off may have grown past the position since.
			broken = c.knownBreak(now, stored.NextOffset)
		}
		return broken, now, log, nil
	}
	return nil, now, log, nil
}
