package bulk

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// AppendTable appends the given rows of the columns to schema.table, which has
// exactly these columns. It is part of the connection's transaction; after an
// error that must be rolled back.
func (c *Conn) AppendTable(ctx context.Context, schema, table string, columns []Column, rows []int32) error {
	var a mapping.Appender
	if mapping.AppenderCreateExt(c.conn, "", schema, table, &a) == mapping.StateError {
		err := errors.New(mapping.AppenderError(a))
		mapping.AppenderDestroy(&a)
		return err
	}
	return c.append(ctx, a, columns, rows)
}

// AppendQuery runs a statement that reads the given rows of the columns as a
// table with the given name and column names.
func (c *Conn) AppendQuery(ctx context.Context, query, table string, names []string, columns []Column, rows []int32) error {
	types := make([]mapping.LogicalType, len(columns))
	defer destroy(types)
	for i, column := range columns {
		types[i] = column.logicalType()
	}
	var a mapping.Appender
	if mapping.AppenderCreateQuery(c.conn, query, types, table, names, &a) == mapping.StateError {
		err := errors.New(mapping.AppenderError(a))
		mapping.AppenderDestroy(&a)
		return err
	}
	return c.append(ctx, a, columns, rows)
}

func (c *Conn) append(ctx context.Context, a mapping.Appender, columns []Column, rows []int32) error {
	err := c.appendChunks(ctx, a, columns, rows)
	if err == nil {
		err = c.interruptible(ctx, func() error {
			if mapping.AppenderFlush(a) == mapping.StateError {
				return errors.Join(ctx.Err(), errors.New(mapping.AppenderError(a)))
			}
			return nil
		})
	}
	if err != nil {
		// What is still buffered must not be flushed by the destruction.
		mapping.AppenderClear(a)
	}
	mapping.AppenderDestroy(&a)
	return err
}

func (c *Conn) appendChunks(ctx context.Context, a mapping.Appender, columns []Column, rows []int32) error {
	types := make([]mapping.LogicalType, mapping.AppenderColumnCount(a))
	defer destroy(types)
	for i := range types {
		types[i] = mapping.AppenderColumnType(a, mapping.IdxT(i))
	}
	if err := check(types, columns, rows); err != nil {
		return err
	}

	chunk := mapping.CreateDataChunk(types)
	defer mapping.DestroyDataChunk(&chunk)
	var pins runtime.Pinner
	defer pins.Unpin()
	for _, column := range columns {
		if column.pin != nil {
			column.pin(&pins)
		}
	}

	size := int(mapping.VectorSize())
	for len(rows) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		some := rows[:min(size, len(rows))]
		rows = rows[len(some):]
		mapping.DataChunkReset(chunk)
		for i, column := range columns {
			column.fill(vector{mapping.DataChunkGetVector(chunk, mapping.IdxT(i))}, some)
		}
		mapping.DataChunkSetSize(chunk, mapping.IdxT(len(some)))
		if mapping.AppendDataChunk(a, chunk) == mapping.StateError {
			return errors.New(mapping.AppenderError(a))
		}
	}
	return nil
}

// check makes sure that fill writes what DuckDB will read.
func check(types []mapping.LogicalType, columns []Column, rows []int32) error {
	if len(types) != len(columns) {
		return fmt.Errorf("the table has %d columns, not %d", len(types), len(columns))
	}
	last := -1
	if len(rows) > 0 {
		last = int(slices.Max(rows))
	}
	for i, column := range columns {
		if got := mapping.GetTypeId(types[i]); got != column.typ {
			return fmt.Errorf("column %d has type number %d in the table, not %d", i+1, got, column.typ)
		}
		if column.typ == mapping.TypeDecimal &&
			(mapping.DecimalWidth(types[i]) != decimalWidth || mapping.DecimalScale(types[i]) != column.scale) {
			return fmt.Errorf("column %d is not DECIMAL(%d, %d) in the table", i+1, decimalWidth, column.scale)
		}
		if last >= column.length {
			return fmt.Errorf("column %d has %d values, row %d is asked for", i+1, column.length, last)
		}
	}
	return nil
}

func (c Column) logicalType() mapping.LogicalType {
	if c.typ == mapping.TypeDecimal {
		return mapping.CreateDecimalType(decimalWidth, c.scale)
	}
	return mapping.CreateLogicalType(c.typ)
}

func destroy(types []mapping.LogicalType) {
	for i := range types {
		mapping.DestroyLogicalType(&types[i])
	}
}
