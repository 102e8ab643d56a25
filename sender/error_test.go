package sender_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodhour/goodhour/sender/limit"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
)

func TestWhatAnErrorMeans(t *testing.T) {
	t.Parallel()
	lost := answer{}
	overloaded := answer{status: 429, header: map[string]string{"Retry-After": "30"}}
	for _, c := range []struct {
		name        string
		script      func(string, int) answer
		want        plan.State
		class       string
		submissions int
		// waits are between the submissions.
		waits []time.Duration
	}{
		{"pair rate: 4, 16, 64 s", func(_ string, nth int) answer {
			if nth <= 3 {
				return refuse(131056)
			}
			return accept()
		}, plan.Accepted, "", 4, []time.Duration{4 * time.Second, 16 * time.Second, 64 * time.Second}},
		{"throughput", once(refuse(130429)), plan.Accepted, "", 2, []time.Duration{time.Second}},
		{"429 with a time", once(overloaded), plan.Accepted, "", 2, []time.Duration{30 * time.Second}},
		{"the account's rate", once(refuse(80007)), plan.Accepted, "", 2, []time.Duration{time.Minute}},
		{"a template being synced", once(refuse(134101)), plan.Accepted, "", 2, []time.Duration{10 * time.Minute}},
		{"no answer", always(lost), plan.Unknown, "ambiguous", 1, nil},
		{"a server that broke off", always(answer{status: 500}), plan.Unknown, "ambiguous", 1, nil},
		{"131000", always(refuse(131000)), plan.Unknown, "ambiguous", 1, nil},
		{"not to this customer now", always(refuse(131049)), plan.Failed, "recipient", 1, nil},
		{"undeliverable", always(refuse(131026)), plan.Failed, "recipient", 1, nil},
		{"a bad parameter", always(refuse(131009)), plan.Failed, "message", 1, nil},
		{"the template is gone", always(refuse(132001)), plan.Failed, "template", 1, nil},
		{"spam", always(refuse(131048)), plan.Failed, "number", 1, nil},
		{"the token", always(refuse(190)), plan.Failed, "account", 1, nil},
		{"the country", always(refuse(130497)), plan.Failed, "account", 1, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b, w := begin(t, 1, c.script)
			id := b.campaign("spring", b.people, noon(), nil)
			b.drive(noon().Add(5 * time.Hour))
			b.want(id, map[plan.State]int{c.want: 1})
			w.checkPromise(t)
			all := w.all()
			if len(all) != c.submissions {
				t.Fatalf("%d submissions, want %d", len(all), c.submissions)
			}
			for i, wait := range c.waits {
				got := all[i+1].at.Sub(all[i].at)
				if got < wait || got > wait+2*time.Second {
					t.Errorf("wait %d is %s, want %s", i, got, wait)
				}
			}
			attempts := b.message(id, b.people[0]).Attempts
			if got := attempts[len(attempts)-1]; got.ErrorClass != c.class {
				t.Errorf("the last attempt is %+v, want class %q", got, c.class)
			}
		})
	}
}

func TestAMessageThatIsRefusedToItsDeadlineExpires(t *testing.T) {
	t.Parallel()
	b, w := begin(t, 1, always(refuse(131056)))
	id := b.campaign("spring", b.people, noon(), nil)
	b.drive(noon().Add(7 * time.Hour))
	b.want(id, map[plan.State]int{plan.Expired: 1})
	for _, s := range w.all() {
		if !s.at.Before(noon().Add(6 * time.Hour)) {
			t.Errorf("submitted at %s, after the deadline", s.at)
		}
	}
}

func TestAnOptOutAtTheProviderIsAnOptOutHere(t *testing.T) {
	t.Parallel()
	b, w := begin(t, 1, always(refuse(131050)))
	first := b.campaign("spring", b.people, noon(), nil)
	b.drive(noon().Add(time.Minute))
	b.want(first, map[plan.State]int{plan.Failed: 1})
	second := b.campaign("summer", b.people, noon().Add(time.Hour), nil)
	b.drive(noon().Add(2 * time.Hour))
	b.want(second, map[plan.State]int{plan.Suppressed: 1})
	if got := b.message(second, b.people[0]).RuleNow; got != string(policy.OptedOut) {
		t.Errorf("suppressed by %s", got)
	}
	if n := len(w.all()); n != 1 {
		t.Errorf("%d submissions", n)
	}
}

