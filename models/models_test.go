package models

import (
	"context"
	"database/sql"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"
)

var update = flag.Bool("update", false, "rewrite the want sections of testdata/*.txtar that differ")

// TestModels runs the tests of goodhour's own models, one subtest a file.
func TestModels(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no tests in testdata", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			results, err := RunTests(t.Context(), os.DirFS("testdata"), name, TestOptions{Open: openSources})
			if err != nil || len(results) != 1 {
				t.Fatal(len(results), err)
			}
			result := results[0]
			switch {
			case result.Error != "":
				t.Fatal(result.Error)
			case result.OK():
			case *update:
				if err := os.WriteFile(file, result.Updated, 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Fatalf("the model's rows differ (- wanted, + made):\n%s", result.Diff)
			}
		})
	}
}

// openSources opens a database in memory that holds the warehouse's tables.
func openSources(ctx context.Context) (*sql.DB, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob("../warehouse/schema/*.sql")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		statements, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if _, err := db.ExecContext(ctx, string(statements)); err != nil {
			return nil, err
		}
	}
	return db, nil
}

// openConn is one connection to a database with the warehouse's tables.
func openConn(t *testing.T) *sql.Conn {
	t.Helper()
	db, err := openSources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}
