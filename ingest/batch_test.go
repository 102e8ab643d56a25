package ingest

import (
	"testing"
	"time"
)

func TestABatchClosesAtTheFirstLimit(t *testing.T) {
	t.Parallel()
	limits := Limits{Records: 100, Bytes: 1000, Age: time.Second}
	f := func(state fill, full, closes bool) {
		t.Helper()
		if got := limits.full(state); got != full {
			t.Errorf("full(%+v) = %v", state, got)
		}
		if got := limits.closes(state); got != closes {
			t.Errorf("closes(%+v) = %v", state, got)
		}
	}
	f(fill{}, false, false)
	f(fill{aged: true, awaited: true}, false, false) // nothing to commit
	f(fill{moves: true}, false, false)
	f(fill{moves: true, records: 99, bytes: 999}, false, false)
	f(fill{moves: true, records: 100}, true, true)
	f(fill{moves: true, records: 101}, true, true)
	f(fill{moves: true, records: 1, bytes: 1000}, true, true)
	f(fill{moves: true, records: 1, aged: true}, false, true)
	f(fill{moves: true, awaited: true}, false, true) // a marker alone moves the position
}

func TestLimitsMustBePositive(t *testing.T) {
	t.Parallel()
	f := func(l Limits, ok bool) {
		t.Helper()
		if err := l.validate(); (err == nil) != ok {
			t.Errorf("validate(%+v) = %v", l, err)
		}
	}
	f(Limits{Records: 1, Bytes: 1, Age: 1}, true)
	f(Limits{Bytes: 1, Age: 1}, false)
	f(Limits{Records: 1, Age: 1}, false)
	f(Limits{Records: 1, Bytes: 1}, false)
}
