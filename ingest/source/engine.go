package source

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/fileimport"
)

// engine is a private DuckDB in memory with the select in it.
type engine struct {
	connector *duckdb.Connector
	db        *sql.DB
	conn      *sql.Conn
	query     string // over the ordinals from $1 up to $2
	columns   int    // of the query behind the ordinal
	id        bool   // the first of them is the row's id
	rows      *fileimport.Rows
}

// settings close the engine off; the last one keeps it so.
var settings = []string{
	"set memory_limit = '256MB'",
	"set threads = 1",
	"set temp_directory = ''",
	"set timezone = 'UTC'",
	"set autoinstall_known_extensions = false",
	"set autoload_known_extensions = false",
	"set enable_external_access = false",
	"set lock_configuration = true",
	`create table batch (ordinal bigint, "value" varchar, "key" varchar, headers varchar, "timestamp" timestamptz,
		topic varchar, "partition" integer, "offset" bigint)`,
}

// Each record is a relation of one row to the select, and its rows come back
// with the record's number. The select stands in lines of its own, so that a
// comment at its end ends there.
const (
	picked = `lateral (with record as not materialized (
		select b."value"::json as "value", b."key" as "key", b.headers::json as headers, b."timestamp" as "timestamp",
			b.topic as topic, b."partition" as "partition", b."offset" as "offset")
		select * from (
`
	pickedEnd = "\n)) as p"
)

func openEngine(ctx context.Context, cfg *Config) (_ *engine, err error) {
	e := &engine{}
	defer func() {
		if err != nil {
			_ = e.close() // what is wrong with the select says more
		}
	}()
	if e.connector, err = duckdb.NewConnector("", nil); err != nil {
		return nil, err
	}
	e.db = sql.OpenDB(e.connector)
	if e.conn, err = e.db.Conn(ctx); err != nil {
		return nil, err
	}
	for _, setting := range settings {
		if _, err := e.conn.ExecContext(ctx, setting); err != nil {
			return nil, fmt.Errorf("open the source's private DuckDB: %s: %w", setting, err)
		}
	}
	query := strings.TrimRight(cfg.Select, "; \t\r\n")
	if err := e.checkSelect(ctx, query); err != nil {
		return nil, err
	}
	if err := e.prepare(ctx, cfg, query); err != nil {
		return nil, err
	}
	return e, nil
}

// prepare makes the query of the select's columns.
func (e *engine) prepare(ctx context.Context, cfg *Config, query string) error {
	from := ` from batch as b, ` + picked + query + pickedEnd
	described, err := e.conn.QueryContext(ctx, "select column_name, column_type from (describe select p.*"+from+")")
	if err != nil {
		return selectFault(err, linesBefore)
	}
	defer described.Close()
	var id, list string
	var fields []string
	for described.Next() {
		var name, kind string
		if err := described.Scan(&name, &kind); err != nil {
			return err
		}
		e.columns++
		text := ", coalesce(" + fileimport.SQLText(name, kind) + ", '')"
		if name == idColumn && !e.id {
			e.id, id = true, text
			continue
		}
		list += text
		fields = append(fields, name)
	}
	if err := described.Err(); err != nil {
		return err
	}
	if e.rows, err = fileimport.NewRows(cfg.Rows, event.TopicSource, fields); err != nil {
		return err
	}
	e.query = "select b.ordinal" + id + list + ` from (select * from batch where ordinal between $1 and $2) as b, ` +
		picked + query + pickedEnd
	return nil
}

func (e *engine) close() error {
	var errs []error
	if e.conn != nil {
		errs = append(errs, e.conn.Close())
	}
	if e.db != nil {
		errs = append(errs, e.db.Close())
	}
	return errors.Join(errs...)
}

// result holds the rows of a batch of records.
type result struct {
	rows   [][][]string // by record
	faults []string     // by record: why the select fails on it
}

func (r *result) of(i int) [][]string { return r.rows[i] }

// pick runs the select over records.
func (e *engine) pick(ctx context.Context, records []event.Record) (*result, error) {
	r := &result{rows: make([][][]string, len(records)), faults: make([]string, len(records))}
	if err := e.fill(ctx, records, r); err != nil {
		return nil, err
	}
	return r, e.pickRange(ctx, 0, len(records), r)
}

// pickRange picks from one record up to another. Where the select fails it
// halves the range until the records that it fails on stand alone.
func (e *engine) pickRange(ctx context.Context, from, to int, r *result) error {
	err := e.read(ctx, from, to, r)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if isBroken(err) {
		return err
	}
	if to-from == 1 {
		r.rows[from], r.faults[from] = nil, "the select fails on this record: "+fileimport.SQLFault(err)
		return nil
	}
	middle := (from + to) / 2
	if err := e.pickRange(ctx, from, middle, r); err != nil {
		return err
	}
	return e.pickRange(ctx, middle, to, r)
}

// isBroken says that DuckDB, not the select, is at fault.
func isBroken(err error) bool {
	var fault *duckdb.Error
	return !errors.As(err, &fault) || fault.Type == duckdb.ErrorTypeFatal || fault.Type == duckdb.ErrorTypeInternal
}

func (e *engine) read(ctx context.Context, from, to int, r *result) error {
	clear(r.rows[from:to])
	rows, err := e.conn.QueryContext(ctx, e.query, from, to-1)
	if err != nil {
		return err
	}
	defer rows.Close()
	var ordinal int
	targets := make([]any, 1+e.columns)
	targets[0] = &ordinal
	for rows.Next() {
		row := make([]string, e.columns)
		for i := range row {
			targets[1+i] = &row[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		r.rows[ordinal] = append(r.rows[ordinal], row)
	}
	return rows.Err()
}

// fill puts the records in the table batch, but for those that no select could
// read.
func (e *engine) fill(ctx context.Context, records []event.Record, r *result) error {
	if _, err := e.conn.ExecContext(ctx, "truncate batch"); err != nil {
		return err
	}
	return e.conn.Raw(func(raw any) error {
		conn, ok := raw.(driver.Conn)
		if !ok {
			return errors.New("not a DuckDB connection")
		}
		a, err := duckdb.NewAppenderFromConn(conn, "", "batch")
		if err != nil {
			return err
		}
		return errors.Join(appendRecords(ctx, a, records, r), a.Close())
	})
}

func appendRecords(ctx context.Context, a *duckdb.Appender, records []event.Record, r *result) error {
	row := make([]driver.Value, 8)
	for i := range records {
		if i%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rec := &records[i]
		if !utf8.Valid(rec.Value) || rec.Value != nil && !json.Valid(rec.Value) {
			r.faults[i] = "the value is not JSON"
			continue
		}
		headers, err := headersText(rec.Headers)
		if err != nil {
			return err
		}
		row[0], row[1], row[2], row[3] = int64(i), textOf(rec.Value), textOf(rec.Key), headers
		row[4], row[5], row[6], row[7] = rec.Time, rec.Topic, rec.Partition, rec.Offset
		if err := a.AppendRow(row...); err != nil {
			return err
		}
	}
	return nil
}

// textOf is null for what is not there, as a tombstone's value, or not text.
func textOf(b []byte) driver.Value {
	if b == nil || !utf8.Valid(b) {
		return nil
	}
	return string(b)
}

// headersText is the headers as a JSON object; of one name the last counts.
func headersText(headers []event.Header) (string, error) {
	if len(headers) == 0 {
		return "{}", nil
	}
	object := make(map[string]string, len(headers))
	for _, h := range headers {
		object[h.Key] = string(h.Value)
	}
	b, err := json.Marshal(object)
	return string(b), err
}
