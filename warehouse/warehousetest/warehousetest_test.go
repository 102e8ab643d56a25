package warehousetest_test

import (
	"testing"

	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

func TestQueryPrintsEveryType(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	got := warehousetest.Query(t, db, "select 1, 'a', null, timestamp '2026-01-02 03:04:05', [1, 2] where ? = 5", 5)
	want := []string{"1", "a", "NULL", "2026-01-02 03:04:05", "[1, 2]"}
	if len(got) != 1 || len(got[0]) != len(want) {
		t.Fatalf("got %q", got)
	}
	for i := range want {
		if got[0][i] != want[i] {
			t.Errorf("column %d: got %q, want %q", i, got[0][i], want[i])
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		warehousetest.New(b)
	}
}
