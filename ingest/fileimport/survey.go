package fileimport

import (
	"context"
	"database/sql/driver"
	_ "embed"
	"fmt"
	"hash/maphash"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
)

var (
	//go:embed sql/facts.sql
	sqlFacts string
	//go:embed sql/marks.sql
	sqlMarks string
	//go:embed sql/kept.sql
	sqlKept string
)

// survey is the first reading of all rows: it builds every event, finds what
// has to be rejected, and writes down what has to be known of all rows before
// the first event can be published. It returns how many rows have a time that
// does not say its zone.
func (r *run) survey(ctx context.Context, b *builder) (unzoned int64, err error) {
	if err := r.stage.exec(ctx, sqlFacts); err != nil {
		return 0, fmt.Errorf("create the table of facts: %w", err)
	}
	surveyors := make([]*surveyor, workers())
	seed := maphash.MakeSeed()
	for i := range surveyors {
		if surveyors[i], err = newSurveyor(b.clone(), seed); err != nil {
			return 0, err
		}
	}
	findings := make([]finding, pageRows)
	progress := r.progress("checking", r.total)
	seen := int64(0)
	err = r.stage.appender(ctx, "facts", func(a *duckdb.Appender) error {
		return r.stage.pages(ctx, sqlStagedPage, r.mapping.columnFields(), b.constants, r.total, func(rows []stagedRow) error {
			progress(seen)
			seen += int64(len(rows))
			err := share(len(rows), len(surveyors), func(worker, from, to int) error {
				for i := from; i < to; i++ {
					findings[i] = surveyors[worker].look(&rows[i])
				}
				return nil
			})
			if err != nil {
				return err
			}
			for i := range rows {
				if findings[i].unzoned {
					unzoned++
				}
				if err := r.record(a, rows[i].place, &findings[i]); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err == nil && seen != r.total {
		err = fmt.Errorf("read %d of %d staged rows", seen, r.total)
	}
	if err != nil {
		return 0, err
	}
	for _, statement := range []string{sqlMarks, sqlKept} {
		if err := r.stage.exec(ctx, statement); err != nil {
			return 0, fmt.Errorf("find repeated rows: %w", err)
		}
	}
	return unzoned, nil
}

// record writes down what was found of a row.
func (r *run) record(a *duckdb.Appender, at place, f *finding) error {
	for _, why := range f.notes {
		r.rejections.note(at, why)
	}
	if f.why != "" {
		r.rejections.reject(at, f.why)
		return nil
	}
	return a.AppendRow(f.facts...)
}

// finding is what a row turned out to be: facts, or why it is rejected.
type finding struct {
	facts   []driver.Value
	why     Reason
	notes   []Reason
	unzoned bool
}

// surveyor looks at rows; each goroutine has its own.
type surveyor struct {
	builder *builder
	decoder *event.Decoder
	batch   event.Batch
	seed    maphash.Seed
}

func newSurveyor(b *builder, seed maphash.Seed) (*surveyor, error) {
	// The identities that come out of the codec are thrown away, so any key
	// will do.
	keyer, err := identity.NewKeyer(make([]byte, 32))
	if err != nil {
		return nil, err
	}
	return &surveyor{builder: b, decoder: event.NewDecoder(keyer), seed: seed}, nil
}

func (s *surveyor) look(r *stagedRow) finding {
	row, why := s.builder.build(r.values)
	f := finding{why: why, unzoned: row.unzoned && why == ""}
	f.notes = append(f.notes, s.builder.notes...)
	if why != "" {
		return f
	}
	events, err := row.unnamed(s.builder.source)
	if err != nil {
		f.why = Reason(err.Error())
		return f
	}
	for i := range events {
		if f.why = s.check(&events[i]); f.why != "" {
			return f
		}
	}
	content := digestOf(contentOf(events)...)
	key := content
	switch {
	case row.name != "":
		key = digestOf(row.name)
	case row.identity != nil:
		key = digestOf(row.identity...)
	}
	f.facts = factsOf(r.seq, &row, key, content, maphash.String(s.seed, row.person.subject))
	return f
}

// maxEventBytes leaves room for the envelope within the 1 MiB that a broker
// takes for a record.
const maxEventBytes = 960 << 10

// check asks the codec whether an event would be a dead letter.
func (s *surveyor) check(e *event.Event) Reason {
	if len(e.Data) > maxEventBytes {
		return reasonTooBig
	}
	record, err := e.Record("")
	if err != nil {
		return Reason(err.Error())
	}
	record.Time = s.builder.options.Now
	s.decoder.Decode(&record, &s.batch)
	var why Reason
	if letters := s.batch.DeadLetters; len(letters) > 0 {
		why = Reason("it would be a dead letter: " + letters[0].Reason)
	}
	if s.batch.Records >= 1000 || why != "" {
		s.batch.Reset()
	}
	return why
}
