package ledger_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
)

func (w *world) said(minutes, n int, text string) event.Event {
	return w.happened(minutes, phone(n), event.MessageReceivedData{
		ProviderMessageID: fmt.Sprintf("in-%d-%d", n, minutes), Provider: "sandbox", NumberID: number, MessageKind: "text", Text: text,
	})
}

func (w *world) consent(minutes int, subject, category, state, source string) event.Event {
	return w.happened(minutes, subject, event.ConsentChangedData{Category: category, State: state, Source: source})
}

func imported(e event.Event) event.Event {
	e.Source = event.ImportSource + "messages"
	return e
}

func (w *world) optedOut(n int, category plan.Category) bool {
	m := w.message(n)
	m.Category = category
	facts := w.db.Facts(&m, w.now)
	_, out := facts.Customer.OptedOut[category]
	if out != w.db.OptedOut(&m) {
		w.t.Errorf("Facts and OptedOut differ about customer %d and %s", n, category)
	}
	return out
}

func TestStopMeansStopUntilTheCustomerSaysOtherwise(t *testing.T) {
	t.Parallel()
	const in, out = "opted_in", "opted_out"
	w := newWorld(t)
	for n, c := range []struct {
		name   string
		events func(n int) []event.Event
		want   bool
	}{
		{"nothing said", func(int) []event.Event { return nil }, false},
		{"a stop word", func(n int) []event.Event { return []event.Event{w.said(1, n, "Stop!")} }, true},
		{"an order word is no stop", func(n int) []event.Event { return []event.Event{w.said(1, n, "stop it, where is my order")} }, false},
		{"an import undoes nothing", func(n int) []event.Event {
			return []event.Event{w.said(1, n, "STOP"), w.consent(2, shopKey(n), "marketing", in, "import"), w.consent(3, phone(n), "all", in, "crm")}
		}, true},
		{"a form or an operator neither", func(n int) []event.Event {
			return []event.Event{w.said(1, n, "退订"), w.consent(2, phone(n), "marketing", in, "form"), w.consent(3, phone(n), "all", in, "operator")}
		}, true},
		{"a start word does", func(n int) []event.Event { return []event.Event{w.said(1, n, "STOP"), w.said(2, n, "START")} }, false},
		{"a start word of a file does not", func(n int) []event.Event {
			return []event.Event{w.said(1, n, "STOP"), imported(w.said(2, n, "START"))}
		}, true},
		{"a stop word of a file counts", func(n int) []event.Event { return []event.Event{imported(w.said(1, n, "STOP"))} }, true},
		{"the platform's resume does", func(n int) []event.Event {
			return []event.Event{w.consent(1, phone(n), "marketing", out, "provider_preference"), w.consent(2, phone(n), "marketing", in, "provider_preference")}
		}, false},
		{"a start word undoes what the CRM said of another identifier", func(n int) []event.Event {
			return []event.Event{w.consent(1, shopKey(n), "all", out, "crm"), w.said(2, n, "START")}
		}, false},
		{"a late start word does not", func(n int) []event.Event { return []event.Event{w.said(2, n, "STOP"), w.said(1, n, "START")} }, true},
		{"at one instant the stop wins", func(n int) []event.Event {
			return []event.Event{w.consent(1, phone(n), "marketing", in, "provider_preference"), w.consent(1, phone(n), "marketing", out, "crm")}
		}, true},
	} {
		for _, e := range append([]event.Event{w.known(n)}, c.events(n)...) {
			w.load(e)
		}
		for range 2 {
			if got := w.optedOut(n, plan.Marketing); got != c.want {
				t.Errorf("%s: opted out is %v, want %v", c.name, got, c.want)
			}
			w.reopen()
		}
	}
}

func TestAnOptOutOfAllStopsEachCategory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer(1)
	w.load(w.consent(1, phone(1), "all", "opted_out", "crm"), w.said(2, 1, "START"))
	for category, want := range map[plan.Category]bool{
		plan.Marketing: false, plan.Utility: true, plan.Authentication: true, plan.Service: true,
	} {
		if got := w.optedOut(1, category); got != want {
			t.Errorf("%s is stopped: %v, want %v", category, got, want)
		}
	}
}

func TestAnOptOutHoldsForThePersonOfNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// The stop comes from a phone that nobody knows yet.
	w.load(w.said(1, 1, "STOP"))
	w.customer(1)
	if !w.optedOut(1, plan.Marketing) {
		t.Error("the merge lost the opt-out")
	}
	// A second phone of the same customer.
	w.load(w.happened(2, shopKey(1), event.CustomerUpdatedData{Person: event.Person{Phone: phoneOf(2)}}))
	other := w.message(1)
	other.To = w.id(phone(2))
	if !w.db.OptedOut(&other) {
		t.Error("the opt-out does not hold for the other phone")
	}
	w.load(w.happened(3, shopKey(1), event.IdentityUnlinkedData{Person: event.Person{Phone: phoneOf(1)}, Source: "operator"}))
	for range 2 {
		if w.db.OptedOut(&other) {
			t.Error("the opt-out went with the identity that it is not of")
		}
		if !w.optedOut(1, plan.Marketing) {
			t.Error("the opt-out did not stay with its identity")
		}
		w.reopen()
	}
}

func TestAStopWordBecomesAnEventOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer(1)
	stop := w.said(1, 1, "STOP")
	w.load(stop, stop)
	w.load(stop, w.said(2, 1, "START"))
	w.reopen()
	w.load(stop)
	events := w.publish()
	if len(events) != 2 || events[0].ID == events[1].ID || events[0].Kind != event.ConsentChanged {
		t.Fatalf("the words became %v", events)
	}
	var data event.ConsentChangedData
	if err := json.Unmarshal(events[0].Data, &data); err != nil {
		t.Fatal(err)
	}
	if data.State != "opted_out" || data.Source != "inbound_message" || data.Category != "marketing" ||
		events[0].Subject != phone(1) || !events[0].Time.Equal(stop.Time) {
		t.Errorf("the stop word became %+v of %s", data, events[0].Time)
	}
	// The same inbound message gives the same event in an empty ledger.
	replay := newWorld(t)
	replay.load(w.said(2, 1, "START"), stop, w.known(1))
	again := replay.publish()
	if len(again) != 2 || again[1].ID != events[0].ID || again[0].ID != events[1].ID {
		t.Errorf("the replay gave %v", again)
	}
	// It comes back by the topic and says nothing new.
	w.load(events...)
	if len(w.publish()) != 2 {
		t.Error("the ledger answers its own events")
	}
}

func TestWindowsAreOfTheNumberAndThePerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer(1)
	received := func(minutes int, kind, to string) event.Event {
		return w.happened(minutes, phone(1), event.MessageReceivedData{
			ProviderMessageID: fmt.Sprint(minutes, kind), Provider: "sandbox", NumberID: to, MessageKind: kind,
		})
	}
	w.load(received(5, "image", number), received(3, "text", number), received(4, "text", "number-2"),
		received(8, "system", number), received(8, "unsupported", number), received(8, "other", number))
	for range 2 {
		m := w.message(1)
		if got := w.db.Facts(&m, w.now).Customer.LastInboundAt; !got.Equal(start.Add(5 * time.Minute)) {
			t.Errorf("the last message was at %s", got)
		}
		m.NumberID = "number-2"
		if got := w.db.Facts(&m, w.now).Customer.LastInboundAt; !got.Equal(start.Add(4 * time.Minute)) {
			t.Errorf("the last message to the other number was at %s", got)
		}
		m.NumberID = "number-3"
		if got := w.db.Facts(&m, w.now).Customer.LastInboundAt; !got.IsZero() {
			t.Errorf("a number that nobody wrote to has a message at %s", got)
		}
		w.reopen()
	}
}

func TestStatusesResolveWhatIsUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	type said []ledger.DeliveryStatus
	for i, c := range []struct {
		outcome  ledger.Outcome
		statuses said
		want     plan.State
		delivery ledger.DeliveryStatus
	}{
		{ledger.Unknown, nil, plan.Unknown, ledger.DeliveryNone},
		{ledger.Unknown, said{ledger.Sent}, plan.Accepted, ledger.Sent},
		{ledger.Unknown, said{ledger.Undelivered}, plan.Accepted, ledger.Undelivered},
		{ledger.Unknown, said{ledger.Undelivered, ledger.Sent}, plan.Accepted, ledger.Undelivered},
		{ledger.Unknown, said{ledger.Sent, ledger.Undelivered}, plan.Accepted, ledger.Undelivered},
		{ledger.Accepted, said{ledger.Read, ledger.Delivered, ledger.Sent}, plan.Accepted, ledger.Read},
		{ledger.Accepted, said{ledger.Undelivered, ledger.Delivered}, plan.Accepted, ledger.Delivered},
		{ledger.Accepted, said{ledger.Undelivered}, plan.Accepted, ledger.Undelivered},
		{ledger.Failed, said{ledger.Undelivered}, plan.Failed, ledger.Undelivered},
		{ledger.Failed, said{ledger.Delivered}, plan.Accepted, ledger.Delivered},
		{ledger.Refused, said{ledger.Sent}, plan.Accepted, ledger.Sent}, // the refusal was none
	} {
		for _, late := range []bool{false, true} { // after the settlement, or before
			n := 10*i + 1
			if late {
				n++
			}
			w.customer(n)
			p := w.plan(fmt.Sprint("c", n), w.message(n))
			m := &p.Messages[0]
			w.claim(m.ID)
			if late {
				w.settle(m.ID, c.outcome)
			}
			for j, status := range c.statuses {
				w.load(w.statusEvent(10+j, n, m, status))
				w.load(w.statusEvent(10+j, n, m, status))
			}
			if !late {
				w.settle(m.ID, c.outcome)
			}
			for range 2 {
				got := w.detail(m)
				if got.StateNow != c.want || got.Delivery != c.delivery {
					t.Errorf("%s and then %v (late: %v): %s, %s, want %s, %s",
						c.outcome, c.statuses, late, got.StateNow, got.Delivery, c.want, c.delivery)
				}
				w.reopen()
			}
		}
	}
}

