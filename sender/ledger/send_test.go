package ledger_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
)

func TestAMessageGoesItsWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer(1)
	p := w.planned("spring", w.message(1))
	m := &p.Messages[0]
	if len(w.due()) > 0 {
		t.Error("a message is due before its plan is approved")
	}
	if err := w.tryClaim(m.ID); err == nil {
		t.Error("a message was claimed before its plan was approved")
	}
	var wrong *ledger.HashError
	if err := w.db.Approve(t.Context(), p.ID, "of another plan", "bea", w.now); !errors.As(err, &wrong) {
		t.Errorf("an approval of another hash: %v", err)
	}
	if err := w.db.Approve(t.Context(), p.ID, p.Hash, "bea", w.now); err != nil {
		t.Fatal(err)
	}
	if got := w.status(p); got.Status != plan.Approved || got.ApprovedBy != "bea" {
		t.Errorf("the plan is %s by %q", got.Status, got.ApprovedBy)
	}
	w.reopen()
	if got := w.due(); !slices.Equal(got, []string{m.ID}) {
		t.Fatalf("due is %v", got)
	}
	parameters, err := w.db.Parameters(t.Context(), []string{m.ID})
	if err != nil || parameters[m.ID]["1"] != "Ana 1" {
		t.Errorf("the parameters are %v, %v", parameters, err)
	}
	if address, err := w.db.Address(t.Context(), m.To); err != nil || address.Phone != phoneOf(1) {
		t.Errorf("the address is wrong, %v", err)
	}
	if id := w.db.NextAttempt(m.ID); id != m.ID+"-1" {
		t.Errorf("the first attempt is %s", id)
	}
	w.claim(m.ID)
	if got := w.status(p); got.Status != plan.Running || got.States[plan.Claimed] != 1 || w.db.Unsettled() != 1 {
		t.Errorf("after the claim the plan is %s, %v", got.Status, got.States)
	}
	if err := w.tryClaim(m.ID); err == nil {
		t.Error("a message was claimed twice")
	}
	w.settle(m.ID, ledger.Accepted)
	if got := w.status(p); got.Status != plan.Done || got.States[plan.Accepted] != 1 || w.db.Unsettled() != 0 {
		t.Errorf("after the settlement the plan is %s, %v", got.Status, got.States)
	}
	var stale *ledger.MessageError
	if err := w.db.Settle(t.Context(), []ledger.Settlement{{
		MessageID: m.ID, AttemptID: m.ID + "-1", At: w.now, Outcome: ledger.Failed,
	}}); !errors.As(err, &stale) {
		t.Errorf("an attempt was settled twice: %v", err)
	}
}

func TestARefusalWaitsAndCountsAsAnAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer(1)
	p := w.plan("spring", w.message(1))
	m := &p.Messages[0]
	w.claim(m.ID)
	w.settle(m.ID, ledger.Refused)
	for range 2 {
		if got := w.due(); len(got) > 0 {
			t.Fatalf("%v is due before its not-before time", got)
		}
		if at, ok := w.db.NextDue(); !ok || !at.Equal(w.now.Add(time.Minute)) {
			t.Errorf("the next is due at %s, %v", at, ok)
		}
		w.reopen()
	}
	w.now = w.now.Add(time.Minute)
	if got := w.due(); len(got) != 1 || w.db.NextAttempt(m.ID) != m.ID+"-2" {
		t.Fatalf("due is %v, the next attempt %s", got, w.db.NextAttempt(m.ID))
	}
	w.claim(m.ID)
	w.settle(m.ID, ledger.Failed)
	got := w.detail(m)
	if got.StateNow != plan.Failed || len(got.Attempts) != 2 || got.Attempts[0].Outcome != ledger.Refused {
		t.Errorf("got %+v", got)
	}
}

func TestPauseHoldsAndResumeGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 3 {
		w.customer(n)
	}
	first, second := w.plan("spring", w.message(0), w.message(1)), w.plan("summer", w.message(2))
	if got := len(w.due()); got != 3 {
		t.Fatalf("%d are due", got)
	}
	if n, err := w.db.PauseAll(t.Context(), "bea", w.now); n != 2 || err != nil {
		t.Fatalf("%d plans were paused, %v", n, err)
	}
	for range 2 {
		if got := w.due(); len(got) > 0 {
			t.Fatalf("%v is due in a paused plan", got)
		}
		if _, ok := w.db.NextDue(); ok {
			t.Error("something will be due in a paused plan")
		}
		if err := w.tryClaim(first.Messages[0].ID); err == nil {
			t.Error("a message of a paused plan was claimed")
		}
		w.reopen()
	}
	if err := w.db.Resume(t.Context(), first.ID, "bea", w.now); err != nil {
		t.Fatal(err)
	}
	if got := len(w.due()); got != 2 || w.status(first).Status != plan.Approved || w.status(second).Status != plan.Paused {
		t.Errorf("%d are due after the resume", got)
	}
	w.claim(first.Messages[0].ID)
	if err := w.db.Cancel(t.Context(), first.ID, "bea", w.now); err != nil {
		t.Fatal(err)
	}
	w.settle(first.Messages[0].ID, ledger.Refused) // is cancelled with its plan
	for range 2 {
		if got := w.status(first); got.Status != plan.CancelledPlan || got.States[plan.Cancelled] != 2 {
			t.Errorf("the cancelled plan is %s, %v", got.Status, got.States)
		}
		w.reopen()
	}
	var refused *ledger.StatusError
	if err := w.db.Resume(t.Context(), first.ID, "bea", w.now); !errors.As(err, &refused) {
		t.Errorf("a cancelled plan was resumed: %v", err)
	}
	if err := w.db.Cancel(t.Context(), "plan_x", "bea", w.now); !errors.Is(err, ledger.ErrNoPlan) {
		t.Errorf("cancelling no plan: %v", err)
	}
}

