package limit

import (
	"fmt"
	"sync"
	"time"
)

// NumberRate is how much one number may send.
type NumberRate struct {
	// CampaignPerMinute is for messages of campaigns.
	CampaignPerMinute int `yaml:"campaign_per_minute"`
	// PerSecond is for all that the number sends.
	PerSecond int `yaml:"per_second"`
	// ProviderPerSecond is the provider's own limit. Meta gives 80 messages a
	// second, in and out together, 1,000 after an upgrade and 20 to a number
	// that the phone app shares ("Throughput"; checked 2026-11-23).
	ProviderPerSecond int `yaml:"provider_per_second"`
}

// Validate says what is wrong with the rate.
func (r NumberRate) Validate() error {
	switch {
	case r.CampaignPerMinute < 1 || r.PerSecond < 1 || r.ProviderPerSecond < 1:
		return fmt.Errorf("number rate: campaign_per_minute %d, per_second %d and provider_per_second %d must each be at least 1",
			r.CampaignPerMinute, r.PerSecond, r.ProviderPerSecond)
	case r.PerSecond > r.ProviderPerSecond:
		return fmt.Errorf("number rate: per_second %d is above the provider's own %d; lower it or correct provider_per_second",
			r.PerSecond, r.ProviderPerSecond)
	case r.CampaignPerMinute > 60*r.PerSecond:
		return fmt.Errorf("number rate: campaign_per_minute %d is above 60 times per_second %d; lower it or raise per_second",
			r.CampaignPerMinute, r.PerSecond)
	}
	return nil
}

// How a number slows down and recovers.
const (
	// slowdownPause is the least time between two halvings: the refusals of one
	// overload come in a bunch, as many as calls were in flight.
	slowdownPause = 10 * time.Second
	// recoveryStep is the share of the full rate that comes back with each
	// recoveryTime without a slowdown: from a half to all in 5 minutes.
	recoveryStep = 0.1
	recoveryTime = time.Minute
	// shareMin is the lowest share of the full rate.
	shareMin = 1.0 / 64
	// answerMax is the 95th percentile of answer times that is still healthy,
	// over the last answersKept answers of at most answersAge.
	answerMax   = 500 * time.Millisecond
	answersKept = 100
	answersMin  = 20
	answersAge  = time.Minute
)

// Number limits what one number sends: messages of campaigns by both of its
// rates, all others by the second's only. Both halve when the provider says
// that it is too fast (Throttled) or its answers become slow (Answered), and
// recover slowly. Safe for concurrent use.
type Number struct {
	rate NumberRate

	mu       sync.Mutex
	campaign Bucket
	total    Bucket
	// share of the full rate at sharedAt; it grows from there.
	share    float64
	sharedAt time.Time
	answers  []answer // the newest last
	slow     int      // how many of them took over answerMax
}

type answer struct {
	at   time.Time
	slow bool
}

// NewNumber makes the limits of one number, at its full rate.
func NewNumber(rate NumberRate) (*Number, error) {
	if err := rate.Validate(); err != nil {
		return nil, err
	}
	n := &Number{rate: rate, share: 1}
	n.campaign, n.total = n.buckets(1)
	return n, nil
}

// Take takes a permit for a message that is not a campaign's, or says when
// there is one.
func (n *Number) Take(now time.Time) (ok bool, nextAt time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tune(now)
	return n.total.Take(now)
}

// TakeCampaign takes a permit for a campaign's message, or says when there is
// one.
func (n *Number) TakeCampaign(now time.Time) (ok bool, nextAt time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tune(now)
	if at := later(n.campaign.nextAt(now), n.total.nextAt(now)); at.After(now) {
		return false, at
	}
	n.campaign.Take(now)
	n.total.Take(now)
	return true, later(n.campaign.nextAt(now), n.total.nextAt(now))
}

// Permits counts the messages, and those of campaigns among them, that may go
// from now until the end of ahead, without taking any. A claim asks it how many
// to claim; each call then takes its own permit.
func (n *Number) Permits(now time.Time, ahead time.Duration) (total, campaign int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tune(now)
	total = n.total.Permits(now, ahead)
	return total, min(total, n.campaign.Permits(now, ahead))
}

// Throttled tells that the provider refused a message because the number sends
// too fast (Meta's 130429): both rates halve, once for a bunch of refusals.
func (n *Number) Throttled(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.slowDown(now)
}

// Answered tells how long the provider took to answer a call. When the 95th
// percentile of the last answers passes 500 ms, both rates halve.
func (n *Number) Answered(now time.Time, took time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers = append(n.answers, answer{now, took > answerMax})
	if took > answerMax {
		n.slow++
	}
	for len(n.answers) > answersKept || n.answers[0].at.Before(now.Add(-answersAge)) {
		if n.answers[0].slow {
			n.slow--
		}
		n.answers = n.answers[1:]
	}
	// The 95th percentile is slow when over 5 % of the answers are.
	if len(n.answers) >= answersMin && 20*n.slow > len(n.answers) {
		n.slowDown(now)
		n.answers, n.slow = nil, 0
	}
}

// Share is the part of its full rate that the number has now, 0 to 1.
func (n *Number) Share(now time.Time) float64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.shareAt(now)
}

// History is how far back Restore needs the claims.
func (n *Number) History() time.Duration {
	campaign, total := n.buckets(1)
	return 2 * max(campaign.Span(), total.Span())
}

// Restore brings back the permits after a restart from the number's own claims
// since an instant, at least History ago, in any order. The rate begins at its
// full height.
func (n *Number) Restore(since time.Time, uses []Use) {
	var all, campaign []time.Time
	for _, u := range uses {
		all = append(all, u.At)
		if u.Campaign {
			campaign = append(campaign, u.At)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.total.Restore(since, sorted(all))
	n.campaign.Restore(since, sorted(campaign))
}

func (n *Number) slowDown(now time.Time) {
	if n.sharedAt.Add(slowdownPause).After(now) {
		return
	}
	n.share, n.sharedAt = max(n.shareAt(now)/2, shareMin), now
	n.tune(now)
}

// shareAt grows from the last slowdown in whole steps.
func (n *Number) shareAt(now time.Time) float64 {
	steps := now.Sub(n.sharedAt) / recoveryTime
	return min(1, n.share+recoveryStep*float64(max(0, steps)))
}

// tune brings the buckets to the rate of now.
func (n *Number) tune(now time.Time) {
	if n.share == 1 {
		return
	}
	share := n.shareAt(now)
	campaign, total := n.buckets(share)
	if campaign.interval != n.campaign.interval || total.interval != n.total.interval {
		n.campaign.retune(now, campaign)
		n.total.retune(now, total)
	}
	if share == 1 {
		n.share = 1
	}
}

// buckets are those of a share of the full rate. A second's burst is 20 ms of
// its rate, for a timer wakes no more exactly; a campaign goes evenly.
func (n *Number) buckets(share float64) (campaign, total Bucket) {
	part := func(full int) int { return max(1, int(float64(full)*share)) }
	perSecond, perMinute := part(n.rate.PerSecond), part(n.rate.CampaignPerMinute)
	return PerWindow(perMinute, time.Minute, max(1, perMinute/60/50)),
		PerWindow(perSecond, time.Second, max(1, perSecond/50))
}
