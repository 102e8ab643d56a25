package sender_test

import (
	"testing"
	"time"

	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
)

// synced syncs the templates at the clock's instant and makes a pass.
func (b *bench) synced() {
	b.t.Helper()
	if _, err := b.sender.SyncTemplates(b.t.Context(), accountName); err != nil {
		b.t.Fatal(err)
	}
	b.drive(b.clock.Now())
}

// One listing may be wrong: a message waits, and goes once the next is right.
func TestOneWrongListingSuppressesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		absent   bool
		addition string
	}{
		"missing": {absent: true}, "other text": {addition: "!"}, "another parameter": {addition: " {{2}} x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, w := begin(t, 30, always(accept()))
			id := b.campaign("spring", b.people, noon().Add(time.Hour), nil)
			b.drive(noon().Add(time.Hour - time.Second))
			w.list(c.absent, c.addition)
			b.advance(noon().Add(time.Hour))
			b.synced()
			b.want(id, map[plan.State]int{plan.Waiting: 30})
			if got := b.message(id, b.people[0]).RuleNow; got != string(policy.TemplateReady) {
				t.Errorf("it waits for %q", got)
			}
			w.list(false, "")
			b.advance(noon().Add(time.Hour + time.Minute))
			b.synced()
			b.drive(noon().Add(2 * time.Hour))
			b.want(id, map[plan.State]int{plan.Accepted: 30})
		})
	}
}

// What two listings say that are far enough apart is so, across a restart too.
func TestAChangeThatIsListedTwiceIsFinal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		absent   bool
		addition string
	}{"missing": {absent: true}, "other text": {addition: "!"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, w := begin(t, 30, always(accept()))
			id := b.campaign("spring", b.people, noon(), nil)
			w.list(c.absent, c.addition)
			b.synced()
			b.want(id, map[plan.State]int{plan.Waiting: 30})
			b.advance(noon().Add(5 * time.Minute))
			b.restart() // syncs
			b.drive(noon().Add(5 * time.Minute))
			b.want(id, map[plan.State]int{plan.Waiting: 30})
			b.advance(noon().Add(10 * time.Minute))
			b.synced()
			b.drive(noon().Add(11 * time.Minute))
			b.want(id, map[plan.State]int{plan.Suppressed: 30})
			if len(w.all()) != 0 {
				t.Errorf("%d were sent", len(w.all()))
			}
		})
	}
}
