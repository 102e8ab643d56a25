package sender_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/goodhour/goodhour/sender/limit"
	"github.com/goodhour/goodhour/sender/plan"
)

// Whatever is due when, refused, slowed down or restarted: in no window does a
// number send more than its limits.
func TestNoWindowExceedsTheLimits(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(21, seed))
			rate := limit.NumberRate{
				CampaignPerMinute: 5 + random.IntN(200), PerSecond: 4 + random.IntN(60), ProviderPerSecond: 80,
			}
			throttled := rand.New(rand.NewPCG(22, seed))
			b, w := begin(t, 80, func(string, int) answer {
				if throttled.IntN(12) == 0 {
					return refuse(130429)
				}
				return accept()
			})
			b.account.NumberRate = rate
			b.account.Numbers = append(b.account.Numbers, "106540352242923")
			b.start()
			id := b.campaign("spring", b.people, noon(), func(m *plan.Message) {
				m.SendAt = noon().Add(time.Duration(random.IntN(120)) * time.Second)
			})
			b.wander(random, noon().Add(5*time.Hour))
			b.want(id, map[plan.State]int{plan.Accepted: 80})
			w.checkPromise(t)
			perNumber := make(map[string][]time.Time)
			for _, s := range w.all() {
				perNumber[s.number] = append(perNumber[s.number], s.at)
			}
			if len(perNumber) != 2 {
				t.Errorf("%d numbers sent", len(perNumber))
			}
			for _, sent := range perNumber {
				checkWindow(t, sent, time.Minute, rate.CampaignPerMinute)
				checkWindow(t, sent, time.Second, rate.PerSecond)
			}
		})
	}
}

// wander steps, moves the clock by chance, and restarts now and then.
func (b *bench) wander(random *rand.Rand, until time.Time) {
	b.t.Helper()
	for b.clock.Now().Before(until) {
		if random.IntN(40) == 0 {
			b.restart()
		}
		b.step()
		next, ok := b.sender.NextDue()
		if !ok {
			return
		}
		b.advance(next.Add(time.Duration(random.IntN(3)*random.IntN(700)) * time.Millisecond))
	}
}

func checkWindow(t *testing.T, sent []time.Time, window time.Duration, most int) {
	t.Helper()
	slices.SortFunc(sent, time.Time.Compare)
	for i := most; i < len(sent); i++ {
		if within := sent[i].Sub(sent[i-most]); within < window {
			t.Errorf("%d messages within %s, the limit is %d in %s", most+1, within, most, window)
			return
		}
	}
}

// After a restart the number waits as long as it would have without: forty
// starts in a minute give no message more.
func TestARestartGivesNoPermitsAnew(t *testing.T) {
	t.Parallel()
	b, w := begin(t, 60, always(accept()))
	b.account.NumberRate = b.rules.NumberRate // 30 a minute
	b.start()
	b.campaign("spring", b.people, noon(), nil)
	for range 40 {
		b.restart()
		b.step()
		b.advance(b.clock.Now().Add(time.Second))
	}
	var sent []time.Time
	for _, s := range w.all() {
		sent = append(sent, s.at)
	}
	checkWindow(t, sent, time.Minute, b.rules.NumberRate.CampaignPerMinute)
	if len(sent) == 0 {
		t.Error("nothing was sent")
	}
}
