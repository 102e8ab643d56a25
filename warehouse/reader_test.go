package warehouse_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/warehouse"
)

// kindOf is the kind of a query's error, "" for none.
func kindOf(err error) warehouse.QueryErrorKind {
	var e *warehouse.QueryError
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &e):
		return "not a QueryError"
	case e.Message == "" || strings.Contains(e.Error(), "SET threads"), strings.Contains(e.Error(), "PRAGMA max_temp"):
		return "a QueryError without a clear message"
	}
	return e.Kind
}

const someTable = "create table t as select range as n, 'name ' || range as name, range * 1.5 as amount from range(100000)"

// endless never comes to its end.
const endless = "select count(*) from range(100000000) a, range(100000000) b where a.range + b.range = -1"

func TestQueryReturnsEveryRow(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{}, someTable)
	rows, err := r.Query(t.Context(), "select n, name from t where n >= $1 order by n", 10)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if diff := cmp.Diff([]warehouse.Column{{Name: "n", Type: "BIGINT"}, {Name: "name", Type: "VARCHAR"}}, rows.Columns()); diff != "" {
		t.Error(diff)
	}
	n := int64(10)
	for rows.Next() {
		if diff := cmp.Diff([]any{n, fmt.Sprintf("name %d", n)}, rows.Values()); diff != "" {
			t.Fatal(diff)
		}
		n++
	}
	if rows.Err() != nil || n != 100_000 {
		t.Errorf("ended at %d: %v", n, rows.Err())
	}
	rows.Close() // twice is fine
}

func TestTableStopsAtItsLimits(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{Rows: 5, Bytes: 10_000}, someTable)
	for _, tt := range []struct {
		query     string
		rows      int
		truncated bool
	}{
		{"from t limit 4", 4, false},
		{"from t limit 5", 5, false},
		{"from t limit 6", 5, true},
		{"from t", 5, true},
		{"from range(1000000000000)", 5, true},
		{"select repeat('x', 4000) from t", 2, true},
		{"select [{'a': repeat('x', 4000)}, {'a': repeat('y', 4000)}] from t", 1, true},
		{"select repeat('x', 40000)", 0, true},
		{"from t where n < 0", 0, false},
		{"set variable x = 1", 0, false},
	} {
		table, err := r.Table(t.Context(), tt.query)
		if err != nil || len(table.Rows) != tt.rows || table.Truncated != tt.truncated {
			t.Errorf("%s: %d rows, truncated %t, %v", tt.query, len(table.Rows), table.Truncated, err)
		}
	}
}

