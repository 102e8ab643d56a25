package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/warehouse/dbfile"
	"github.com/goodhour/goodhour/warehouse/internal/stream"
)

// Info is what a published file says of itself: with the events up to Offsets,
// this as-of time, model and configuration, the same tables come out again.
type Info struct {
	// AsOf is the instant that the models looked from.
	AsOf time.Time
	// PublishedAt is when the run ended.
	PublishedAt time.Time
	// Offsets are the ceiling: every event before them is in, none after.
	Offsets []event.Position
	// ModelVersion and ConfigHash name what made the tables.
	ModelVersion string
	ConfigHash   string
	// Version of goodhour.
	Version string
}

const (
	createPublication = `
create schema if not exists ops;
create or replace table ops.publication (
    as_of timestamp not null,
    published_at timestamp not null,
    model_version varchar not null,
    config_hash varchar not null,
    goodhour_version varchar not null
)`
	insertPublication     = `insert into ops.publication values (?, ?, ?, ?, ?)`
	selectPublication     = `select as_of, published_at, model_version, config_hash, goodhour_version from ops.publication`
	selectRelationColumns = `
select schema_name, table_name, column_name, data_type
from duckdb_columns()
where database_name = current_database() and not internal
order by schema_name, table_name, column_index`
	selectRelationTables = `
select schema_name, table_name, estimated_size
from duckdb_tables()
where database_name = current_database() and not internal`
)

// Describe writes into a file being built what Reader.Info says of it. The
// offsets are there from the copy; those of info are not looked at.
func Describe(ctx context.Context, build *sql.DB, info Info) error {
	if _, err := build.ExecContext(ctx, createPublication); err != nil {
		return fmt.Errorf("make ops.publication: %w", err)
	}
	_, err := build.ExecContext(ctx, insertPublication,
		info.AsOf.UTC(), info.PublishedAt.UTC(), info.ModelVersion, info.ConfigHash, info.Version)
	if err != nil {
		return fmt.Errorf("describe the publication: %w", err)
	}
	return commentOps(ctx, build)
}

var errNotPublication = errors.New("it has no ops.publication, so it is not a file that goodhour published whole")

func readInfo(ctx context.Context, control *stream.Conn) (Info, error) {
	rows, err := collect(ctx, control, selectPublication)
	var duck *stream.Error
	if errors.As(err, &duck) && duck.Class == "Catalog Error" || err == nil && len(rows) != 1 {
		return Info{}, errNotPublication
	}
	if err != nil {
		return Info{}, fmt.Errorf("read ops.publication: %w", err)
	}
	row := rows[0]
	info := Info{ModelVersion: row[2].(string), ConfigHash: row[3].(string), Version: row[4].(string)}
	var ok bool
	if info.AsOf, ok = row[0].(time.Time); !ok {
		return Info{}, fmt.Errorf("read ops.publication: as_of is %v", row[0])
	}
	if info.PublishedAt, ok = row[1].(time.Time); !ok {
		return Info{}, fmt.Errorf("read ops.publication: published_at is %v", row[1])
	}
	if rows, err = collect(ctx, control, dbfile.SelectPositions); err != nil {
		return Info{}, fmt.Errorf("read ops.offsets: %w", err)
	}
	for _, row := range rows {
		info.Offsets = append(info.Offsets, event.Position{
			Partition: event.Partition{
				ClusterID: row[0].(string), Topic: row[1].(string), TopicID: row[2].(string), Partition: int32(row[3].(int64)),
			},
			NextOffset: row[4].(int64),
		})
	}
	return info, nil
}

func readRelations(ctx context.Context, control *stream.Conn) ([]Relation, error) {
	tables, err := collect(ctx, control, selectRelationTables)
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	size := make(map[[2]string]int64, len(tables))
	for _, row := range tables {
		size[[2]string{row[0].(string), row[1].(string)}] = row[2].(int64)
	}
	columns, err := collect(ctx, control, selectRelationColumns)
	if err != nil {
		return nil, fmt.Errorf("list the columns: %w", err)
	}
	var relations []Relation
	for _, row := range columns {
		schema, name := row[0].(string), row[1].(string)
		if last := len(relations) - 1; last < 0 || relations[last].Schema != schema || relations[last].Name != name {
			rows, isTable := size[[2]string{schema, name}]
			if !isTable {
				rows = -1
			}
			relations = append(relations, Relation{Schema: schema, Name: name, Rows: rows})
		}
		last := &relations[len(relations)-1]
		last.Columns = append(last.Columns, Column{Name: row[2].(string), Type: row[3].(string)})
	}
	return relations, nil
}

// collect reads a small result of our own.
func collect(ctx context.Context, c *stream.Conn, query string) ([][]any, error) {
	rows, err := c.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out [][]any
	for rows.Next() {
		out = append(out, rows.Values())
	}
	return out, rows.Err()
}
