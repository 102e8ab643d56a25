package stream

import (
	"context"
	"fmt"

	bindings "github.com/duckdb/duckdb-go-bindings"
)

// Column is a column of a result.
type Column struct {
	Name string
	// Type is DuckDB's name of the type: VARCHAR, DECIMAL(18,4), BIGINT[].
	Type string
}

// Rows is the result of a statement, read row by row.
type Rows struct {
	ctx       context.Context
	statement bindings.PreparedStatement
	result    bindings.Result
	stop      func() // of the interrupting goroutine
	columns   []Column
	decoders  []decoder
	err       error
	done      bool

	chunk bindings.DataChunk
	cells []cell // of the chunk, one a column
	size  int    // rows in the chunk
	next  int    // the row in the chunk that Values will return
}

// describe reads the columns, and how to decode them where that is known.
func (r *Rows) describe() {
	if bindings.ResultReturnType(r.result) != bindings.ResultTypeQueryResult {
		r.done = true
		return
	}
	for i := range bindings.ColumnCount(&r.result) {
		logical := bindings.ColumnLogicalType(&r.result, i)
		d, name := decoderOf(logical)
		bindings.DestroyLogicalType(&logical)
		r.columns = append(r.columns, Column{Name: bindings.ColumnName(&r.result, i), Type: name})
		r.decoders = append(r.decoders, d)
	}
}

// Changed is how many rows the statement changed, or COPY wrote.
func (r *Rows) Changed() int64 { return int64(bindings.RowsChanged(&r.result)) }

// Columns of the result; empty where the statement returns nothing.
func (r *Rows) Columns() []Column { return r.columns }

// Next moves to the next row. It returns false at the end, and after an error.
func (r *Rows) Next() bool {
	for r.next+1 < r.size {
		r.next++
		return true
	}
	for r.fetch() {
		if r.cells == nil {
			r.cells = make([]cell, len(r.decoders))
		}
		for i, d := range r.decoders {
			c, err := d(bindings.DataChunkGetVector(r.chunk, bindings.IdxT(i)))
			if err != nil {
				r.fail(&Error{Class: "Not implemented Error", Message: "column " + r.columns[i].Name + ": " + err.Error()})
				return false
			}
			r.cells[i] = c
		}
		if r.size > 0 {
			return true
		}
	}
	return false
}

// Values returns the values of the row, new ones for each row. A text longer
// than MaxText ends the rows with an error, and is null in this one; see package
// documentation of warehouse.Rows for their Go types.
func (r *Rows) Values() []any {
	values := make([]any, len(r.cells))
	for i, c := range r.cells {
		values[i] = c(r.next)
		if n, ok := values[i].(tooLong); ok {
			values[i] = nil
			r.fail(&Error{Class: "Out of Memory Error", Message: fmt.Sprintf(
				"column %s holds a text of %d bytes, a row takes %d at most", r.columns[i].Name, uint32(n), MaxText)})
		}
	}
	return values
}

// Err is the error that ended the rows, nil at their proper end.
func (r *Rows) Err() error { return r.err }

// fetch replaces the chunk by the next one.
func (r *Rows) fetch() bool {
	r.release()
	if r.done {
		return false
	}
	if err := r.ctx.Err(); err != nil {
		r.fail(err)
		return false
	}
	r.chunk = bindings.FetchChunk(r.result)
	if r.chunk.Ptr == nil {
		r.done = true
		if message := bindings.ResultError(&r.result); message != "" {
			r.fail(ParseError(message))
			if err := r.ctx.Err(); err != nil {
				r.fail(err)
			}
		}
		return false
	}
	r.size, r.next = int(bindings.DataChunkGetSize(r.chunk)), 0
	return true
}

func (r *Rows) fail(err error) { r.err, r.done, r.size = err, true, 0 }

func (r *Rows) release() {
	bindings.DestroyDataChunk(&r.chunk)
	r.size, r.next = 0, 0
}

// drain reads the rest and drops it.
func (r *Rows) drain() error {
	for r.fetch() {
	}
	return r.err
}

// Close ends the statement, wherever it is. It may be called again.
func (r *Rows) Close() {
	r.done = true
	r.release()
	bindings.DestroyResult(&r.result)
	bindings.DestroyPrepare(&r.statement)
	if r.stop != nil {
		r.stop()
		r.stop = nil
	}
}
