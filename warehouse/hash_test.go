package warehouse_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/warehouse"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

// hashOf returns the hash of table s.t made by the statements.
func hashOf(t *testing.T, statements string) warehouse.TableHash {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // an in-memory database belongs to one connection
	if _, err := db.ExecContext(t.Context(), "create schema s; "+statements); err != nil {
		t.Fatal(err)
	}
	hashes, err := warehouse.Hash(t.Context(), db, "s")
	if err != nil {
		t.Fatal(err)
	}
	if len(hashes) != 1 || hashes[0].Table != "s.t" {
		t.Fatalf("got %v", hashes)
	}
	return hashes[0]
}

func TestHashIgnoresOrderAndCoordinates(t *testing.T) {
	t.Parallel()
	a := hashOf(t, `create table s.t (x integer, topic varchar, "partition" integer, "offset" bigint, received_at timestamp, loaded_at timestamp);
		insert into s.t values (1, 'a', 1, 1, '2026-01-01', '2026-01-01'), (2, 'a', 1, 2, '2026-01-01', '2026-01-01')`)
	b := hashOf(t, `create table s.t (x integer, topic varchar, "partition" integer, "offset" bigint, received_at timestamp, loaded_at timestamp);
		insert into s.t values (2, 'b', 5, 9, '2026-02-01', null), (1, 'b', 5, 8, '2026-02-01', null)`)
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
	if a.Rows != 2 {
		t.Errorf("%d rows", a.Rows)
	}
	// sha256(md5("1:1") and md5("1:2"), in order): it may be stored and compared later.
	if want := "a629d9789e36bfa913ee447b0ab681ccc061ceef863e15d6d78f62388349afb9"; a.SHA256 != want {
		t.Errorf("got %s, want %s", a.SHA256, want)
	}
}

func TestHashTellsDifferentRowsApart(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	f := func(types, values string) {
		t.Helper()
		hash := hashOf(t, "create table s.t ("+types+"); insert into s.t values "+values).SHA256
		if other, ok := seen[hash]; ok {
			t.Errorf("%s and %s have one hash", other, values)
		}
		seen[hash] = values
	}
	f("a varchar, b varchar", "('ab', 'c')")
	f("a varchar, b varchar", "('a', 'bc')")
	f("a varchar, b varchar", "('', 'abc')")
	f("a varchar, b varchar", "(null, 'abc')")
	f("a varchar, b varchar", "('-', 'abc')")
	f("a varchar, b varchar", "('ab', 'c'), ('ab', 'c')")
	f("a varchar, b varchar", "('ab', 'd')")
	f("a varchar, b varchar", "('NULL', null)")
	f("a varchar, b varchar", "(null, 'NULL')")
	f("a double", "(0.1)")
	f("a double", "(0.1 + 1e-17 + 2e-17)")
	f("a double", "('nan')")
	f("a timestamp", "('2026-01-01 00:00:00.000001')")
	f("a timestamp", "('2026-01-01')")
	f("a varchar[]", "(['a, b'])")
	f("a varchar[]", "(['a', 'b'])")
	f("a varchar[]", "([null])")
	f("a struct(x varchar, y varchar)", "({'x': 'a', 'y': null})")
	f("a struct(x varchar, y varchar)", "({'x': 'a', 'y': 'NULL'})")
	f("a blob", `('\xFF\x00')`)
	f("a blob", `('\xFF')`)
	f(`"weird "" name" integer`, "(7)")
}

func TestHashReadsAnyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "published.duckdb")
	db, err := sql.Open("duckdb", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `
		create schema marts; create schema empty;
		create table marts.b as select 1 as x; create table marts.a (x integer); create view marts.v as select 1`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	readOnly, err := sql.Open("duckdb", path+"?access_mode=READ_ONLY")
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	got, err := warehouse.Hash(t.Context(), readOnly, "marts", "empty")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Table != "marts.a" || got[0].Rows != 0 || got[1].Table != "marts.b" || got[1].Rows != 1 {
		t.Errorf("got %v", got)
	}
}

func TestHashCoversEveryTableOfTheWarehouse(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	got, err := db.Hash(t.Context(), "raw", "pii", "ops")
	if err != nil {
		t.Fatal(err)
	}
	want := warehousetest.Query(t, db, `
		select string_agg(schema_name || '.' || table_name, ' ' order by schema_name <> 'raw', schema_name = 'ops', table_name)
		from duckdb_tables() where schema_name in ('raw', 'pii', 'ops')`)[0][0]
	names := ""
	for i, table := range got {
		if i > 0 {
			names += " "
		}
		names += table.Table
	}
	if names != want {
		t.Errorf("got  %s\nwant %s", names, want)
	}
}
