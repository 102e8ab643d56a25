package models

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/warehouse"
)

var testAsOf = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// testClock goes on by a millisecond at each look.
func testClock() func() time.Time {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	return func() time.Time {
		now = now.Add(time.Millisecond)
		return now
	}
}

func textOf(t *testing.T, conn *sql.Conn, query string) string {
	t.Helper()
	var text sql.NullString
	if err := conn.QueryRowContext(t.Context(), query).Scan(&text); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return text.String
}

func exec(t *testing.T, conn *sql.Conn, statements string) {
	t.Helper()
	if _, err := conn.ExecContext(t.Context(), statements); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

// statesOf is what became of each node, a line each.
func statesOf(result *Result) string {
	var out strings.Builder
	for _, node := range result.Nodes {
		out.WriteString(node.Relation.String() + " " + string(node.State))
		if node.Error != "" {
			out.WriteString(": " + node.Error)
		}
		out.WriteString("\n")
	}
	return out.String()
}

func TestRunBuildsEveryShippedModelOfNothing(t *testing.T) {
	t.Parallel()
	result, err := Run(t.Context(), openConn(t), Options{AsOf: testAsOf, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range result.Nodes {
		if node.State != Built {
			t.Errorf("%s is %s: %s", node.Relation, node.State, node.Error)
		}
	}
}

func TestRunTwiceGivesTheSameRows(t *testing.T) {
	t.Parallel()
	conn := openConn(t)
	hashes := func() []warehouse.TableHash {
		if _, err := Run(t.Context(), conn, Options{AsOf: testAsOf, Now: time.Now}); err != nil {
			t.Fatal(err)
		}
		hashes, err := warehouse.Hash(t.Context(), conn, "staging", "intermediate", "marts", "audience")
		if err != nil {
			t.Fatal(err)
		}
		return hashes
	}
	fillSources(t, conn, 2000)
	first := hashes()
	if diff := cmp.Diff(first, hashes()); diff != "" {
		t.Error(diff)
	}
	orders := slices.IndexFunc(first, func(h warehouse.TableHash) bool { return h.Table == "staging.orders" })
	if orders < 0 || first[orders].Rows == 0 {
		t.Error("there was nothing to compare")
	}
}

// fillSources puts random events, the same each time, into the raw tables.
func fillSources(t *testing.T, conn *sql.Conn, n int) {
	t.Helper()
	for _, statement := range []string{
		`create temp table person as select i, md5(i::varchar)::uuid as id from range(?::bigint // 10) as r(i)`,
		`insert into raw.identities select id, case when i % 3 = 0 then 'phone' else 'external:customer' end, i from person`,
		`insert into raw.identity_links select least(a.id, b.id), greatest(a.id, b.id), 'customer', 0, a.i, timestamp '2026-01-01'
			from person a join person b on b.i = a.i + 1 and a.i % 3 = 0`,
		`insert into raw.order_completed (ce_source, ce_id, ce_time, identity_id, order_id, amount, currency, topic, "partition", "offset", received_at)
			select 'shop', i, timestamp '2025-06-01' + interval (i * 7919 % 400000) minute, md5((i * 31 % 97)::varchar)::uuid, i,
				(i * 7 % 300) + 0.25, 'EUR', 'purchase', 0, i, timestamp '2026-01-01' from range(?::bigint) r(i)`,
		`insert into raw.message_read (ce_source, ce_id, ce_time, identity_id, message_id, provider, number_id, topic, "partition", "offset", received_at)
			select 'meta', i, timestamp '2025-12-01' + interval (i * 6271 % 100000) minute, md5((i * 17 % 97)::varchar)::uuid, i, 'meta', '1',
				'read', 0, i, timestamp '2026-01-01' from range(?::bigint) r(i)`,
	} {
		var args []any
		if strings.Contains(statement, "?") {
			args = append(args, n)
		}
		if _, err := conn.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func TestRunSetsTimeAndKeepsTheWordsOfTheHeader(t *testing.T) {
	t.Parallel()
	conn := openConn(t)
	exec(t, conn, "set TimeZone = 'America/Sao_Paulo'")
	shipped := shippedFolder(t, "marts/a.sql", `/* goodhour
doc: "It's the time."
grain: []
columns: {as_of: "what time it is; 'UTC'"}
*/
select getvariable('as_of') as as_of`,
		"marts/v.sql", "/* goodhour\ndoc: a view\ngrain: [as_of]\nmaterialized: view\ncolumns: {as_of: the same}\n*/ select as_of from marts.a")
	options := Options{
		AsOf: testAsOf.In(time.FixedZone("", 3600)), Now: testClock(), OffsetCeiling: `{"purchase":[3]}`,
	}
	result, err := run(t.Context(), conn, options, shipped)
	if err != nil {
		t.Fatal(err)
	}
	if got := textOf(t, conn, "select as_of || current_setting('TimeZone') from marts.v"); got != "2026-03-01 00:00:00UTC" {
		t.Error(got)
	}
	const comments = `select string_agg(comment, ' | ' order by comment) from (
		select comment from duckdb_columns() union all select comment from duckdb_tables() union all select comment from duckdb_views())
		where comment not like '%identit%' and comment not like '%component%' and comment not like '%pseudonym%'`
	want := "It's the time. | The thresholds and windows of the models, one column each; one row. | a threshold | a view | " +
		"engaged within so many days is hot, days | reporting currency | the same | what time it is; 'UTC'"
	if got := textOf(t, conn, comments); got != want {
		t.Error(cmp.Diff(want, got))
	}
	record := result.Record()
	wantRecord := Record{
		RunID: "20260302T120000.001000Z", Provenance: result.Provenance, StartedAt: result.StartedAt, FinishedAt: result.FinishedAt,
		Built: 4, Rows: 2, Errors: "{}",
	}
	if diff := cmp.Diff(wantRecord, record); diff != "" {
		t.Error(diff)
	}
	if record.OffsetCeiling != options.OffsetCeiling || !record.AsOf.Equal(testAsOf) || record.ModelVersion == "" || record.ConfigHash == "" {
		t.Errorf("provenance: %+v", record.Provenance)
	}
	if !record.FinishedAt.After(record.StartedAt) {
		t.Error("the run took no time")
	}
}

func TestOneOfOurModelsThatFailsFailsTheRun(t *testing.T) {
	t.Parallel()
	f := func(text, want string) {
		t.Helper()
		conn := openConn(t)
		shipped := shippedFolder(t, "marts/a.sql", text, "marts/b.sql", "select 1 as i")
		result, err := run(t.Context(), conn, Options{AsOf: testAsOf, Now: testClock()}, shipped)
		if err == nil || !strings.Contains(err.Error(), "build marts.a (marts/a.sql): "+want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if last := result.Nodes[len(result.Nodes)-1]; last.Relation.Name != "a" || last.State != Failed {
			t.Errorf("the result ends with %v", last)
		}
	}
	f("select error('no such day') as i", "Invalid Input Error: no such day")
	f("select j as i from staging.settings", "Binder Error")
	f("select unnest([1, 1]) as i", `check grain (i): 1 fail, such as {"i":1,"row_count":2}`)
	f("select 1 as other", "check columns: the header documents i, which the select does not make; the header does not document other")
	f("-- columns: i j\nselect 1 as j, 2 as i", "check columns: the header has another order; the select makes j, i")
}

func TestAnAnalystsModelThatFailsIsLeftOut(t *testing.T) {
	t.Parallel()
	conn := openConn(t)
	shipped := shippedFolder(t, "marts/a.sql", "select unnest([1, 2]) as i")
	var log bytes.Buffer
	options := Options{
		AsOf: testAsOf, Now: testClock(), Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Own: folder(t,
			"broken.sql", "select error('no such day') as i from marts.a",
			"checked.sql", "/* goodhour\nchecks: [expression: 'i < 2']\n*/\nselect i from marts.a",
			"checked_view.sql", "/* goodhour\nmaterialized: view\nchecks: [not_null: [i]]\n*/\nselect nullif(i, 1) as i from marts.a",
			"fine.sql", "select i + 1 as i from marts.a",
			"gone.sql", "select i from marts.gone",
			"reader.sql", "select i from analyst.checked",
			"reader_of_reader.sql", "select i from analyst.reader",
			"syntax.sql", "select\nfrom where",
			"warned.sql", "/* goodhour\nchecks: [{expression: 'i < 2', severity: warn}]\n*/\nselect i from marts.a",
			"marts/a.sql", "select 3 as i",
		),
	}
	result, err := run(t.Context(), conn, options, shipped)
	if err != nil {
		t.Fatal(err)
	}
	want := `staging.identity_customers built
staging.settings built
marts.a built
analyst.broken failed: Invalid Input Error: no such day
analyst.checked failed: check expression (i < 2): 1 fail, such as {"i":2}
analyst.checked_view failed: check not_null (i): 1 fail, such as {"i":null}
analyst.fine built
analyst.gone failed: gone.sql:1: it reads marts.gone, which is no model and no table of the warehouse; marts has a
analyst.reader skipped: it reads analyst.checked, which was left out
analyst.reader_of_reader skipped: it reads analyst.reader, which was left out
analyst.syntax failed: syntax.sql:2: syntax error at or near "where"
analyst.warned built
marts.a failed: marts/a.sql: marts.a is already defined by marts/a.sql; give the file another name
`
	if diff := cmp.Diff(want, statesOf(result)); diff != "" {
		t.Error(diff)
	}
	const tables = `select string_agg(schema_name || '.' || name, ' ' order by schema_name, name) from (
		select schema_name, table_name as name from duckdb_tables() union all select schema_name, view_name from duckdb_views())
		where schema_name in ('marts', 'analyst')`
	if got := textOf(t, conn, tables); got != "analyst.fine analyst.warned marts.a" {
		t.Errorf("the file has %s", got)
	}
	if got := textOf(t, conn, "select string_agg(i, ',' order by i) from marts.a"); got != "1,2" {
		t.Errorf("goodhour's own relation has %s", got)
	}
	record := result.Record()
	if record.Built != 5 || record.Failed != 6 || record.Skipped != 2 || record.ChecksFailed != 3 {
		t.Errorf("record: %+v", record)
	}
	if !strings.Contains(record.Errors, `"analyst.broken":"Invalid Input Error: no such day"`) || len(result.LeftOut()) != 8 {
		t.Errorf("errors: %s, left out: %d", record.Errors, len(result.LeftOut()))
	}
	if !strings.Contains(log.String(), "level=WARN msg=\"model done\" relation=analyst.broken state=failed") || strings.Contains(log.String(), "marts.fine") {
		t.Errorf("log: %s", log.String())
	}
}

// openFile is a connection to a file with little memory and no room to swap.
func openFile(t *testing.T) *sql.Conn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "published.duckdb")
	db, err := sql.Open("duckdb", path+"?memory_limit=120MB&threads=2&max_temp_directory_size=1MB")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(conn.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	exec(t, conn, `create schema raw; create schema ops;
		create table raw.identities (identity_id uuid, namespace varchar, external_id varchar);
		create table raw.identity_links (identity_a uuid, identity_b uuid);
		create table raw.identity_unlinks (identity_a uuid, identity_b uuid)`)
	return conn
}

// errorOf is what became of a model, and why.
func errorOf(t *testing.T, result *Result, name string) (State, string) {
	t.Helper()
	for _, node := range result.Nodes {
		if node.Relation.Name == name {
			return node.State, node.Error
		}
	}
	t.Fatalf("there is no %s", name)
	return "", ""
}

func TestAModelThatRunsOutOfMemoryHurtsItselfOnly(t *testing.T) {
	t.Parallel()
	conn := openFile(t)
	shipped := shippedFolder(t, "marts/a.sql", "select i from range(100000) as r(i)")
	options := Options{
		AsOf: testAsOf, Now: time.Now, OwnDeadline: 5 * time.Minute,
		Own: folder(t,
			"a_hungry.sql", "select list(i) over (order by i) as l from marts.a",
			"b_hungry_check.sql", "/* goodhour\nmaterialized: view\nchecks: [expression: 'len(l) > 0']\n*/ select list(i) over (order by i) as l from marts.a",
			"c_fine.sql", "select count(*) as n from marts.a",
		),
	}
	result, err := run(t.Context(), conn, options, shipped)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a_hungry", "b_hungry_check"} {
		state, message := errorOf(t, result, name)
		if state != Failed || !strings.HasPrefix(message, "it ran out of memory (limit 114.4 MiB): let it keep less") {
			t.Errorf("%s is %s: %s", name, state, message)
		}
	}
	if state, message := errorOf(t, result, "c_fine"); state != Built {
		t.Errorf("c_fine is %s: %s", state, message)
	}
	if got := textOf(t, conn, "select n from analyst.c_fine"); got != "100000" {
		t.Error(got)
	}
	exec(t, conn, "checkpoint")
}

func TestAModelThatDoesNotEndHurtsItselfOnly(t *testing.T) {
	t.Parallel()
	conn := openConn(t)
	shipped := shippedFolder(t, "marts/a.sql", "select i from range(100000) as r(i)")
	const endless = "select count(*) as n from marts.a as a, marts.a as b, marts.a as c where a.i + b.i = c.i * 7 % 13"
	options := Options{
		AsOf: testAsOf, Now: time.Now, OwnDeadline: time.Second,
		Own: folder(t,
			"a_endless.sql", endless,
			"b_endless_check.sql", "/* goodhour\nmaterialized: view\nchecks: [expression: 'n > 0']\n*/ "+endless,
			"c_reader.sql", "select n from analyst.b_endless_check",
		),
	}
	result, err := run(t.Context(), conn, options, shipped)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a_endless", "b_endless_check"} {
		state, message := errorOf(t, result, name)
		if state != Failed || !strings.HasPrefix(message, "it was stopped at its deadline of 1s") {
			t.Errorf("%s is %s: %s", name, state, message)
		}
	}
	if state, message := errorOf(t, result, "c_reader"); state != Skipped {
		t.Errorf("c_reader is %s: %s", state, message)
	}
	if got := textOf(t, conn, "select count(*) from duckdb_views() where schema_name = 'analyst'"); got != "0" {
		t.Errorf("%s views of the analyst's stand", got)
	}
	// The session goes on.
	if got := textOf(t, conn, "select count(*) from marts.a"); got != "100000" {
		t.Error(got)
	}
}

func TestACancelledRunStops(t *testing.T) {
	t.Parallel()
	conn := openConn(t)
	ctx, cancel := context.WithCancel(t.Context())
	shipped := shippedFolder(t, "marts/a.sql", "select 1 as i")
	options := Options{
		AsOf: testAsOf, Own: folder(t, "b.sql", "select 1 as i"), OwnDeadline: time.Minute,
		Now: time.Now,
		// The log of the last of goodhour's own models ends the run's context.
		Logger: slog.New(cancelAt{slog.DiscardHandler, "marts.a", cancel}),
	}
	result, err := run(ctx, conn, options, shipped)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if got := statesOf(result); strings.Contains(got, "analyst.b built") {
		t.Error(got)
	}
}

// cancelAt cancels when a relation is logged.
type cancelAt struct {
	slog.Handler
	relation string
	cancel   context.CancelFunc
}

func (c cancelAt) Enabled(context.Context, slog.Level) bool { return true }

func (c cancelAt) Handle(_ context.Context, record slog.Record) error {
	record.Attrs(func(attr slog.Attr) bool {
		if attr.Value.String() == c.relation {
			c.cancel()
		}
		return true
	})
	return nil
}

func TestASelectionBuildsWhatItNeeds(t *testing.T) {
	t.Parallel()
	conn := openConn(t)
	shipped := shippedFolder(t,
		"marts/a.sql", "select 1 as i",
		"marts/b.sql", "/* goodhour\ndoc: a\ngrain: [i]\nchecks: [rows_match: {relation: marts.c, on: [i]}]\ncolumns: {i: a}\n*/ select i from marts.a",
		"marts/c.sql", "select 1 as i",
		"marts/d.sql", "select 1 as i",
	)
	result, err := run(t.Context(), conn, Options{AsOf: testAsOf, Now: testClock(), Select: []Relation{{"marts", "b"}}}, shipped)
	if err != nil {
		t.Fatal(err)
	}
	if got := statesOf(result); got != "marts.a built\nmarts.c built\nmarts.b built\n" {
		t.Error(got)
	}
	_, err = run(t.Context(), conn, Options{AsOf: testAsOf, Now: testClock(), Select: []Relation{{"audience", "b"}}}, shipped)
	if err == nil || err.Error() != "there is no model audience.b: say marts.b" {
		t.Error(err)
	}
	if _, err := run(t.Context(), conn, Options{Now: testClock()}, shipped); err == nil || !strings.Contains(err.Error(), "as-of") {
		t.Error(err)
	}
}
