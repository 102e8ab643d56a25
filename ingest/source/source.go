// Package source makes events of the records of a topic that is somebody
// else's, by an SQL select over the record. The select runs in a private DuckDB
// in memory that can open nothing, once for thousands of records, but sees each
// record alone: what becomes of one does not depend on which others were read
// with it, so a topic read again gives the same events again.
package source

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/fileimport"
)

// idColumn is the select's column that names a row, beside the kind's fields.
const idColumn = "id"

// Config is one source.
type Config struct {
	// Topic is the full name of the topic.
	Topic string
	// Select is one SQL select from the relation record: value and headers
	// (JSON), key (text), timestamp, topic, partition, offset. Its columns are
	// fields of the kind, and id: what the row's event is called. It gives no
	// row, one or several.
	Select string
	// Rows says how its values are read; Rows.Source names the source.
	Rows fileimport.Options
}

// Source maps records. It is for one goroutine.
type Source struct {
	cfg Config
	db  *engine // nil: to be opened
}

// New returns a source; nothing is opened yet.
func New(cfg Config) *Source { return &Source{cfg: cfg} }

// Check opens the source and says what is wrong with its select: a
// *SelectError that knows the line, or a *fileimport.Refusal.
func (s *Source) Check(ctx context.Context) error {
	if s.db != nil {
		return nil
	}
	db, err := openEngine(ctx, &s.cfg)
	if err != nil {
		return err
	}
	s.db = db
	return nil
}

// Close frees the memory.
func (s *Source) Close() error {
	if s.db == nil {
		return nil
	}
	db := s.db
	s.db = nil
	return db.close()
}

// Map makes the events of records, as ingest.Source wants it.
func (s *Source) Map(ctx context.Context, partition event.Partition, records []event.Record, visit ingest.Visit) error {
	if err := s.Check(ctx); err != nil {
		return fmt.Errorf("source %s: %w", s.cfg.Rows.Source, err)
	}
	rows, err := s.db.pick(ctx, records)
	if err != nil {
		// What broke may be DuckDB itself: the next call opens another.
		return errors.Join(fmt.Errorf("source %s: %w", s.cfg.Rows.Source, err), s.Close())
	}
	var events []event.Record
	for i := range records {
		reason := rows.faults[i]
		if reason == "" {
			events, reason = s.build(&records[i], partition, rows.of(i), events[:0])
		}
		if reason != "" {
			events, reason = events[:0], "source "+s.cfg.Rows.Source+": "+reason
		}
		if !visit(i, events, reason) {
			return nil
		}
	}
	return nil
}

// build makes the events of one record's rows.
func (s *Source) build(rec *event.Record, partition event.Partition, rows [][]string, to []event.Record) ([]event.Record, string) {
	var seen map[string]int
	for _, row := range rows {
		var id string
		if s.db.id {
			id, row = row[0], row[1:]
			if id == "" {
				return nil, "the select's column id is empty"
			}
			id = "row:" + s.cfg.Rows.Source + ":" + id
		} else {
			id = placeOf(partition, rec.Offset, row)
			if len(rows) > 1 { // equal rows of one record are told apart by their number
				if seen == nil {
					seen = make(map[string]int)
				}
				seen[id]++
				id += ":" + strconv.Itoa(seen[id])
			}
		}
		events, why := s.db.rows.Build(row, rec.Time, id)
		if why != "" {
			return nil, string(why)
		}
		for i := range events {
			out, err := events[i].Record("")
			if err != nil {
				return nil, err.Error()
			}
			out.Topic, out.Partition, out.Offset, out.Time = rec.Topic, rec.Partition, rec.Offset, rec.Time
			to = append(to, out)
		}
	}
	return to, ""
}

// placeOf names a row by where its record stands, and by what it says: the rows
// of one record come in no certain order. The topic's own id is in it, because
// a topic made anew under its name counts from 0 again.
func placeOf(p event.Partition, offset int64, row []string) string {
	h := sha256.New()
	add := func(text string) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(text)))
		h.Write(size[:])
		h.Write([]byte(text))
	}
	add(p.ClusterID)
	add(p.Topic)
	add(p.TopicID)
	add(strconv.Itoa(int(p.Partition)))
	add(strconv.FormatInt(offset, 10))
	for _, value := range row {
		add(value)
	}
	return "record:" + hex.EncodeToString(h.Sum(nil)[:16])
}
