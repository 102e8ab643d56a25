package models

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const wholeHeader = `
/* goodhour
doc: >-
  One row per order,
  however it came.
grain: [shop, order_id]
materialized: view      # not kept
checks:
  - accepted_values: {column: state, values: [open, 1, true]}
  - not_null: [amount]
    severity: warn
  - expression: "amount >= 0"
  - rows_match: {relation: marts.customers, on: [customer_id]}
  - unique: [order_id]
columns:
  shop: "the shop"
  order_id: the order
  state: 'its state'
  amount: "money: in the order's currency"
  customer_id: who
*/
select 1
`

func TestHeaderIsReadWhole(t *testing.T) {
	t.Parallel()
	got, ok, errs := parseHeader(wholeHeader)
	if !ok || len(errs) > 0 {
		t.Fatal(ok, errs)
	}
	want := Header{
		Doc:   "One row per order, however it came.",
		Grain: []string{"shop", "order_id"}, HasGrain: true, View: true,
		Checks: []Check{
			{Kind: CheckAcceptedValues, Columns: []string{"state"}, Values: []string{"open", "1", "true"}, Line: 9},
			{Kind: CheckNotNull, Columns: []string{"amount"}, Warn: true, Line: 10},
			{Kind: CheckExpression, Expression: "amount >= 0", Line: 12},
			{Kind: CheckRowsMatch, Relation: Relation{"marts", "customers"}, Columns: []string{"customer_id"}, Line: 13},
			{Kind: CheckUnique, Columns: []string{"order_id"}, Line: 14},
		},
		Columns: []Column{
			{"shop", "the shop"},
			{"order_id", "the order"},
			{"state", "its state"},
			{"amount", "money: in the order's currency"},
			{"customer_id", "who"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestHeaderErrorsSayWhatAndWhere(t *testing.T) {
	t.Parallel()
	f := func(yaml string, line int, want string) {
		t.Helper()
		_, _, errs := parseHeader("/* goodhour\n" + yaml + "\n*/ select 1")
		var at *yamlError
		if len(errs) == 0 || !errors.As(errs[0], &at) || at.line != line || !strings.Contains(at.what, want) {
			t.Errorf("%s: got %d errors %#v, want %q in line %d", yaml, len(errs), at, want, line)
		}
	}
	f("doc: a\ngrains: [b]", 3, `has no "grains"`)
	f("doc: [a]", 2, "doc must be a value, not a list")
	f("grain: b", 2, "grain must be a list, not a value")
	f("grain: [[b]]", 2, "each entry of grain must be a value")
	f("doc: a\n\nmaterialized: incremental", 4, `table or view, not "incremental"`)
	f("- a", 2, "the header must be a mapping")
	f("doc: a: b", 2, "mapping")
	f("doc: a\ndoc: b", 3, "already defined")
	f("doc: 'a", 2, "quot")
	f("columns: [a]", 2, "columns must be a mapping")
	f("columns:\n  a: x\n  b: ''", 4, "column b has no meaning")
	f("columns:\n  a: x\ngrain: [b]", 0, "the grain names b")
	f("checks: a", 2, "checks must be a list")
	f("checks:\n  - a", 3, "each check must be a mapping")
	f("checks:\n  - positive: [a]", 3, `no check "positive"`)
	f("checks:\n  - grain: [a]", 3, `no check "grain"`)
	f("checks:\n  - not_null: [a]\n    unique: [a]", 4, "not_null and unique at once")
	f("checks:\n  - severity: warn", 3, "says nothing")
	f("checks:\n  - not_null: [a]\n    severity: fatal", 4, "error or warn")
	f("checks:\n  - accepted_values: {column: a}", 3, `accepted_values has no "values"`)
	f("checks:\n  - accepted_values: {column: a, values: [b], nulls: no}", 3, `accepted_values has no "nulls"`)
	f("checks:\n  - rows_match: {relation: customers, on: [a]}", 3, "write schema.name")
	f("columns:\n  a: x\nchecks:\n  - not_null: [a]\n  - not_null: [b]", 6, "not_null names b")
	f("doc: *anchor", 2, "")
	f("doc: a\n---\ndoc: b", 0, "more than one YAML document")
}

func TestAFileMayHaveNoHeader(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "select 1", "-- x\n/* goodhour\ndoc: a\n*/ select 1", "/* another comment */ select 1"} {
		if _, ok, errs := parseHeader(text); ok || len(errs) > 0 {
			t.Errorf("%q: got a header (%t) and %v", text, ok, errs)
		}
	}
	if _, _, errs := parseHeader("/* goodhour\ndoc: a\nselect 1"); len(errs) != 1 || !strings.Contains(errs[0].Error(), "no end") {
		t.Errorf("a comment without an end: got %v", errs)
	}
}

func FuzzHeader(f *testing.F) {
	f.Add(wholeHeader)
	f.Add("/* goodhour */ select 1")
	f.Add("/* goodhour\nchecks:\n  - a: {b: [c, d: e]}\n*/")
	f.Add("/* goodhour\n? a\n: b\n*/")
	f.Add("/* goodhour\ndoc: &a [*a, !!int x]\n*/")
	f.Fuzz(func(t *testing.T, text string) {
		header, ok, errs := parseHeader(text)
		if !ok && len(errs) == 0 && len(header.Columns) > 0 {
			t.Error("columns without a header")
		}
		// To YAML a carriage return ends a line too.
		lines := 1 + strings.Count(text, "\n") + strings.Count(text, "\r")
		for _, err := range errs {
			var at *yamlError
			if !errors.As(err, &at) || at.what == "" || at.line > lines {
				t.Errorf("%#v is no error in the file", err)
			}
		}
	})
}