func TestDueGivesTheMoreValuableFirstAndAPersonOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var messages []plan.Message
	for n := range 4 {
		w.customer(n)
		m := w.message(n)
		m.Priority = float64(n)
		messages = append(messages, m)
	}
	messages[3].SendAt = start.Add(time.Hour)
	messages[2].NumberID = "number-2"
	p := w.plan("spring", messages...)
	again := w.plan("summer", w.message(1))
	want := []string{p.Messages[2].ID, p.Messages[1].ID, p.Messages[0].ID}
	for range 2 {
		if diff := cmp.Diff(want, w.due()); diff != "" {
			t.Errorf("due (-want +got):\n%s", diff)
		}
		some, err := w.db.Due(t.Context(), w.now, 10, "number-2", "number-9")
		if err != nil || len(some) != 1 || some[0].ID != want[0] {
			t.Errorf("due from one number is %v, %v", some, err)
		}
		some, err = w.db.Due(t.Context(), w.now, 1)
		if err != nil || len(some) != 1 || some[0].ID != want[0] {
			t.Errorf("the first that is due is %v, %v", some, err)
		}
		w.reopen()
	}
	if err := w.tryClaim(p.Messages[1].ID, again.Messages[0].ID); err == nil {
		t.Error("two messages to one person were claimed at once")
	}
	w.claim(want...)
	if got := w.due(); !slices.Equal(got, []string{again.Messages[0].ID}) {
		t.Errorf("due is now %v", got)
	}
	w.now = start.Add(time.Hour)
	if got := w.due(); len(got) != 2 {
		t.Errorf("an hour later %v is due", got)
	}
}

func TestDecisionsAreRecordedWhenTheyChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer(1)
	p := w.plan("spring", w.message(1))
	m := &p.Messages[0]
	delay := func(rule policy.Rule, minutes int) {
		t.Helper()
		if err := w.db.Record(t.Context(), []plan.Decision{{
			MessageID: m.ID, Stage: plan.AtClaim, Verdict: plan.Delay, Rule: string(rule), At: w.now,
			Until: w.now.Add(time.Duration(minutes) * time.Minute), Inputs: []byte(`{"claims":1}`),
		}}); err != nil {
			t.Fatal(err)
		}
	}
	events := len(w.publish())
	delay(policy.MarketingCap, 5)
	delay(policy.MarketingCap, 7)
	delay(policy.QuietHours, 3)
	if got := w.status(p).Rules; got[policy.QuietHours] != 1 || len(got) != 1 {
		t.Errorf("the rules that hold messages are %v", got)
	}
	if at, _ := w.db.NextDue(); !at.Equal(w.now.Add(3 * time.Minute)) {
		t.Errorf("the message is due at %s", at)
	}
	w.now = w.now.Add(3 * time.Minute)
	if got := w.due(); len(got) != 1 {
		t.Fatalf("due is %v", got)
	}
	w.claim(m.ID)
	// Not handed over: the customer has just opted out.
	if err := w.db.Record(t.Context(), []plan.Decision{{
		MessageID: m.ID, Stage: plan.AtClaim, Verdict: plan.Suppress, Rule: string(policy.OptedOut), At: w.now,
	}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got := w.detail(m)
		if got.StateNow != plan.Suppressed || got.RuleNow != string(policy.OptedOut) || len(got.Decisions) != 6 {
			t.Errorf("got %+v", got)
		}
		w.reopen()
	}
	// Two delays by two rules, the allow of the claim, the suppression: the
	// delay that only moved is no event.
	if got := len(w.publish()) - events; got != 4 {
		t.Errorf("%d events for the decisions", got)
	}
	var refused *ledger.MessageError
	if err := w.db.Record(t.Context(), []plan.Decision{{
		MessageID: m.ID, Verdict: plan.Delay, Until: w.now, At: w.now,
	}}); !errors.As(err, &refused) {
		t.Errorf("a suppressed message was delayed: %v", err)
	}
}
