package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
)

// model is a plan as simply as it can be said.
type model struct {
	approved, paused, cancelled bool
	messages                    []modelMessage
}

type modelMessage struct {
	state             plan.State
	notBefore         time.Time
	proved, bounced   bool // statuses said that it was sent, or that it failed
	attempts, settled int
}

func (m *model) active() bool { return m.approved && !m.paused && !m.cancelled }

func (m *model) count(s plan.State) (n int) {
	for i := range m.messages {
		if m.messages[i].state == s {
			n++
		}
	}
	return n
}

func (m *model) status() plan.Status {
	begun := false
	for i := range m.messages {
		begun = begun || m.messages[i].attempts > 0
	}
	switch {
	case m.cancelled:
		return plan.CancelledPlan
	case !m.approved:
		return plan.Planned
	case m.count(plan.Waiting)+m.count(plan.Claimed) == 0:
		return plan.Done
	case m.paused:
		return plan.Paused
	case begun:
		return plan.Running
	default:
		return plan.Approved
	}
}

// heard is what statuses do, once no call is in flight.
func (m *modelMessage) heard() {
	switch m.state {
	case plan.Waiting, plan.Unknown, plan.Failed, plan.Cancelled:
		if m.proved || m.bounced && m.state == plan.Unknown {
			m.state = plan.Accepted
		}
	default:
	}
}

func (m *model) settle(i int, outcome ledger.Outcome, notBefore time.Time) {
	one := &m.messages[i]
	one.settled = one.attempts
	switch {
	case outcome == ledger.Refused && m.cancelled:
		one.state = plan.Cancelled
	case outcome == ledger.Refused:
		one.state, one.notBefore = plan.Waiting, notBefore
	default:
		one.state = plan.State(outcome)
	}
	one.heard()
}

// Random steps against the model: every message is in exactly one state, the
// counts add up, what is due is what should be, and a restart after any step
// changes nothing but what was in flight.
func TestLedgerAgreesWithAModel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const customers = 3
	for n := range customers {
		w.customer(n)
	}
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		var messages []plan.Message
		var m model
		for n := range customers {
			message := w.message(n)
			if n == customers-1 {
				message.State, message.Rule = plan.Suppressed, "consent_required"
			}
			messages = append(messages, message)
			m.messages = append(m.messages, modelMessage{state: message.State})
		}
		p := w.planned(fmt.Sprint("campaign ", run), messages...)
		for range 20 {
			w.step(t, p, &m)
			w.compare(t, p, &m)
		}
		w.restart(&m)
		w.compare(t, p, &m)
		if err := w.db.Cancel(w.t.Context(), p.ID, "end", w.now); err != nil && m.status() != plan.Done {
			t.Fatal(err)
		}
	})
}

