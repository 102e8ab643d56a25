package warehouse_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/warehouse"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

func TestModelRunsAndTheirChecksAreKept(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	good := warehouse.ModelRun{
		RunID: "run-1", Provenance: warehouse.Provenance{AsOf: runTime(0), OffsetCeiling: `[{"topic":"goodhour.read","partition":0,"next_offset":7}]`, ModelVersion: "m1", ConfigHash: "c1"},
		Version: "v1", StartedAt: runTime(1), FinishedAt: runTime(2), State: warehouse.RunPublished,
		Built: 12, Failed: 1, Skipped: 2, Rows: 1_000_000, ChecksFailed: 3, RelationErrors: `{"analyst.x":"it's broken"}`,
		CopyTime: 1500 * time.Millisecond, CopiedRows: 42, FileBytes: 1 << 40,
	}
	checks := []warehouse.ModelCheck{
		{RunID: "run-1", Relation: "marts.customers", Check: "grain (customer_id)", Took: 3 * time.Millisecond},
		{RunID: "run-1", Relation: "marts.customers", Check: "not null (currency)", Warning: true, Failed: 5, Example: `{"customer_id":"x"}`},
		{RunID: "run-1", Relation: "analyst.x", Check: "columns", Error: "it's 'quoted'"},
	}
	bad := warehouse.ModelRun{
		RunID: "run-2", Provenance: warehouse.Provenance{AsOf: runTime(3), OffsetCeiling: "[]"}, StartedAt: runTime(4), FinishedAt: runTime(5),
		State: warehouse.RunFailed, Error: "marts.customers: no memory", RelationErrors: "{}",
	}
	if err := db.RecordRun(t.Context(), good, checks); err != nil {
		t.Fatal(err)
	}
	if err := db.RecordRun(t.Context(), bad, nil); err != nil {
		t.Fatal(err)
	}
	runs, err := db.ModelRuns(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]warehouse.ModelRun{bad, good}, runs); diff != "" {
		t.Error(diff)
	}
	if runs, err := db.ModelRuns(t.Context(), 1); err != nil || len(runs) != 1 || runs[0].RunID != "run-2" {
		t.Errorf("the last run: %v, %v", runs, err)
	}
	kept, err := db.ModelChecks(t.Context(), "run-1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(checks, kept); diff != "" {
		t.Error(diff)
	}
}

func TestARunThatCannotBeRecordedLeavesNothing(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	run := warehouse.ModelRun{RunID: "run", State: warehouse.RunPublished, RelationErrors: "not json"}
	if err := db.RecordRun(t.Context(), run, []warehouse.ModelCheck{{Relation: "x", Check: "y"}}); err == nil {
		t.Error("recorded")
	}
	if got := warehousetest.Query(t, db, "select (select count(*) from ops.model_runs) + (select count(*) from ops.model_checks)"); got[0][0] != "0" {
		t.Errorf("%s rows", got[0][0])
	}
}

// A day that is computed again adds rows only where a value differs, and each
// names the row that it replaces.
func TestRestatementsAreNewRows(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	take := func(at, version string, values map[string]*float64) []warehouse.Snapshot {
		taken, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		var out []warehouse.Snapshot
		for _, dimension := range []string{"", "hot", "cold"} {
			v, ok := values[dimension]
			if !ok {
				continue
			}
			out = append(out, warehouse.Snapshot{
				TakenAt: taken, Metric: "read_rate", Dimension: dimension, Value: v, N: 100, Hash: "h" + version,
				Provenance: warehouse.Provenance{AsOf: runTime(0), OffsetCeiling: "[]", ModelVersion: version, ConfigHash: "c"},
			})
		}
		return out
	}
	record := func(want int64, snapshots []warehouse.Snapshot) {
		t.Helper()
		if added, err := db.RecordSnapshots(t.Context(), snapshots); err != nil || added != want {
			t.Errorf("added %d, want %d: %v", added, want, err)
		}
	}
	first := take("2026-11-25T13:00:00Z", "m1", map[string]*float64{"": new(0.1), "hot": new(1.0 / 3), "cold": nil})
	record(3, first)
	record(0, first)
	record(0, take("2026-11-25T14:00:00Z", "m2", map[string]*float64{"": new(0.1), "hot": new(1.0 / 3), "cold": nil}))
	record(2, take("2026-11-25T15:00:00Z", "m3", map[string]*float64{"": new(0.2), "hot": new(1.0 / 3), "cold": new(0.0)}))
	record(1, take("2026-11-25T16:00:00Z", "m4", map[string]*float64{"": new(0.2), "cold": new(0.0)})) // hot is gone
	record(0, take("2026-11-25T17:00:00Z", "m5", map[string]*float64{"": new(0.2), "cold": new(0.0)})) // and stays gone
	record(1, take("2026-11-25T18:00:00Z", "m6", map[string]*float64{"": new(0.1), "cold": new(0.0)})) // back to a value of before
	record(0, nil)

	type row struct {
		Dimension, Version, Taken, Restates string
		Value                               any
		N                                   int64
	}
	snapshots, err := db.Snapshots(t.Context(), warehouse.SnapshotFilter{Metric: "read_rate"})
	if err != nil {
		t.Fatal(err)
	}
	var got []row
	clock := func(at time.Time) string {
		if at.IsZero() {
			return ""
		}
		return at.Format("15:04")
	}
	for _, s := range snapshots {
		var v any
		if s.Value != nil {
			v = *s.Value
		}
		got = append(got, row{s.Dimension, s.ModelVersion, clock(s.TakenAt), clock(s.Restates), v, s.N})
	}
	want := []row{
		{"", "m6", "18:00", "15:00", 0.1, 100},
		{"", "m3", "15:00", "13:00", 0.2, 100},
		{"", "m1", "13:00", "", 0.1, 100},
		{"cold", "m3", "15:00", "13:00", 0.0, 100},
		{"cold", "m1", "13:00", "", nil, 100},
		{"hot", "m4", "16:00", "13:00", nil, 0},
		{"hot", "m1", "13:00", "", 1.0 / 3, 100},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for filter, want := range map[warehouse.SnapshotFilter]int{
		{}: 7, {Metric: "no such"}: 0, {From: runTime(0)}: 7, {From: runTime(1)}: 0, {Until: runTime(0)}: 0, {Until: runTime(1)}: 7, {Limit: 2}: 2,
	} {
		if got, err := db.Snapshots(t.Context(), filter); err != nil || len(got) != want {
			t.Errorf("%+v: %d snapshots, %v", filter, len(got), err)
		}
	}
}
