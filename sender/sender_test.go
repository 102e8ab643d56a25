package sender_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/sender/sandbox"
)

// always answers every submission alike.
func always(a answer) func(string, int) answer { return func(string, int) answer { return a } }

// once answers the first submission of each message by a, and accepts after.
func once(a answer) func(string, int) answer {
	return func(_ string, nth int) answer {
		if nth == 1 {
			return a
		}
		return accept()
	}
}

// begin is a bench at a wire.
func begin(t *testing.T, n int, script func(string, int) answer) (*bench, *wire) {
	t.Helper()
	w := newWire(t, script)
	clock := newClock(t)
	w.now = clock.Now
	return setup(t, clock, w.server.URL, people(n)), w
}

func TestEveryMessageIsSentOnce(t *testing.T) {
	t.Parallel()
	const n = 300
	b, w := begin(t, n, always(accept()))
	id := b.campaign("spring", b.people, noon(), nil)
	b.drive(noon().Add(time.Hour))
	b.want(id, map[plan.State]int{plan.Accepted: n})
	if status := b.status(id); status.Status != plan.Done {
		t.Errorf("the plan is %s", status.Status)
	}
	got := make(map[string]int)
	for _, s := range w.all() {
		got["+"+strings.TrimPrefix(s.to, "+")]++
	}
	for _, p := range b.people {
		if got[p.phone] != 1 {
			t.Errorf("%s got %d messages", p.key, got[p.phone])
		}
	}
	outcomes := b.topics.outcomes()
	if len(outcomes) != n {
		t.Errorf("%d attempts are published, want %d", len(outcomes), n)
	}
	for id, times := range outcomes {
		if times != 1 {
			t.Errorf("outcome %s is published %d times", id, times)
		}
	}
	if !b.sender.Quiet() {
		t.Error("the sender is not quiet at the end")
	}
}