func TestACrashLeavesAnAttemptUnknownUntilItsStatusComes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer(1)
	w.customer(2)
	p := w.plan("spring", w.message(1), w.message(2))
	lost, heard := &p.Messages[0], &p.Messages[1]
	w.claim(lost.ID, heard.ID)
	w.load(w.statusEvent(1, 2, heard, ledger.Sent)) // before the crash
	w.reopen()
	if got := w.stateOf(lost); got != plan.Unknown {
		t.Errorf("what was claimed at the crash is %s", got)
	}
	if got := w.stateOf(heard); got != plan.Accepted {
		t.Errorf("what a status proved is %s", got)
	}
	if len(w.due()) > 0 || w.tryClaim(lost.ID) == nil {
		t.Error("an unknown message may be sent again")
	}
	if got := w.status(p).Status; got != plan.Done {
		t.Errorf("the plan is %s", got)
	}
	w.load(w.statusEvent(2, 1, lost, ledger.Delivered))
	if got := w.stateOf(lost); got != plan.Accepted {
		t.Errorf("after its status it is %s", got)
	}
	outcomes := 0
	for _, e := range w.publish() {
		if e.Kind == event.MessageAttempted {
			outcomes++
		}
	}
	if outcomes != 2 {
		t.Errorf("%d outcomes were published", outcomes)
	}
}

func TestCapAndPlanCountThePersonOfNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer(1)
	w.customer(2)
	p := w.plan("spring", w.message(1), w.message(2))
	first, second := &p.Messages[0], &p.Messages[1]
	w.claim(first.ID)
	w.settle(first.ID, ledger.Accepted)
	facts := w.db.Facts(second, w.now).Customer
	if facts.AlreadyMessagedByPlan || len(facts.MarketingClaims) > 0 {
		t.Error("a stranger's message counts")
	}
	merge := w.happened(1, shopKey(1), event.CustomerUpdatedData{Person: event.Person{ExternalIDs: map[string]string{"shop": "2"}}})
	w.load(merge)
	for range 2 {
		facts := w.db.Facts(second, w.now)
		if !facts.Customer.AlreadyMessagedByPlan || len(facts.Customer.MarketingClaims) != 1 ||
			!facts.Customer.MarketingClaims[0].Equal(w.now) {
			t.Errorf("after the merge: %+v", facts.Customer)
		}
		if facts.Person != w.db.Person(w.id(phone(1))) || w.db.Person(w.id(shopKey(2))) != w.db.Person(w.id(shopKey(1))) {
			t.Error("the person is not that of now")
		}
		if err := w.tryClaim(second.ID); err == nil {
			t.Error("the plan's second message to the person was claimed")
		}
		explained, err := w.db.Explain(t.Context(), p.ID, w.id(phone(2)))
		if err != nil || len(explained) != 2 || explained[0].CustomerNow != explained[1].CustomerNow {
			t.Errorf("explained are %+v, %v", explained, err)
		}
		w.reopen()
	}
	later := w.now.Add(24 * time.Hour)
	if got := w.db.Facts(second, later).Customer.MarketingClaims; len(got) > 0 {
		t.Errorf("a day later %v counts", got)
	}
}

