package limit

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/goodhour/goodhour/ingest/identity"
)

var epoch = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)

// most is the largest number of instants in a half-open window.
func most(times []time.Time, window time.Duration) int {
	times = sorted(times)
	largest, first := 0, 0
	for last := range times {
		for times[last].Sub(times[first]) >= window {
			first++
		}
		largest = max(largest, last-first+1)
	}
	return largest
}

// asking draws how a caller asks: in bursts, steadily, with pauses, sometimes
// with the clock put back, sometimes waiting for exactly what it was told.
func asking(t *rapid.T, times int, take func(now time.Time) (bool, time.Time)) []time.Time {
	now := epoch
	var given []time.Time
	for range times {
		ok, nextAt := take(now)
		if ok {
			given = append(given, now)
		} else if !nextAt.After(now) {
			t.Fatalf("refused at %s, but free at %s", now, nextAt)
		}
		switch rapid.IntRange(0, 5).Draw(t, "then") {
		case 0, 1: // again at once
		case 2:
			if nextAt.After(now) {
				now = nextAt
			}
		case 3:
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "moment")))
		case 4:
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(10*time.Minute)).Draw(t, "pause")))
		case 5:
			now = now.Add(-time.Duration(rapid.Int64Range(0, int64(5*time.Second)).Draw(t, "put back")))
		}
	}
	return given
}

func TestPairGets45AtOnceThenOneEach6Seconds(t *testing.T) {
	t.Parallel()
	b := Every(6*time.Second, 45)
	for i := range 45 {
		if ok, _ := b.Take(epoch); !ok {
			t.Fatalf("message %d of the burst is refused", i+1)
		}
	}
	ok, nextAt := b.Take(epoch)
	if ok || !nextAt.Equal(epoch.Add(6*time.Second)) {
		t.Fatalf("message 46: %v, next at %s", ok, nextAt)
	}
	if ok, _ := b.Take(epoch.Add(6*time.Second - 1)); ok {
		t.Fatal("a nanosecond early")
	}
	if ok, _ := b.Take(epoch.Add(6 * time.Second)); !ok {
		t.Fatal("refused when it said")
	}
	// A burst of 20 is repaid in two minutes, as the platform says.
	twenty := Every(6*time.Second, 45)
	for range 20 {
		twenty.Take(epoch)
	}
	if twenty.Idle(epoch.Add(2*time.Minute-1)) || !twenty.Idle(epoch.Add(2*time.Minute)) {
		t.Error("20 messages are not repaid in two minutes")
	}
}

func TestBucketsThatGiveNothing(t *testing.T) {
	t.Parallel()
	for _, b := range []Bucket{{}, Every(0, 1), Every(time.Second, 0), PerWindow(0, time.Second, 1), PerWindow(5, time.Second, 6), PerWindow(5, time.Second, 0)} {
		b.Restore(epoch, []time.Time{epoch})
		if ok, nextAt := b.Take(epoch); ok || !nextAt.IsZero() || b.Permits(epoch, time.Hour) != 0 {
			t.Errorf("%+v gives", b)
		}
	}
}

func TestNoWindowHoldsMoreThanTheLimit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "n")
		burst := rapid.IntRange(1, n).Draw(t, "burst")
		window := time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(2*time.Minute)).Draw(t, "window"))
		b := PerWindow(n, window, burst)
		given := asking(t, 300, b.Take)
		if got := most(given, window); got > n {
			t.Fatalf("%d permits in %s, the limit is %d", got, window, n)
		}
		// Any shorter or longer stretch: n permits span n − burst intervals.
		given = sorted(given)
		for i := range given {
			for j := i; j < len(given); j += burst + 1 {
				if least := time.Duration(j-i+1-burst) * b.interval; given[j].Sub(given[i]) < least {
					t.Fatalf("%d permits within %s", j-i+1, given[j].Sub(given[i]))
				}
			}
		}
	})
}

func TestPermitsIsWhatTakeGives(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := Every(time.Duration(rapid.Int64Range(1, int64(3*time.Second)).Draw(t, "interval")), rapid.IntRange(1, 50).Draw(t, "burst"))
		for range rapid.IntRange(0, 60).Draw(t, "before") {
			b.Take(epoch)
		}
		now := epoch.Add(time.Duration(rapid.Int64Range(0, int64(10*time.Second)).Draw(t, "later")))
		end := now.Add(time.Duration(rapid.Int64Range(0, int64(100*b.interval)).Draw(t, "ahead")))
		permits := b.Permits(now, end.Sub(now))
		for at, i := now, 0; ; i++ {
			ok, nextAt := b.Take(at)
			if !ok && nextAt.After(end) {
				if i != permits {
					t.Fatalf("%d permits, %d given", permits, i)
				}
				return
			}
			if !ok {
				at = nextAt
				i--
			}
		}
	})
}