func TestAPausedTemplateKeepsItsOtherMessagesWaiting(t *testing.T) {
	t.Parallel()
	paused := true
	var mu sync.Mutex
	b, w := begin(t, 60, func(string, int) answer {
		mu.Lock()
		defer mu.Unlock()
		if paused {
			return refuse(132015)
		}
		return accept()
	})
	b.account.NumberRate = b.rules.NumberRate
	b.start()
	id := b.campaign("spring", b.people, noon(), nil)
	b.step()
	w.setStatus("PAUSED")
	if _, err := b.sender.SyncTemplates(t.Context(), accountName); err != nil {
		t.Fatal(err)
	}
	b.drive(noon().Add(time.Hour))
	b.want(id, map[plan.State]int{plan.Failed: 1, plan.Waiting: 59})
	if got := b.message(id, b.people[59]).RuleNow; got != string(policy.TemplateReady) {
		t.Errorf("the others wait for %s", got)
	}
	mu.Lock()
	paused = false
	mu.Unlock()
	w.setStatus("APPROVED")
	if _, err := b.sender.SyncTemplates(t.Context(), accountName); err != nil {
		t.Fatal(err)
	}
	b.drive(noon().Add(2 * time.Hour))
	b.want(id, map[plan.State]int{plan.Failed: 1, plan.Accepted: 59})
	w.checkPromise(t)
}

func TestAStoppedAccountIsToldOnceAndResumed(t *testing.T) {
	t.Parallel()
	expired := true
	var mu sync.Mutex
	b, w := begin(t, 60, func(string, int) answer {
		mu.Lock()
		defer mu.Unlock()
		if expired {
			return answer{status: 401, code: 190}
		}
		return accept()
	})
	b.account.NumberRate = b.rules.NumberRate
	b.start()
	id := b.campaign("spring", b.people, noon(), nil)
	b.drive(noon().Add(30 * time.Minute))
	b.want(id, map[plan.State]int{plan.Failed: 1, plan.Waiting: 59})
	if n := strings.Count(b.logs.String(), `what="account shop"`); n != 1 {
		t.Errorf("told %d times:\n%s", n, b.logs.String())
	}
	stops := b.sender.Stops()
	if len(stops) != 1 || stops[0].Account != accountName || stops[0].Number != "" || !stops[0].Until.After(b.clock.Now()) {
		t.Errorf("stops: %+v", stops)
	}
	if got := b.message(id, b.people[59]).RuleNow; got != "account_stopped" {
		t.Errorf("the others wait for %q", got)
	}
	mu.Lock()
	expired = false
	mu.Unlock()
	if err := b.sender.Resume(accountName); err != nil {
		t.Fatal(err)
	}
	b.drive(noon().Add(50 * time.Minute))
	b.want(id, map[plan.State]int{plan.Failed: 1, plan.Accepted: 59})
	if len(b.sender.Stops()) != 0 {
		t.Error("still stopped")
	}
	w.checkPromise(t)
}

// A provider that loses every answer costs the few messages that were on their
// way and a probe now and then; the rest goes once it answers again.
func TestAnOutageCostsAHandfulOfMessages(t *testing.T) {
	t.Parallel()
	const n, most = 200, 15
	var out atomic.Bool
	out.Store(true)
	b, w := begin(t, n, func(string, int) answer {
		if out.Load() {
			return answer{}
		}
		return accept()
	})
	b.account.NumberRate = limit.NumberRate{CampaignPerMinute: 6000, PerSecond: 100, ProviderPerSecond: 100}
	b.start()
	id := b.campaign("spring", b.people, noon(), nil)
	b.drive(noon().Add(time.Hour))
	lost := b.status(id).States[plan.Unknown]
	if lost < 5 || lost > most {
		t.Errorf("an hour's outage made %d messages unknown, want 5 to %d", lost, most)
	}
	checkProbes(t, w.all())
	b.want(id, map[plan.State]int{plan.Unknown: lost, plan.Waiting: n - lost})
	stops := b.sender.Stops()
	if len(stops) != 1 || stops[0].Number != b.account.Numbers[0] || stops[0].Rule != "number_stopped" || !strings.Contains(stops[0].Why, "in a row were lost") {
		t.Errorf("stops: %+v", stops)
	}
	if got := b.message(id, b.people[n-1]).RuleNow; got != "number_stopped" {
		t.Errorf("the others wait for %q", got)
	}
	told := `what="number ` + b.account.Numbers[0] + `"`
	if got := strings.Count(b.logs.String(), told); got != 1 {
		t.Errorf("told %d times:\n%s", got, b.logs.String())
	}
	out.Store(false)
	b.drive(noon().Add(2 * time.Hour))
	b.want(id, map[plan.State]int{plan.Unknown: lost, plan.Accepted: n - lost})
	if got := strings.Count(b.logs.String(), told); got != 2 {
		t.Errorf("told %d times that it began and is over:\n%s", got, b.logs.String())
	}
	w.checkPromise(t)
}

