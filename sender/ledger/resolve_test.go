package ledger_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
)

// A person's word moves an unknown message, is kept and published, and outlives
// a restart; a status that comes later still proves that it was sent.
func TestAPersonResolvesWhatIsUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 3 {
		w.customer(n)
	}
	p := w.plan("spring", w.message(0), w.message(1), w.message(2))
	outcomes := []ledger.Outcome{ledger.Unknown, ledger.Unknown, ledger.Accepted}
	for n, outcome := range outcomes {
		w.claim(p.Messages[n].ID)
		w.settle(p.Messages[n].ID, outcome)
	}
	resolve := func(planID, messageID string, outcome ledger.Outcome) error {
		return w.db.Resolve(t.Context(), planID, messageID, ledger.Resolution{Outcome: outcome, By: "bea", At: w.now})
	}
	first, second, third := p.Messages[0].ID, p.Messages[1].ID, p.Messages[2].ID
	before := len(w.publish())
	var wrong *ledger.MessageError
	for name, err := range map[string]error{
		"accepted already": resolve(p.ID, third, ledger.Failed), "no outcome": resolve(p.ID, first, ledger.Refused),
	} {
		if !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := resolve("nothing", first, ledger.Failed); !errors.Is(err, ledger.ErrNoPlan) {
		t.Errorf("another plan: %v", err)
	}
	if err := resolve(p.ID, "nothing", ledger.Failed); !errors.Is(err, ledger.ErrNoMessage) {
		t.Errorf("another message: %v", err)
	}
	if err := errors.Join(resolve(p.ID, first, ledger.Accepted), resolve(p.ID, second, ledger.Failed)); err != nil {
		t.Fatal(err)
	}
	if err := resolve(p.ID, second, ledger.Accepted); !errors.As(err, &wrong) {
		t.Errorf("a second word: %v", err)
	}
	check := func(accepted, failed int) {
		t.Helper()
		want := map[plan.State]int{plan.Accepted: accepted, plan.Failed: failed}
		for _, s := range plan.States() {
			if got := w.status(p).States[s]; got != want[s] {
				t.Errorf("%d are %s, want %d", got, s, want[s])
			}
		}
	}
	check(2, 1)
	w.reopen()
	check(2, 1)
	events := w.publish()
	if len(events) != before+2 {
		t.Fatalf("%d events, want %d", len(events), before+2)
	}
	for i, want := range [][3]string{
		{"resolution:" + first + "-1", "accepted", "resolved_by_person"},
		{"resolution:" + second + "-1", "failed", "resolved_by_person"},
	} {
		e := events[before+i]
		var data event.MessageAttemptedData
		if err := json.Unmarshal(e.Data, &data); err != nil {
			t.Fatal(err)
		}
		if got := [3]string{e.ID, data.Outcome, data.Rule}; got != want || data.AttemptID != p.Messages[i].ID+"-1" {
			t.Errorf("published %v of attempt %s, want %v", got, data.AttemptID, want)
		}
	}
	explained, err := w.db.Explain(t.Context(), p.ID, p.Messages[1].CustomerID)
	if err != nil || len(explained) != 1 || len(explained[0].Attempts) != 1 {
		t.Fatalf("explained %+v, %v", explained, err)
	}
	want := &ledger.Resolution{Outcome: ledger.Failed, By: "bea", At: w.now}
	if diff := cmp.Diff(want, explained[0].Attempts[0].Resolution); diff != "" {
		t.Errorf("the resolution (-want +got):\n%s", diff)
	}
	w.load(w.statusEvent(1, 1, &p.Messages[1], ledger.Delivered))
	check(3, 0)
	w.reopen()
	check(3, 0)
}
