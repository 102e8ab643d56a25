package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/goodhour/goodhour/ingest/event"
)

const (
	// maxRecordBytes of key, value and headers: below Kafka's default limit for
	// a record batch (message.max.bytes, 1,048,588), so that on a broker left
	// at its defaults it is always goodhour that refuses, before sending.
	maxRecordBytes = 1_000_000
	// publishBatchBytes bounds a request to one partition; a batch that cannot
	// be compressed still fits the same default.
	publishBatchBytes   = 1_040_000
	publishBatchRecords = 10_000
	// publishDelay is how long a record waits for others to share its request.
	// Measured on the embedded broker: at 1 ms 400 callers get 5,400 records/s
	// through, at 5 ms 63,000; one caller alone waits 6 ms instead of 2.
	publishDelay = 5 * time.Millisecond
	// electionTries are how often a record is tried again whose partition has no
	// leader, with pauses of up to electionPause: about 10 s, as long as the
	// writer repeats what brokers and networks fail at. A broker that comes
	// back has its partitions elected some moments later.
	electionTries = 12
	electionPause = time.Second
)

// Producer publishes events. A record is acknowledged when all replicas that
// the topic asks for have it (acks=all). It may be written twice when an
// answer is lost; loading recognises it by its source and id. One producer
// serves all callers, so that their records share requests.
type Producer struct {
	prefix string
	kafka  *Kafka
	shared *kafka.Writer
	// alone sends each record in a request of its own, after a batch of
	// several was refused for its size.
	alone *kafka.Writer
	close sync.Once
}

// NewProducer returns a producer on the connection. Close it.
func NewProducer(k *Kafka) *Producer {
	writer := func(batch int) *kafka.Writer {
		return &kafka.Writer{
			Addr: k.addr, Transport: k.transport,
			// As Java's producers do it, so that one subject's records are in one
			// partition whoever wrote them.
			Balancer:     kafka.Murmur2Balancer{},
			BatchSize:    batch,
			BatchBytes:   publishBatchBytes,
			BatchTimeout: publishDelay,
			RequiredAcks: kafka.RequireAll,
			Compression:  kafka.Lz4,
		}
	}
	return &Producer{prefix: k.prefix, kafka: k, shared: writer(publishBatchRecords), alone: writer(1)}
}

// Close sends what is under way and stops. It is idempotent.
func (p *Producer) Close() (err error) {
	p.close.Do(func() { err = errors.Join(p.shared.Close(), p.alone.Close()) })
	return err
}

// Publish writes the events and waits until the brokers have them. Kafka's
// timestamp is the wall clock's, never the event's own time: retention would
// delete an old one at once, and a future one is refused. When only some fail,
// the error is a *PublishError and the others are written. When ctx ends
// first, any of them may still be written: publish them again.
func (p *Producer) Publish(ctx context.Context, events []event.Event) error {
	records := make([]event.Record, 0, len(events))
	indexes := make([]int, 0, len(events))
	failed := &PublishError{Total: len(events)}
	for i := range events {
		record, err := events[i].Record(p.prefix)
		if err != nil {
			failed.Failures = append(failed.Failures, PublishFailure{Index: i, Err: err})
			continue
		}
		records, indexes = append(records, record), append(indexes, i)
	}
	err := p.PublishRecords(ctx, records)
	some, partly := errors.AsType[*PublishError](err)
	switch {
	case partly:
		for _, f := range some.Failures {
			failed.Failures = append(failed.Failures, PublishFailure{Index: indexes[f.Index], Err: f.Err})
		}
	case err != nil:
		return err
	}
	return failed.orNil()
}

// PublishRecords writes raw records: topic, key, value and headers of each;
// their other fields are not used. Errors are those of Publish.
func (p *Producer) PublishRecords(ctx context.Context, records []event.Record) error {
	failed := &PublishError{Total: len(records)}
	messages := make([]kafka.Message, 0, len(records))
	indexes := make([]int, 0, len(records))
	for i := range records {
		if size := recordBytes(&records[i]); size > maxRecordBytes {
			failed.Failures = append(failed.Failures, PublishFailure{Index: i, Err: &RecordTooLargeError{
				Topic: records[i].Topic, Bytes: size, Limit: maxRecordBytes,
			}})
			continue
		}
		messages, indexes = append(messages, message(&records[i])), append(indexes, i)
	}
	causes, err := write(ctx, p.shared, messages)
	if err != nil {
		return fmt.Errorf("publish %d records: %w", len(records), err)
	}
	for j, cause := range causes {
		// A batch of several is refused as a whole; which of them is too large
		// shows when each is sent alone.
		if errors.Is(cause, kafka.MessageSizeTooLarge) {
			cause = p.sendAlone(ctx, &messages[j])
		}
		if cause != nil {
			failed.Failures = append(failed.Failures, PublishFailure{Index: indexes[j], Err: cause})
		}
	}
	return failed.orNil()
}

