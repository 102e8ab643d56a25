package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
)

// assembler decodes what was fetched into batches. It fills one while the
// loader has the other; when both are full it takes nothing more, and the
// fetchers wait: the memory of a session is two batches and a few answers.
type assembler struct {
	consumer *Consumer
	limits   Limits
	decoder  *event.Decoder
	reader   recordReader
	gathered gathered // records of a source that wait to be mapped together
	err      error    // of a source, after run has returned

	batch   *event.Batch
	touched []*flow // partitions that the open batch advances
	aged    bool
	timer   *time.Timer
	free    chan *event.Batch
	closed  chan *event.Batch
}

func newAssembler(c *Consumer, spare [2]*event.Batch) *assembler {
	a := &assembler{
		consumer: c,
		limits:   c.cfg.Limits,
		decoder:  c.cfg.NewDecoder(),
		free:     make(chan *event.Batch, len(spare)),
		closed:   make(chan *event.Batch),
	}
	for _, b := range spare {
		b.Reset() // a session that was cut off may have left it half full
		a.free <- b
	}
	a.timer = time.NewTimer(time.Hour)
	a.timer.Stop()
	a.batch = <-a.free
	return a
}

// run decodes until answers is closed, hands over what is left and returns.
// When ctx ends first, what is open is dropped: it is not committed, so it
// will be fetched again.
func (a *assembler) run(ctx context.Context, answers <-chan fetched) {
	defer a.timer.Stop()
	for {
		var out chan<- *event.Batch
		if a.limits.closes(a.fill()) {
			a.seal()
			out = a.closed
		}
		select {
		case <-ctx.Done():
			return
		case answer, ok := <-answers:
			if !ok {
				if a.fill().moves {
					a.seal()
					a.hand(ctx)
				}
				return
			}
			done := a.decode(ctx, answer.chunks)
			answer.release()
			if !done {
				return
			}
		case out <- a.batch:
			if !a.open(ctx) {
				return
			}
		case <-a.timer.C:
			a.aged = true
		case <-a.consumer.wake:
		}
	}
}

func (a *assembler) fill() fill {
	return fill{
		moves:   len(a.touched) > 0,
		records: a.batch.Records,
		bytes:   a.batch.Bytes,
		aged:    a.aged,
		awaited: a.consumer.awaited.Load() > 0,
	}
}

// seal writes down how far the open batch moves each partition. It may be
// called again after the batch has grown.
func (a *assembler) seal() {
	a.batch.Moves = a.batch.Moves[:0]
	for _, f := range a.touched {
		a.batch.Moves = append(a.batch.Moves, event.Move{Partition: f.id, From: f.from, To: f.decoded})
	}
}

// hand waits until the loader takes the sealed batch, and opens the next.
func (a *assembler) hand(ctx context.Context) bool {
	select {
	case a.closed <- a.batch:
		return a.open(ctx)
	case <-ctx.Done():
		return false
	}
}

// open begins a new batch after one was handed over.
func (a *assembler) open(ctx context.Context) bool {
	for _, f := range a.touched {
		f.from, f.touched = f.decoded, false
	}
	a.touched = a.touched[:0]
	a.aged = false
	a.timer.Stop()
	select {
	case a.batch = <-a.free:
		return true
	case <-ctx.Done():
		a.batch = nil
		return false
	}
}

// decode adds chunks to the open batch, handing over each that gets full.
// false: ctx ended.
func (a *assembler) decode(ctx context.Context, chunks []chunk) bool {
	for i := range chunks {
		c := &chunks[i]
		c.flow.decoded = c.from
		aborted := newAbortFilter(c.aborted)
		for rest := c.batches; ; {
			batch, after, ok := nextBatch(rest)
			if !ok {
				break
			}
			rest = after
			if !a.decodeBatch(ctx, c.flow, &batch, &aborted) {
				return false
			}
		}
		if !a.mapGathered(ctx, c.flow) || !a.advance(ctx, c.flow, c.next) {
			return false
		}
	}
	return true
}

// decodeBatch adds the events of one record batch. One that cannot be read
// becomes a dead letter as a whole: its bytes are kept, and the stream goes on.
func (a *assembler) decodeBatch(ctx context.Context, f *flow, batch *recordBatch, aborted *abortFilter) bool {
	source := a.consumer.cfg.Sources[f.id.Topic]
	records, err := a.reader.open(batch)
	if err != nil {
		return a.unreadable(ctx, f, batch, err)
	}
	if aborted.drops(batch, records) {
		return true
	}
	rec := &a.reader.record
	rec.Topic, rec.Partition = f.id.Topic, f.id.Partition
	for range batch.count {
		if records, err = a.reader.next(batch, records); err != nil {
			return a.unreadable(ctx, f, batch, err)
		}
		if rec.Offset < f.decoded {
			continue // the broker begins with the whole batch that holds the offset asked for
		}
		if source != nil {
			if a.gathered.add(rec); a.gathered.full() && !a.mapGathered(ctx, f) {
				return false
			}
			continue
		}
		a.decoder.Decode(rec, a.batch)
		if !a.advance(ctx, f, rec.Offset+1) {
			return false
		}
	}
	return true
}

func (a *assembler) unreadable(ctx context.Context, f *flow, batch *recordBatch, err error) bool {
	if !a.mapGathered(ctx, f) {
		return false
	}
	if batch.lastOffset < f.decoded {
		return true
	}
	a.batch.DeadLetters = append(a.batch.DeadLetters, event.DeadLetter{
		Topic: f.id.Topic, Partition: f.id.Partition, Offset: f.decoded, ReceivedAt: batch.timestamp(),
		Reason: fmt.Sprintf("the record batch of offsets %d to %d cannot be read: %v; the value is the whole batch",
			batch.baseOffset, batch.lastOffset, err),
		Value: append([]byte(nil), batch.raw...),
	})
	a.batch.Records++
	a.batch.Bytes += len(batch.raw)
	return a.advance(ctx, f, batch.lastOffset+1)
}

// advance moves a partition on, and hands the batch over if it is full.
func (a *assembler) advance(ctx context.Context, f *flow, to int64) bool {
	f.decoded = max(f.decoded, to)
	if !f.touched && f.decoded != f.from {
		if len(a.touched) == 0 {
			a.timer.Reset(a.limits.Age)
		}
		f.touched = true
		a.touched = append(a.touched, f)
	}
	if !a.limits.full(fill{records: a.batch.Records, bytes: a.batch.Bytes}) {
		return true
	}
	a.seal()
	return a.hand(ctx)
}
