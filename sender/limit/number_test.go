package limit

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func mustNumber(t testing.TB, rate NumberRate) *Number {
	t.Helper()
	n, err := NewNumber(rate)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var defaultRate = NumberRate{CampaignPerMinute: 30, PerSecond: 50, ProviderPerSecond: 80}

// Whatever it is asked and told, restarts included, no second holds more than
// PerSecond and no minute more campaign messages than CampaignPerMinute.
func TestNumberIsNeverAboveItsRates(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		perSecond := rapid.IntRange(1, 300).Draw(t, "per second")
		rate := NumberRate{rapid.IntRange(1, 60*perSecond).Draw(t, "per minute"), perSecond, 300}
		n, err := NewNumber(rate)
		if err != nil {
			t.Fatal(err)
		}
		var uses []Use
		last := epoch
		asking(t, 600, func(now time.Time) (bool, time.Time) {
			last = later(last, now)
			switch rapid.IntRange(0, 60).Draw(t, "told") {
			case 0:
				n.Throttled(now)
			case 1:
				for range answersMin {
					n.Answered(now, time.Second)
				}
			case 2:
				if n, err = NewNumber(rate); err != nil {
					t.Fatal(err)
				}
				n.Restore(last.Add(-n.History()), uses)
			}
			campaign := rapid.Bool().Draw(t, "campaign")
			take := n.Take
			if campaign {
				take = n.TakeCampaign
			}
			total, ofCampaign := n.Permits(now, 0)
			ok, nextAt := take(now)
			if ok {
				uses = append(uses, Use{At: now, Campaign: campaign})
			}
			if want := campaign && ofCampaign > 0 || !campaign && total > 0; ok != want {
				t.Fatalf("%d permits, %d of campaigns, and %v", total, ofCampaign, ok)
			}
			return ok, nextAt
		})
		var all, campaign []time.Time
		for _, u := range uses {
			all = append(all, u.At)
			if u.Campaign {
				campaign = append(campaign, u.At)
			}
		}
		if got := most(all, time.Second); got > rate.PerSecond {
			t.Fatalf("%d messages in a second, the limit is %d", got, rate.PerSecond)
		}
		if got := most(campaign, time.Minute); got > rate.CampaignPerMinute {
			t.Fatalf("%d campaign messages in a minute, the limit is %d", got, rate.CampaignPerMinute)
		}
	})
}

// given counts the campaign messages that go in a stretch when as many as may.
func given(n *Number, from time.Time, stretch time.Duration) int {
	count := 0
	for now := from; now.Before(from.Add(stretch)); {
		ok, nextAt := n.TakeCampaign(now)
		if ok {
			count++
		}
		now = later(nextAt, now)
	}
	return count
}

func TestCampaignGoesEvenly30AMinuteAndRepliesBesideIt(t *testing.T) {
	t.Parallel()
	n := mustNumber(t, defaultRate)
	if ok, _ := n.TakeCampaign(epoch); !ok {
		t.Fatal("the first is refused")
	}
	if ok, nextAt := n.TakeCampaign(epoch.Add(time.Second)); ok || !nextAt.Equal(epoch.Add(2*time.Second)) {
		t.Errorf("the second: %v, next at %s, want in 2 s", ok, nextAt)
	}
	if ok, _ := n.Take(epoch.Add(time.Second)); !ok {
		t.Error("a reply waits for the campaign")
	}
	if got := given(mustNumber(t, defaultRate), epoch, 10*time.Minute); got != 300 {
		t.Errorf("%d in 10 minutes, want 300", got)
	}
	if total, campaign := mustNumber(t, defaultRate).Permits(epoch, time.Second); total != 51 || campaign != 1 {
		// 51: the second's both ends are included.
		t.Errorf("permits of a second: %d and %d of campaigns", total, campaign)
	}
}

func TestFastNumberReachesItsRateInBursts(t *testing.T) {
	t.Parallel()
	n := mustNumber(t, NumberRate{60_000, 1000, 1000})
	count, now := 0, epoch
	// A caller that wakes each 10 ms, as timers do.
	for ; now.Before(epoch.Add(10 * time.Second)); now = now.Add(10 * time.Millisecond) {
		for ok := true; ok; {
			if ok, _ = n.TakeCampaign(now); ok {
				count++
			}
		}
	}
	if count < 9_750 || count > 10_000 {
		t.Errorf("%d in 10 s at 1,000 a second", count)
	}
}

func TestRefusalsHalveTheRateOnceForABunchAndItComesBackSlowly(t *testing.T) {
	t.Parallel()
	n := mustNumber(t, defaultRate)
	for i := range 50 {
		n.Throttled(epoch.Add(time.Duration(i) * 100 * time.Millisecond))
	}
	f := func(after time.Duration, want float64) {
		t.Helper()
		if got := n.Share(epoch.Add(after)); got < want-1e-9 || got > want+1e-9 {
			t.Errorf("%s later the share is %v, want %v", after, got, want)
		}
	}
	f(5*time.Second, .5)
	f(59*time.Second, .5)
	f(time.Minute, .6)
	f(4*time.Minute, .9)
	f(5*time.Minute, 1)
	f(time.Hour, 1)
	if got := given(n, epoch.Add(5*time.Second), 50*time.Second); got > 13 || got < 12 {
		t.Errorf("%d in 50 s at half of 30 a minute", got)
	}
	// Again and again: it never stops for good.
	now := epoch.Add(time.Hour)
	for range 100 {
		n.Throttled(now)
		now = now.Add(slowdownPause)
	}
	if got := n.Share(now); got != shareMin {
		t.Errorf("share %v, want %v", got, shareMin)
	}
	if got := given(n, now, time.Minute); got < 1 {
		t.Error("it stopped")
	}
	if got := n.Share(now.Add(10 * time.Minute)); got != 1 {
		t.Errorf("ten minutes later the share is %v", got)
	}
}

func TestSlowAnswersHalveTheRate(t *testing.T) {
	t.Parallel()
	answers := func(slow, fast int, apart time.Duration) float64 {
		n := mustNumber(t, defaultRate)
		now := epoch
		for range fast {
			n.Answered(now, 500*time.Millisecond)
			now = now.Add(apart)
		}
		for range slow {
			n.Answered(now, 501*time.Millisecond)
			now = now.Add(apart)
		}
		return n.Share(now)
	}
	f := func(name string, got, want float64) {
		t.Helper()
		if got != want {
			t.Errorf("%s: share %v, want %v", name, got, want)
		}
	}
	f("5 slow of 100 are the 95th percentile", answers(5, 95, time.Millisecond), 1)
	f("6 slow of 100", answers(6, 94, time.Millisecond), .5)
	f("too few to tell", answers(19, 0, time.Millisecond), 1)
	f("all slow", answers(20, 0, time.Millisecond), .5)
	f("all slow, too long ago to count together", answers(20, 0, 10*time.Second), 1)
	f("500 ms is healthy", answers(0, 200, time.Millisecond), 1)
}