// write returns the cause for each message that was not written; nil if all
// were. Those of partitions that wait for their leader it tries again, which
// the writer does not: nothing of them was sent.
func write(ctx context.Context, w *kafka.Writer, messages []kafka.Message) ([]error, error) {
	causes, err := writeOnce(ctx, w, messages)
	pauses := newBackoff(electionPause/10, electionPause)
	for try := 0; try < electionTries && err == nil; try++ {
		var leaderless []kafka.Message
		var at []int
		for i, cause := range causes {
			if errors.Is(cause, protocol.ErrNoLeader) {
				leaderless, at = append(leaderless, messages[i]), append(at, i)
			}
		}
		if len(leaderless) == 0 || !pauses.wait(ctx) {
			break
		}
		var again []error
		again, err = writeOnce(ctx, w, leaderless)
		for j, i := range at {
			causes[i] = nil
			if again != nil {
				causes[i] = again[j]
			}
		}
	}
	return causes, err
}

func writeOnce(ctx context.Context, w *kafka.Writer, messages []kafka.Message) ([]error, error) {
	err := w.WriteMessages(ctx, messages...)
	if causes, some := errors.AsType[kafka.WriteErrors](err); some {
		return causes, nil
	}
	return nil, err
}

func (p *Producer) sendAlone(ctx context.Context, m *kafka.Message) error {
	causes, err := write(ctx, p.alone, []kafka.Message{*m})
	if len(causes) == 1 {
		err = causes[0]
	}
	if errors.Is(err, kafka.MessageSizeTooLarge) {
		return &RecordTooLargeError{Broker: true, Topic: m.Topic, Bytes: messageBytes(m), Limit: p.topicLimit(ctx, m.Topic)}
	}
	return err
}

// topicLimit asks for a topic's max.message.bytes; 0 where it cannot be had.
func (p *Producer) topicLimit(ctx context.Context, topic string) int {
	value, err := p.kafka.topicSetting(ctx, topic, "max.message.bytes")
	if err != nil {
		return 0
	}
	var limit int
	if _, err := fmt.Sscan(value, &limit); err != nil {
		return 0
	}
	return limit
}

func message(r *event.Record) kafka.Message {
	m := kafka.Message{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: make([]kafka.Header, len(r.Headers))}
	for i, h := range r.Headers {
		m.Headers[i] = kafka.Header{Key: h.Key, Value: h.Value}
	}
	return m
}

func recordBytes(r *event.Record) int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

func messageBytes(m *kafka.Message) int {
	n := len(m.Key) + len(m.Value)
	for _, h := range m.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

// PublishError says which of several records were not written; the others were.
type PublishError struct {
	Total    int // records in the call
	Failures []PublishFailure
}

// PublishFailure is one record that was not written, and why.
type PublishFailure struct {
	Index int // in the call's slice
	Err   error
}

func (e *PublishError) orNil() error {
	if len(e.Failures) == 0 {
		return nil
	}
	slices.SortFunc(e.Failures, func(a, b PublishFailure) int { return a.Index - b.Index })
	return e
}

// Error names the first few causes, each with how many records it hit: the
// same one repeats for every record of a request, and would fill a log.
func (e *PublishError) Error() string {
	const most = 3
	counts := make(map[string]int)
	first := make(map[string]int)
	var causes []string
	for _, f := range e.Failures {
		text := f.Err.Error()
		if counts[text] == 0 {
			causes = append(causes, text)
			first[text] = f.Index
		}
		counts[text]++
	}
	var parts []string
	for i, text := range causes {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more causes", len(causes)-most))
			break
		}
		parts = append(parts, fmt.Sprintf("%d of them, the first at index %d: %s", counts[text], first[text], text))
	}
	return fmt.Sprintf("%d of %d records were not published: %s", len(e.Failures), e.Total, strings.Join(parts, "; "))
}

// Unwrap lets errors.Is and errors.As look at the causes.
func (e *PublishError) Unwrap() []error {
	out := make([]error, len(e.Failures))
	for i, f := range e.Failures {
		out[i] = f.Err
	}
	return out
}

// RecordTooLargeError says that a record is over a limit, and whose.
type RecordTooLargeError struct {
	// Broker: the broker refused it; else goodhour did, without sending it.
	Broker bool
	Topic  string
	Bytes  int // of key, value and headers
	Limit  int // 0: the broker's, not known
}

func (e *RecordTooLargeError) Error() string {
	switch {
	case !e.Broker:
		return fmt.Sprintf("a record of %d bytes for %s is over goodhour's limit of %d bytes and was not sent", e.Bytes, e.Topic, e.Limit)
	case e.Limit == 0:
		return fmt.Sprintf("the broker refused a record of %d bytes as too large: raise max.message.bytes of topic %s", e.Bytes, e.Topic)
	}
	return fmt.Sprintf("the broker refused a record of %d bytes as too large: max.message.bytes of topic %s is %d", e.Bytes, e.Topic, e.Limit)
}
