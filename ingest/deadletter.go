package ingest

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/goodhour/goodhour/ingest/event"
)

// Headers of a record on the dead-letter topic, beside the original's own. Its
// key and value are the original bytes.
const (
	HeaderDeadLetterTopic     = "goodhour_deadletter_topic"
	HeaderDeadLetterPartition = "goodhour_deadletter_partition"
	HeaderDeadLetterOffset    = "goodhour_deadletter_offset"
	HeaderDeadLetterReason    = event.HeaderReason
	// HeaderDeadLetterOmitted is there when the original is too large to go
	// with these headers: its size in bytes. Its bytes are in pii.dead_letters.
	HeaderDeadLetterOmitted = "goodhour_deadletter_omitted_bytes"
)

// DeadLetterStore keeps dead letters and how far they are published.
type DeadLetterStore interface {
	// UnpublishedDeadLetters returns the first ones by ID, at most limit.
	UnpublishedDeadLetters(ctx context.Context, limit int) ([]event.StoredDeadLetter, error)
	// MarkPublished notes that those up to and with lastID are published.
	MarkPublished(ctx context.Context, lastID int64) error
}

// DeadLetterReplayer gives a dead letter out for replay and notes the replay.
type DeadLetterReplayer interface {
	DeadLetter(ctx context.Context, id int64) (event.StoredDeadLetter, error)
	MarkReplayed(ctx context.Context, id int64) error
}

// deadLettersAtOnce bounds what is in memory: a letter may be a megabyte.
const deadLettersAtOnce = 32

// PublishDeadLetters writes the unpublished dead letters to the dead-letter
// topic, in order, and returns how many. A crash between writing and marking
// writes some again; the original's coordinates tell that they are the same.
func (p *Producer) PublishDeadLetters(ctx context.Context, store DeadLetterStore) (int, error) {
	published := 0
	for {
		letters, err := store.UnpublishedDeadLetters(ctx, deadLettersAtOnce)
		if err != nil || len(letters) == 0 {
			return published, err
		}
		if err := p.publishLetters(ctx, letters); err != nil {
			return published, fmt.Errorf("publish dead letters: %w", err)
		}
		if err := store.MarkPublished(ctx, letters[len(letters)-1].ID); err != nil {
			return published, err
		}
		published += len(letters)
	}
}

func (p *Producer) publishLetters(ctx context.Context, letters []event.StoredDeadLetter) error {
	topic := p.prefix + string(event.TopicDeadLetter)
	records := make([]event.Record, len(letters))
	for i := range letters {
		records[i] = letterRecord(topic, &letters[i].DeadLetter)
	}
	err := p.PublishRecords(ctx, records)
	failed, some := errors.AsType[*PublishError](err)
	if !some {
		return err
	}
	// A letter that is too large goes without its bytes, so that it does not
	// hold up the others for ever.
	var bare []event.Record
	for _, f := range failed.Failures {
		if _, large := errors.AsType[*RecordTooLargeError](f.Err); !large {
			return err
		}
		bare = append(bare, bareLetterRecord(topic, &letters[f.Index].DeadLetter))
	}
	return p.PublishRecords(ctx, bare)
}

func letterRecord(topic string, l *event.DeadLetter) event.Record {
	return event.Record{
		Topic: topic, Key: l.Key, Value: l.Value,
		Headers: append(coordinates(l), l.Headers...),
	}
}

func bareLetterRecord(topic string, l *event.DeadLetter) event.Record {
	size := recordBytes(&event.Record{Key: l.Key, Value: l.Value, Headers: l.Headers})
	return event.Record{
		Topic:   topic,
		Headers: append(coordinates(l), event.Header{Key: HeaderDeadLetterOmitted, Value: []byte(strconv.Itoa(size))}),
	}
}

func coordinates(l *event.DeadLetter) []event.Header {
	return []event.Header{
		{Key: HeaderDeadLetterTopic, Value: []byte(l.Topic)},
		{Key: HeaderDeadLetterPartition, Value: strconv.AppendInt(nil, int64(l.Partition), 10)},
		{Key: HeaderDeadLetterOffset, Value: strconv.AppendInt(nil, l.Offset, 10)},
		{Key: HeaderDeadLetterReason, Value: []byte(l.Reason)},
	}
}

// ReplayDeadLetter writes a dead letter to its original topic again, as it
// was: after whatever made it one has been mended. If it cannot be read still,
// it becomes another dead letter.
func (p *Producer) ReplayDeadLetter(ctx context.Context, store DeadLetterReplayer, id int64) error {
	letter, err := store.DeadLetter(ctx, id)
	if err != nil {
		return err
	}
	record := event.Record{Topic: letter.Topic, Key: letter.Key, Value: letter.Value, Headers: letter.Headers}
	if err := p.PublishRecords(ctx, []event.Record{record}); err != nil {
		return fmt.Errorf("replay dead letter %d: %w", id, err)
	}
	return store.MarkReplayed(ctx, id)
}
