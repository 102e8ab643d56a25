package warehouse

import (
	"database/sql"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/goodhour/goodhour/warehouse/dbfile"
)

func testOptions(path string) Options {
	return Options{
		Path: path, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) },
	}
}

// openWith opens a file with the given migrations, name to SQL, and closes it.
// It returns what the query gives.
func openWith(t *testing.T, path string, files map[string]string, query string) (string, error) {
	t.Helper()
	folder := fstest.MapFS{}
	for name, text := range files {
		folder[name] = &fstest.MapFile{Data: []byte(text)}
	}
	migrations, err := dbfile.ReadMigrations(folder)
	if err != nil {
		return "", err
	}
	db, err := open(t.Context(), testOptions(path), migrations)
	if err != nil {
		return "", err
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	var got string
	return got, db.View(t.Context(), func(conn *sql.Conn) error {
		return conn.QueryRowContext(t.Context(), query).Scan(&got)
	})
}

func TestMigrationsAreAppliedOnceAndInOrder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "w.duckdb")
	f := func(files map[string]string, want string) {
		t.Helper()
		got, err := openWith(t, path, files,
			"select (select string_agg(n, ' ' order by n) from t) || ' of ' || (select count(*) from ops.migrations)")
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	files := map[string]string{
		"0001_first.sql":  "create table t (n integer); insert into t values (1);",
		"0002_second.sql": "insert into t values (2);\r\n-- the line ends of another system\r\n",
	}
	f(files, "1 2 of 2")
	f(files, "1 2 of 2")
	files["0002_second.sql"] = strings.ReplaceAll(files["0002_second.sql"], "\r\n", "\n")
	files["0003_third.sql"] = "insert into t values (3)"
	f(files, "1 2 3 of 3")
}

func TestMigrationThatFailsIsRolledBackAndTheOthersStay(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "w.duckdb")
	files := map[string]string{
		"0001_first.sql": "create table t (n integer)",
		"0002_bad.sql":   "insert into t values (1); create table u (n integer); insert into t values ('x');",
	}
	_, err := openWith(t, path, files, "select 1")
	if err == nil || !strings.Contains(err.Error(), "migration 2 (bad) was rolled back") {
		t.Fatalf("got %v", err)
	}
	delete(files, "0002_bad.sql")
	got, err := openWith(t, path, files, `
		select (select count(*) from t) || ' ' || (select count(*) from duckdb_tables() where table_name = 'u')
			|| ' ' || (select count(*) from ops.migrations)`)
	if err != nil || got != "0 0 1" {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestFilesThatOthersWroteAreRefused(t *testing.T) {
	t.Parallel()
	one := map[string]string{"0001_first.sql": "create table t (n integer)"}
	two := map[string]string{"0001_first.sql": one["0001_first.sql"], "0002_second.sql": "create table u (n integer)"}
	f := func(before, now map[string]string, want string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "w.duckdb")
		if _, err := openWith(t, path, before, "select 1"); err != nil {
			t.Fatal(err)
		}
		_, err := openWith(t, path, now, "select 1")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(two, one, "a newer goodhour wrote this file: it has migration 2 (second), this one knows 1")
	f(one, map[string]string{"0001_first.sql": "create table t (n bigint)"}, "a released migration must not change")
	f(one, map[string]string{"0001_renamed.sql": one["0001_first.sql"]}, "migration 1 was applied as first")

	// Not goodhour's at all.
	path := filepath.Join(t.TempDir(), "w.duckdb")
	exec(t, path, "create table mine (n integer)")
	if _, err := openWith(t, path, one, "select 1"); err == nil || !strings.Contains(err.Error(), "1 tables that are not goodhour's") {
		t.Errorf("got %v", err)
	}
	// Changed by hand.
	path = filepath.Join(t.TempDir(), "w.duckdb")
	if _, err := openWith(t, path, two, "select 1"); err != nil {
		t.Fatal(err)
	}
	exec(t, path, "delete from ops.migrations where version = 1")
	if _, err := openWith(t, path, two, "select 1"); err == nil || !strings.Contains(err.Error(), "migration 1 is missing") {
		t.Errorf("got %v", err)
	}
}

// exec runs a statement on a file with the driver alone.
func exec(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("duckdb", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestMigrationFilesAreNumberedWithoutGaps(t *testing.T) {
	t.Parallel()
	f := func(names ...string) {
		t.Helper()
		folder := fstest.MapFS{}
		for _, name := range names {
			folder[name] = &fstest.MapFile{}
		}
		if _, err := dbfile.ReadMigrations(folder); err == nil {
			t.Errorf("%v was accepted", names)
		}
	}
	f("0002_second.sql")
	f("0001_first.sql", "0003_third.sql")
	f("0001_first.sql", "0001_twice.sql")
	f("first.sql")
	f("0001.sql")

	folder, err := fs.Sub(embeddedSchema, "schema")
	if err != nil {
		t.Fatal(err)
	}
	embedded, err := dbfile.ReadMigrations(folder)
	if err != nil || len(embedded) == 0 {
		t.Errorf("embedded: %d migrations, %v", len(embedded), err)
	}
}