func TestTheMoreValuableGoFirst(t *testing.T) {
	t.Parallel()
	b, w := begin(t, 30, always(accept()))
	b.account.NumberRate = b.rules.NumberRate // 30 a minute, one at a time
	b.start()
	id := b.campaign("spring", b.people, noon(), nil)
	b.drive(noon().Add(time.Hour))
	b.want(id, map[plan.State]int{plan.Accepted: 30})
	details, err := b.ledger.Messages(t.Context(), id, "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	priority := make(map[string]float64)
	for _, m := range details {
		priority[m.ID] = m.Priority
	}
	var order []float64
	for _, s := range w.all() {
		order = append(order, priority[s.messageID])
	}
	if !slices.IsSortedFunc(order, func(a, b float64) int { return int(b - a) }) {
		t.Errorf("sent in the order %v", order)
	}
}

// stop is a customer's message that stops marketing, as a webhook brings it.
func (b *bench) stop(p person) event.Event {
	b.t.Helper()
	return newEvent(b.t, "stop-"+p.key, "phone:"+p.phone, b.clock.Now(), event.MessageReceivedData{
		Person: event.Person{Phone: p.phone}, ProviderMessageID: "in-" + p.key, Provider: "meta", NumberID: sandbox.DefaultNumberID,
		MessageKind: "text", Text: "STOP",
	})
}

func TestASTOPBetweenClaimAndCallIsKept(t *testing.T) {
	t.Parallel()
	for _, point := range []sender.KillPoint{sender.AfterClaimCommit, sender.BeforeCall} {
		t.Run(string(point), func(t *testing.T) {
			t.Parallel()
			b, w := begin(t, 1, always(accept()))
			b.hook = func(reached sender.KillPoint) {
				if reached != point {
					return
				}
				if err := b.topics.Publish(context.Background(), []event.Event{b.stop(b.people[0])}); err != nil {
					t.Error(err)
				}
				if err := b.topics.WaitForEnd(context.Background()); err != nil {
					t.Error(err)
				}
			}
			b.start()
			id := b.campaign("spring", b.people, noon(), nil)
			b.drive(noon().Add(time.Hour))
			b.want(id, map[plan.State]int{plan.Suppressed: 1})
			if got := b.message(id, b.people[0]).RuleNow; got != string(policy.OptedOut) {
				t.Errorf("suppressed by %s", got)
			}
			if n := len(w.all()); n != 0 {
				t.Errorf("%d submissions after the STOP", n)
			}
		})
	}
}

func TestASTOPThatOnlyTheTopicsKnowIsReadBeforeTheClaim(t *testing.T) {
	t.Parallel()
	b, w := begin(t, 2, always(accept()))
	id := b.campaign("spring", b.people, noon(), nil)
	if err := b.topics.Publish(t.Context(), []event.Event{b.stop(b.people[0])}); err != nil {
		t.Fatal(err)
	}
	b.drive(noon().Add(time.Hour))
	b.want(id, map[plan.State]int{plan.Suppressed: 1, plan.Accepted: 1})
	if n := len(w.all()); n != 1 {
		t.Errorf("%d submissions", n)
	}
}

func TestMarketingWaitsForTheTopics(t *testing.T) {
	t.Parallel()
	b, w := begin(t, 3, always(accept()))
	id := b.campaign("spring", b.people, noon(), nil)
	b.topics.fail(errTrouble)
	for range 5 {
		if sent, _, err := b.sender.Step(t.Context()); err != nil || sent != 0 {
			t.Fatalf("sent %d, %v", sent, err)
		}
		next, ok := b.sender.NextDue()
		if !ok || !next.After(b.clock.Now()) {
			t.Fatalf("next look at %s, %v", next, ok)
		}
		b.advance(next)
	}
	b.want(id, map[plan.State]int{plan.Waiting: 3})
	if n := strings.Count(b.logs.String(), "marketing waits"); n != 1 {
		t.Errorf("told %d times:\n%s", n, b.logs.String())
	}
	b.topics.fail(nil)
	b.drive(noon().Add(time.Hour))
	b.want(id, map[plan.State]int{plan.Accepted: 3})
	if n := len(w.all()); n != 3 {
		t.Errorf("%d submissions", n)
	}
}

func TestAPauseHoldsTheRest(t *testing.T) {
	t.Parallel()
	b, w := begin(t, 40, always(accept()))
	b.account.NumberRate = b.rules.NumberRate
	b.start()
	id := b.campaign("spring", b.people, noon(), nil)
	b.drive(noon().Add(30 * time.Second))
	if err := b.ledger.Pause(t.Context(), id, "ann", b.clock.Now()); err != nil {
		t.Fatal(err)
	}
	sent := len(w.all())
	if sent == 0 || sent == 40 {
		t.Fatalf("%d were sent before the pause", sent)
	}
	b.drive(noon().Add(10 * time.Minute))
	if n := len(w.all()); n != sent {
		t.Errorf("%d were sent while paused", n-sent)
	}
	if err := b.ledger.Resume(t.Context(), id, "ann", b.clock.Now()); err != nil {
		t.Fatal(err)
	}
	b.drive(noon().Add(time.Hour))
	b.want(id, map[plan.State]int{plan.Accepted: 40})
}

func TestTwoCustomersWhoBecomeOneGetOneMessage(t *testing.T) {
	t.Parallel()
	b, w := begin(t, 2, always(accept()))
	b.account.NumberRate = b.rules.NumberRate
	b.start()
	id := b.campaign("spring", b.people, noon(), nil)
	one, other := b.people[0], b.people[1]
	linked := newEvent(t, "link", one.key, noon(), event.CustomerUpdatedData{
		Person: event.Person{Phone: one.phone, ExternalIDs: map[string]string{"customer": other.key}},
	})
	if err := b.topics.Publish(t.Context(), []event.Event{linked}); err != nil {
		t.Fatal(err)
	}
	b.drive(noon().Add(5 * time.Hour))
	b.want(id, map[plan.State]int{plan.Accepted: 1, plan.Suppressed: 1})
	if n := len(w.all()); n != 1 {
		t.Errorf("%d submissions to one person", n)
	}
}

func TestOneMarketingMessageADayOverAllCampaigns(t *testing.T) {
	t.Parallel()
	b, w := begin(t, 20, always(accept()))
	patient := func(m *plan.Message) { m.Deadline = noon().Add(48 * time.Hour) }
	first := b.campaign("spring", b.people, noon(), patient)
	second := b.campaign("summer", b.people, noon(), patient)
	b.drive(noon().Add(50 * time.Hour))
	b.want(first, map[plan.State]int{plan.Accepted: 20})
	b.want(second, map[plan.State]int{plan.Accepted: 20})
	last := make(map[string]time.Time)
	for _, s := range w.all() {
		if before, ok := last[s.to]; ok && s.at.Sub(before) < 24*time.Hour {
			t.Errorf("two messages within %s", s.at.Sub(before))
		}
		last[s.to] = s.at
	}
}

func TestModeTestReachesListedRecipientsOnly(t *testing.T) {
	t.Parallel()
	b, w := begin(t, 10, always(accept()))
	b.account.Mode = plan.Test
	b.account.TestRecipients = []identity.ID{b.keyer.ID(identity.NamespaceCustomer, b.people[3].key)}
	b.start()
	id := b.campaign("spring", b.people, noon(), nil)
	b.drive(noon().Add(time.Hour))
	b.want(id, map[plan.State]int{plan.Accepted: 1, plan.Suppressed: 9})
	if all := w.all(); len(all) != 1 || !strings.HasSuffix(b.people[3].phone, strings.TrimPrefix(all[0].to, "+")) {
		t.Errorf("submissions: %d", len(all))
	}
}

func TestMessagesOfANumberThatIsNotConfiguredWait(t *testing.T) {
	t.Parallel()
	b, w := begin(t, 2, always(accept()))
	id := b.campaign("spring", b.people, noon(), func(m *plan.Message) { m.NumberID = "999" })
	for range 3 {
		b.step()
		next, ok := b.sender.NextDue()
		if !ok || !next.After(b.clock.Now()) {
			t.Fatalf("next look at %s, %v: it would never rest", next, ok)
		}
		b.advance(next)
	}
	b.want(id, map[plan.State]int{plan.Waiting: 2})
	if n := strings.Count(b.logs.String(), "no account has"); n != 1 || len(w.all()) != 0 {
		t.Errorf("told %d times, %d submissions", n, len(w.all()))
	}
}

func TestOutcomesArePublishedOnceTheLogIsBack(t *testing.T) {
	t.Parallel()
	b, _ := begin(t, 50, always(accept()))
	id := b.campaign("spring", b.people, noon(), nil)
	if _, _, err := b.sender.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.topics.fail(errTrouble)
	if _, err := b.sender.PublishPending(t.Context()); !errors.Is(err, errTrouble) {
		t.Errorf("published: %v", err)
	}
	if b.sender.Quiet() {
		t.Error("quiet with events to publish")
	}
	b.topics.fail(nil)
	b.drive(noon().Add(time.Hour))
	b.want(id, map[plan.State]int{plan.Accepted: 50})
	if n := len(b.topics.outcomes()); n != 50 {
		t.Errorf("%d outcomes", n)
	}
}

func TestAnUnknownIsResolvedByItsStatus(t *testing.T) {
	t.Parallel()
	b, _ := begin(t, 2, always(answer{}))
	id := b.campaign("spring", b.people, noon(), nil)
	b.drive(noon().Add(time.Minute))
	b.want(id, map[plan.State]int{plan.Unknown: 2})
	m := b.message(id, b.people[0])
	delivered := newEvent(t, "status", "phone:"+b.people[0].phone, b.clock.Now(), event.MessageDeliveredData{
		Message: event.Message{MessageID: m.ID, ProviderMessageID: "wamid.1", Provider: "meta", NumberID: sandbox.DefaultNumberID},
		Person:  event.Person{Phone: b.people[0].phone},
	})
	if err := b.topics.Publish(t.Context(), []event.Event{delivered}); err != nil {
		t.Fatal(err)
	}
	b.load()
	b.drive(noon().Add(5 * time.Hour))
	b.want(id, map[plan.State]int{plan.Accepted: 1, plan.Unknown: 1})
	if got := b.message(id, b.people[0]).Delivery; got != ledger.Delivered {
		t.Errorf("delivery status %s", got)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	t.Parallel()
	b, _ := begin(t, 1, always(accept()))
	double := b.account
	double.Name = "other"
	nobody := sender.Account{Name: "nobody"}
	_, err := sender.New(sender.Config{Ledger: b.ledger, Accounts: []sender.Account{b.account, double, nobody}, Rules: b.rules})
	for _, want := range []string{"account other: number", "account nobody: want a provider"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// A machine that slept between the claim and the call must not send at night.
func TestAClaimThatAgedIsDecidedAnew(t *testing.T) {
	t.Parallel()
	b, w := begin(t, 3, always(accept()))
	var slept sync.Once
	b.hook = func(reached sender.KillPoint) {
		if reached == sender.AfterClaimCommit {
			slept.Do(func() { b.advance(noon().Add(11 * time.Hour)) }) // 23:00 of the customers
		}
	}
	b.start()
	id := b.campaign("spring", b.people, noon(), func(m *plan.Message) { m.Deadline = noon().Add(48 * time.Hour) })
	b.drive(noon().Add(12 * time.Hour))
	if n := len(w.all()); n != 0 {
		t.Errorf("%d were sent at night", n)
	}
	m := b.message(id, b.people[0])
	if len(m.Attempts) != 1 || m.Attempts[0].ErrorClass != "not_submitted" || m.RuleNow != string(policy.QuietHours) {
		t.Errorf("attempts %+v, rule %s", m.Attempts, m.RuleNow)
	}
	b.drive(noon().Add(24 * time.Hour))
	b.want(id, map[plan.State]int{plan.Accepted: 3})
	for _, s := range w.all() {
		if hour := s.at.Sub(noon()); hour < 20*time.Hour {
			t.Errorf("sent %s after noon", hour)
		}
	}
}

func TestWhatCannotBeMadeIsNeverClaimed(t *testing.T) {
	t.Parallel()
	b, w := begin(t, 3, always(accept()))
	n := 0
	id := b.campaign("spring", b.people, noon(), func(m *plan.Message) {
		switch n++; n {
		case 1: // an identity that nobody has
			m.To = b.keyer.ID(identity.NamespacePhone, "+5511900000000")
		case 2:
			m.Parameters = map[string]string{"1": strings.Repeat("long ", 300)}
		}
	})
	b.drive(noon().Add(time.Hour))
	b.want(id, map[plan.State]int{plan.Suppressed: 2, plan.Accepted: 1})
	got := []string{b.message(id, b.people[0]).RuleNow, b.message(id, b.people[1]).RuleNow}
	if want := []string{string(policy.NoRecipient), string(policy.ParameterMissing)}; !slices.Equal(got, want) {
		t.Errorf("rules %v, want %v", got, want)
	}
	if len(w.all()) != 1 || len(b.message(id, b.people[0]).Attempts) != 0 {
		t.Errorf("%d submissions", len(w.all()))
	}
}
