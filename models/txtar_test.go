package models

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var totals = []string{
	"staging/orders.sql", "-- columns: order_id amount at_day\nselect order_id, amount, ce_time::date as at_day from raw.order_completed",
	"marts/totals.sql", `-- columns: at_day amount mean note
select at_day, sum(amount) as amount, avg(amount) / 3 as mean, case when sum(amount) > max(cut) then '' end as note
from staging.orders cross join staging.settings where at_day <= getvariable('as_of') group by all`,
	"metrics/orders.sql", "-- columns: dimension value n\nselect '' as dimension, sum(amount) as value, count(*) as n from marts.totals",
}

func runOne(t *testing.T, text string) TestResult {
	t.Helper()
	options := TestOptions{Open: openSources, Project: Project{shipped: shippedFolder(t, totals...)}}
	results, err := RunTests(t.Context(), folder(t, "one.txtar", text, "other.txtar", "nothing"), "o?e", options)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 1 || results[0].File != "one.txtar" {
		t.Fatalf("%d results", len(results))
	}
	return results[0]
}

const given = `Two days.
-- as_of --
2026-03-01T00:00:00Z
-- settings.yaml --
cut: 15
-- given/raw.order_completed.csv --
order_id,amount,ce_time
1,10,2026-02-01T10:00:00Z
2,10.5000,2026-02-01 23:59:59
3,,2026-02-02
4,5,2026-03-02
`

func TestAModelTestComparesTypedRowsInAnyOrder(t *testing.T) {
	t.Parallel()
	got := runOne(t, given+`-- want/marts.totals.csv --
at_day,note,amount,mean
2026-02-02,,,
2026-02-01,'',20.50,3.416666666666667
-- want/staging.orders.csv --
order_id
4
3
2
1
-- want/metrics.orders.csv --
dimension,value,n
'',20.5,2
`)
	if !got.OK() {
		t.Error(got.Error, got.Diff)
	}
}

func TestAModelTestShowsWhatDiffers(t *testing.T) {
	t.Parallel()
	test := given + `-- want/marts.totals.csv --
at_day,amount
2026-02-01,20
2026-02-01,20
-- want/staging.orders.csv --
`
	got := runOne(t, test)
	want := `want/marts.totals.csv
  at_day,amount
- 2026-02-01,20.0000
- 2026-02-01,20.0000
+ 2026-02-01,20.5000
+ 2026-02-02,
want/staging.orders.csv
  order_id,amount,at_day
+ 1,10.0000,2026-02-01
+ 2,10.5000,2026-02-01
+ 3,,2026-02-02
+ 4,5.0000,2026-03-02
`
	if diff := cmp.Diff(want, got.Diff); diff != "" {
		t.Error(diff)
	}
	wantUpdated := given + `-- want/marts.totals.csv --
at_day,amount
2026-02-01,20.5000
2026-02-02,
-- want/staging.orders.csv --
order_id,amount,at_day
1,10.0000,2026-02-01
2,10.5000,2026-02-01
3,,2026-02-02
4,5.0000,2026-03-02
`
	if diff := cmp.Diff(wantUpdated, string(got.Updated)); diff != "" {
		t.Error(diff)
	}
	if again := runOne(t, string(got.Updated)); !again.OK() {
		t.Error("what was updated fails:", again.Error, again.Diff)
	}
}

func TestAGivenModelIsNotComputed(t *testing.T) {
	t.Parallel()
	got := runOne(t, `-- as_of --
2026-03-01T00:00:00Z
-- given/staging.orders.csv --
at_day,amount
2026-02-01,60
-- want/marts.totals.csv --
at_day,amount,mean,note
2026-02-01,60,20,''
`)
	if !got.OK() {
		t.Error(got.Error, got.Diff)
	}
}

func TestAModelTestThatCannotRunSaysWhy(t *testing.T) {
	t.Parallel()
	f := func(test, want string) {
		t.Helper()
		if got := runOne(t, test); !strings.Contains(got.Error, want) {
			t.Errorf("got %q, want %q", got.Error, want)
		}
	}
	const asOf = "-- as_of --\n2026-03-01T00:00:00Z\n"
	const want = "-- want/marts.totals.csv --\nat_day\n"
	f("nothing", "there is no section as_of")
	f(asOf, "there is no section want/")
	f("-- as_of --\nyesterday\n"+want, `section as_of: parsing time "yesterday"`)
	f(asOf+"-- wanted/a.b.csv --\n"+want, "section wanted/a.b.csv: a test has the sections")
	f(asOf+"-- settings.yaml --\nhot_day: 1\n"+want, "no setting hot_day")
	f(asOf+"-- settings.yaml --\n- a\n"+want, "section settings.yaml: the settings must be a mapping")
	f(asOf+"-- given/orders.csv --\n"+want, "section given/orders.csv: \"orders\" is not a relation")
	f(asOf+"-- given/raw.order_completed.csv --\namount\n1,2\n"+want, "wrong number of fields")
	f(asOf+"-- given/raw.order_completed.csv --\namout\n1\n"+want, "give raw.order_completed: it has no column amout; it has ce_source")
	f(asOf+"-- given/raw.order_completed.csv --\namount\n1\nx\n"+want, "give raw.order_completed: row 2: Conversion Error")
	f(asOf+"-- given/staging.identity_customers.csv --\n"+want, "staging.identity_customers is given, and nothing that is wanted reads it")
	f(asOf+"-- want/marts.total.csv --\nat_day\n", "there is no model marts.total: marts has totals")
	f(asOf+"-- want/marts.totals.csv --\nday\n", "compare marts.totals: it has no column day; it has at_day, amount, mean, note")
	f(asOf+"-- want/marts.totals.csv --\nat_day\nsoon\n", "compare marts.totals: row 1: Conversion Error")
}
