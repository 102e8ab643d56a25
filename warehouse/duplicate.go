package warehouse

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"math/bits"
	"slices"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/warehouse/internal/bulk"
)

// scratch is memory that loads use again, one after another.
type scratch struct {
	seed  maphash.Seed
	slots []int32 // 0 is free, else a row's number + 1
	rows  []int32
	// numbers are 0, 1, 2 and so on.
	numbers []int64
}

// firsts returns, in order, the rows that are the first of their (source, id)
// in the batch.
func (s *scratch) firsts(rows *event.Rows) []int32 {
	if s.seed == (maphash.Seed{}) {
		s.seed = maphash.MakeSeed()
	}
	n := rows.Len()
	// At most half full, so that a search ends soon.
	size := 1 << bits.Len(uint(2*n))
	if cap(s.slots) < size {
		s.slots = make([]int32, size)
	}
	s.slots = s.slots[:size]
	clear(s.slots)
	s.rows = slices.Grow(s.rows[:0], n)

	var sourceHash uint64
	var lastSource []byte
	for i := range n {
		source, id := rows.Source.At(i), rows.ID.At(i)
		if i == 0 || !bytes.Equal(source, lastSource) {
			sourceHash, lastSource = maphash.Bytes(s.seed, source), source
		}
		at := maphash.Bytes(s.seed, id) ^ bits.RotateLeft64(sourceHash, 1)
		for {
			at &= uint64(size - 1)
			slot := s.slots[at]
			if slot == 0 {
				s.slots[at] = int32(i) + 1
				s.rows = append(s.rows, int32(i))
				break
			}
			other := int(slot - 1)
			if bytes.Equal(rows.ID.At(other), id) && bytes.Equal(rows.Source.At(other), source) {
				break
			}
			at++
		}
	}
	return s.rows
}

// The batch's rows whose event is stored, by row number. The join is inner:
// neither side has an event twice. The range lets DuckDB skip the row groups
// that have no event of that time; variables, unlike a join, are constants to
// its planner.
const insertDuplicates = `
insert into duplicates
select batch."row"
from batch
join raw.%q as stored on stored.ce_id = batch.ce_id and stored.ce_source = batch.ce_source
where stored.ce_time between getvariable('batch_first') and getvariable('batch_last')`

// notStored returns those of the given rows whose event is not in the table.
// It may use their memory.
func (db *DB) notStored(ctx context.Context, rows *event.Rows, candidates []int32) ([]int32, error) {
	if _, err := db.conn.Exec(ctx, `create or replace temp table duplicates ("row" bigint)`); err != nil {
		return nil, err
	}
	numbers := slices.Grow(db.scratch.numbers[:0], rows.Len())[:rows.Len()]
	for i := range numbers {
		numbers[i] = int64(i)
	}
	db.scratch.numbers = numbers
	var keys columns
	keys.add(bulk.BigInt(numbers, nil))
	keys.text("ce_source", rows.Source.Bytes, rows.Source.Ends, nil)
	keys.text("ce_id", rows.ID.Bytes, rows.ID.Ends, nil)
	if keys.err != nil {
		return nil, keys.err
	}

	ranges := timeRanges(rows.Time, candidates)
	for _, r := range ranges {
		within := candidates
		if len(ranges) > 1 {
			within = r.pick(rows.Time, candidates)
		}
		if err := db.findDuplicates(ctx, rows.Kind, r, keys.list, within); err != nil {
			return nil, err
		}
	}
	duplicates, err := db.conn.Ints(ctx, `select "row" from duplicates`)
	if err != nil {
		return nil, err
	}
	return without(candidates, duplicates, numbers), nil
}

func (db *DB) findDuplicates(ctx context.Context, kind event.Kind, r timeRange, keys []bulk.Column, rows []int32) error {
	if _, err := db.conn.Exec(ctx, "set variable batch_first = ?", bulk.Timestamp(r.first)); err != nil {
		return err
	}
	if _, err := db.conn.Exec(ctx, "set variable batch_last = ?", bulk.Timestamp(r.last)); err != nil {
		return err
	}
	query := fmt.Sprintf(insertDuplicates, kind.Spec().Table)
	return db.conn.AppendQuery(ctx, query, "batch", []string{"row", "ce_source", "ce_id"}, keys, rows)
}

// without removes the duplicates from the candidates, in place. marks is as
// long as the batch and may be written.
func without(candidates []int32, duplicates, marks []int64) []int32 {
	if len(duplicates) == 0 {
		return candidates
	}
	const duplicate = -1
	for _, row := range duplicates {
		marks[row] = duplicate
	}
	return slices.DeleteFunc(candidates, func(row int32) bool { return marks[row] == duplicate })
}
