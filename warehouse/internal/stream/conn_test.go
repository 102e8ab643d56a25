package stream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T, settings ...Setting) *Conn {
	t.Helper()
	i, err := Open(t.Context(), filepath.Join(t.TempDir(), "test.duckdb"), Options{
		Settings: append([]Setting{{"threads", "2"}}, settings...),
		Setup:    []string{"set global timezone = 'UTC'"},
		Sessions: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	c := i.Session()
	t.Cleanup(c.Close)
	return c
}

// all reads a whole result.
func all(t *testing.T, c *Conn, query string, args ...any) ([]Column, [][]any) {
	t.Helper()
	rows, err := c.Query(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var out [][]any
	for rows.Next() {
		out = append(out, rows.Values())
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return rows.Columns(), out
}

// Every scalar reads as the text that DuckDB itself casts it to.
func TestScalarsReadAsDuckDBWritesThem(t *testing.T) {
	t.Parallel()
	c := open(t)
	for _, expr := range []string{
		"true", "false", "(-128)::tinyint", "(-32768)::smallint", "2147483647::integer", "(-9223372036854775808)::bigint",
		"255::utinyint", "65535::usmallint", "4294967295::uinteger", "18446744073709551615::ubigint",
		"170141183460469231731687303715884105727::hugeint", "(-170141183460469231731687303715884105728)::hugeint", "-1::hugeint",
		"340282366920938463463374607431768211455::uhugeint",
		"0.0000::decimal(5,4)", "-0.0001::decimal(5,4)", "12.3::decimal(4,1)", "-1234567.89::decimal(9,2)", "12345678901234.5678::decimal(18,4)",
		"-12345678901234567890123456789012345678::decimal(38,0)", "1.00000000000000000000000000000000000001::decimal(38,37)", "7::decimal(5,0)",
		"'short'", "'twelve bytes'", "'thirteen bytes'", "'日本語のテキスト、長い'", "''", "'a\"b\\c\n'", "chr(0) || 'x'",
		"'101'::bit", "'1'::bit", "'0000000011111111'::bit",
		"'00000000-0000-0000-0000-000000000000'::uuid", "'ffffffff-ffff-8fff-bfff-ffffffffffff'::uuid", "'7a1f3c5e-0001-4002-8003-0123456789ab'::uuid",
		"'b'::enum('a','b','c')",
		"timestamp '2026-11-25 10:11:12'", "timestamp '2026-11-25 10:11:12.5'", "timestamp '1969-12-31 23:59:59.999999'", "timestamp '0001-01-01'",
		"timestamp 'infinity'", "timestamp '-infinity'", "timestamp_s '2026-11-25 10:11:12'", "timestamp_ms '2026-11-25 10:11:12.123'",
		"'2026-11-25 10:11:12.123456789'::timestamp_ns", "date '2026-02-28'", "date '1969-12-31'", "date '0400-02-29'", "date 'infinity'", "date '-infinity'",
		"time '23:59:59.999999'", "time '00:00:00'", "time '10:30:00.25'",
		"interval '14 months 3 days 4 hours 5 minutes 6.5 seconds'", "interval '-1 day'", "interval '0 seconds'", "interval '-30 minutes'", "interval '-25 months'",
	} {
		_, rows := all(t, c, "select v, v::varchar from (select "+expr+" as v)")
		if got, want := string(AppendText(nil, rows[0][0])), rows[0][1].(string); got != want {
			t.Errorf("%s: read %q, want %q", expr, got, want)
		}
	}
}

// Every value, nested ones too, is the JSON that DuckDB makes of it, where that
// is exact.
func TestValuesAsJSON(t *testing.T) {
	t.Parallel()
	c := open(t)
	for _, tt := range []struct{ expr, want string }{
		{"null", `null`},
		{"null::decimal(18,4)", `null`},
		{"[1, null, 3]", `[1,null,3]`},
		{"-0.0001::decimal(4,4)", `-0.0001`}, // DuckDB writes -.0001, which is not JSON
		{"[]::varchar[]", `[]`},
		{"null::varchar[]", `null`},
		{"[[1.5, 2], null, []]", `[[1.5,2.0],null,[]]`},
		{"array_value(1, 2, 3)", `[1,2,3]`},
		{"{'z': 1, 'a': 'x', 'n': null}", `{"z":1,"a":"x","n":null}`},
		{"[{'k': [date '2026-01-02']}]", `[{"k":["2026-01-02"]}]`},
		{"map {'b': 1, 'a': 2}", `{"b":1,"a":2}`},
		{"map {7: ['x']}", `{"7":["x"]}`},
		{"list_filter([1, 2, 3, 4], lambda x: x % 2 = 0)", `[2,4]`},
		{"list_sort(['b', 'a'])", `["a","b"]`},
		{"[42, 42, 42]", `[42,42,42]`},
		{`'{"deep": [1, 2.50]}'::json`, `{"deep": [1, 2.50]}`},
		{"123456789012345678.1200::decimal(38,4)", `123456789012345678.1200`},
		{"'nan'::double", `null`},
		{"'-inf'::float", `null`},
		{"0.1::float", `0.1`},
		{"1e300", `1e+300`},
		{`'\x00\xFF'::blob`, `"AP8="`},
		{"timestamptz '2026-11-25 10:00:00+02'", `"2026-11-25T08:00:00Z"`},
		{"chr(1) || 'q\"' || chr(10)", `"\u0001q\"\n"`},
	} {
		_, rows := all(t, c, "select "+tt.expr)
		if got := string(AppendJSON(nil, rows[0][0])); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.expr, got, tt.want)
		}
	}
}

func TestColumnsAndArguments(t *testing.T) {
	t.Parallel()
	c := open(t)
	at := time.Date(2026, 11, 25, 1, 2, 3, 4000, time.UTC)
	columns, rows := all(t, c, `select $1::bigint + 1 as n, $2 as s, $3::decimal(10,2) as "Amount", $4::timestamp as at, $5::varchar as nothing, $6 as yes, [{'a': 1}] as l`,
		41, "it's", 1.5, at, nil, true)
	want := []Column{
		{"n", "BIGINT"},
		{"s", "VARCHAR"},
		{"Amount", "DECIMAL(10,2)"},
		{"at", "TIMESTAMP"},
		{"nothing", "VARCHAR"},
		{"yes", "BOOLEAN"},
		{"l", `STRUCT("a" INTEGER)[]`},
	}
	if diff := cmp.Diff(want, columns); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(`[42,"it's",1.50,"2026-11-25T01:02:03.000004Z",null,true,[{"a":1}]]`, string(AppendJSON(nil, rows[0]))); diff != "" {
		t.Error(diff)
	}
	if _, err := c.Query(t.Context(), "select $1, $2", 1); err == nil || !strings.Contains(err.Error(), "2 parameters, 1 values") {
		t.Errorf("a missing argument: %v", err)
	}
}

func TestNullsAtEveryPlaceOfALongResult(t *testing.T) {
	t.Parallel()
	c := open(t)
	_, rows := all(t, c, `select i, case when i % 7 = 0 then null else 'value ' || i end, case when i % 3 = 0 then null else [i] end from range(10000) r(i) order by i`)
	if len(rows) != 10000 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, row := range rows {
		want := []any{int64(i), any("value " + strconv.Itoa(i)), any([]any{int64(i)})}
		if i%7 == 0 {
			want[1] = nil
		}
		if i%3 == 0 {
			want[2] = nil
		}
		if diff := cmp.Diff(want, row); diff != "" {
			t.Fatal(i, diff)
		}
	}
}

func TestSeveralStatements(t *testing.T) {
	t.Parallel()
	c := open(t)
	_, rows := all(t, c, "create temp table x as from range(100000); set variable n = 5; select count(*) + getvariable('n') from x;")
	if rows[0][0] != int64(100005) {
		t.Errorf("got %v", rows[0][0])
	}
	for _, nothing := range []string{"set variable n = 6", "create temp table y (i int)", "insert into y values (1)", "drop table y", "begin", "rollback"} {
		columns, rows := all(t, c, nothing)
		if len(columns) != 0 || len(rows) != 0 {
			t.Errorf("%s: %v, %d rows", nothing, columns, len(rows))
		}
	}
	for _, empty := range []string{"", "  \n", "-- only a comment", ";"} {
		if _, err := c.Query(t.Context(), empty); !errors.Is(err, ErrEmpty) {
			t.Errorf("%q: %v", empty, err)
		}
	}
	// The first bad statement ends the call; what came before has happened.
	_, err := c.Query(t.Context(), "set variable n = 7; select nope; set variable n = 8")
	var e *Error
	if !errors.As(err, &e) || e.Class != "Binder Error" {
		t.Errorf("got %v", err)
	}
	if _, rows := all(t, c, "select getvariable('n')"); rows[0][0] != int64(7) {
		t.Errorf("n = %v", rows[0][0])
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	c := open(t)
	text, columns, err := c.Select("select 1 as a, 'x' as b, uuid() as c where $1 = 1")
	if err != nil || text != "select 1 as a, 'x' as b, uuid() as c where $1 = 1" {
		t.Fatal(text, err)
	}
	if diff := cmp.Diff([]Column{{"a", "INTEGER"}, {"b", "VARCHAR"}, {"c", "UUID"}}, columns); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		"select 1;":                       "select 1",
		"select 1 ; ;; -- end; of it":     "select 1 ",
		"select 1; /* a; b */ -- c":       "select 1",
		"select ';' as \"; -- x\"":        "select ';' as \"; -- x\"",
		"select 'a; -- b'":                "select 'a; -- b'",
		"select $$a; -- b$$":              "select $$a; -- b$$",
		"select 1 /* ; */":                "select 1 /* ; */",
		"select 1 -- ;":                   "select 1 -- ",
		"-- first; comment\nselect 1; \n": "-- first; comment\nselect 1",
	} {
		if got, _, err := c.Select(text); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"create temp table x (i int)", "select 1; select 2", "set variable x = 1", "copy (select 1) to 'x'", "checkpoint", "begin"} {
		if _, _, err := c.Select(text); !errors.Is(err, ErrNotOneSelect) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestErrorsSayTheirClass(t *testing.T) {
	t.Parallel()
	c := open(t, Setting{"memory_limit", "60MB"}, Setting{"temp_directory", ""})
	for query, class := range map[string]string{
		"selec 1":                      "Parser Error",
		"select 1; selec 2":            "Parser Error",
		"select nope":                  "Binder Error",
		"from nowhere":                 "Catalog Error",
		"select 'x'::int":              "Conversion Error",
		"select 1\x00; drop table x":   "Parser Error",
		"select error('out of ideas')": "Invalid Input Error",
		"select string_agg(i::varchar) from range(20000000) r(i)": "Out of Memory Error",
	} {
		rows, err := c.Query(t.Context(), query)
		if err == nil {
			for rows.Next() {
			}
			err = rows.Err()
			rows.Close()
		}
		var e *Error
		if !errors.As(err, &e) || e.Class != class {
			t.Errorf("%s: %v, want a %s", query, err, class)
		}
	}
}

// An error that comes after the first rows must not look like their end.
func TestAnErrorInTheMiddleOfTheRowsIsNotTheirEnd(t *testing.T) {
	t.Parallel()
	c := open(t)
	rows, err := c.Query(t.Context(), "select case when i = 900000 then error('late') else i end from range(1000000) r(i)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	if n == 0 || rows.Err() == nil || !strings.Contains(rows.Err().Error(), "late") {
		t.Errorf("%d rows, then %v", n, rows.Err())
	}
}

func TestADeadlineEndsAStatement(t *testing.T) {
	t.Parallel()
	c := open(t)
	for _, query := range []string{
		"select count(*) from range(10000000) a, range(10000000) b where a.range + b.range = -1", // before the first row
		"select a.range + b.range from range(10000000) a, range(10000000) b",                     // after it
		"select count(*) from range(10000000) a, range(10000000) b where a.range = -b.range - 1; select 1",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		began := time.Now()
		rows, err := c.Query(ctx, query)
		if err == nil {
			for rows.Next() {
			}
			err = rows.Err()
			rows.Close()
		}
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", query, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: took %v", query, took)
		}
		// The session is good for the next statement.
		if _, rows := all(t, c, "select 42"); rows[0][0] != int64(42) {
			t.Error("the session is broken")
		}
	}
}

// DuckDB does not count the texts that it buffers for a result.
func TestLongTextsNeedLittleMemory(t *testing.T) {
	c := open(t, Setting{"memory_limit", "100MB"})
	before := residentMB(t)
	rows, err := c.Query(t.Context(), "select repeat(i::varchar, 2000) from range(200000) r(i)") // 10 kB each
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var n, most int
	for rows.fetch() && n < 40_000 {
		n += rows.size
		most = max(most, residentMB(t))
	}
	if grown := most - before; grown > 250 {
		t.Errorf("grew by %d MB", grown)
	}
}

// The whole result would take 8 GB.
func TestAHugeResultNeedsLittleMemory(t *testing.T) {
	c := open(t, Setting{"memory_limit", "100MB"})
	before := residentMB(t)
	rows, err := c.Query(t.Context(), "select i, i + 1, i + 2, i + 3 from range(250000000) r(i)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var n, most int
	for rows.fetch() {
		if n += rows.size; n%(2048*1000) == 0 {
			most = max(most, residentMB(t))
		}
		if n > 20_000_000 {
			break
		}
	}
	if n <= 20_000_000 {
		t.Fatalf("only %d rows: %v", n, rows.Err())
	}
	if grown := most - before; grown > 100 {
		t.Errorf("grew by %d MB", grown)
	}
}

func residentMB(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0 // not on Linux: nothing is claimed there
	}
	var size, resident int
	if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * os.Getpagesize() >> 20
}

func TestUnknownTypesAreRefusedByName(t *testing.T) {
	t.Parallel()
	c := open(t)
	rows, err := c.Query(t.Context(), "select union_value(k := 'x') as u")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if rows.Next() || rows.Err() == nil || !strings.Contains(rows.Err().Error(), "column u") {
		t.Errorf("got %v", rows.Err())
	}
}
