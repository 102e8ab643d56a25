//go:build duckdb_arrow

package stream

import (
	"errors"

	"github.com/apache/arrow-go/v18/arrow"
	bindings "github.com/duckdb/duckdb-go-bindings"
)

// Batches are the rows of a result as Arrow record batches.
type Batches struct {
	rows    *Rows
	options bindings.ArrowOptions
	schema  *arrow.Schema
	batch   arrow.RecordBatch
	err     error
}

// Arrow reads the rows as Arrow record batches instead of one by one. Rows must
// not have been read before, and stay open until the batches are released.
func (r *Rows) Arrow() (*Batches, error) {
	count := len(r.columns)
	names, types := make([]string, count), make([]bindings.LogicalType, count)
	for i, column := range r.columns {
		names[i] = column.Name
		types[i] = bindings.ColumnLogicalType(&r.result, bindings.IdxT(i))
		defer bindings.DestroyLogicalType(&types[i])
	}
	b := &Batches{rows: r, options: bindings.ResultGetArrowOptions(&r.result)}
	schema, failure := bindings.NewArrowSchema(b.options, types, names)
	if err := dataError(failure); err != nil {
		b.Release()
		return nil, err
	}
	b.schema = schema
	return b, nil
}

// Schema of the batches.
func (b *Batches) Schema() *arrow.Schema { return b.schema }

// Next moves to the next batch; false at the end and after an error.
func (b *Batches) Next() bool {
	b.drop()
	if b.err != nil || !b.rows.fetch() {
		return false
	}
	batch, failure := bindings.DataChunkToArrowArray(b.options, b.schema, b.rows.chunk)
	if b.err = dataError(failure); b.err != nil {
		return false
	}
	b.batch = batch
	return true
}

// RecordBatch is good until the next Next.
func (b *Batches) RecordBatch() arrow.RecordBatch { return b.batch }

// Err is what ended the batches, nil at their proper end.
func (b *Batches) Err() error { return errors.Join(b.err, b.rows.Err()) }

// Release frees what is left.
func (b *Batches) Release() {
	b.drop()
	bindings.DestroyArrowOptions(&b.options)
}

func (b *Batches) drop() {
	if b.batch != nil {
		b.batch.Release()
		b.batch = nil
	}
}

func dataError(data bindings.ErrorData) error {
	defer bindings.DestroyErrorData(&data)
	if !bindings.ErrorDataHasError(data) {
		return nil
	}
	return ParseError(bindings.ErrorDataMessage(data))
}
