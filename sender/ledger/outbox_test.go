package ledger_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
)

// publish returns the events that are owed, a thousand at most, and marks none.
func (w *world) publish() (events []event.Event) {
	w.t.Helper()
	out, err := w.db.Unpublished(w.t.Context(), 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range out {
		events = append(events, o.Event)
	}
	return events
}

func TestEventsArePublishedByACursor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 5 {
		w.customer(n)
	}
	messages := []plan.Message{w.message(0), w.message(1), w.message(2), w.message(3), w.message(4)}
	messages[3].State, messages[3].Rule, messages[3].Inputs = plan.Suppressed, "consent_required", json.RawMessage(`{"opted_in":false}`)
	messages[4].State, messages[4].Arm, messages[4].Rule = plan.HeldOut, plan.Holdout, "holdout"
	p := w.plan("spring", messages...)
	outcomes := map[int]ledger.Outcome{0: ledger.Accepted, 1: ledger.Refused, 2: ledger.Unknown}
	for _, n := range slices.Sorted(maps.Keys(outcomes)) {
		w.claim(p.Messages[n].ID)
		w.settle(p.Messages[n].ID, outcomes[n])
	}
	all := w.publish()
	ids := map[string]event.Event{}
	for _, e := range all {
		ids[e.ID] = e
	}
	if len(all) != 8 || len(ids) != 8 {
		t.Fatalf("%d events with %d ids, want 8", len(all), len(ids))
	}
	for n, want := range map[int][2]string{0: {"accepted", ""}, 1: {"failed", "retry_safe"}, 2: {"unknown", ""}} {
		e := ids["attempt:"+p.Messages[n].ID+"-1"]
		var data event.MessageAttemptedData
		if err := json.Unmarshal(e.Data, &data); err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
		if got := [2]string{data.Outcome, data.ErrorClass}; got != want || e.Subject != shopKey(n) || data.Template != "hello/pt_BR" {
			t.Errorf("message %d: the attempt of %s is %v, want %v", n, e.Subject, got, want)
		}
	}
	for n, want := range map[int]string{0: "allow ", 3: "suppress consent_required", 4: "hold_out holdout"} {
		var data event.DecisionMadeData
		if err := json.Unmarshal(ids["decision:"+p.Messages[n].ID+":planning"].Data, &data); err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
		if got := data.Verdict + " " + data.Rule; got != want || data.Stage != "planning" || data.HourReason != "segment" {
			t.Errorf("message %d: the decision is %s, want %s", n, got, want)
		}
	}
	// Page by page, with a crash before each mark: the same events, in order.
	var paged []string
	for {
		w.reopen()
		page, err := w.db.Unpublished(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, o := range page {
			paged = append(paged, fmt.Sprint(o.Event))
		}
		if err := w.db.MarkPublished(t.Context(), page[len(page)-1].Cursor); err != nil {
			t.Fatal(err)
		}
	}
	for i, e := range all {
		if paged[i] != fmt.Sprint(e) {
			t.Errorf("event %d is another one after a restart", i)
		}
	}
	if len(paged) != len(all) || len(w.publish()) != 0 {
		t.Errorf("%d events came in pages, want %d", len(paged), len(all))
	}
	if err := w.db.MarkPublished(t.Context(), 1000); err == nil {
		t.Error("what is not there yet was marked as published")
	}
	// They are events that the warehouse and the ledger itself can read.
	w.load(all...)
	if w.stateOf(&p.Messages[0]) != plan.Accepted || strings.Contains(all[0].Subject, "+") {
		t.Error("reading its own events changed the ledger")
	}
}

func TestCancellingIsADecisionOnEachMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer(1)
	p := w.plan("spring", w.message(1))
	if err := w.db.Cancel(t.Context(), p.ID, "bea", w.now); err != nil {
		t.Fatal(err)
	}
	events := w.publish()
	var data event.DecisionMadeData
	if err := json.Unmarshal(events[len(events)-1].Data, &data); err != nil || len(events) != 2 || data.Verdict != "cancel" {
		t.Errorf("%d events, the last is %+v, %v", len(events), data, err)
	}
}
