package warehouse

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// TableHash is the content of one table, whatever the order of its rows.
type TableHash struct {
	Table  string // schema.table
	Rows   int64
	SHA256 string // hex
}

// Queryer is a *sql.DB, *sql.Conn or *sql.Tx on any DuckDB file.
type Queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// unhashed are the columns that say where and when a row was read, not what
// happened: they differ between two loads of the same events.
var unhashed = []string{"topic", "partition", "offset", "received_at", "loaded_at"}

const selectColumns = `
select schema_name, table_name, column_name, data_type
from duckdb_columns()
join duckdb_tables() using (database_oid, schema_oid, table_oid, database_name, schema_name, table_name)
where duckdb_columns.database_name = current_database() and schema_name = ?
order by table_name, column_index`

// Hash returns the content of every table of the schemas, over all columns but
// the Kafka coordinates (topic, partition, offset), received_at and loaded_at.
// Two loads of the same events, in whatever batches, give equal hashes.
//
// It sorts a digest of each row: a few seconds and about 50 bytes of DuckDB's
// memory for each million rows' row.
func Hash(ctx context.Context, q Queryer, schemas ...string) ([]TableHash, error) {
	var out []TableHash
	for _, schema := range schemas {
		tables, err := readTables(ctx, q, schema)
		if err != nil {
			return nil, fmt.Errorf("list the tables of schema %s: %w", schema, err)
		}
		for _, table := range tables {
			hash, err := table.hash(ctx, q)
			if err != nil {
				return nil, fmt.Errorf("hash table %s.%s: %w", table.schema, table.name, err)
			}
			out = append(out, hash)
		}
	}
	return out, nil
}

// Hash is [Hash] of one state of the warehouse.
func (db *DB) Hash(ctx context.Context, schemas ...string) ([]TableHash, error) {
	var out []TableHash
	err := db.View(ctx, func(conn *sql.Conn) (err error) {
		out, err = Hash(ctx, conn, schemas...)
		return err
	})
	return out, err
}

// hashedTable is a table and, for each column that counts, its value as text.
type hashedTable struct {
	schema, name string
	texts        []string
}

func readTables(ctx context.Context, q Queryer, schema string) (_ []hashedTable, err error) {
	rows, err := q.QueryContext(ctx, selectColumns, schema)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []hashedTable
	for rows.Next() {
		var schema, table, column, dataType string
		if err := rows.Scan(&schema, &table, &column, &dataType); err != nil {
			return nil, err
		}
		if len(out) == 0 || out[len(out)-1].name != table {
			out = append(out, hashedTable{schema: schema, name: table})
		}
		if !slices.Contains(unhashed, column) {
			last := &out[len(out)-1]
			last.texts = append(last.texts, columnText(column, dataType))
		}
	}
	return out, rows.Err()
}

// columnText is an expression for a value as text with its length before it,
// so that no two rows of different values have the same text.
func columnText(column, dataType string) string {
	name := quote(column)
	text := name + "::varchar"
	if strings.ContainsAny(dataType, "[(") && !strings.HasPrefix(dataType, "DECIMAL") {
		// Lists, structs and maps: their plain text has no quotes around strings.
		text = "to_json(" + name + ")::varchar"
	}
	return "coalesce(strlen(" + text + ") || ':' || " + text + ", '-')"
}

// quote quotes an identifier that DuckDB itself told us.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (t hashedTable) hash(ctx context.Context, q Queryer) (_ TableHash, err error) {
	text := "''"
	if len(t.texts) > 0 {
		text = strings.Join(t.texts, " || ")
	}
	rows, err := q.QueryContext(ctx, "select md5("+text+") as digest from "+quote(t.schema)+"."+quote(t.name)+" order by digest")
	if err != nil {
		return TableHash{}, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	sum := sha256.New()
	out := TableHash{Table: t.schema + "." + t.name}
	for rows.Next() {
		var digest sql.RawBytes
		if err := rows.Scan(&digest); err != nil {
			return TableHash{}, err
		}
		sum.Write(digest)
		out.Rows++
	}
	out.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return out, rows.Err()
}
