package models

import (
	"strings"
	"testing"
)

func TestShippedModelsHaveNoFindings(t *testing.T) {
	t.Parallel()
	findings, err := Lint(t.Context(), openConn(t), Project{})
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range findings {
		t.Errorf("%s: %s", finding.Rule, finding.String())
	}
}

func TestEachRuleFindsWhatBreaksIt(t *testing.T) {
	t.Parallel()
	conn := openConn(t)
	// The text begins in line 7 of its file.
	f := func(text string, want ...string) {
		t.Helper()
		findings, err := Lint(t.Context(), conn, Project{shipped: shippedFolder(t,
			"marts/input.sql", "-- columns: i ratio\nselect 1 as i, 1 / 3 as ratio",
			"marts/m.sql", text,
		)})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, finding := range findings {
			got = append(got, finding.Rule+": "+finding.String())
		}
		if len(got) != len(want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
			return
		}
		for i := range want {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("%s: got %q, want %q", text, got[i], want[i])
			}
		}
	}
	f("select i from marts.input")

	f("select now() as i", "pure: marts/m.sql:7: now() gives another answer the next time; time is getvariable('as_of')")
	f("select\n  Current_Timestamp as i", "pure: marts/m.sql:8: current_timestamp gives another answer")
	f("select 1 as i from marts.input where today() > current_date", "current_date gives", "today() gives")
	f("select age(timestamp '2026-01-01') as i", "age() gives")
	f("select age(timestamp '2026-01-01', getvariable('as_of')) as i")
	f("select getvariable('as_off') as i", "pure: marts/m.sql:7: a run sets no variable but as_of")
	f("select hash(i) as i from marts.input", "hash() gives")
	f("select i from marts.input tablesample 10%", "a sample without a seed")
	f("select i from marts.input tablesample reservoir(10%) repeatable (7)")

	f("select * from marts.input", "star: marts/m.sql:7: it selects * past an import CTE")
	f("with input as (select * from marts.input where i > 0) select i from input")
	f("with input as (select * from marts.input), again as (select * from input) select i from again", "star")
	f("with input as (select * from marts.input) select input.* from input", "star")
	f("with a as (select max(columns(*)) from marts.input) select i from a", "star")
	f("select i from (values (1)) as v(i)")
	f("select count(*) as i from marts.input where exists (select * from marts.input)", "star")

	f("select i from marts.input group by 1", "positional-group: marts/m.sql:7: it groups by position")
	f("select i from marts.input group by all order by 1")

	f("select sum(ratio) as i from marts.input", "float-order: marts/m.sql:7: sum() over a DOUBLE depends on the order of the rows")
	f("select sum(ratio order by i) as i from marts.input")
	f("select sum(ratio::decimal(18, 6)) as i from marts.input")
	f("select avg(i) as i from marts.input")
	f("select max(ratio) as i, (select sum(i * input.ratio) from staging.settings) as j from marts.input", "columns", "float-order")
	f("with recursive r as (select 1e0 as x union all select x + 1 from r where x < 9) select sum(x) as i from r", "float-order")
	f("select avg(i / 2) as i from marts.input", "float-order")
	f("select sum(propensity) as i from marts.input")
	f("with a as (select i, ln(i) as l from marts.input), b as (select i, coalesce(case when i > 0 then l + 1 end, 0) as k from a)"+
		" select stddev(k) as i from b", "float-order")
	f("select corr(i, x::float) as i from (select i, i as x from marts.input)", "float-order")
	f("select sum(round(i * 1e0)) as i from marts.input", "float-order")
	f("select max(ratio) as i from marts.input")

	f("select list(i) as i from marts.input", "list-order: marts/m.sql:7: list() without an order")
	f("select string_agg(i, ',' order by i) as i from marts.input")
	f("select first(i) as i from marts.input", "list-order")
	f("select first(i) over (order by i) as i from marts.input")

	f("select i as j from marts.input", "columns: marts/m.sql: the header documents i, which the select does not make; the header does not document j")
	f("-- columns: a b\nselect 2 as b, 1 as a union all select 1, 2", "the header has another order")
	f("select max(i) from marts.input")
}

func TestLintTellsAllProblemsInOrder(t *testing.T) {
	t.Parallel()
	findings, err := Lint(t.Context(), openConn(t), Project{
		shipped: shippedFolder(t,
			"marts/a.sql", "select 1 as i",
			"marts/b.sql", "select i from marts.a",
			"marts/c.sql", "select i from marts.b",
			"marts/d.sql", "select i from marts.c",
			"marts/e.sql", "select now() as i\nfrom marts.nothing",
		),
		Own: folder(t, "a.sql", "select i from marts.a", "marts/a.sql", "/* goodhour\ndoc: mine\n*/ select 1 as i"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"chain: marts/d.sql: it stands on 3 marts",
		"pure: marts/e.sql:7: now()",
		"unknown-relation: marts/e.sql:8: it reads marts.nothing",
		"header: a.sql: the file does not say what it is",
		"name: marts/a.sql: marts.a is already defined",
	}
	for i, finding := range findings {
		if got := finding.Rule + ": " + finding.String(); i >= len(want) || !strings.Contains(got, want[i]) || finding.Own != (i >= 3) {
			t.Errorf("finding %d: %s", i, got)
		}
	}
	if len(findings) != len(want) {
		t.Errorf("%d findings, want %d", len(findings), len(want))
	}
	known := make(map[string]bool)
	for _, rule := range Rules() {
		known[rule.Name] = rule.Doc != ""
	}
	for _, finding := range findings {
		if !known[finding.Rule] {
			t.Errorf("rule %s is not among Rules", finding.Rule)
		}
	}
}
