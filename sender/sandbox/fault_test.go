package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/event"
)

// trouble sends 60 messages to a sandbox with faults, and returns the errors of
// the adapter, by class and code, and the sandbox's own counts.
func troubled(t *testing.T, faults Faults) (b *bundle, errors map[string]int, outcomes map[Outcome]int) {
	t.Helper()
	faults.Seed = 11
	b = open(t, t.TempDir(), func(c *Config) { c.Faults = faults })
	errors = b.send(t, 60)
	outcomes = make(map[Outcome]int)
	for _, one := range b.Submissions() {
		outcomes[one.Outcome]++
	}
	return b, errors, outcomes
}

func sum(counts map[string]int) (n int) {
	for _, count := range counts {
		n += count
	}
	return n
}

func TestALostResponseIsAmbiguousAndAccepted(t *testing.T) {
	t.Parallel()
	b, errors, outcomes := troubled(t, Faults{LostResponse: 0.4})
	if errors["ambiguous "] < 10 || sum(errors) != errors["ambiguous "] || outcomes[Accepted] != 60 {
		t.Errorf("errors %v, outcomes %v", errors, outcomes)
	}
	b.advance(t, 30*time.Second)
	told := make(map[string]bool)
	for _, e := range b.receiver.all() {
		var data event.MessageSentData
		if err := json.Unmarshal(e.Data, &data); err != nil {
			t.Fatal(err)
		}
		told[data.MessageID] = true
	}
	if len(told) != 60 {
		t.Errorf("statuses tell of %d messages, want all 60", len(told))
	}
}

func TestAServerErrorAfterAcceptingIsAmbiguousAndAccepted(t *testing.T) {
	t.Parallel()
	for _, html := range []float64{0, 1} {
		_, errors, outcomes := troubled(t, Faults{ServerErrorAfter: 0.4, NotJSON: html})
		if sum(errors) < 10 || errors["ambiguous 131000"]+errors["ambiguous "] != sum(errors) || outcomes[Accepted] != 60 {
			t.Errorf("errors %v, outcomes %v", errors, outcomes)
		}
		if (errors["ambiguous "] > 0) != (html == 1) || (errors["ambiguous 131000"] > 0) == (html == 1) {
			t.Errorf("with HTML %g: errors %v", html, errors)
		}
	}
}

func TestAServerErrorBeforeIsAmbiguousAndNotAccepted(t *testing.T) {
	t.Parallel()
	b, errors, outcomes := troubled(t, Faults{ServerErrorBefore: 0.4})
	broken := outcomes[Broken]
	if broken < 10 || errors["ambiguous 131000"] != broken || outcomes[Accepted] != 60-broken {
		t.Errorf("errors %v, outcomes %v", errors, outcomes)
	}
	b.advance(t, 20*time.Second)
	sent := kinds(b.receiver.all())
	if got := sent["whatsapp.message.sent.v1"] + sent["whatsapp.message.failed.v1"]; got != 60-broken {
		t.Errorf("%d messages had a status, want %d", got, 60-broken)
	}
}

func TestARateRefusalIsSafeToRetry(t *testing.T) {
	t.Parallel()
	for _, html := range []float64{0, 1} {
		b, errors, outcomes := troubled(t, Faults{RateLimited: 0.5, NotJSON: html})
		refused := outcomes[Refused]
		if refused < 15 || errors["retry_safe 130429"]+errors["retry_safe "] != refused || errors["retry_safe 130429"] == 0 || errors["retry_safe "] == 0 {
			t.Errorf("errors %v, outcomes %v", errors, outcomes)
		}
		for range 3 { // what was accepted too, which no sender may do
			b.send(t, 60)
		}
		if again := b.Counts(); len(again.AcceptedTwice) == 0 || len(again.Resubmitted) == 0 {
			t.Error("the counts do not tell of messages that were sent again without need")
		}
		last := b.Submissions()
		if !slices.ContainsFunc(last[60:], func(one Submission) bool { return one.Trouble == noTrouble && one.Outcome == Accepted }) {
			t.Error("a message that was refused once is refused for ever")
		}
	}
}