func TestTheHoldoutIsStoredAtTheFirstAssignment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	quarter := policy.Quarter(w.now)
	arm := func(n int, a plan.Arm) plan.Message {
		w.customer(n)
		m := w.message(n)
		m.Arm = a
		if a == plan.Holdout {
			m.State, m.Rule = plan.HeldOut, "holdout"
		}
		return m
	}
	p := w.plan("spring", arm(1, plan.Holdout), arm(2, plan.Control), arm(3, plan.Treatment), arm(4, ""))
	w.plan("summer", arm(3, plan.Holdout)) // does not change it
	check := func(n int, want plan.Arm) {
		t.Helper()
		if got, known := w.db.HoldoutArm(w.id(phone(n)), quarter); got != want || known != (want != "") {
			t.Errorf("customer %d is in %q, want %q", n, got, want)
		}
	}
	for range 2 {
		check(1, plan.Holdout)
		check(2, plan.Treatment)
		check(3, plan.Treatment)
		check(4, "")
		w.reopen()
	}
	w.load(w.happened(1, shopKey(1), event.CustomerUpdatedData{Person: event.Person{ExternalIDs: map[string]string{"shop": "3"}}}))
	check(3, plan.Holdout) // has both
	if got := w.db.Facts(&p.Messages[2], w.now).Customer.HoldoutArm; got != plan.Holdout {
		t.Errorf("the policy sees %q", got)
	}
	if got := w.db.Facts(&p.Messages[2], w.now.AddDate(0, 3, 0)).Customer.HoldoutArm; got != plan.Holdout {
		t.Errorf("in the next quarter the policy sees %q of a message of this one", got)
	}
	if _, known := w.db.HoldoutArm(w.id(phone(3)), "2027Q1"); known {
		t.Error("the next quarter has an assignment")
	}
}

func TestAMessageGoesToTheNewestPhone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := "external:shop:1"
	to := func() identity.ID { id, _ := w.db.Recipient(w.id(key)); return id }
	w.load(w.happened(1, key, event.CustomerUpdatedData{Person: event.Person{Email: "ana@example.com"}}))
	if _, ok := w.db.Recipient(w.id(key)); ok {
		t.Error("an e-mail can be written to")
	}
	w.load(w.happened(2, key, event.CustomerUpdatedData{Person: event.Person{BSUID: "BR.13491208655302741918"}}))
	if to() != w.id("bsuid:BR.13491208655302741918") {
		t.Error("it does not go to the BSUID")
	}
	w.load(w.happened(3, key, event.CustomerUpdatedData{Person: event.Person{Phone: phoneOf(1)}}))
	w.load(w.happened(4, key, event.CustomerUpdatedData{Person: event.Person{Phone: phoneOf(2)}}))
	for range 2 {
		if to() != w.id(phone(2)) {
			t.Error("it does not go to the newest phone")
		}
		w.reopen()
	}
	address, err := w.db.Address(t.Context(), w.id("bsuid:BR.13491208655302741918"))
	if err != nil || address.BSUID == "" {
		t.Errorf("the BSUID has no address: %v", err)
	}
	if _, err := w.db.Address(t.Context(), w.id(key)); err == nil {
		t.Error("a shop key has an address")
	}
}

func TestARefusalMayTellOfAnOptOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer(1)
	p := w.plan("spring", w.message(1))
	m := &p.Messages[0]
	w.claim(m.ID)
	if err := w.db.Settle(t.Context(), []ledger.Settlement{{
		MessageID: m.ID, AttemptID: m.ID + "-1", At: w.now, Outcome: ledger.Failed, ErrorCode: "131050", OptedOut: true,
	}}); err != nil {
		t.Fatal(err)
	}
	w.reopen()
	events := w.publish()
	last := events[len(events)-1]
	if !w.optedOut(1, plan.Marketing) || last.Kind != event.ConsentChanged || last.Subject != phone(1) {
		t.Errorf("opted out: %v, the last event is %s", w.optedOut(1, plan.Marketing), last.ID)
	}
}

func TestAPlanMayNameWhoIsNotKnownYet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.plan("spring", w.message(1))
	if len(w.publish()) != 0 {
		t.Error("an event of nobody was made")
	}
	if _, err := w.db.Address(t.Context(), p.Messages[0].To); err == nil {
		t.Error("nobody has an address")
	}
	w.reopen()
	w.customer(1)
	for range 2 {
		events := w.publish()
		if len(events) != 1 || events[0].Subject != shopKey(1) {
			t.Errorf("the events are %v", events)
		}
		if address, err := w.db.Address(t.Context(), p.Messages[0].To); err != nil || address.Phone != phoneOf(1) {
			t.Errorf("the address is not there: %v", err)
		}
		w.reopen()
	}
}
