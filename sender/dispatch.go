package sender

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/provider"
)

// sending is a message that is claimed and on its way.
type sending struct {
	message   plan.Message
	number    *number
	attempt   string
	claimedAt time.Time
	inputs    json.RawMessage // what the rules saw
	request   provider.Request
	content   *event.Content
}

func (m *sending) templateKey() templateKey {
	return templateKey{m.request.Template.Name, m.request.Template.Language}
}

const (
	// claimAhead is the most that one claim takes: what the limits allow in it.
	claimAhead = time.Second
	// overheadShare keeps what a claim costs (the barrier, two commits) under
	// about a tenth of the time: a claim is for ten times as long as the last
	// one took. On a clock that stands still meanwhile it takes what may go now.
	overheadShare = 10
	// claimAgeMax is how long a claim holds. What was decided before the machine
	// slept, or a slow provider filled all slots, is decided anew.
	claimAgeMax = 5 * time.Second
	// barrierWait bounds the barrier, on the machine's clock, and barrierAgain
	// is when marketing that waits for it is looked at again.
	barrierWait  = 10 * time.Second
	barrierAgain = time.Second
)

// round is what one pass found.
type round struct {
	now       time.Time
	marketing bool // the barrier holds: opt-outs are known
	live      map[string]live
	persons   map[identity.ID]bool // who is claimed for already
	decisions []plan.Decision
	claims    []*sending
	again     time.Time // zero: nothing that is due was left
}

// lookAt notes that something was left that may go at an instant.
func (r *round) lookAt(at time.Time) {
	if limit := r.now.Add(lookAgain); at.IsZero() || at.After(limit) {
		at = limit
	}
	if r.again.IsZero() || at.Before(r.again) {
		r.again = at
	}
}

// look makes a pass: it decides and claims what is due, and hands it over. It
// returns how many calls it began once the last has; inFlight waits for them.
func (s *Sender) look(ctx, calls context.Context, inFlight *sync.WaitGroup) (int, error) {
	s.passing.Lock()
	defer s.passing.Unlock()
	s.begin()
	r, err := s.claim(ctx)
	if err != nil {
		s.end()
		return 0, err
	}
	groups := make(map[*number][]*sending)
	for _, m := range r.claims {
		groups[m.number] = append(groups[m.number], m)
	}
	var paced sync.WaitGroup
	handed := make(chan int, len(groups))
	for _, group := range groups {
		s.begin()
		paced.Go(func() {
			defer s.end()
			handed <- s.handOver(ctx, calls, group, inFlight)
		})
	}
	s.end()
	paced.Wait()
	close(handed)
	sent := 0
	for n := range handed {
		sent += n
	}
	return sent, nil
}

// claim decides what is due, records what may not go, and claims the rest.
func (s *Sender) claim(ctx context.Context) (*round, error) {
	s.forgetSignals()
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	if err := s.restore(ctx); err != nil {
		return nil, err
	}
	started := s.cfg.Clock.Now()
	r := &round{now: started, live: make(map[string]live), persons: make(map[identity.ID]bool)}
	if first, ok := s.cfg.Ledger.NextDue(); ok && !first.After(started) {
		if err := s.judgeAll(ctx, r); err != nil {
			return nil, err
		}
	}
	s.overhead = s.cfg.Clock.Now().Sub(started)
	s.mu.Lock()
	s.looked, s.again = r.now, r.again
	s.mu.Unlock()
	return r, nil
}

func (s *Sender) judgeAll(ctx context.Context, r *round) error {
	r.marketing = s.barrier(ctx)
	r.now = s.cfg.Clock.Now()
	for _, a := range s.accounts {
		for _, id := range a.Numbers {
			if err := s.judge(ctx, r, s.numbers[id]); err != nil {
				return err
			}
		}
	}
	if err := s.address(ctx, r); err != nil {
		return err
	}
	if len(r.decisions) > 0 {
		if err := s.cfg.Ledger.Record(ctx, r.decisions); err != nil {
			return err
		}
	}
	if len(r.claims) > 0 {
		if err := s.cfg.Ledger.Claim(ctx, ledgerClaims(r)); err != nil {
			return err
		}
		s.pass(AfterClaimCommit)
	}
	signal(s.unpublished)
	s.tellStrays(r)
	return nil
}

func ledgerClaims(r *round) []ledger.Claim {
	claims := make([]ledger.Claim, len(r.claims))
	for i, m := range r.claims {
		claims[i] = ledger.Claim{MessageID: m.message.ID, AttemptID: m.attempt, At: m.claimedAt, Decision: plan.Decision{
			MessageID: m.message.ID, Stage: plan.AtClaim, Verdict: plan.Allow, Inputs: m.inputs, At: m.claimedAt,
		}}
	}
	return claims
}

