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
	keys  []int64
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
func (db *DB) notStored(ctx context.Context, rows *event.Rows, candidates []int32) ([]int32, error) {
	first, last := rows.Time[candidates[0]], rows.Time[candidates[0]]
	for _, row := range candidates {
		first, last = min(first, rows.Time[row]), max(last, rows.Time[row])
	}
	for _, s := range []struct {
		statement string
		args      []any
	}{
		{"set variable batch_first = ?", []any{bulk.Timestamp(first)}},
		{"set variable batch_last = ?", []any{bulk.Timestamp(last)}},
		{`create or replace temp table duplicates ("row" bigint)`, nil},
	} {
		if _, err := db.conn.Exec(ctx, s.statement, s.args...); err != nil {
			return nil, err
		}
	}

	numbers := slices.Grow(db.scratch.keys[:0], rows.Len())[:rows.Len()]
	for i := range numbers {
		numbers[i] = int64(i)
	}
	db.scratch.keys = numbers
	var c columns
	c.add(bulk.BigInt(numbers, nil))
	c.text("ce_source", rows.Source.Bytes, rows.Source.Ends, nil)
	c.text("ce_id", rows.ID.Bytes, rows.ID.Ends, nil)
	if c.err != nil {
		return nil, c.err
	}
	query := fmt.Sprintf(insertDuplicates, rows.Kind.Spec().Table)
	if err := db.conn.AppendQuery(ctx, query, "batch", []string{"row", "ce_source", "ce_id"}, c.list, candidates); err != nil {
		return nil, err
	}
	duplicates, err := db.conn.Ints(ctx, `select "row" from duplicates`)
	if err != nil {
		return nil, err
	}
	return without(candidates, duplicates, numbers), nil
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
