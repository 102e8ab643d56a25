package bulk_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/goodhour/goodhour/warehouse/internal/bulk"
)

// open makes a database with the statement and joins it.
func open(t *testing.T, statement string) *bulk.Conn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "b.duckdb")
	connector, err := duckdb.NewConnector(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	conn, err := bulk.Join(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func ints(t *testing.T, conn *bulk.Conn, query string, args ...any) []int64 {
	t.Helper()
	got, err := conn.Ints(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// What DuckDB would read as another type must never be written into its memory.
func TestColumnsThatDoNotFitTheTableAreRefused(t *testing.T) {
	t.Parallel()
	conn := open(t, "create table t (n integer, d decimal(18, 4))")
	n, d := bulk.Integer([]int32{1, 2}, nil), bulk.Decimal(4, []int64{1, 2}, nil)
	f := func(want string, rows []int32, columns ...bulk.Column) {
		t.Helper()
		err := conn.AppendTable(t.Context(), "main", "t", columns, rows)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f("has 2 columns, not 1", []int32{0}, n)
	f("column 1 has type number", []int32{0}, bulk.BigInt([]int64{1, 2}, nil), d)
	f("column 2 has type number", []int32{0}, n, bulk.BigInt([]int64{1, 2}, nil))
	f("column 2 is not DECIMAL(18, 2)", []int32{0}, n, bulk.Decimal(2, []int64{1, 2}, nil))
	f("column 1 has 2 values, row 2 is asked for", []int32{0, 2}, n, d)
	f("column 2 has 1 values, row 1 is asked for", []int32{1}, n, bulk.Decimal(4, []int64{1}, nil))
	if got := ints(t, conn, "select count(*) from t"); got[0] != 0 {
		t.Errorf("%d rows were written", got[0])
	}
	if err := conn.AppendTable(t.Context(), "main", "absent", nil, nil); err == nil {
		t.Error("a table that is not there")
	}
	if err := conn.AppendTable(t.Context(), "main", "t", []bulk.Column{n, d}, []int32{1, 0, 1}); err != nil {
		t.Error(err)
	}
	if got := ints(t, conn, "select sum(n)::bigint from t"); got[0] != 5 {
		t.Errorf("got %d", got[0])
	}
}

// More rows than one chunk holds, with nulls on both sides of every border.
func TestNullsLieWhereTheyBelong(t *testing.T) {
	t.Parallel()
	conn := open(t, "create table t (i bigint, n bigint, s varchar)")
	const size = 5000
	numbers, valid := make([]int64, size), make([]bool, size)
	var buffer []byte
	ends := make([]uint32, size)
	var rows []int32
	for i := range size {
		numbers[i], valid[i] = int64(i), i%3 != 0
		buffer = append(buffer, strings.Repeat("x", i%20)...)
		ends[i] = uint32(len(buffer))
		if i%7 != 0 {
			rows = append(rows, int32(i))
		}
	}
	text, err := bulk.Text(buffer, ends, valid)
	if err != nil {
		t.Fatal(err)
	}
	columns := []bulk.Column{bulk.BigInt(numbers, nil), bulk.BigInt(numbers, valid), text}
	if err := conn.AppendTable(t.Context(), "main", "t", columns, rows); err != nil {
		t.Fatal(err)
	}
	wrong := ints(t, conn, `
		select count(*) from t
		where i % 7 = 0
			or n is distinct from case when i % 3 <> 0 then i end
			or s is distinct from case when i % 3 <> 0 then repeat('x', i % 20) end`)
	if got := ints(t, conn, "select count(*) from t"); wrong[0] != 0 || got[0] != int64(len(rows)) {
		t.Errorf("%d of %d rows are wrong", wrong[0], got[0])
	}
}

func TestAppendIsPartOfTheTransaction(t *testing.T) {
	t.Parallel()
	conn := open(t, "create table t (n bigint not null)")
	exec := func(statement string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	column := bulk.BigInt([]int64{1, 2, 3}, []bool{true, true, false})
	exec("begin transaction")
	if err := conn.AppendTable(t.Context(), "main", "t", []bulk.Column{column}, []int32{0, 1}); err != nil {
		t.Fatal(err)
	}
	exec("rollback")
	exec("begin transaction")
	if err := conn.AppendTable(t.Context(), "main", "t", []bulk.Column{column}, []int32{0, 2}); err == nil {
		t.Error("null in a column that takes none")
	}
	exec("rollback")
	if got := ints(t, conn, "select count(*) from t"); got[0] != 0 {
		t.Errorf("%d rows stayed", got[0])
	}
}

func TestQueryAndArgumentsOfOtherShapesAreRefused(t *testing.T) {
	t.Parallel()
	conn := open(t, "select 1")
	f := func(query string, args ...any) {
		t.Helper()
		if got, err := conn.Ints(t.Context(), query, args...); err == nil {
			t.Errorf("%s gave %v", query, got)
		}
	}
	f("select 1::integer")
	f("select 1::bigint, 2::bigint")
	f("select 'a'")
	f("select ?::bigint", 1.5)
	f("select")
	got := ints(t, conn, "select strlen(?) + ?::bigint + ?::integer + epoch_us(?)", "a\x00b", int64(10), int32(100), bulk.Timestamp(1000))
	if got[0] != 1113 {
		t.Errorf("got %d", got[0])
	}
}

func TestStatementEndsWithItsContext(t *testing.T) {
	t.Parallel()
	conn := open(t, "select 1")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := conn.Ints(ctx, "select count(*) from range(1000000000) as a, range(1000000000) as b where (a.range + b.range) % 7 = 8")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	// The connection is good again, and no late interrupt hits the next one.
	for range 100 {
		if got := ints(t, conn, "select count(*) from range(10000)"); got[0] != 10000 {
			t.Fatalf("got %v", got)
		}
	}
}

func TestTextsOfAChoiceAreChecked(t *testing.T) {
	t.Parallel()
	if _, err := bulk.Choice([]string{"a"}, []uint16{0, 1}); err == nil {
		t.Error("a choice that is not there")
	}
	if _, err := bulk.Choice([]string{"\xff"}, []uint16{0}); err == nil {
		t.Error("broken UTF-8")
	}
}
