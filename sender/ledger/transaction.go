package ledger

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/duckdb/duckdb-go/v2"
)

const (
	schemaMain = "main"
	schemaPII  = "pii"
)

// transaction is an open transaction of the writer's connection.
type transaction struct {
	ctx  context.Context
	conn *sql.Conn
}

func (tx *transaction) exec(statement string, args ...any) error {
	_, err := tx.conn.ExecContext(tx.ctx, statement, args...)
	return err
}

// Change implements dbfile.Transaction.
func (tx *transaction) Change(ctx context.Context, statement string, args ...any) error {
	_, err := tx.conn.ExecContext(ctx, statement, args...)
	return err
}

// Ints implements dbfile.Transaction.
func (tx *transaction) Ints(ctx context.Context, query string, args ...any) (out []int64, err error) {
	rows, err := tx.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, rows.Err()
}

// appendRows appends n rows to a table; row returns the values of row i in the
// order of the table's columns.
func (tx *transaction) appendRows(schema, table string, n int, row func(i int) []driver.Value) error {
	if n == 0 {
		return nil
	}
	err := tx.conn.Raw(func(conn any) (err error) {
		appender, err := duckdb.NewAppenderFromConn(conn.(driver.Conn), schema, table)
		if err != nil {
			return err
		}
		for i := range n {
			if i%1024 == 0 && tx.ctx.Err() != nil {
				err = tx.ctx.Err()
				break
			}
			if err = appender.AppendRow(row(i)...); err != nil {
				break
			}
		}
		if err != nil {
			// What is still buffered is dropped; the transaction is rolled back.
			return errors.Join(err, appender.Clear(), appender.Close())
		}
		return appender.CloseWithCancel(tx.ctx)
	})
	if err != nil {
		return fmt.Errorf("append %d rows to %s.%s: %w", n, schema, table, err)
	}
	return nil
}

// appendAll appends a row for each item.
func appendAll[T any](tx *transaction, schema, table string, items []T, row func(*T) []driver.Value) error {
	return tx.appendRows(schema, table, len(items), func(i int) []driver.Value { return row(&items[i]) })
}

// each runs a query on a connection and hands over its rows as the driver has
// them: database/sql's conversions would take most of the time for millions.
// The slice is used again for the next row.
func each(ctx context.Context, conn *sql.Conn, query string, use func([]driver.Value) error) error {
	return conn.Raw(func(raw any) (err error) {
		rows, err := raw.(driver.QueryerContext).QueryContext(ctx, query, nil)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		row := make([]driver.Value, len(rows.Columns()))
		for {
			switch err := rows.Next(row); {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return err
			}
			if err := use(row); err != nil {
				return err
			}
		}
	})
}

// Times are kept as microseconds since the Unix epoch, 0 for the zero time.

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func instant(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// timestamp is a time as a column's value, null for the zero time.
func timestamp(t time.Time) driver.Value {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}

// orNull is a text as a column's value, null for an empty one.
func orNull[T ~string | ~[]byte](text T) driver.Value {
	if len(text) == 0 {
		return nil
	}
	return string(text)
}

func pointer[T any](p *T) driver.Value {
	if p == nil {
		return nil
	}
	return *p
}