// step does one random thing to the ledger and to the model.
func (w *world) step(t *rapid.T, p *plan.Plan, m *model) {
	ctx := w.t.Context()
	i := rapid.IntRange(0, len(m.messages)-1).Draw(t, "message")
	one, id := &m.messages[i], p.Messages[i].ID
	// refuse checks that the ledger refuses exactly what the model does.
	agree := func(err error, ok bool) bool {
		if (err == nil) != ok {
			t.Fatalf("message %d is %s in a plan that is %s: %v", i, one.state, m.status(), err)
		}
		return ok
	}
	switch rapid.SampledFrom([]string{
		"approve", "approve", "pause", "resume", "cancel", "claim", "claim", "claim", "settle", "settle", "record", "record", "status", "resolve", "later", "restart", "publish",
	}).Draw(t, "step") {
	case "approve":
		if agree(w.db.Approve(ctx, p.ID, p.Hash, "bea", w.now), m.status() == plan.Planned) {
			m.approved = true
		}
	case "pause":
		s := m.status()
		if agree(w.db.Pause(ctx, p.ID, "bea", w.now), s == plan.Approved || s == plan.Running || s == plan.Paused) {
			m.paused = true
		}
	case "resume":
		s := m.status()
		if agree(w.db.Resume(ctx, p.ID, "bea", w.now), s == plan.Approved || s == plan.Running || s == plan.Paused) {
			m.paused = false
		}
	case "cancel":
		if agree(w.db.Cancel(ctx, p.ID, "bea", w.now), m.status() != plan.Done) {
			m.cancelled = true
			for j := range m.messages {
				if m.messages[j].state == plan.Waiting {
					m.messages[j].state, m.messages[j].notBefore = plan.Cancelled, time.Time{}
				}
			}
		}
	case "claim":
		if agree(w.tryClaim(id), one.state == plan.Waiting && m.active()) {
			one.state = plan.Claimed
			one.attempts++
		}
	case "settle":
		outcome := rapid.SampledFrom([]ledger.Outcome{ledger.Accepted, ledger.Failed, ledger.Unknown, ledger.Refused}).Draw(t, "outcome")
		notBefore := w.now.Add(time.Minute)
		err := w.db.Settle(ctx, []ledger.Settlement{{
			MessageID: id, AttemptID: fmt.Sprintf("%s-%d", id, one.attempts), At: w.now, Outcome: outcome, NotBefore: notBefore,
		}})
		if agree(err, one.state == plan.Claimed) {
			m.settle(i, outcome, notBefore)
		}
	case "resolve":
		outcome := rapid.SampledFrom([]ledger.Outcome{ledger.Accepted, ledger.Failed}).Draw(t, "outcome")
		err := w.db.Resolve(ctx, p.ID, id, ledger.Resolution{Outcome: outcome, By: "bea", At: w.now})
		if agree(err, one.state == plan.Unknown) {
			m.settle(i, outcome, time.Time{})
		}
	case "record":
		w.record(t, id, one, agree)
	case "status":
		status := rapid.SampledFrom([]ledger.DeliveryStatus{ledger.Sent, ledger.Undelivered, ledger.Delivered, ledger.Read}).Draw(t, "status")
		w.load(w.statusEvent(1, i, &p.Messages[i], status))
		one.proved = one.proved || status != ledger.Undelivered
		one.bounced = one.bounced || status == ledger.Undelivered
		one.heard()
	case "later":
		w.now = w.now.Add(2 * time.Minute)
	case "restart":
		w.restart(m)
	case "publish":
		out, err := w.db.Unpublished(ctx, 7)
		if err == nil && len(out) > 0 {
			err = w.db.MarkPublished(ctx, out[len(out)-1].Cursor)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// restart loses the outcome of what was in flight.
func (w *world) restart(m *model) {
	w.t.Helper()
	w.reopen()
	for i := range m.messages {
		if m.messages[i].state == plan.Claimed {
			m.settle(i, ledger.Unknown, time.Time{})
		}
	}
}

func (w *world) record(t *rapid.T, id string, one *modelMessage, agree func(error, bool) bool) {
	verdict := rapid.SampledFrom([]plan.Verdict{plan.Delay, plan.Delay, plan.Delay, plan.Suppress, plan.HoldOut, plan.Expire}).Draw(t, "verdict")
	d := plan.Decision{MessageID: id, Stage: plan.AtClaim, Verdict: verdict, Rule: "some_rule", At: w.now}
	if verdict == plan.Delay {
		d.Until = w.now.Add(3 * time.Minute)
	}
	ok := one.state == plan.Waiting || one.state == plan.Claimed && verdict != plan.Delay
	if !agree(w.db.Record(w.t.Context(), []plan.Decision{d}), ok) {
		return
	}
	states := map[plan.Verdict]plan.State{
		plan.Delay: plan.Waiting, plan.Suppress: plan.Suppressed, plan.HoldOut: plan.HeldOut, plan.Expire: plan.Expired,
	}
	one.state, one.notBefore = states[verdict], d.Until
}

func (w *world) compare(t *rapid.T, p *plan.Plan, m *model) {
	status := w.status(p)
	sum := 0
	for _, s := range plan.States() {
		if got, want := status.States[s], m.count(s); got != want {
			t.Fatalf("%d messages are %s, want %d", got, s, want)
		}
		sum += status.States[s]
	}
	if sum != status.Messages || status.Messages != len(m.messages) {
		t.Fatalf("the states add up to %d of %d messages", sum, status.Messages)
	}
	if status.Status != m.status() {
		t.Fatalf("the plan is %s, want %s", status.Status, m.status())
	}
	if got, want := w.db.Unsettled(), m.count(plan.Claimed); got != want {
		t.Fatalf("%d attempts are open, want %d", got, want)
	}
	due := map[string]bool{}
	for _, id := range w.due() {
		due[id] = true
	}
	details, err := w.db.Messages(w.t.Context(), p.ID, "", "", len(m.messages))
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]plan.State{}
	for i := range details {
		states[details[i].ID] = details[i].StateNow
	}
	for i := range m.messages {
		one, id := &m.messages[i], p.Messages[i].ID
		if want := one.state == plan.Waiting && m.active() && !one.notBefore.After(w.now); due[id] != want {
			t.Fatalf("message %d is %s, due is %v", i, one.state, !want)
		}
		if states[id] != one.state {
			t.Fatalf("message %d is %q, want %s", i, states[id], one.state)
		}
	}
	at, waits := w.db.NextDue()
	if waits != (m.active() && m.count(plan.Waiting) > 0) {
		t.Fatalf("something will be due at %s: %v, and %d wait", at, waits, m.count(plan.Waiting))
	}
	if waits && at.After(w.now) != (len(due) == 0) {
		t.Fatalf("%d are due now, the next at %s", len(due), at)
	}
}
