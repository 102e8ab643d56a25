package sender_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/goodhour/goodhour/sender"
	"github.com/goodhour/goodhour/sender/limit"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
)

// running starts the sender's own loops and returns how to end them.
func (b *bench) running() (stop func()) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.sender.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				b.t.Errorf("run: %v", err)
			}
		case <-time.After(30 * time.Second):
			b.t.Error("run does not end")
		}
	})
}

// eventually waits until something holds.
func (b *bench) eventually(what string, holds func() bool) {
	b.t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(time.Minute)
	for !holds() {
		select {
		case <-look.C:
		case <-deadline:
			b.t.Fatalf("%s: not within a minute\n%s", what, b.logs.String())
		}
	}
}

// A virtual clock is moved only while the sender is quiet, always to what it
// waits for: the plan ends, with nobody stepping it.
func TestRunOnAVirtualClock(t *testing.T) {
	t.Parallel()
	b, w := begin(t, 60, once(refuse(130429)))
	defer b.running()()
	id := b.campaign("spring", b.people, noon().Add(3*time.Hour), nil)
	for b.status(id).Status != plan.Done {
		b.eventually("quiet", b.sender.Quiet)
		next, ok := b.sender.NextDue()
		if !ok {
			if b.status(id).Status == plan.Done {
				break
			}
			continue
		}
		b.advance(later(next, b.clock.Now().Add(tick)))
	}
	b.want(id, map[plan.State]int{plan.Accepted: 60})
	w.checkPromise(t)
	for _, s := range w.all() {
		if s.at.Before(noon().Add(3 * time.Hour)) {
			t.Errorf("sent at %s, before its time", s.at)
		}
	}
	b.eventually("published", func() bool { return len(b.topics.outcomes()) >= 60 })
}

// An answer that comes after the end was asked for is written down, and what
// was claimed and not called goes back.
func TestAGracefulEndLosesNoAnswer(t *testing.T) {
	t.Parallel()
	called, answered := make(chan struct{}), make(chan struct{})
	var first sync.Once
	b, w := begin(t, 40, func(string, int) answer {
		first.Do(func() { close(called) })
		<-answered
		return accept()
	})
	stop := b.running()
	id := b.campaign("spring", b.people, noon(), nil)
	select {
	case <-called:
	case <-time.After(time.Minute):
		t.Fatal("no call")
	}
	ended := make(chan struct{})
	go func() { stop(); close(ended) }()
	close(answered)
	<-ended
	sent := len(w.all())
	if sent == 0 || b.ledger.Unsettled() != 0 {
		t.Errorf("%d sent, %d not settled", sent, b.ledger.Unsettled())
	}
	b.want(id, map[plan.State]int{plan.Accepted: sent, plan.Waiting: 40 - sent})
	b.restart()
	b.drive(noon().Add(time.Hour))
	b.want(id, map[plan.State]int{plan.Accepted: 40})
	w.checkPromise(t)
}

func TestTemplatesThatCannotBeSyncedAreToldOnce(t *testing.T) {
	t.Parallel()
	b, w := begin(t, 1, always(accept()))
	w.server.Config.Handler = http.NotFoundHandler()
	for range 3 {
		if _, err := b.sender.SyncTemplates(t.Context(), accountName); err == nil {
			t.Error("synced with nothing there")
		}
	}
	if _, err := b.sender.SyncTemplates(t.Context(), "nobody"); err == nil {
		t.Error("synced an account that is not configured")
	}
	if _, known := b.ledger.Template(accountName, "new_arrivals", "en_US"); !known {
		t.Error("a failed sync lost the templates")
	}
}

// On a clock that moves, a group is claimed ahead and called at its pace; what
// was not called when the end came goes back.
func TestRunOnTheWallClock(t *testing.T) {
	t.Parallel()
	const n, perSecond = 200, 100
	w := newWire(t, always(accept()))
	clock := newWall()
	w.now = clock.Now
	b := setup(t, clock, w.server.URL, people(n))
	b.account.NumberRate = limit.NumberRate{CampaignPerMinute: 60 * perSecond, PerSecond: perSecond, ProviderPerSecond: perSecond}
	groups := 0
	b.hook = func(reached sender.KillPoint) {
		if reached == sender.AfterClaimCommit {
			groups++
		}
	}
	b.start()
	id := b.campaign("spring", b.people, clock.Now(), nil)
	stop := b.running()
	b.eventually("most are sent", func() bool { return len(w.all()) > 130 })
	stop()
	sent := len(w.all())
	b.want(id, map[plan.State]int{plan.Accepted: sent, plan.Waiting: n - sent})
	if b.ledger.Unsettled() != 0 || groups >= sent {
		t.Errorf("%d are not settled, %d claims for %d messages", b.ledger.Unsettled(), groups, sent)
	}
	var times []time.Time
	for _, s := range w.all() {
		times = append(times, s.at)
	}
	// The wire sees them later than they were sent, by as much as this machine
	// is slow.
	checkWindow(t, times, 800*time.Millisecond, perSecond)
	w.checkPromise(t)
}

// A provider that does not answer has a bounded number of calls; nothing is
// claimed beyond them.
func TestCallsInFlightAreBounded(t *testing.T) {
	t.Parallel()
	const n, most = 300, 256
	release := make(chan struct{})
	b, w := begin(t, n, func(string, int) answer { return answer{hold: release, status: http.StatusOK, taken: true} })
	b.account.NumberRate = limit.NumberRate{CampaignPerMinute: 900_000, PerSecond: 15_000, ProviderPerSecond: 15_000} // all at once
	b.start()
	stop := b.running()
	defer stop()
	id := b.campaign("spring", b.people, noon(), nil)
	b.eventually("all slots are taken", func() bool { return len(w.all()) >= most })
	b.advance(noon().Add(time.Minute))
	b.eventually("the others are judged", func() bool { return b.status(id).Rules[policy.NumberRate] == n-most })
	b.want(id, map[plan.State]int{plan.Claimed: most, plan.Waiting: n - most})
	if len(w.all()) != most {
		t.Errorf("%d calls", len(w.all()))
	}
	close(release)
	b.eventually("all are sent", func() bool {
		b.advance(b.clock.Now().Add(time.Second))
		return b.status(id).States[plan.Accepted] == n
	})
	w.checkPromise(t)
}