// A restart at any instant, knowing the claims of any past: never more than
// without it, and nothing is lost for good.
func TestRestoredBucketGivesNoMore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		interval, burst := 6*time.Second, rapid.IntRange(1, 45).Draw(t, "burst")
		asked := Every(interval, burst)
		given := sorted(asking(t, 200, asked.Take))
		// The bucket that went on, had the clock never been put back.
		whole := Every(interval, burst)
		for _, at := range given {
			whole.use(at)
		}
		now := epoch
		if len(given) > 0 {
			now = given[len(given)-1]
		}
		now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "down")))
		since := now.Add(-time.Duration(rapid.Int64Range(0, int64(2*whole.Span())).Draw(t, "known")))
		restored := Every(interval, burst)
		restored.Restore(since, given)
		for _, ahead := range []time.Duration{0, time.Second, time.Minute, time.Hour} {
			if a, b := restored.Permits(now, ahead), whole.Permits(now, ahead); a > b {
				t.Fatalf("%d permits within %s, without the restart %d", a, ahead, b)
			}
		}
		if !restored.Idle(later(since, now).Add(2 * whole.Span()).Add(time.Duration(len(given)) * interval)) {
			t.Fatal("never full again")
		}
		if len(given) == 0 && !since.After(now.Add(-whole.Span())) && !restored.Idle(now) {
			t.Fatal("an untouched bucket is not full")
		}
	})
}

func customer(n int) identity.ID { return identity.ID{byte(n), byte(n >> 8), byte(n >> 16)} }

func mustPairs(t testing.TB, rate PairRate) *Pairs {
	t.Helper()
	p, err := NewPairs(rate)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPairsAreLimitedEachWithinBoundedMemory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rate := PairRate{Every: 6 * time.Second, Burst: rapid.IntRange(1, 5).Draw(t, "burst"), Pairs: rapid.IntRange(1, 12).Draw(t, "pairs")}
		p, err := NewPairs(rate)
		if err != nil {
			t.Fatal(err)
		}
		type key struct {
			number   string
			customer int
		}
		given := map[key][]time.Time{}
		now := epoch
		for range 400 {
			k := key{rapid.SampledFrom([]string{"a", "b"}).Draw(t, "number"), rapid.IntRange(0, 9).Draw(t, "customer")}
			before := p.Len()
			ok, nextAt := p.Take(now, k.number, customer(k.customer))
			if ok {
				given[k] = append(given[k], now)
			} else if !nextAt.After(now) {
				t.Fatalf("refused at %s, but free at %s", now, nextAt)
			}
			// A restart may know of more pairs in use than there were.
			if p.Len() > max(before, rate.Pairs) {
				t.Fatalf("%d pairs are held, the bound is %d", p.Len(), rate.Pairs)
			}
			if rapid.IntRange(0, 50).Draw(t, "restart") == 0 {
				var uses []Use
				for k, times := range given {
					for _, at := range times {
						uses = append(uses, Use{At: at, NumberID: k.number, Customer: customer(k.customer)})
					}
				}
				if p, err = NewPairs(rate); err != nil {
					t.Fatal(err)
				}
				since := now.Add(-p.History())
				p.Restore(since, slices.DeleteFunc(uses, func(u Use) bool { return u.At.Before(since) }))
			}
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(t, "step")))
		}
		for k, times := range given {
			for i := range times {
				for j := i + rate.Burst; j < len(times); j++ {
					if least := time.Duration(j-i+1-rate.Burst) * rate.Every; times[j].Sub(times[i]) < least {
						t.Fatalf("%v: %d messages within %s", k, j-i+1, times[j].Sub(times[i]))
					}
				}
			}
		}
	})
}

func TestFullPairsMakeOthersWaitNotForget(t *testing.T) {
	t.Parallel()
	p := mustPairs(t, PairRate{Every: 6 * time.Second, Burst: 2, Pairs: 2})
	take := func(at time.Time, c int, want bool, next time.Time) {
		t.Helper()
		ok, nextAt := p.Take(at, "n", customer(c))
		if ok != want || !want && !nextAt.Equal(next) {
			t.Errorf("customer %d: %v, next at %s; want %v, %s", c, ok, nextAt, want, next)
		}
	}
	take(epoch, 1, true, time.Time{})
	take(epoch.Add(time.Second), 2, true, time.Time{})
	take(epoch.Add(2*time.Second), 3, false, epoch.Add(6*time.Second))
	take(epoch.Add(2*time.Second), 1, true, time.Time{}) // a known pair goes on
	take(epoch.Add(6*time.Second), 3, false, epoch.Add(7*time.Second))
	take(epoch.Add(7*time.Second), 3, true, time.Time{})
	if p.Len() != 2 {
		t.Errorf("%d pairs", p.Len())
	}
}

func TestWrongRatesAreRefused(t *testing.T) {
	t.Parallel()
	for _, r := range []PairRate{{}, {Every: -1, Burst: 1, Pairs: 1}, {Every: 1, Burst: 0, Pairs: 1}, {Every: 1, Burst: 1}} {
		if _, err := NewPairs(r); err == nil {
			t.Errorf("%+v is taken", r)
		}
	}
	for _, r := range []NumberRate{{}, {30, 81, 80}, {3001, 50, 80}, {0, 50, 80}} {
		if _, err := NewNumber(r); err == nil {
			t.Errorf("%+v is taken", r)
		}
	}
}

func BenchmarkPairs(b *testing.B) {
	p := mustPairs(b, PairRate{Every: 6 * time.Second, Burst: 45, Pairs: 200_000})
	now, i := epoch, 0
	b.ReportAllocs()
	for b.Loop() {
		if ok, _ := p.Take(now, "106540352242922", customer(i)); !ok {
			b.Fatal("refused")
		}
		now, i = now.Add(time.Millisecond), i+1
	}
	b.ReportMetric(float64(p.Len()), "pairs")
}