// A query's session is its own, from its first statement to its last.
func TestSessionsAreApart(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{Queries: 1}, someTable, "create schema marts", "create table marts.x as select 1 as n")
	got := one(t, r, "create temp table mine as from range(3); set variable v = 10; use goodhour.marts; select (select count(*) from mine) + getvariable('v') + (select n from x)")
	if got != int64(14) {
		t.Errorf("got %v", got)
	}
	for _, gone := range []string{"from mine", "from x", "select 1 / (getvariable('v') is null)::int::double where getvariable('v') is not null; from mine"} {
		if _, err := r.Table(t.Context(), gone); kindOf(err) != warehouse.QuerySyntax {
			t.Errorf("%s: %v", gone, err)
		}
	}
	// An open transaction ends with its query.
	for range 3 {
		if _, err := r.Table(t.Context(), "begin"); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatAnAnalystMayDo(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{}, someTable)
	for _, query := range []string{
		"pivot (select n % 3 as g, n from t) on g using count(*)",
		"describe t", "show tables", "summarize t", "explain from t", "explain analyze from t", "pragma table_info('t')",
		"from duckdb_settings()", "from duckdb_tables()", "select 1 as query, 'query' as q2 order by query, q2", "select a.query+1 from (select 1 as query) a", "pragma version",
		"create temp table x as from t; from x", "create temp macro f(a) as a + 1; select f(1)", "create temp view v as from t; from v",
		"prepare p as select $1 + 1; execute p(1)", "with recursive a(n) as (select 1 union all select n + 1 from a where n < 9) from a",
		"begin; select 1; rollback", "from t select n using sample 10", "checkpoint",
	} {
		if _, err := r.Table(t.Context(), query); err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// Every way to change something is refused, says so, and changes nothing for
// the next query.
func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{}, someTable, "create view v as from t", "create sequence s")
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret.csv")
	if err := os.WriteFile(secret, []byte("a,b\n1,2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := folderContent(t, filepath.Dir(r.Path()))
	for _, query := range []string{
		// writes
		"insert into t values (1, 'x', 2)", "update t set n = 1", "delete from t", "truncate t", "create table x (i int)", "create or replace table t as select 1",
		"drop table t", "alter table t add column x int", "create view w as from t", "create or replace view v as select 1", "create schema x", "create index i on t (n)",
		"create sequence q", "create macro m(a) as a", "create type e as enum ('a')", "comment on table t is 'x'", "merge into t using (select 1 as n) u on t.n = u.n when matched then delete",
		"create table goodhour.main.x (i int)", "create table ops.x (i int)", "select nextval('s')",
		// files
		"copy t to 'DIR/out.csv'", "copy (select 1) to 'DIR/out.parquet' (format parquet)", "copy t to '/dev/stdout'", "copy t from 'SECRET'", "export database 'DIR/all'", "import database 'DIR'",
		"from read_csv('SECRET')", "from 'SECRET'", "from read_text('SECRET')", "from read_blob('SECRET')", "from read_json('SECRET')", "from read_parquet('SECRET')",
		"from parquet_metadata('SECRET')", "from parquet_schema('SECRET')", "from glob('DIR/*')", "from sniff_csv('SECRET')", "from query('from read_csv(''SECRET'')')",
		"from read_csv('/dev/stdin')", "from read_text('https://127.0.0.1:1/x')", "create temp table x as from read_csv('SECRET')", "from read_duckdb('SECRET')",
		"from query_table('SECRET')", "explain analyze copy t to 'DIR/out.csv'",
		"call enable_logging(storage = 'file', storage_config = {'path': 'DIR/log'}); select 1",
		"call enable_profiling(save_location = 'DIR/profile.json', format = 'json'); select 1",
		// other databases and extensions
		"attach 'DIR/x.duckdb'", "attach ':memory:' as m", "attach '' as m", "attach 'DIR/x.duckdb' (read_only)", "detach goodhour", "install httpfs", "load httpfs", "load 'DIR/x.duckdb_extension'",
		"force install httpfs", "install x from 'https://127.0.0.1:1'", "update extensions", "create secret (type http, bearer_token 'x')", "create persistent secret s (type http, bearer_token 'x')",
		// settings
		"set memory_limit = '100GB'", "set global memory_limit = '100GB'", "pragma memory_limit = '100GB'", "set threads = 100", "reset threads", "reset memory_limit", "set enable_external_access = true",
		"set lock_configuration = false", "set temp_directory = 'DIR'", "set allowed_directories = ['DIR']", "set timezone = 'America/Sao_Paulo'", "set streaming_buffer_size = '1GB'",
		"set profiling_output = 'DIR/p.json'", "set home_directory = 'DIR'", "set log_query_path = 'DIR/q.log'", "set extension_directory = 'DIR'", "set secret_directory = 'DIR'",
		"set autoinstall_known_extensions = true", "set allow_unsigned_extensions = true", "set access_mode = 'READ_WRITE'", "set max_temp_directory_size = '1TB'",
	} {
		query = strings.ReplaceAll(strings.ReplaceAll(query, "SECRET", secret), "DIR", dir)
		_, err := r.Table(t.Context(), query)
		if kind := kindOf(err); kind != warehouse.QueryRefused && kind != warehouse.QuerySyntax {
			t.Errorf("%s: %s, %v", query, kind, err)
		} else if kind == warehouse.QuerySyntax {
			t.Logf("%s: %v", query, err)
		}
		if got := one(t, r, "select count(*) || ' ' || current_setting('threads') || ' ' || current_setting('timezone') from t"); got != "100000 2 UTC" {
			t.Fatalf("after %s: %v", query, got)
		}
	}
	if diff := cmp.Diff(map[string]int64{"secret.csv": 8}, folderContent(t, dir)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before, folderContent(t, filepath.Dir(r.Path()))); diff != "" {
		t.Error(diff)
	}
}

func folderContent(t testing.TB, dir string) map[string]int64 {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int64{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = info.Size()
	}
	return out
}

// Some functions reach beyond a query in spite of the locked configuration:
// DuckDB itself lets them run, and one of them can end the process. There is no
// way around the check by quoting, spacing, or putting SQL together.
func TestTheDoorsThatDuckDBLeavesOpenAreShut(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{}, someTable)
	for _, query := range []string{
		"call enable_logging(storage_path = '/tmp/nowhere')", "from enable_logging()", `from "ENABLE_logging"(storage = 'memory')`, "call system.main.enable_logging()",
		"create temp macro f() as table from enable_logging(); from f()", "explain from enable_logging()", "prepare p as from enable_logging()", "select 1; from disable_logging()",
		"from enable_peg_parser()", "pragma enable_profiling", "pragma enable_profile", "from enable_profiling(format = 'no_output')",
		"from query('from enable_' || 'logging()')", "call query('select 1')", "from query ('select 1')", "from query\n\t ( 'select 1' )", "from query/* */('select 1')", "from query--\n('select 1')",
		"from query /* a /* b */ c */ ('select 1')", `from "query"('select 1')`, `from system.main."QUERY" ('select 1')`, "from query\u00a0('select 1')", "from query\u3000('select 1')", "from query\u200b('select 1')",
		"from query\ufeff('select 1')", "from Query('select 1')", "(from query('select 1'))", "select * from t,query('select 1')",
		"pragma json_execute_serialized_sql(json_serialize_sql('select 1'))", "from json_execute_serialized_sql(json_serialize_sql('from enable_log' || 'ging()'))",
	} {
		if _, err := r.Table(t.Context(), query); kindOf(err) != warehouse.QueryRefused {
			t.Errorf("%q: %v", query, err)
		}
		if _, err := r.Export(t.Context(), io.Discard, warehouse.CSV, warehouse.Source{SQL: query}, warehouse.ExportOptions{}); kindOf(err) != warehouse.QueryRefused {
			t.Errorf("export of %q: %v", query, err)
		}
	}
	for _, query := range []string{
		"select 1 as query", "select query from (select 1 as query)", "select query, 1 from (select 1 as query)", "select a.query from (select 1 as query) as a order by a.query",
		"select 'the query', \"query\" from (select 1 as \"query\")", "select query is null, (query) from (select 2 as query)", "select query*2, query = 2 from (select 2 as query)", "select my_query(1) from (select 1) where false",
	} {
		if err := warehouse.CheckSQL(query); err != nil {
			t.Errorf("%q: %v", query, err)
		}
	}
}

func TestManyQueriesOutliveTheirInstances(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{Queries: 1}, someTable)
	for i := range 200 {
		if got := one(t, r, "select $1::int + 1", i); got != int64(i+1) {
			t.Fatal(i, got)
		}
	}
}

