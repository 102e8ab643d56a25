package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/segmentio/kafka-go"

	"github.com/goodhour/goodhour/ingest/event"
)

// Tail returns the last records of a topic by time, at most most, the oldest
// first, and the partition of each. It is for a look at what a topic holds:
// records of aborted transactions may be among them.
func (k *Kafka) Tail(ctx context.Context, topic string, most int) ([]event.Partition, []event.Record, error) {
	logs, err := k.logs(ctx, []string{topic})
	if err != nil {
		return nil, nil, fmt.Errorf("look at topic %s: %w", topic, err)
	}
	type placed struct {
		partition event.Partition
		record    event.Record
	}
	var all []placed
	for partition, log := range logs {
		records, err := k.tailOf(ctx, partition, log, most)
		if err != nil {
			return nil, nil, fmt.Errorf("read the end of partition %d of topic %s: %w", partition.Partition, topic, err)
		}
		for _, r := range records {
			all = append(all, placed{partition, r})
		}
	}
	slices.SortFunc(all, func(a, b placed) int {
		return cmp.Or(a.record.Time.Compare(b.record.Time), cmp.Compare(a.record.Offset, b.record.Offset),
			cmp.Compare(a.record.Partition, b.record.Partition))
	})
	all = all[max(0, len(all)-most):]
	partitions, records := make([]event.Partition, len(all)), make([]event.Record, len(all))
	for i, p := range all {
		partitions[i], records[i] = p.partition, p.record
	}
	return partitions, records, nil
}

func (k *Kafka) tailOf(ctx context.Context, p event.Partition, log logRange, most int) ([]event.Record, error) {
	from := max(log.start, log.end-int64(most))
	if from >= log.end {
		return nil, nil
	}
	response, err := k.client.Fetch(ctx, &kafka.FetchRequest{
		Topic: p.Topic, Partition: int(p.Partition), Offset: from, MinBytes: 1, MaxBytes: defaultFetchBytes,
		IsolationLevel: kafka.ReadCommitted,
	})
	if err != nil {
		return nil, err
	}
	if response.Error != nil {
		return nil, response.Error
	}
	var out []event.Record
	for {
		r, err := response.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if r.Offset < from {
			continue
		}
		record := event.Record{Topic: p.Topic, Partition: p.Partition, Offset: r.Offset, Time: r.Time.UTC()}
		if record.Key, err = kafka.ReadAll(r.Key); err != nil {
			return nil, err
		}
		if record.Value, err = kafka.ReadAll(r.Value); err != nil {
			return nil, err
		}
		for _, h := range r.Headers {
			record.Headers = append(record.Headers, event.Header{Key: h.Key, Value: h.Value})
		}
		out = append(out, record)
	}
}