func TestFaultsAreTheSameEachTime(t *testing.T) {
	t.Parallel()
	faults := Faults{RateLimited: 0.2, ServerErrorBefore: 0.2, ServerErrorAfter: 0.2, LostResponse: 0.2, NotJSON: 0.5}
	first, _, _ := troubled(t, faults)
	again, _, _ := troubled(t, faults)
	if diff := cmp.Diff(first.Submissions(), again.Submissions()); diff != "" {
		t.Errorf("(-first +again):\n%s", diff)
	}
}

func TestAWebhookThatIsNotTakenComesAgain(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), nil)
	b.receiver.mu.Lock()
	b.receiver.refuse = 3
	b.receiver.mu.Unlock()
	b.send(t, 5)
	b.advance(t, 30*time.Second)
	if got := kinds(b.receiver.all()); got["whatsapp.message.sent.v1"]+got["whatsapp.message.failed.v1"] != 5 {
		t.Errorf("got %v", got)
	}
	if b.receiver.hooks <= 3 {
		t.Errorf("%d webhooks", b.receiver.hooks)
	}
}

func TestDuplicateWebhooksTellTheSame(t *testing.T) {
	t.Parallel()
	b, _, _ := troubled(t, Faults{DuplicateWebhook: 1})
	b.advance(t, 72*time.Hour)
	times := make(map[string][]string)
	for _, e := range b.receiver.all() {
		times[e.ID] = append(times[e.ID], string(e.Data))
	}
	for id, told := range times {
		if len(told) != 2 || told[0] != told[1] {
			t.Errorf("%s was told %d times", id, len(told))
		}
	}
}

func TestLateWebhooksKeepTheirTime(t *testing.T) {
	t.Parallel()
	b, _, _ := troubled(t, Faults{LateWebhook: 1, LateBy: 2 * time.Hour})
	b.advance(t, 2*time.Hour-time.Second)
	if got := b.receiver.all(); len(got) != 0 {
		t.Errorf("%d events before their time", len(got))
	}
	b.advance(t, time.Minute)
	got := b.receiver.all()
	if len(got) < 60 || got[0].Time.After(worldEnds.Add(time.Minute)) {
		t.Errorf("%d events, or of another time", len(got))
	}
}

func TestDisorderedWebhooksComeInReverse(t *testing.T) {
	t.Parallel()
	b, _, _ := troubled(t, Faults{DisorderedWebhook: 1})
	b.advance(t, 72*time.Hour)
	last := make(map[string]event.Kind)
	for _, e := range b.receiver.all() {
		message, _, _ := strings.Cut(strings.TrimPrefix(e.ID, "status:"), ":")
		if e.Kind == event.MessageSent || e.Kind == event.MessageDelivered || e.Kind == event.MessageRead {
			last[message] = e.Kind
		}
	}
	for _, kind := range last {
		if kind != event.MessageSent {
			t.Errorf("the last status is %s, want sent", kind)
		}
	}
	if len(last) < 40 {
		t.Errorf("%d messages", len(last))
	}
}

func TestSharesOutsideTheirRangeAreSaid(t *testing.T) {
	t.Parallel()
	for _, f := range []Faults{{LostResponse: -0.1}, {NotJSON: 1.5}, {LostResponse: 0.6, RateLimited: 0.6}, {LateBy: -1}} {
		if f.Validate() == nil {
			t.Errorf("%+v was taken", f)
		}
	}
	if err := (Faults{LostResponse: 0.5, RateLimited: 0.5, NotJSON: 1, DuplicateWebhook: 1}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestTheWebhooksURLMustKnowTheVerifyToken(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), nil)
	b.config.Account.VerifyToken = b.config.Account.AppSecret
	s := &Sandbox{config: b.config, world: b.world}
	s.config.Client = http.DefaultClient
	if err := s.verify(t.Context()); err == nil || !strings.Contains(err.Error(), "answered 403") || strings.Contains(err.Error(), testSecret) {
		t.Errorf("another verify token: %v", err)
	}
}
