package sender_test

import (
	"strings"
	"sync"
	"testing"
	"time"

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
