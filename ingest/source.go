package ingest

import (
	"bytes"
	"context"
	"fmt"

	"github.com/goodhour/goodhour/ingest/event"
)

// Source makes goodhour's events of the records of a topic that is somebody
// else's. What becomes of a record may depend on that record and on where it
// stands alone: records come again after a crash, in other company.
type Source interface {
	// Map visits every record, in order: with the records of the events that it
	// becomes (none: it is left out), or with the reason, which quotes nothing
	// of it, why it cannot become any. The visitor says false to end. An error
	// says that the source cannot work at all now: what was not visited is read
	// again later.
	Map(ctx context.Context, partition event.Partition, records []event.Record, visit Visit) error
}

// Visit is told what became of records[i].
type Visit func(i int, events []event.Record, reason string) bool

// gathered are copies of consecutive records of one partition: a select over
// thousands costs little more than one over a single record.
type gathered struct {
	records []event.Record
	bytes   int
}

const (
	gatheredRecords = 20_000
	gatheredBytes   = 8 << 20
)

func (g *gathered) full() bool { return len(g.records) >= gatheredRecords || g.bytes >= gatheredBytes }

func (g *gathered) add(r *event.Record) {
	c := *r
	c.Key, c.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
	c.Headers = nil
	for _, h := range r.Headers {
		c.Headers = append(c.Headers, event.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
		g.bytes += len(h.Key) + len(h.Value)
	}
	g.bytes += len(c.Key) + len(c.Value)
	g.records = append(g.records, c)
}

func (g *gathered) reset() {
	clear(g.records)
	g.records, g.bytes = g.records[:0], 0
}

// mapGathered adds what the gathered records of a partition become to the open
// batch. false: ctx ended, or the source cannot work; then err says why.
func (a *assembler) mapGathered(ctx context.Context, f *flow) bool {
	records := a.gathered.records
	if len(records) == 0 {
		return true
	}
	defer a.gathered.reset()
	ended := false
	err := a.consumer.cfg.Sources[f.id.Topic].Map(ctx, f.id, records, func(i int, events []event.Record, reason string) bool {
		a.decoder.DecodeMapped(&records[i], events, reason, a.batch)
		ended = !a.advance(ctx, f, records[i].Offset+1)
		return !ended
	})
	if err != nil {
		a.err = fmt.Errorf("topic %s: %w", f.id.Topic, err)
		return false
	}
	a.consumer.told.over(mapping)
	return !ended
}
