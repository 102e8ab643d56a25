package warehouse_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/warehouse"
)

// everyType has a column of each type, a full row, an empty one and an odd one.
const everyType = `create table every_type as
select
    1 as id, true as yes, (-128)::tinyint as i8, 32767::smallint as i16, (-2147483648)::integer as i32, 9223372036854775807 as i64,
    255::utinyint as u8, 18446744073709551615::ubigint as u64, 12345678901234567890123456789012345678::hugeint as huge,
    12345678901234.5678::decimal(18, 4) as amount, (-0.01)::decimal(38, 20) as fine, 0.1::float as f32, 1e300 as f64,
    'plain' as word, uuid_text::uuid as identity, date '2026-02-28' as day, time '23:59:59.5' as clock,
    timestamp '2026-11-25 10:11:12.123456' as happened, timestamptz '2026-11-25 10:11:12+02' as happened_tz, '\x00\xFFab'::blob as bytes,
    'b'::enum('a', 'b') as letter, ['x', null, 'y,"z"'] as list, {'a': 1, 'b': [1.5, 2]} as struct, map {'k': 1, 'l': 2} as map,
    '{"deep": [1, {"x": "y"}]}'::json as doc, [{'t': date '2026-01-01'}] as nested, array_value(1, 2, 3) as fixed
from (select '7a1f3c5e-0001-4002-8003-0123456789ab' as uuid_text)
union all by name
select 2 as id
union all by name
select 3 as id, '' as word, 'nan'::double as f64, (-1)::hugeint as huge, []::varchar[] as list, timestamp '1969-12-31 23:59:59.999999' as happened
union all by name
select 4 as id, e'line one\nline "two", ünï 日本 \r end' as word, 'null'::json as doc, ''::blob as bytes, 0::decimal(18, 4) as amount`

// exported is an export as a file.
func exported(t testing.TB, r *warehouse.Reader, format warehouse.Format, source warehouse.Source, options warehouse.ExportOptions) (path string, rows int64) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "out."+string(format))
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	rows, err = r.Export(t.Context(), f, format, source, options)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatalf("%s of %+v: %v", format, source, err)
	}
	return path, rows
}

// differences counts the rows that only one of two queries has, on the
// published file and with access to files.
func differences(t testing.TB, r *warehouse.Reader, a, b string) int {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range []string{"attach '" + r.Path() + "' as goodhour (read_only)", "use goodhour", "set timezone = 'UTC'"} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	var n int
	query := fmt.Sprintf("select (select count(*) from ((%[1]s) except all (%[2]s))) + (select count(*) from ((%[2]s) except all (%[1]s)))", a, b)
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func TestParquetHoldsEveryType(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{}, everyType)
	path, rows := exported(t, r, warehouse.Parquet, warehouse.Source{Relation: "main.every_type"}, warehouse.ExportOptions{})
	if rows != 4 {
		t.Errorf("%d rows", rows)
	}
	want := "select * replace (identity::varchar as identity, huge::decimal(38, 0) as huge, happened at time zone 'UTC' as happened, letter::varchar as letter, fixed::integer[] as fixed) from every_type"
	if n := differences(t, r, want, "from read_parquet('"+path+"')"); n != 0 {
		t.Errorf("%d rows differ", n)
	}
}

func TestCSVHoldsEveryType(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{}, everyType)
	path, rows := exported(t, r, warehouse.CSV, warehouse.Source{Relation: "main.every_type"}, warehouse.ExportOptions{RawCells: true})
	if rows != 4 {
		t.Errorf("%d rows", rows)
	}
	if n := differences(t, r, "select columns(*)::varchar from every_type",
		"from read_csv('"+path+"', all_varchar = true, allow_quoted_nulls = false, header = true, new_line = '\\r\\n')"); n != 0 {
		t.Errorf("%d rows differ", n)
	}
	// Another reader of RFC 4180 finds the same cells.
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil || len(records) != 5 || len(records[0]) != 27 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	if records[0][0] != "id" || records[1][14] != "7a1f3c5e-0001-4002-8003-0123456789ab" || records[1][9] != "12345678901234.5678" || records[1][17] != "2026-11-25 10:11:12.123456" {
		t.Errorf("%q", records[:2])
	}
}

