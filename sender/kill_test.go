package sender_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender"
	"github.com/goodhour/goodhour/sender/limit"
	"github.com/goodhour/goodhour/sender/plan"
)

// killer ends, at a kill point, every goroutine of the sender that comes by one
// from then on: nothing that the sender would have done is done.
type killer struct {
	point  sender.KillPoint
	after  atomic.Int64 // passages
	killed atomic.Bool
}

func (k *killer) hook(reached sender.KillPoint) {
	if k.killed.Load() || reached == k.point && k.after.Add(-1) == 0 {
		k.killed.Store(true)
		runtime.Goexit()
	}
}

// survives runs f, which the killer may end.
func survives(f func()) bool {
	done := make(chan bool)
	go func() {
		alive := false
		defer func() { done <- alive }()
		f()
		alive = true
	}()
	return <-done
}

// unreliable answers by a seed: a third of what is submitted goes wrong, in
// every way.
func unreliable(random *rand.Rand) func(string, int) answer {
	return func(string, int) answer {
		switch draw := random.Float64(); {
		case draw < 0.10:
			return refuse(130429)
		case draw < 0.14:
			return answer{status: 429}
		case draw < 0.18:
			return refuse(131056)
		case draw < 0.22:
			return answer{status: 500, taken: true}
		case draw < 0.26:
			return answer{status: 502}
		case draw < 0.30:
			return answer{taken: true}
		case draw < 0.33:
			return refuse(131026)
		}
		return accept()
	}
}

// A crash at any point, again and again: what was submitted is known to the
// wire, what became of it to the ledger, and both must agree.
func TestAKillAtEachPoint(t *testing.T) {
	t.Parallel()
	const kills = 20
	for i, point := range sender.KillPoints() {
		t.Run(string(point), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(11, uint64(i)))
			b, w := begin(t, 120, unreliable(rand.New(rand.NewPCG(12, uint64(i)))))
			// Three at once: a kill makes few unknown, so that many are hit.
			b.account.NumberRate = limit.NumberRate{CampaignPerMinute: 9000, PerSecond: 150, ProviderPerSecond: 150}
			id := b.campaign("spring", b.people, noon(), nil)
			hits := 0
			for hits < kills && b.status(id).Status != plan.Done {
				k := &killer{point: point}
				k.after.Store(int64(1 + random.IntN(4)))
				b.hook = k.hook
				b.start()
				for !k.killed.Load() && b.status(id).Status != plan.Done {
					b.stepUnderKill()
				}
				if k.killed.Load() {
					hits++
				}
				b.hook = nil
				b.restart()
				if random.IntN(3) == 0 {
					b.advance(b.clock.Now().Add(time.Duration(random.IntN(20)) * time.Second))
				}
			}
			b.drive(noon().Add(7 * time.Hour))
			if hits < kills {
				t.Errorf("killed %d times, want %d", hits, kills)
			}
			b.checkAgainst(w, id)
		})
	}
}

// stepUnderKill makes a pass, publishes, and moves the clock; the killer may end
// any of it.
func (b *bench) stepUnderKill() {
	b.t.Helper()
	var err error
	alive := survives(func() {
		if _, _, err = b.sender.Step(context.Background()); err == nil {
			_, err = b.sender.PublishPending(context.Background())
		}
	})
	if err != nil {
		b.t.Fatal(err)
	}
	if !alive {
		return
	}
	b.load()
	if next, ok := b.sender.NextDue(); ok {
		b.advance(later(next, b.clock.Now().Add(tick)))
	}
}

// checkAgainst compares the ledger with what the wire saw.
func (b *bench) checkAgainst(w *wire, planID string) {
	b.t.Helper()
	w.checkPromise(b.t)
	b.status(planID) // adds up
	details, err := b.ledger.Messages(b.t.Context(), planID, "", "", len(b.people)+1)
	if err != nil {
		b.t.Fatal(err)
	}
	taken, submitted, persons := make(map[string]bool), make(map[string]answer), make(map[string]bool)
	for _, s := range w.all() {
		submitted[s.messageID] = s.answer
		if s.answer.taken {
			if persons[s.to] {
				b.t.Errorf("a person got two messages of the plan")
			}
			taken[s.messageID], persons[s.to] = true, true
		}
	}
	for _, m := range details {
		last, was := submitted[m.ID]
		switch m.StateNow {
		case plan.Accepted:
			if !taken[m.ID] {
				b.t.Errorf("message %s is accepted and was never taken", m.ID)
			}
		case plan.Failed:
			if taken[m.ID] || !was {
				b.t.Errorf("message %s failed; submitted %v, taken %v", m.ID, was, taken[m.ID])
			}
		case plan.Unknown: // may be anything
		case plan.Expired, plan.Waiting:
			if was && !last.retrySafe() {
				b.t.Errorf("message %s is %s after %+v", m.ID, m.StateNow, last)
			}
		default:
			b.t.Errorf("message %s is %s", m.ID, m.StateNow)
		}
	}
	if n := b.ledger.Unsettled(); n != 0 {
		b.t.Errorf("%d messages are claimed and not settled", n)
	}
	if !b.sender.Quiet() {
		b.t.Error("not quiet at the end")
	}
}

// A publisher that fails after the brokers have the events: they are published
// again under the same ids.
func TestEventsPublishedTwiceAreTheSame(t *testing.T) {
	t.Parallel()
	b, _ := begin(t, 30, always(accept()))
	b.publish = &forgetful{topics: b.topics}
	b.start()
	id := b.campaign("spring", b.people, noon(), nil)
	for range 10 {
		if _, _, err := b.sender.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, _ = b.sender.PublishPending(t.Context()) // every other one fails
		b.advance(b.clock.Now().Add(time.Second))
	}
	b.want(id, map[plan.State]int{plan.Accepted: 30})
	twice := 0
	for _, times := range b.topics.outcomes() {
		if times > 1 {
			twice++
		}
	}
	if n := len(b.topics.outcomes()); n != 30 || twice == 0 {
		t.Errorf("%d outcomes, %d of them published twice", n, twice)
	}
}

// forgetful publishes, and says every other time that it did not.
type forgetful struct {
	topics *topics
	calls  int
}

func (f *forgetful) Publish(ctx context.Context, events []event.Event) error {
	f.calls++
	if err := f.topics.Publish(ctx, events); err != nil || f.calls%2 == 0 {
		return err
	}
	return errTrouble
}
