package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
)

// Events that come late, twice and in any order, in batches of any size, give
// the same state as in order, and so does a restart.
func TestOrderAndRepetitionMakeNoDifference(t *testing.T) {
	t.Parallel()
	const customers, rounds = 6, 8
	for seed := range uint64(rounds) {
		random := rand.New(rand.NewPCG(seed, 7))
		worlds := []*world{newWorld(t), newWorld(t)}
		var plans []*plan.Plan
		for _, w := range worlds {
			var messages []plan.Message
			for n := range customers {
				w.customer(n)
				messages = append(messages, w.message(n))
			}
			p := w.plan("spring", messages...)
			for n, outcome := range []ledger.Outcome{ledger.Accepted, ledger.Unknown, ledger.Unknown, ledger.Failed} {
				w.claim(p.Messages[n].ID)
				w.settle(p.Messages[n].ID, outcome)
			}
			plans = append(plans, p)
		}
		events := randomEvents(worlds[0], plans[0], random, 60)
		worlds[0].load(events...)

		shuffled := append([]event.Event(nil), events...)
		for range 20 {
			shuffled = append(shuffled, events[random.IntN(len(events))])
		}
		random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		for len(shuffled) > 0 {
			n := 1 + random.IntN(len(shuffled))
			worlds[1].load(shuffled[:n]...)
			shuffled = shuffled[n:]
		}
		want := seen(worlds[0], plans[0], customers)
		for _, got := range []string{"shuffled", "shuffled and restarted", "restarted"} {
			w, p := worlds[1], plans[1]
			if got == "restarted" {
				w, p = worlds[0], plans[0]
			}
			if got != "shuffled" {
				w.reopen()
			}
			if diff := cmp.Diff(want, seen(w, p, customers)); diff != "" {
				t.Fatalf("seed %d, %s (-in order +%[2]s):\n%s", seed, got, diff)
			}
		}
	}
}

// seen is all that the ledger says of some customers and of a plan.
func seen(w *world, p *plan.Plan, customers int) (out []string) {
	for n := range customers {
		m := &p.Messages[n]
		d := w.detail(m)
		out = append(out,
			fmt.Sprintf("facts of %d: %+v", n, w.db.Facts(m, w.now)),
			fmt.Sprintf("message to %d: %s %s %s", n, d.StateNow, d.Delivery, d.CustomerNow),
		)
	}
	events := 0
	for _, e := range w.publish() {
		if e.Kind == event.ConsentChanged {
			events++
		}
	}
	return append(out, fmt.Sprint(w.status(p).States, w.status(p).Delivery, events))
}

func randomEvents(w *world, p *plan.Plan, random *rand.Rand, n int) (events []event.Event) {
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	for i := range n {
		c, other := random.IntN(6), random.IntN(6)
		subject := pick(shopKey(c), phone(c))
		minutes := random.IntN(30)
		switch random.IntN(6) {
		case 0: // two of them are one person
			events = append(events, w.happened(minutes, subject, event.CustomerUpdatedData{Person: event.Person{Phone: phoneOf(other)}}))
		case 1:
			if c != other {
				events = append(events, w.happened(minutes, shopKey(c), event.IdentityUnlinkedData{
					Person: event.Person{Phone: phoneOf(other)}, Source: "operator",
				}))
			}
		case 2:
			events = append(events, w.consent(minutes, subject, pick("marketing", "utility", "all"), pick("opted_in", "opted_out"),
				pick("import", "crm", "provider_preference")))
		case 3:
			events = append(events, w.said(minutes, c, pick("STOP", "START", "hello", "SAIR")))
		default:
			status := ledger.DeliveryStatus(pick("sent", "delivered", "read", "failed"))
			events = append(events, w.statusEvent(i, c, &p.Messages[c], status))
		}
	}
	return events
}
