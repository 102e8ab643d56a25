package sender_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/provider"
	"github.com/goodhour/goodhour/sender/provider/meta"
	"github.com/goodhour/goodhour/sender/sandbox"
)

// receiver is our end of the webhooks: verified, parsed, published.
type receiver struct {
	t        *testing.T
	adapter  *meta.Meta
	received func(context.Context, []event.Event) error
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Method == http.MethodGet {
		challenge, err := r.adapter.ChallengeWebhook(request.URL.Query())
		if err != nil {
			r.t.Error(err)
		}
		_, _ = io.WriteString(w, challenge)
		return
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		r.t.Error(err)
	}
	webhook := provider.Webhook{Header: request.Header, Body: body}
	if err := r.adapter.VerifyWebhook(webhook); err != nil {
		r.t.Error(err)
	}
	events, err := r.adapter.ParseWebhook(webhook)
	if err != nil {
		r.t.Error(err)
	}
	if err := r.received(request.Context(), events); err != nil {
		r.t.Error(err)
	}
}

// The whole loop with a world that answers, and every fault that the sandbox
// has: once all webhooks are in, the ledger knows of each message what the
// sandbox knows.
func TestAgainstTheSandboxWithFaults(t *testing.T) {
	t.Parallel()
	const customers = 250
	clock := newClock(t)
	r := &receiver{t: t, adapter: metaAt(t, "http://127.0.0.1:9", &output{})}
	webhooks := httptest.NewServer(r)
	t.Cleanup(webhooks.Close)
	sb, err := sandbox.Open(sandbox.Config{
		Dir:     t.TempDir(),
		World:   sandbox.WorldConfig{Seed: 5, Customers: customers, Start: noon().Add(-60 * 24 * time.Hour), End: noon().Add(-time.Hour)},
		Account: credentials(), WebhookURL: webhooks.URL, Clock: clock, Limits: sandbox.Limits{PerSecond: 1000},
		Faults: sandbox.Faults{
			Seed: 3, RateLimited: 0.1, ServerErrorBefore: 0.05, ServerErrorAfter: 0.05, LostResponse: 0.05, NotJSON: 0.3,
			DuplicateWebhook: 0.1, LateWebhook: 0.1, DisorderedWebhook: 0.1,
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sb.Handler())
	t.Cleanup(server.Close)
	var who []person
	for i := range customers {
		c := sb.World().Customer(i)
		who = append(who, person{key: c.Key, phone: c.Phone, bsuid: c.BSUID, name: c.Name})
	}
	b := setup(t, clock, server.URL, who)
	r.received = b.topics.Publish
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- sb.Run(ctx) }()
	defer func() {
		stop()
		if err := errors.Join(<-ended, sb.Close()); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()

	id := b.campaign("spring", who, noon(), nil)
	b.driveWith(sb, noon().Add(30*time.Hour))

	counts := sb.Counts()
	if len(counts.AcceptedTwice) > 0 || len(counts.Resubmitted) > 0 {
		t.Errorf("accepted twice: %v; submitted again: %v", counts.AcceptedTwice, counts.Resubmitted)
	}
	status := b.status(id)
	if status.Status != plan.Done {
		t.Errorf("the plan is %s", status.Status)
	}
	details, err := b.ledger.Messages(t.Context(), id, "", "", customers+1)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[sandbox.Outcome]int)
	for _, m := range details {
		of := counts.Messages[m.ID]
		switch {
		case of[sandbox.Accepted] > 0:
			seen[sandbox.Accepted]++
			if m.StateNow != plan.Accepted && m.StateNow != plan.Failed {
				t.Errorf("message %s was taken and is %s", m.ID, m.StateNow)
			}
		case of[sandbox.Broken] > 0:
			seen[sandbox.Broken]++
			if m.StateNow != plan.Unknown {
				t.Errorf("message %s was lost and is %s", m.ID, m.StateNow)
			}
		case m.StateNow != plan.Failed && m.StateNow != plan.Suppressed:
			t.Errorf("message %s was never taken (%v) and is %s", m.ID, of, m.StateNow)
		}
	}
	if seen[sandbox.Accepted] < customers*3/4 || seen[sandbox.Broken] == 0 {
		t.Errorf("the sandbox saw %v: too little to prove anything", seen)
	}
	if outcomes := b.topics.outcomes(); len(outcomes) < customers {
		t.Errorf("%d outcomes are published", len(outcomes))
	}
	t.Logf("states %v, delivery %v, rules %v, %d submissions", status.States, status.Delivery, status.Rules, counts.Submissions)
}

// driveWith moves the clock to what is next for the sender or the sandbox,
// whenever both are quiet.
func (b *bench) driveWith(sb *sandbox.Sandbox, until time.Time) {
	b.t.Helper()
	for b.clock.Now().Before(until) {
		b.step()
		if err := sb.WaitQuiet(b.t.Context()); err != nil {
			b.t.Fatal(err)
		}
		b.load()
		next := until
		if at, ok := sb.NextDue(); ok && at.Before(next) {
			next = at
		}
		if at, ok := b.sender.NextDue(); ok && at.Before(next) {
			next = at
		}
		b.advance(later(next, b.clock.Now().Add(time.Minute)))
	}
	b.step()
}