func TestJSONHoldsEveryType(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{}, everyType)
	source := warehouse.Source{SQL: "select * exclude (bytes, letter) from every_type order by id"}
	array, rows := exported(t, r, warehouse.JSON, source, warehouse.ExportOptions{})
	if rows != 4 {
		t.Errorf("%d rows", rows)
	}
	lines, _ := exported(t, r, warehouse.NDJSON, source, warehouse.ExportOptions{})
	columns := `{id: 'integer', yes: 'boolean', i8: 'tinyint', i16: 'smallint', i32: 'integer', i64: 'bigint', u8: 'utinyint', u64: 'ubigint', huge: 'hugeint',
		f32: 'float', f64: 'double', word: 'varchar', identity: 'uuid', day: 'date', clock: 'time', happened: 'timestamp', happened_tz: 'timestamptz',
		list: 'varchar[]', struct: 'struct(a integer, b decimal(2,1)[])', map: 'map(varchar, integer)', doc: 'json', nested: 'struct(t date)[]', fixed: 'integer[3]'}`
	want := `select * exclude (bytes, letter, amount, fine) replace (case when isfinite(f64) then f64 end as f64, nullif(json(doc), 'null') as doc) from every_type`
	for _, path := range []string{array, lines} {
		// DuckDB's own JSON reader would round the decimals; they are compared below.
		if n := differences(t, r, want, "select * replace (nullif(json(doc), 'null') as doc) from read_json('"+path+"', columns = "+columns+")"); n != 0 {
			t.Errorf("%s: %d rows differ", path, n)
		}
	}
	b, err := os.ReadFile(array)
	if err != nil {
		t.Fatal(err)
	}
	var objects []map[string]json.RawMessage
	if err := json.Unmarshal(b, &objects); err != nil {
		t.Fatal(err)
	}
	for column, want := range map[string]string{
		"amount": "12345678901234.5678", "fine": "-0.01000000000000000000", "huge": "12345678901234567890123456789012345678", "happened": `"2026-11-25T10:11:12.123456Z"`, "u64": "18446744073709551615",
		"identity": `"7a1f3c5e-0001-4002-8003-0123456789ab"`, "doc": `{"deep":[1,{"x":"y"}]}`,
	} {
		if got := string(objects[0][column]); got != want {
			t.Errorf("%s: %s, want %s", column, got, want)
		}
	}
	if got := string(objects[2]["f64"]); got != "null" {
		t.Errorf("NaN: %s", got)
	}
}

func TestSpreadsheetsRunNothing(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{})
	source := warehouse.Source{SQL: `select '=1+1' as "=name", '+1' as a, '-1' as b, '@x' as c, chr(9) || 'x' as d, chr(13) || 'x' as e, 'a=1' as f, -1 as g, '' as h, null::varchar as i,
		'=x'::enum('=x') as j, ' =1' as k, '日本' as l, ['=1'] as "@list"`}
	read := func(options warehouse.ExportOptions) string {
		path, _ := exported(t, r, warehouse.CSV, source, options)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if diff := cmp.Diff("'=name,a,b,c,d,e,f,g,h,i,j,k,l,'@list\r\n'=1+1,'+1,'-1,'@x,'\tx,\"'\rx\",a=1,-1,\"\",,'=x, =1,日本,['=1']\r\n", read(warehouse.ExportOptions{})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("=name,a,b,c,d,e,f,g,h,i,j,k,l,@list\r\n=1+1,+1,-1,@x,\tx,\"\rx\",a=1,-1,\"\",,=x, =1,日本,['=1']\r\n", read(warehouse.ExportOptions{RawCells: true})); diff != "" {
		t.Error(diff)
	}
	if got := read(warehouse.ExportOptions{BOM: true}); !strings.HasPrefix(got, "\xef\xbb\xbf'=name") {
		t.Errorf("%q", got[:20])
	}
}

func TestAnEmptyResultIsWhole(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{}, everyType)
	source := warehouse.Source{SQL: "select id, word, happened from every_type where id = $1", Args: []any{99}}
	for format, want := range map[warehouse.Format]string{warehouse.CSV: "id,word,happened\r\n", warehouse.JSON: "[]", warehouse.NDJSON: ""} {
		var b bytes.Buffer
		rows, err := r.Export(t.Context(), &b, format, source, warehouse.ExportOptions{})
		got := b.String()
		if format == warehouse.JSON {
			got = strings.Join(strings.Fields(got), "")
		}
		if err != nil || rows != 0 || got != want {
			t.Errorf("%s: %q, %d rows, %v", format, b.String(), rows, err)
		}
	}
	path, _ := exported(t, r, warehouse.Parquet, source, warehouse.ExportOptions{})
	if n := differences(t, r, "select id, word, happened at time zone 'UTC' as happened from every_type where false", "from read_parquet('"+path+"')"); n != 0 {
		t.Errorf("%d rows differ", n)
	}
}

