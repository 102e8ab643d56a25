package models

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEachCheckFindsWhatBreaksIt(t *testing.T) {
	t.Parallel()
	conn := openConn(t)
	f := func(checks, rows, want string) {
		t.Helper()
		shipped := shippedFolder(t, "marts/other.sql", "select unnest([1, 2]) as i")
		own := folder(t, "m.sql", "/* goodhour\nchecks:\n"+checks+"\n*/ select * from (values "+rows+") as v(k, i, s)")
		options := Options{AsOf: testAsOf, Now: testClock(), Own: own, Select: []Relation{{AnalystSchema, "m"}}}
		result, err := run(t.Context(), conn, options, shipped)
		if err != nil {
			t.Fatal(err)
		}
		node := result.Nodes[len(result.Nodes)-1]
		if got := node.Error; got != want {
			t.Errorf("%s of %s: %s", checks, rows, cmp.Diff(want, got))
		}
	}
	const good = "(1, 1, 'a'), (2, 2, 'b')"
	f("  - not_null: [i, s]", good, "")
	f("  - not_null: [i, s]", "(1, null, 'a'), (2, 2, null), (3, 3, 'c')",
		`check not_null (i, s): 2 fail, such as {"k":1,"i":null,"s":"a"}`)
	f("  - unique: [i]", good, "")
	f("  - unique: [i]", "(1, 1, 'a'), (2, 1, 'b'), (3, null, 'c')", `check unique (i): 1 fail, such as {"i":1,"row_count":2}`)
	f("  - accepted_values: {column: s, values: [a, b]}", "(1, 1, 'a'), (2, 2, null)", "")
	f("  - accepted_values: {column: i, values: [1]}", good, `check accepted_values (i): 1 fail, such as {"k":2,"i":2,"s":"b"}`)
	f("  - accepted_values: {column: s, values: [\"it's\"]}", "(1, 1, 'it''s')", "")
	f("  - expression: i > 0", good, "")
	f("  - expression: i > 1 -- remark", good, `check expression (i > 1 -- remark): 1 fail, such as {"k":1,"i":1,"s":"a"}`)
	f("  - expression: i > 0", "(1, null, 'a')", `check expression (i > 0): 1 fail, such as {"k":1,"i":null,"s":"a"}`)
	f("  - rows_match: {relation: marts.other, on: [i]}", "(1, 1, 'a'), (2, null, 'b')", "")
	f("  - rows_match: {relation: marts.other, on: [i]}", "(1, 1, 'a'), (2, 5, 'b')",
		`check rows_match (marts.other on i): 1 fail, such as {"k":2,"i":5,"s":"b"}`)
	f("  - not_null: [i]\n  - unique: [s]", "(1, null, 'a'), (2, 2, 'a')",
		"check not_null (i): 1 fail, such as {\"k\":1,\"i\":null,\"s\":\"a\"}\ncheck unique (s): 1 fail, such as {\"s\":\"a\",\"row_count\":2}")
	f("  - not_null: [nowhere]", good, `check not_null (nowhere): Binder Error: Referenced column "nowhere" not found in FROM clause!`)
	f("  - expression: s::int > 0", good, `check expression (s::int > 0): Conversion Error: Could not convert string 'a' to INT32 when casting from source column s`)
	f("  - rows_match: {relation: marts.nowhere, on: [i]}", good,
		"m.sql:3: it reads marts.nowhere, which is no model and no table of the warehouse; marts has other")
}

func TestGrainNamesEveryRow(t *testing.T) {
	t.Parallel()
	conn := openConn(t)
	f := func(grain, rows, want string) {
		t.Helper()
		own := folder(t, "m.sql", "/* goodhour\ngrain: ["+grain+"]\n*/ select * from (values "+rows+") as v(a, b)")
		options := Options{AsOf: testAsOf, Now: testClock(), Own: own, Select: []Relation{{AnalystSchema, "m"}}}
		result, err := run(t.Context(), conn, options, shippedFolder(t))
		if err != nil {
			t.Fatal(err)
		}
		if got := result.Nodes[0].Error; got != want {
			t.Errorf("grain %s of %s: got %q, want %q", grain, rows, got, want)
		}
	}
	f("a", "(1, 1), (2, 1)", "")
	f("a, b", "(1, 1), (1, 2)", "")
	f("a", "(1, 1), (1, 2)", `check grain (a): 1 fail, such as {"a":1,"row_count":2}`)
	f("a, b", "(1, null), (1, 2)", `check grain (a, b): 1 fail, such as {"a":1,"b":null,"row_count":1}`)
	f("", "(1, 1)", "")
	f("", "(1, 1), (2, 1)", `check grain (): 1 fail, such as {"row_count":2}`)
}

func TestAnExpressionCheckIsOneExpression(t *testing.T) {
	t.Parallel()
	f := func(expression, want string) {
		t.Helper()
		graph := loadForTest(t, Project{
			shipped: shippedFolder(t, "marts/other.sql", "select 1 as i"),
			Own:     folder(t, "m.sql", "/* goodhour\nchecks:\n  - expression: \""+expression+"\"\n*/ select 1 as i"),
		})
		if got := problemsOf(graph, "m.sql"); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: got %q, want %q", expression, got, want)
		}
	}
	f("i > 0 and (i < 5 or i is null)", "")
	f("true) or (false", "")
	f("true); drop table marts.other; select (1", "not a plain select")
	f("true), (false", "not one expression")
	f("exists (select 1 from marts.other)", "not one expression")
	f("exists (from read_csv('x'))", "not one expression")
	f("1) from range(3) as r(i) where (i > 0", "not one expression")
	f("i >", "header: m.sql:3: the expression cannot be read: syntax error")
}
