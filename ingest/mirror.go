package ingest

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/segmentio/kafka-go"
)

// mirrorEvery is how often positions are written to the consumer group.
const mirrorEvery = time.Second

// startMirror copies the stored positions to the consumer group while ctx
// lasts, so that ordinary lag monitors work. They are never read back, and a
// failure never holds up loading. The channel is closed when it has ended.
func (c *Consumer) startMirror(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	if c.cfg.Group == "" {
		close(done)
		return done
	}
	go func() {
		defer close(done)
		mirrored := make(map[TopicPartition]int64)
		for sleep(ctx, mirrorEvery) {
			c.mirror(ctx, mirrored)
		}
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), mirrorEvery)
		defer cancel()
		c.mirror(last, mirrored)
	}()
	return done
}

// mirror commits the positions that changed since the last success.
func (c *Consumer) mirror(ctx context.Context, mirrored map[TopicPartition]int64) {
	changed := make(map[TopicPartition]int64)
	for _, s := range c.Status().Partitions {
		if s.NextOffset >= 0 && s.Break == nil {
			if old, known := mirrored[s.name()]; !known || old != s.NextOffset {
				changed[s.name()] = s.NextOffset
			}
		}
	}
	if len(changed) == 0 {
		return
	}
	what := "consumer group " + c.cfg.Group
	if err := c.commitGroup(ctx, changed); err != nil {
		c.told.trouble(what, err)
		return // the next round tries again
	}
	c.told.over(what)
	maps.Copy(mirrored, changed)
}

// commitGroup commits without being a member of the group, as kafka-consumer-
// groups does when it resets offsets: generation -1 and no member id.
func (c *Consumer) commitGroup(ctx context.Context, positions map[TopicPartition]int64) error {
	request := &kafka.OffsetCommitRequest{
		GroupID: c.cfg.Group, GenerationID: -1, Topics: make(map[string][]kafka.OffsetCommit),
	}
	for tp, next := range positions {
		request.Topics[tp.Topic] = append(request.Topics[tp.Topic], kafka.OffsetCommit{Partition: int(tp.Partition), Offset: next})
	}
	response, err := c.cfg.Kafka.client.OffsetCommit(ctx, request)
	if err != nil {
		return fmt.Errorf("commit offsets to the group: %w", err)
	}
	for topic, partitions := range response.Topics {
		for _, p := range partitions {
			if p.Error != nil {
				return fmt.Errorf("commit the offset of %s/%d to the group: %w", topic, p.Partition, p.Error)
			}
		}
	}
	return nil
}