func TestMistakesAreExplained(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{}, someTable)
	for query, want := range map[string]string{
		"selec 1":               "syntax error",
		"":                      "no SQL statement",
		"select nme from t":     "name",
		"from nowhere":          "nowhere",
		"select 'x'::int":       "Conversion Error",
		"select $1":             "1 parameters, 0 values",
		"select 1; select nope": "nope",
		"select 1\x00":          "zero byte",
		"select 9223372036854775807 + n from t where n = 1": "Overflow",
	} {
		_, err := r.Table(t.Context(), query)
		if kindOf(err) != warehouse.QuerySyntax || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", query, err)
		}
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{Timeout: 100 * time.Millisecond}, someTable)
	for _, query := range []string{endless, "select 1; " + endless, "from range(1000000000000)"} {
		began := time.Now()
		rows, err := r.Query(t.Context(), query)
		if err == nil {
			for rows.Next() {
			}
			err = rows.Err()
			rows.Close()
		}
		if kindOf(err) != warehouse.QueryDeadline || !strings.Contains(err.Error(), "100ms") {
			t.Errorf("%s: %v", query, err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s took %v", query, took)
		}
	}
	// A deadline that the caller set takes the default's place.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	rows, err := r.Query(ctx, "select n, name from t, range(30)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	began, n := time.Now(), 0
	for rows.Next() {
		n++
		for n == 1 && time.Since(began) < 200*time.Millisecond {
			rows.Values()
		}
	}
	if rows.Err() != nil || n != 3_000_000 {
		t.Errorf("%d rows, %v", n, rows.Err())
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{}, someTable)
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		<-started
		cancel()
	})
	rows, err := r.Query(ctx, "from range(1000000000000)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for n := 0; rows.Next(); n++ {
		if n == 10_000 {
			close(started)
		}
	}
	if kindOf(rows.Err()) != warehouse.QueryCanceled {
		t.Errorf("got %v", rows.Err())
	}
	wait.Wait()
	if _, err := r.Query(ctx, "select 1"); kindOf(err) != warehouse.QueryCanceled {
		t.Errorf("got %v", err)
	}
}

