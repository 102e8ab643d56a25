package sandbox

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
	"time"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/limit"
)

// limits are the platform's of one number.
type limits struct {
	config Limits
	number limit.Bucket
	pairs  *limit.Pairs
}

// pairsHeld bounds the pairs in use at one time.
const pairsHeld = 2_000_000

func newLimits(config Limits) (*limits, error) {
	pairs, err := limit.NewPairs(limit.PairRate{Every: config.PairEvery, Burst: config.PairBurst, Pairs: pairsHeld})
	if err != nil {
		return nil, err
	}
	return &limits{config: config, number: numberBucket(config), pairs: pairs}, nil
}

func numberBucket(config Limits) limit.Bucket {
	return limit.Every(time.Second/time.Duration(config.PerSecond), config.PerSecond)
}

// take takes the permits of a message, or says with which code it is refused.
func (l *limits) take(now time.Time, recipient identity.ID) (code int) {
	if ok, _ := l.number.Take(now); !ok {
		return codeThroughput
	}
	if ok, _ := l.pairs.Take(now, "", recipient); !ok {
		return codePairRate
	}
	return 0
}

// restore brings the limits back after a restart. Only messages that were
// accepted count.
func (l *limits) restore(past []Submission, now time.Time) {
	since := now.Add(-l.pairs.History())
	var uses []limit.Use
	var times []time.Time
	for i := range slices.Backward(past) {
		one := &past[i]
		if one.At.Before(since) {
			break
		}
		if one.Outcome == Accepted {
			uses = append(uses, limit.Use{At: one.At, Customer: one.recipient()})
			times = append(times, one.At)
		}
	}
	slices.Reverse(times)
	l.pairs.Restore(since, uses)
	l.number.Restore(since, times)
}

// recipient is whom the limits count a submission for.
func (one *Submission) recipient() (id identity.ID) {
	if one.Stranger == "" {
		binary.BigEndian.PutUint64(id[8:], uint64(one.Customer)+1)
		return id
	}
	h := fnv.New128a()
	_, _ = h.Write([]byte(one.Stranger)) // never fails
	h.Sum(id[:0])
	return id
}