// Repeated names are told apart as DuckDB does it.
func TestExportsKeepOrderAndRepeatedNames(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{}, someTable)
	path, _ := exported(t, r, warehouse.CSV, warehouse.Source{
		SQL: "select a.n, b.n, a.n + b.n as \"a \"\"sum\"\", \" from t a join t b using (n) order by a.n desc; -- the; end",
	}, warehouse.ExportOptions{})
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil || len(records) != 100_001 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	if diff := cmp.Diff([]string{"n", "n_1", `a "sum", `}, records[0]); diff != "" {
		t.Error(diff)
	}
	for i, record := range records[1:] {
		if want := fmt.Sprint(99_999 - i); record[0] != want || record[1] != want {
			t.Fatalf("row %d: %v", i, record)
		}
	}
}

func TestWhatCannotBeExported(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{}, someTable)
	dir := t.TempDir()
	for _, tt := range []struct {
		source warehouse.Source
		kind   warehouse.QueryErrorKind
	}{
		{warehouse.Source{Relation: "main.t; drop table t"}, warehouse.QuerySyntax},
		{warehouse.Source{Relation: `main."t"`}, warehouse.QuerySyntax},
		{warehouse.Source{Relation: "t"}, warehouse.QuerySyntax},
		{warehouse.Source{Relation: "pii.identifiers"}, warehouse.QuerySyntax},
		{warehouse.Source{}, warehouse.QuerySyntax},
		{warehouse.Source{SQL: "select 1; select 2"}, warehouse.QuerySyntax},
		{warehouse.Source{SQL: "select 1) to '" + dir + "/x' (format csv); copy (select 1"}, warehouse.QuerySyntax},
		{warehouse.Source{SQL: "select 1 as a) q(c0)) to '" + dir + "/x' (format csv); --"}, warehouse.QuerySyntax},
		{warehouse.Source{SQL: "copy t to '" + dir + "/x'"}, warehouse.QueryRefused},
		{warehouse.Source{SQL: "set variable x = 1"}, warehouse.QuerySyntax},
		{warehouse.Source{SQL: "create temp table x as from t"}, warehouse.QuerySyntax},
		{warehouse.Source{SQL: "delete from t"}, warehouse.QuerySyntax},
		{warehouse.Source{SQL: "from read_csv(current_setting('allowed_paths')[1])"}, warehouse.QueryRefused},
		{warehouse.Source{SQL: "from duckdb_settings()"}, warehouse.QueryRefused},
		{warehouse.Source{SQL: "select CURRENT_QUERY()"}, warehouse.QueryRefused},
		{warehouse.Source{SQL: "from read_csv('/etc/passwd')"}, warehouse.QueryRefused},
		{warehouse.Source{SQL: "from '/etc/passwd'"}, warehouse.QuerySyntax},
		{warehouse.Source{SQL: "select nope from t"}, warehouse.QuerySyntax},
		{warehouse.Source{SQL: "select $1 from t"}, warehouse.QuerySyntax},
		{warehouse.Source{SQL: "select error('late') from t where n = 90000"}, warehouse.QuerySyntax},
		{warehouse.Source{SQL: "select 1 /* no end"}, warehouse.QuerySyntax},
	} {
		for _, format := range []warehouse.Format{warehouse.CSV, warehouse.Parquet} {
			if _, err := r.Export(t.Context(), io.Discard, format, tt.source, warehouse.ExportOptions{}); kindOf(err) != tt.kind {
				t.Errorf("%+v: %s: %v", tt.source, kindOf(err), err)
			}
		}
	}
	if _, err := r.Export(t.Context(), io.Discard, "xlsx", warehouse.Source{Relation: "main.t"}, warehouse.ExportOptions{}); kindOf(err) != warehouse.QuerySyntax || !strings.Contains(err.Error(), "csv json ndjson parquet arrow") {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(map[string]int64{}, folderContent(t, dir)); diff != "" {
		t.Error(diff)
	}
	// None of it spoiled anything.
	if _, rows := exported(t, r, warehouse.CSV, warehouse.Source{Relation: "main.t"}, warehouse.ExportOptions{}); rows != 100_000 {
		t.Errorf("%d rows", rows)
	}
}