var errStray = errors.New("messages are due whose number no account has: configure it, or cancel their plan")

// tellStrays tells of messages that no number took up: they wait.
func (s *Sender) tellStrays(r *round) {
	const what = "messages of numbers that are not configured"
	first, ok := s.cfg.Ledger.NextDue()
	if !ok || first.After(r.now) || !r.again.IsZero() || len(r.claims)+len(r.decisions) > 0 {
		s.told.over(what)
		return
	}
	s.told.trouble(what, errStray)
	r.lookAt(time.Time{})
}

// forgetSignals: this pass looks at whatever they meant.
func (s *Sender) forgetSignals() {
	for _, c := range []<-chan struct{}{s.due, s.cfg.Ledger.Changed()} {
		select {
		case <-c:
		default:
		}
	}
}

// barrier says whether the ledger has read everything that could carry an
// opt-out or a link. Where it has not, marketing waits.
func (s *Sender) barrier(ctx context.Context) bool {
	const what = "reading the topics to their end: marketing waits"
	waiting, cancel := context.WithTimeout(ctx, barrierWait)
	defer cancel()
	if err := s.cfg.Barrier.WaitForEnd(waiting); err != nil {
		if ctx.Err() == nil {
			s.told.trouble(what, err)
		}
		return false
	}
	s.told.over(what)
	return true
}

// restore brings the limits back after a start, from the claims before it. A
// claim may have been called up to claimAgeMax later, so the number counts it
// then.
func (s *Sender) restore(ctx context.Context) error {
	if s.restored {
		return nil
	}
	history := s.pairs.History()
	for _, n := range s.numbers {
		history = max(history, n.limit.History())
	}
	since := s.cfg.Clock.Now().Add(-history - claimAgeMax)
	uses, err := s.cfg.Ledger.Claims(ctx, since)
	if err != nil {
		return err
	}
	s.pairs.Restore(since, uses)
	for id, n := range s.numbers {
		own := uses[:0:0]
		for _, u := range uses {
			if u.NumberID == id {
				u.At = u.At.Add(claimAgeMax)
				own = append(own, u)
			}
		}
		n.limit.Restore(since, own)
	}
	s.restored = true
	return nil
}

// handOver calls the provider for a number's group, each message at its turn,
// and returns how many.
func (s *Sender) handOver(ctx, calls context.Context, group []*sending, inFlight *sync.WaitGroup) int {
	var back []*sending
	defer func() { s.putBack(ctx, back) }()
	handed := 0
	for _, m := range group {
		slots := m.number.account.slots
		if !s.takeSlot(ctx, slots) {
			back = append(back, m)
			continue
		}
		if !s.turn(ctx, m) {
			<-slots
			back = append(back, m)
			continue
		}
		handed++
		s.begin()
		s.calling(m.number)
		inFlight.Go(func() {
			defer s.end()
			s.call(calls, m)
		})
	}
	return handed
}

// takeSlot waits for a slot, no longer than a claim holds: a provider that does
// not answer must not hold up the others.
func (s *Sender) takeSlot(ctx context.Context, slots chan struct{}) bool {
	timer := time.NewTimer(claimAgeMax)
	defer timer.Stop()
	select {
	case slots <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// turn waits for the message's permit and takes it; false where it should not
// go now after all.
func (s *Sender) turn(ctx context.Context, m *sending) bool {
	for ctx.Err() == nil {
		now := s.cfg.Clock.Now()
		_, halted := s.halted(m.number, now)
		if halted || s.templateHeld(m.number.account, m.templateKey(), now) || now.Sub(m.claimedAt) > claimAgeMax {
			return false
		}
		ok, at := m.number.take(now, &m.message)
		if ok {
			return true
		}
		if at.IsZero() || at.Sub(m.claimedAt) > claimAgeMax {
			return false
		}
		s.waitUntil(ctx, m.number, at)
	}
	return false
}

// waitUntil waits for the clock, which may move meanwhile.
func (s *Sender) waitUntil(ctx context.Context, n *number, at time.Time) {
	s.mu.Lock()
	if s.again.IsZero() || at.Before(s.again) {
		s.again = at
	}
	s.turns[n] = at
	s.working--
	s.mu.Unlock()
	_ = s.cfg.Clock.Wait(ctx, at) // the caller looks at ctx
	s.mu.Lock()
	delete(s.turns, n)
	s.working++
	s.mu.Unlock()
}

// take takes a permit of the number, or says when there is one.
func (n *number) take(now time.Time, m *plan.Message) (ok bool, at time.Time) {
	if m.CampaignID == "" {
		return n.limit.Take(now)
	}
	return n.limit.TakeCampaign(now)
}