func TestBusy(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{Queries: 2, Wait: 50 * time.Millisecond}, someTable)
	var held []*warehouse.Rows
	for range 2 {
		rows, err := r.Query(t.Context(), "from t")
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, rows)
	}
	_, err := r.Table(t.Context(), "select 1")
	if kindOf(err) != warehouse.QueryBusy || !strings.Contains(err.Error(), "all 2 places") {
		t.Errorf("got %v", err)
	}
	// A place that becomes free is taken by who waits.
	patient := reader(t, warehouse.Limits{Queries: 1, Wait: time.Minute}, someTable)
	rows, err := patient.Query(t.Context(), "from t")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for rows.Next() {
		}
		rows.Close()
	})
	if got := one(t, patient, "select 42"); got != int64(42) {
		t.Errorf("got %v", got)
	}
	wait.Wait()
	for _, rows := range held {
		rows.Close()
	}
	if got := one(t, r, "select 1"); got != int64(1) {
		t.Errorf("got %v", got)
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{MemoryBytes: 100_000_000, TempBytes: 50_000_000, Queries: 2, Timeout: 10 * time.Minute}, someTable)
	beside, err := r.Query(t.Context(), "select a.n from t a, range(20)")
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close()
	for _, query := range []string{
		"select string_agg(name || a.range, ',') from t, range(100) a",
		"select list(name || a.range) from t, range(60) a",
		"from (select uuid() as x, uuid() as y, uuid() as z, uuid() as w from t, range(30)) order by x",
		"create temp table big as select uuid() as x, uuid() as y, uuid() as z, uuid() as w from t, range(40)",
	} {
		_, err := r.Table(t.Context(), query)
		if kindOf(err) != warehouse.QueryMemory || !strings.Contains(err.Error(), "100 MB of memory and 50 MB of temporary space") {
			t.Errorf("%s: %s %v", query, kindOf(err), err)
		}
	}
	n := 0
	for beside.Next() {
		n++
	}
	if beside.Err() != nil || n != 2_000_000 {
		t.Errorf("the query beside them: %d rows, %v", n, beside.Err())
	}
	for name := range folderContent(t, filepath.Dir(r.Path())) {
		if strings.HasPrefix(name, ".spill") {
			content := folderContent(t, filepath.Join(filepath.Dir(r.Path()), name))
			if len(content) > 0 {
				t.Errorf("left on disk: %v", content)
			}
		}
	}
}

// TestAHugeTextIsRefused: one line of SQL makes a text of hundreds of
// megabytes, which must not be copied and escaped.
func TestAHugeTextIsRefused(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{}, someTable)
	_, err := r.Table(t.Context(), "select repeat(chr(7), 100000000) as big")
	if kindOf(err) != warehouse.QueryMemory || !strings.Contains(err.Error(), "big") {
		t.Errorf("a text of 100 MB: %v", err)
	}
	table, err := r.Table(t.Context(), "select [repeat('x', 100000000)] as big, repeat('y', 1000000) as fine")
	if err != nil || len(table.Rows) != 1 || len(warehouse.AppendJSON(nil, table.Rows[0][0])) > 100 || len(table.Rows[0][1].(string)) != 1_000_000 {
		t.Errorf("a text of 100 MB in a list: %d rows, %v", len(table.Rows), err)
	}
}
