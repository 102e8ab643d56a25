package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/template"
)

func TestOnlyOneMayOpenTheLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := ledger.Open(t.Context(), ledger.Options{
		Path: w.path, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.now },
	})
	var locked *ledger.LockedError
	if !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("a second one got %v", err)
	}
}

func TestAClosedLedgerRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer(1)
	p := w.plan("spring", w.message(1))
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	_, addressErr := w.db.Address(ctx, p.Messages[0].To)
	_, dropErr := w.db.DropParameters(ctx, w.now)
	for name, err := range map[string]error{
		"claim": w.tryClaim(p.Messages[0].ID), "load": w.db.Load(ctx, &event.Batch{}),
		"pause": w.db.Pause(ctx, p.ID, "bea", w.now), "address": addressErr, "drop": dropErr,
	} {
		if err == nil {
			t.Errorf("%s works on a closed ledger", name)
		}
	}
}

// Readers, the projection and the sender work at once.
func TestTheLedgerIsForSeveralAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const customers = 40
	var messages []plan.Message
	for n := range customers {
		w.customer(n)
		messages = append(messages, w.message(n))
	}
	p := w.plan("spring", messages...)
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				m := &p.Messages[i%customers]
				w.db.Facts(m, start)
				w.db.OptedOut(m)
				w.db.NextDue()
				w.db.Recipient(m.CustomerID)
				w.db.Unsettled()
				if _, err := w.db.Explain(t.Context(), p.ID, m.CustomerID); err != nil {
					t.Error(err)
				}
				if _, err := w.db.Unpublished(t.Context(), 10); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range customers {
		w.load(w.said(i, i, "STOP"), w.statusEvent(i, i, &p.Messages[i], ledger.Sent))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.plan("summer", w.message(0), w.message(1))
	}()
	for i := range customers {
		if w.stateOf(&p.Messages[i]) != plan.Accepted {
			t.Errorf("message %d is %s", i, w.stateOf(&p.Messages[i]))
		}
	}
	<-done
	stop()
	readers.Wait()
}

func TestAPlanIsAddedOnceAndOnlySealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer(1)
	p := w.planned("spring", w.message(1))
	if err := w.db.AddPlan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if plans, err := w.db.Plans(t.Context()); err != nil || len(plans) != 1 || len(w.publish()) != 1 {
		t.Errorf("%d plans, %d events, %v", len(plans), len(w.publish()), err)
	}
	changed := *p
	changed.Messages = append([]plan.Message(nil), p.Messages...)
	changed.Messages[0].SendAt = start.Add(time.Hour)
	if err := w.db.AddPlan(t.Context(), &changed); err == nil {
		t.Error("a plan that was changed after sealing was added")
	}
	if _, err := w.db.Plan(t.Context(), "plan_x"); !errors.Is(err, ledger.ErrNoPlan) {
		t.Errorf("no plan is %v", err)
	}
	empty := w.plan("nobody")
	if got := w.status(empty); got.Status != plan.Done || got.Messages != 0 {
		t.Errorf("a plan for nobody is %s", got.Status)
	}
	w.reopen()
	if got := w.status(p); got.Hash != p.Hash || !got.CreatedAt.Equal(p.CreatedAt) || got.Template != p.Template ||
		!got.FirstSendAt.Equal(start) || string(got.Campaign) != string(p.Campaign) {
		t.Errorf("after a restart the plan is %+v", got)
	}
}

func TestMessagesComeInPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var messages []plan.Message
	for n := range 7 {
		w.customer(n)
		messages = append(messages, w.message(n))
	}
	messages[3].State, messages[3].Rule = plan.Suppressed, "consent_required"
	w.plan("earlier", w.message(0))
	p := w.plan("spring", messages...)
	for state, want := range map[plan.State]int{"": 7, plan.Waiting: 6, plan.Suppressed: 1, plan.Failed: 0} {
		seen, after := 0, ""
		for {
			page, err := w.db.Messages(t.Context(), p.ID, state, after, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, d := range page {
				if d.ID <= after || d.PlanID != p.ID || d.Parameters != nil {
					t.Errorf("message %s comes after %s", d.ID, after)
				}
				after = d.ID
				seen++
			}
		}
		if seen != want {
			t.Errorf("%d messages are %q, want %d", seen, state, want)
		}
	}
}

func TestCampaignsAndTemplatesAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	for i, author := range []string{"ana", "bea", "ana"} {
		c := ledger.StoredCampaign{
			ID: []string{"spring", "summer", "spring"}[i], Campaign: fmt.Appendf(nil, `{"n":%d}`, i), Author: author, CreatedAt: w.now,
		}
		if err := w.db.SaveCampaign(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	hello := template.Template{Name: "hello", Language: "en", Status: "APPROVED", Components: []template.Component{{Part: template.Body, Text: "Hi {{1}}"}}}
	gone := template.Template{Name: "gone", Language: "en"}
	for i, list := range [][]template.Template{{hello, gone}, {hello}, {hello}} {
		if err := w.db.SaveTemplates(ctx, "main", list, w.now.Add(time.Duration(i)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		campaigns, err := w.db.Campaigns(ctx)
		if err != nil || len(campaigns) != 2 || campaigns[0].ID != "spring" || string(campaigns[0].Campaign) != `{"n":2}` {
			t.Errorf("the campaigns are %v, %v", campaigns, err)
		}
		list, at := w.db.Templates("main")
		if len(list) != 1 || !at.Equal(w.now.Add(2*time.Hour)) {
			t.Errorf("%d templates of %s", len(list), at)
		}
		if got, ok := w.db.Template("main", "hello", "en"); !ok || got.BodyHash() != hello.BodyHash() {
			t.Error("the template is not what was saved")
		}
		if _, ok := w.db.Template("main", "gone", "en"); ok {
			t.Error("a template that the provider dropped is still there")
		}
		if _, at := w.db.Templates("other"); !at.IsZero() {
			t.Error("another account's templates were synced")
		}
		w.reopen()
	}
}

func TestClaimsRestoreLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer(1)
	w.customer(2)
	p := w.plan("spring", w.message(1), w.message(2))
	w.claim(p.Messages[0].ID)
	w.now = w.now.Add(time.Hour)
	w.claim(p.Messages[1].ID)
	w.reopen()
	uses, err := w.db.Claims(t.Context(), w.now.Add(-time.Minute))
	if err != nil || len(uses) != 1 || uses[0].NumberID != number || !uses[0].Campaign ||
		uses[0].Customer != w.db.Person(w.id(phone(2))) || !uses[0].At.Equal(w.now) {
		t.Errorf("the claims of the last minute are %v, %v", uses, err)
	}
	if uses, err = w.db.Claims(t.Context(), start); err != nil || len(uses) != 2 {
		t.Errorf("%d claims in all, %v", len(uses), err)
	}
}

func TestChangedSignalsThatSomethingMayBeDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer(1)
	p := w.planned("spring", w.message(1))
	signalled := func(after string) {
		t.Helper()
		select {
		case <-w.db.Changed():
		default:
			t.Errorf("no signal after the %s", after)
		}
	}
	signalled("new plan")
	if err := w.db.Approve(t.Context(), p.ID, p.Hash, "bea", w.now); err != nil {
		t.Fatal(err)
	}
	signalled("approval")
	w.claim(p.Messages[0].ID)
	w.settle(p.Messages[0].ID, ledger.Refused)
	signalled("settlement")
}
