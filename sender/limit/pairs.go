package limit

import (
	"errors"
	"sync"
	"time"

	"github.com/goodhour/goodhour/ingest/identity"
)

// PairRate is how often one number may write to one customer.
type PairRate struct {
	// Every is the time between two messages once the burst is used up.
	Every time.Duration `yaml:"every"`
	// Burst is how many may go at once.
	Burst int `yaml:"burst"`
	// Pairs bounds the memory: how many pairs may be in use at one time, about
	// 100 bytes each. Beyond it new pairs wait.
	Pairs int `yaml:"pairs"`
}

// Validate says what is wrong with the rate.
func (r PairRate) Validate() error {
	if r.Every <= 0 || r.Every > time.Hour || r.Burst < 1 || r.Burst > 1000 || r.Pairs < 1 {
		return errors.New("pair rate: every must be over 0 and at most an hour, burst 1 to 1000, pairs at least 1")
	}
	return nil
}

// Use is a permit that was used: a claim.
type Use struct {
	At       time.Time
	NumberID string
	Customer identity.ID
	// Campaign says that it was a message of a campaign.
	Campaign bool
}

// Pairs limits each (number, customer). WhatsApp gives a pair one message each
// 6 s and lends a burst of 45, then refuses with error 131056 (Meta, "About the
// platform", pair rate limits; checked 2026-11-23).
//
// It holds only pairs whose bucket is not full: a full one is as good as none.
// Where all of the allowed pairs are in use, a further pair waits; none in use
// is ever forgotten, for that would break its limit. Safe for concurrent use.
type Pairs struct {
	rate PairRate

	mu      sync.Mutex
	buckets map[pair]Bucket
	// sweepAt is the earliest instant at which a sweep can free something.
	sweepAt time.Time
	// sweepLen is how many buckets may gather until the next sweep.
	sweepLen int
}

type pair struct {
	number   string
	customer identity.ID
}

// NewPairs makes the limits of all pairs.
func NewPairs(rate PairRate) (*Pairs, error) {
	if err := rate.Validate(); err != nil {
		return nil, err
	}
	p := &Pairs{rate: rate, buckets: make(map[pair]Bucket)}
	p.scheduleSweep()
	return p, nil
}

const sweepLenMin = 1024

// Take takes a permit for a message from the number to the customer, or says
// when there is one. The customer is that of now: after a merge the two pairs
// go on as one under whichever id the caller passes.
func (p *Pairs) Take(now time.Time, numberID string, customer identity.ID) (ok bool, nextAt time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := pair{numberID, customer}
	bucket, known := p.buckets[key]
	if !known {
		if free, at := p.room(now); !free {
			return false, at
		}
		bucket = p.bucket()
	}
	ok, nextAt = bucket.Take(now)
	if ok {
		p.buckets[key] = bucket
	}
	return ok, nextAt
}

// History is how far back Restore needs the claims.
func (p *Pairs) History() time.Duration {
	bucket := p.bucket()
	return 2 * bucket.Span()
}

// Restore brings back the pairs after a restart from all claims since an
// instant, which must be at least History ago, in any order. If they are more
// than the bound, none is added until they are done.
func (p *Pairs) Restore(since time.Time, uses []Use) {
	byPair := make(map[pair][]time.Time)
	for _, u := range uses {
		key := pair{u.NumberID, u.Customer}
		byPair[key] = append(byPair[key], u.At)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, times := range byPair {
		bucket, known := p.buckets[key]
		if !known {
			bucket = p.bucket()
		}
		bucket.Restore(since, sorted(times))
		if !bucket.Idle(since.Add(p.History())) {
			p.buckets[key] = bucket
		}
	}
	p.scheduleSweep()
}

// bucket is a new pair's.
func (p *Pairs) bucket() Bucket { return Every(p.rate.Every, p.rate.Burst) }

// Len is how many pairs are held.
func (p *Pairs) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.buckets)
}

// room makes room for one more pair, or says when there may be some. It sweeps
// when the number of pairs has doubled or reached the bound, so a pair's share
// of the sweeps is constant.
func (p *Pairs) room(now time.Time) (free bool, nextAt time.Time) {
	if len(p.buckets) < p.sweepLen {
		return true, time.Time{}
	}
	if len(p.buckets) < p.rate.Pairs || !now.Before(p.sweepAt) {
		p.sweep(now)
	}
	return len(p.buckets) < p.rate.Pairs, p.sweepAt
}

func (p *Pairs) sweep(now time.Time) {
	p.sweepAt = time.Time{}
	for key, bucket := range p.buckets {
		switch {
		case bucket.Idle(now):
			delete(p.buckets, key)
		case p.sweepAt.IsZero() || bucket.fullAt.Before(p.sweepAt):
			p.sweepAt = bucket.fullAt
		}
	}
	p.scheduleSweep()
}

// scheduleSweep says how many buckets may gather until the next sweep.
func (p *Pairs) scheduleSweep() { p.sweepLen = min(max(2*len(p.buckets), sweepLenMin), p.rate.Pairs) }
