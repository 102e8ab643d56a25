//go:build duckdb_arrow

package warehouse_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/duckdb/duckdb-go/v2"

	"github.com/goodhour/goodhour/warehouse"
)

// rowsFromArrow counts the rows that differ between a query on the published
// file and an Arrow stream, both read by DuckDB; it also returns the number of
// rows in the stream.
func rowsFromArrow(t *testing.T, r *warehouse.Reader, stream []byte, query, fromStream string) (differ, rows int) {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	exec := func(statement string) {
		t.Helper()
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	exec("set timezone = 'UTC'")
	exec("attach '" + r.Path() + "' as goodhour (read_only)")
	reader, err := ipc.NewReader(bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	err = conn.Raw(func(raw any) error {
		arrow, err := duckdb.NewArrowFromConn(raw.(driver.Conn))
		if err != nil {
			return err
		}
		release, err := arrow.RegisterView(reader, "stream")
		if err != nil {
			return err
		}
		defer release()
		c, ok := raw.(driver.ExecerContext)
		if !ok {
			return errors.New("the driver cannot execute")
		}
		_, err = c.ExecContext(context.Background(), "create table arrived as from stream", nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	exec("use goodhour")
	count := "select (select count(*) from ((" + query + ") except all (" + fromStream + "))) + (select count(*) from ((" + fromStream + ") except all (" + query + "))), (select count(*) from memory.main.arrived)"
	if err := conn.QueryRowContext(t.Context(), count).Scan(&differ, &rows); err != nil {
		t.Fatal(err)
	}
	return differ, rows
}

func TestArrowHoldsEveryType(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{}, everyType)
	var b bytes.Buffer
	rows, err := r.Export(t.Context(), &b, warehouse.Arrow, warehouse.Source{Relation: "main.every_type"}, warehouse.ExportOptions{})
	if err != nil || rows != 4 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	want := "select * replace (identity::varchar as identity, huge::decimal(38, 0) as huge, happened at time zone 'UTC' as happened, letter::varchar as letter) from every_type"
	got := "select * replace (letter::varchar as letter) from memory.main.arrived"
	if differ, n := rowsFromArrow(t, r, b.Bytes(), want, got); differ != 0 || n != 4 {
		t.Errorf("%d rows differ of %d", differ, n)
	}
}

func TestArrowOfManyRowsAndOfNone(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{}, someTable)
	for query, want := range map[string]int{"from t order by n desc": 100_000, "from t where n < 0": 0} {
		var b bytes.Buffer
		n, err := r.Export(t.Context(), &b, warehouse.Arrow, warehouse.Source{SQL: query}, warehouse.ExportOptions{})
		if err != nil || n != int64(want) {
			t.Fatalf("%d rows, %v", n, err)
		}
		if differ, rows := rowsFromArrow(t, r, b.Bytes(), query, "from memory.main.arrived"); differ != 0 || rows != want {
			t.Errorf("%s: %d rows differ of %d", query, differ, rows)
		}
	}
}

func TestArrowEndsWithItsReceiverAndItsQuery(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{Exports: 1}, someTable)
	if _, err := r.Export(t.Context(), &brokenWriter{100_000}, warehouse.Arrow, warehouse.Source{SQL: million}, warehouse.ExportOptions{}); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
	var b bytes.Buffer
	late := warehouse.Source{SQL: "select case when n = 90000 then error('late') else n::varchar end as n from t order by n"}
	if _, err := r.Export(t.Context(), &b, warehouse.Arrow, late, warehouse.ExportOptions{}); kindOf(err) != warehouse.QuerySyntax {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	forever := warehouse.Source{SQL: "select n, a.range, name from t, range(100000000) a"}
	_, err := r.Export(ctx, writerFunc(func(p []byte) (int, error) {
		cancel()
		return len(p), nil
	}), warehouse.Arrow, forever, warehouse.ExportOptions{})
	if kindOf(err) != warehouse.QueryCanceled {
		t.Errorf("got %v", err)
	}
	if n, err := r.Export(t.Context(), io.Discard, warehouse.Arrow, warehouse.Source{SQL: million}, warehouse.ExportOptions{}); err != nil || n != 1_000_000 {
		t.Errorf("%d rows, %v", n, err)
	}
}

func TestArrowNeedsConstantMemory(t *testing.T) {
	r := reader(t, warehouse.Limits{MemoryBytes: 150_000_000}, someTable)
	before, err := residentBytes()
	if err != nil {
		t.Fatal(err)
	}
	var most, total int64
	n, err := r.Export(t.Context(), writerFunc(func(p []byte) (int, error) {
		if total += int64(len(p)); total%(1<<20) < int64(len(p)) {
			now, err := residentBytes()
			if err != nil {
				return 0, err
			}
			most = max(most, now)
		}
		return len(p), nil
	}), warehouse.Arrow, warehouse.Source{SQL: "select a.n, name, repeat(name, 8) as long, amount, uuid() as id from t a, range(30)"}, warehouse.ExportOptions{})
	if err != nil || n != 3_000_000 {
		t.Errorf("%d rows, %v", n, err)
	}
	t.Logf("%d MB, grew by %d MB", total>>20, (most-before)>>20)
	if grown := most - before; grown > 200<<20 {
		t.Errorf("grew by %d MB", grown>>20)
	}
}