func TestSelectsOfAnyShapeCanBeExported(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{}, someTable, "create schema \"odd schema\"", "create table \"odd schema\".\"a \"\"quoted\"\" table\" as select 1 as \"a \"\"quoted\"\" column\"")
	for _, source := range []warehouse.Source{
		{SQL: "from t"},
		{SQL: "with a as (from t) select * from a"},
		{SQL: "values (1, 'x')"},
		{SQL: "table t"},
		{SQL: "(select 1) union all (select 2)"},
		{SQL: "describe t"},
		{SQL: "summarize t"},
		{SQL: "select 1 -- comment"},
		{SQL: "select 1;\n;\n"},
		{SQL: "pivot t on n in (1, 2) using count(*)"},
		{SQL: "select $1::int as a, $2 as b where $3", Args: []any{1, "x", true}},
		{SQL: "select getvariable('as_of') as at"},
		{Relation: `odd schema.a "quoted" table`},
		{Relation: "raw.order_completed"},
		{Relation: "ops.offsets"},
	} {
		for _, format := range []warehouse.Format{warehouse.CSV, warehouse.JSON, warehouse.Parquet} {
			if _, err := r.Export(t.Context(), io.Discard, format, source, warehouse.ExportOptions{}); err != nil {
				t.Errorf("%s of %+v: %v", format, source, err)
			}
		}
	}
}

func TestABareParameterIsAColumnOfTheExport(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{}, someTable)
	source := warehouse.Source{SQL: "select n, $1 as a, $2 as b from t where n = $3 -- end", Args: []any{1.5, "x", 7}}
	path, rows := exported(t, r, warehouse.CSV, source, warehouse.ExportOptions{})
	text, err := os.ReadFile(path)
	if err != nil || rows != 1 || string(text) != "n,a,b\r\n7,1.5,x\r\n" {
		t.Errorf("%d rows, %v: %q", rows, err, text)
	}
}

func TestALimitTakesTheFirstRowsInTheirOrder(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{}, someTable)
	source := warehouse.Source{SQL: "select n from t order by n desc; -- end", Limit: 3}
	path, rows := exported(t, r, warehouse.CSV, source, warehouse.ExportOptions{})
	text, err := os.ReadFile(path)
	if err != nil || rows != 3 || string(text) != "n\r\n99999\r\n99998\r\n99997\r\n" {
		t.Errorf("%d rows, %v: %q", rows, err, text)
	}
}

// brokenWriter takes some bytes and then fails.
type brokenWriter struct{ left int }

var errBroken = errors.New("the receiver went away")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

const million = "select a.n, name, amount, uuid() as id from t a, range(10)"

