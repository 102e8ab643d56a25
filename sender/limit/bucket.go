package limit

import (
	"math"
	"slices"
	"time"
)

// Bucket is a token bucket in the form of the generic cell rate algorithm
// (GCRA; ITU-T I.371): instead of tokens it keeps the theoretical arrival time,
// the instant at which the bucket will be full again.
//
// Between any n permits lie at least (n − burst) intervals. It is a plain value
// and not safe for concurrent use. The zero Bucket gives nothing.
type Bucket struct {
	interval time.Duration // one token's time to refill
	burst    int
	fullAt   time.Time // the theoretical arrival time; zero means full
}

// Every makes a full bucket that holds burst tokens and refills one each
// interval.
func Every(interval time.Duration, burst int) Bucket {
	return Bucket{interval: interval, burst: burst}
}

// PerWindow makes a full bucket that gives at most n permits in any half-open
// window of that length, burst of them at once. A burst costs rate: the bucket
// refills n − burst + 1 tokens a window, so that a burst at the end of a busy
// window stays within n.
func PerWindow(n int, window time.Duration, burst int) Bucket {
	tokens := n - burst + 1
	if n < 1 || burst < 1 || tokens < 1 {
		return Bucket{}
	}
	// Rounded up: a nanosecond too short would let one more in.
	return Every((window+time.Duration(tokens)-1)/time.Duration(tokens), burst)
}

// Take takes a permit if there is one now. If not, nextAt is the earliest
// instant at which Take can succeed; the zero time if it never can.
func (b *Bucket) Take(now time.Time) (ok bool, nextAt time.Time) {
	if nextAt = b.nextAt(now); nextAt.IsZero() || nextAt.After(now) {
		return false, nextAt
	}
	b.use(now)
	return true, b.nextAt(now)
}

// Permits counts the permits that can be taken from now until the end of ahead,
// both included, without taking any.
func (b *Bucket) Permits(now time.Time, ahead time.Duration) int {
	next := b.nextAt(now)
	end := now.Add(ahead)
	if next.IsZero() || next.After(end) {
		return 0
	}
	// At the end the bucket has had since fullAt to refill, and no longer than
	// it takes to give burst permits at once now.
	full := later(b.fullAt, now)
	return int((end.Sub(full)+b.tolerance())/b.interval) + 1
}

// Restore brings back the state after a restart from the permits used since an
// instant, in order of time. Before since the bucket is taken to have been used
// as much as can be, so a restored bucket never gives more than one that went
// on. One Span of history is enough for that; two tell a bucket that was never
// empty as it was.
func (b *Bucket) Restore(since time.Time, used []time.Time) {
	if !b.works() {
		return
	}
	b.fullAt = later(b.fullAt, since.Add(b.Span()))
	for _, at := range used {
		if at.Before(since) {
			continue
		}
		b.use(at)
		// Empty is as empty as a permit leaves it.
		if empty := at.Add(b.Span()); b.fullAt.After(empty) {
			b.fullAt = empty
		}
	}
}

// Span is the time that an empty bucket takes to be full.
func (b *Bucket) Span() time.Duration { return time.Duration(b.burst) * b.interval }

// Idle says whether the bucket is full, that is as good as a new one.
func (b *Bucket) Idle(now time.Time) bool { return !b.fullAt.After(now) }

// retune changes rate and burst and keeps the tokens that are owed: a bucket
// that was half refilled is half refilled at the new rate too.
func (b *Bucket) retune(now time.Time, to Bucket) {
	if owed := b.fullAt.Sub(now); owed > 0 && b.interval > 0 {
		scaled := math.Ceil(float64(owed) * float64(to.interval) / float64(b.interval))
		b.fullAt = now.Add(time.Duration(scaled))
	}
	b.interval, b.burst = to.interval, to.burst
}

func (b *Bucket) works() bool { return b.interval > 0 && b.burst > 0 }

// tolerance is how far fullAt may lie ahead when a permit is taken.
func (b *Bucket) tolerance() time.Duration { return time.Duration(b.burst-1) * b.interval }

// nextAt is the earliest instant, not before now, with a permit; the zero time
// if there is none ever.
func (b *Bucket) nextAt(now time.Time) time.Time {
	if !b.works() {
		return time.Time{}
	}
	return later(b.fullAt.Add(-b.tolerance()), now)
}

func (b *Bucket) use(at time.Time) { b.fullAt = later(b.fullAt, at).Add(b.interval) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sorted returns the instants in order.
func sorted(times []time.Time) []time.Time {
	return slices.SortedFunc(slices.Values(times), time.Time.Compare)
}
