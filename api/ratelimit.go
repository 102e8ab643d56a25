package api

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// rateLimits holds a token bucket for each principal. There are as many as
// keys that were used since the start, so the map needs no limit of its own.
type rateLimits struct {
	perSecond float64
	burst     int

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

func newRateLimits(perSecond float64, burst int) *rateLimits {
	return &rateLimits{perSecond: perSecond, burst: burst, buckets: make(map[string]*rate.Limiter)}
}

// take takes one request from the principal's bucket. If it is empty, it takes
// nothing and returns how long until there is one again.
func (l *rateLimits) take(id string, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	bucket := l.buckets[id]
	if bucket == nil {
		bucket = rate.NewLimiter(rate.Limit(l.perSecond), l.burst)
		l.buckets[id] = bucket
	}
	l.mu.Unlock()
	reservation := bucket.ReserveN(now, 1)
	wait = reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}