func TestAReceiverThatGoesAwayEndsTheExport(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{Exports: 1}, someTable)
	for _, format := range []warehouse.Format{warehouse.CSV, warehouse.NDJSON, warehouse.Parquet} {
		for _, after := range []int{0, 1, 100_000} {
			_, err := r.Export(t.Context(), &brokenWriter{after}, format, warehouse.Source{SQL: million}, warehouse.ExportOptions{BOM: true})
			if !errors.Is(err, errBroken) {
				t.Errorf("%s after %d bytes: %v", format, after, err)
			}
		}
	}
	if _, rows := exported(t, r, warehouse.CSV, warehouse.Source{SQL: million}, warehouse.ExportOptions{}); rows != 1_000_000 {
		t.Errorf("%d rows", rows)
	}
}

func TestAnExportEndsWithItsContext(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{Exports: 1, ExportTimeout: 2 * time.Second}, someTable)
	forever := warehouse.Source{SQL: "select n, a.range, name from t, range(100000000) a"}
	_, err := r.Export(t.Context(), io.Discard, warehouse.CSV, forever, warehouse.ExportOptions{})
	if kindOf(err) != warehouse.QueryDeadline || !strings.Contains(err.Error(), "2s") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = reader(t, warehouse.Limits{}, someTable).Export(ctx, writerFunc(func(p []byte) (int, error) {
		cancel()
		return len(p), nil
	}), warehouse.CSV, forever, warehouse.ExportOptions{})
	if kindOf(err) != warehouse.QueryCanceled {
		t.Errorf("got %v", err)
	}
	long, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if n, err := r.Export(long, io.Discard, warehouse.CSV, warehouse.Source{SQL: million}, warehouse.ExportOptions{}); err != nil || n != 1_000_000 {
		t.Errorf("%d rows, %v", n, err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestExportsWaitForAPlace(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{Exports: 1, Wait: 50 * time.Millisecond}, someTable)
	var nested error
	_, err := r.Export(t.Context(), writerFunc(func(p []byte) (int, error) {
		if nested == nil {
			_, nested = r.Export(t.Context(), io.Discard, warehouse.CSV, warehouse.Source{Relation: "main.t"}, warehouse.ExportOptions{})
		}
		return len(p), nil
	}), warehouse.CSV, warehouse.Source{Relation: "main.t"}, warehouse.ExportOptions{})
	if err != nil || kindOf(nested) != warehouse.QueryBusy || !strings.Contains(nested.Error(), "all 1 places") {
		t.Errorf("%v, nested %v", err, nested)
	}
	// Queries have places of their own.
	_, err = r.Export(t.Context(), writerFunc(func(p []byte) (int, error) {
		if got := one(t, r, "select 1"); got != int64(1) {
			t.Errorf("got %v", got)
		}
		return len(p), nil
	}), warehouse.CSV, warehouse.Source{SQL: "from t limit 10"}, warehouse.ExportOptions{})
	if err != nil {
		t.Error(err)
	}
}

// Millions of rows, up to half a gigabyte, through a process that may not grow
// by more than about the export's own limit: from one row group and from many,
// ordered or not.
func TestExportsNeedConstantMemory(t *testing.T) {
	const long = "select a.n, name, repeat(name, 8) as long, amount, uuid() as id from t a, range(30) b(m)"
	r := reader(t, warehouse.Limits{MemoryBytes: 150_000_000, Exports: 1}, someTable, "create table big as "+long)
	for _, source := range []warehouse.Source{{SQL: long}, {SQL: long + " order by a.n desc, m"}, {Relation: "main.big"}} {
		for _, format := range []warehouse.Format{warehouse.CSV, warehouse.NDJSON, warehouse.Parquet} {
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
			}), format, source, warehouse.ExportOptions{})
			if err != nil || n != 3_000_000 {
				t.Errorf("%s of %+v: %d rows, %v", format, source, n, err)
			}
			t.Logf("%s of %+v: %d MB, grew by %d MB", format, source, total>>20, (most-before)>>20)
			if grown := most - before; grown > 300<<20 {
				t.Errorf("%s of %+v grew by %d MB", format, source, grown>>20)
			}
		}
	}
}