// checkProbes fails the test where probes, which begin a halt after the first
// answers, do not come one at a time with waits that grow to 10 minutes.
func checkProbes(t *testing.T, all []submission) {
	t.Helper()
	var waits []time.Duration
	for i := 1; i < len(all); i++ {
		if wait := all[i].at.Sub(all[i-1].at); wait > 5*time.Second {
			waits = append(waits, wait)
		} else if len(waits) > 0 {
			t.Errorf("a probe came %s after another", wait)
		}
	}
	want := []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 10 * time.Minute}
	if len(waits) < len(want) {
		t.Fatalf("waits %v, want %v", waits, want)
	}
	for i, wait := range waits {
		least := want[min(i, len(want)-1)]
		if wait < least || wait > least+2*time.Second {
			t.Errorf("probe %d came after %s, want %s", i, wait, least)
		}
	}
}

// A definite refusal says that the provider answers: the number goes on.
func TestARefusalEndsAnOutage(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	b, w := begin(t, 60, func(string, int) answer {
		switch n := calls.Add(1); {
		case n <= 3:
			return answer{status: 500}
		case n == 4:
			return refuse(131026)
		default:
			return accept()
		}
	})
	b.account.NumberRate = b.rules.NumberRate
	b.start()
	id := b.campaign("spring", b.people, noon(), nil)
	b.drive(noon().Add(30 * time.Minute))
	b.want(id, map[plan.State]int{plan.Unknown: 3, plan.Failed: 1, plan.Accepted: 56})
	w.checkPromise(t)
}

// Answers that are lost now and then halt nothing.
func TestLostAnswersAmongOthersHaltNothing(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	b, w := begin(t, 30, func(string, int) answer {
		if calls.Add(1)%3 != 0 {
			return answer{}
		}
		return accept()
	})
	b.account.NumberRate = b.rules.NumberRate
	b.start()
	id := b.campaign("spring", b.people, noon(), nil)
	b.drive(noon().Add(30 * time.Minute))
	b.want(id, map[plan.State]int{plan.Unknown: 20, plan.Accepted: 10})
	if strings.Contains(b.logs.String(), "trouble") {
		t.Errorf("told:\n%s", b.logs.String())
	}
	w.checkPromise(t)
}

// The calls of an outage that hangs are lost, and none is added to them by
// probes while they hang.
func TestNoProbeWhileCallsHang(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var calls atomic.Int32
	b, w := begin(t, 60, func(string, int) answer {
		if calls.Add(1) == 1 {
			return answer{hold: release}
		}
		return answer{}
	})
	b.account.NumberRate = b.rules.NumberRate
	b.start()
	defer b.running()()
	id := b.campaign("spring", b.people, noon(), nil)
	b.eventually("three answers are lost", func() bool {
		b.advance(b.clock.Now().Add(tick))
		return len(b.sender.Stops()) == 1
	})
	sent := len(w.all())
	for range 20 {
		b.advance(b.clock.Now().Add(10 * time.Second))
		at := b.clock.Now()
		b.eventually("a pass looks at it", func() bool { next, _ := b.sender.NextDue(); return next.After(at) })
	}
	if got := len(w.all()); got != sent {
		t.Errorf("%d calls were made while one hung", got-sent)
	}
	close(release)
	b.eventually("the hanging call ends", func() bool { return b.sender.Quiet() })
	// Step by step, so that time does not run past the messages' deadline.
	for range 100 {
		if len(w.all()) > sent {
			break
		}
		b.advance(b.clock.Now().Add(10 * time.Second))
		at := b.clock.Now()
		b.eventually("a pass looks at it", func() bool { next, _ := b.sender.NextDue(); return next.After(at) })
	}
	if len(w.all()) == sent {
		t.Error("no probe was sent within a quarter of an hour")
	}
	if got := b.status(id).States[plan.Accepted]; got != 0 {
		t.Errorf("%d are accepted", got)
	}
}
