// Package warehousetest gives tests a real warehouse in a temporary folder.
package warehousetest

import (
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/goodhour/goodhour/warehouse"
)

// Now is the time that the clock of a test's warehouse shows.
func Now() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) }

// New opens an empty warehouse with the newest schema; the test's end closes it.
func New(t testing.TB) *warehouse.DB {
	t.Helper()
	return Open(t, filepath.Join(t.TempDir(), "warehouse.duckdb"))
}

// Open opens the warehouse at a path; the test's end closes it, if the test
// did not.
func Open(t testing.TB, path string) *warehouse.DB {
	t.Helper()
	db, err := warehouse.Open(t.Context(), warehouse.Options{
		Path: path, Now: Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// Query returns the rows of a query as DuckDB prints them, NULL for null.
func Query(t testing.TB, db *warehouse.DB, query string, args ...any) [][]string {
	t.Helper()
	var out [][]string
	err := db.View(t.Context(), func(conn *sql.Conn) error {
		// The wrapping prints every column as text.
		rows, err := conn.QueryContext(t.Context(),
			"select coalesce(columns(*)::varchar, 'NULL') from ("+query+")", args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		names, err := rows.Columns()
		if err != nil {
			return err
		}
		for rows.Next() {
			row := make([]string, len(names))
			targets := make([]any, len(names))
			for i := range row {
				targets[i] = &row[i]
			}
			if err := rows.Scan(targets...); err != nil {
				return err
			}
			out = append(out, row)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(fmt.Errorf("query %q: %w", query, err))
	}
	return out
}
