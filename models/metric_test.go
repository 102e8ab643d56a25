package models

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMetricsCarryWhatTheyAreAFunctionOf(t *testing.T) {
	t.Parallel()
	conn := openConn(t)
	shipped := shippedFolder(t,
		"marts/a.sql", "select unnest([1, 2, 3]) as i",
		"metrics/size.sql", "-- columns: dimension value n\nselect 'all' as dimension, count(*)::decimal(9, 2) as value, count(*) as n from marts.a;",
		"metrics/share.sql", `-- columns: dimension value n
select if(i < 3, 'small', 'big') as dimension, avg(if(i > 5, i, null)) as value, count(*) as n from marts.a
where getvariable('as_of') = timestamp '2026-03-01' group by all`,
	)
	result, err := run(t.Context(), conn, Options{AsOf: testAsOf, Now: testClock(), OffsetCeiling: "c"}, shipped)
	if err != nil {
		t.Fatal(err)
	}
	takenAt := testAsOf.Add(time.Hour)
	take := func() []MetricValue {
		t.Helper()
		values, err := evaluateMetrics(t.Context(), conn, Project{shipped: shipped}, result.Provenance, takenAt)
		if err != nil {
			t.Fatal(err)
		}
		return values
	}
	three := 3.0
	got := take()
	want := []MetricValue{
		{Metric: "share", Dimension: "big", N: 1, TakenAt: takenAt, Provenance: result.Provenance, Hash: got[0].Hash},
		{Metric: "share", Dimension: "small", N: 2, TakenAt: takenAt, Provenance: result.Provenance, Hash: got[0].Hash},
		{Metric: "size", Dimension: "all", Value: &three, N: 3, TakenAt: takenAt, Provenance: result.Provenance, Hash: got[2].Hash},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got[0].OffsetCeiling != "c" || got[0].ModelVersion == "" || got[0].Hash == got[2].Hash {
		t.Errorf("%+v", got[0])
	}

	// The same facts give the same hash at any time, others another.
	takenAt = takenAt.Add(time.Hour)
	if again := take(); again[2].Hash != got[2].Hash {
		t.Error("the hash changes with the time at which it is taken")
	}
	exec(t, conn, "insert into marts.a values (2)")
	if restated := take(); restated[2].Hash == got[2].Hash || restated[1].Hash == got[1].Hash {
		t.Error("the hash does not change with the values")
	}

	exec(t, conn, "drop table marts.a")
	if _, err := evaluateMetrics(t.Context(), conn, Project{shipped: shipped}, result.Provenance, takenAt); err == nil ||
		!strings.Contains(err.Error(), "evaluate the metric share: ") {
		t.Errorf("got %v", err)
	}
}
