package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/goodhour/goodhour/sender/campaign"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
)

// Whom plans and approvals name: nobody approves what is his own.
const (
	demoAuthor   = "demo author"
	demoApprover = "demo approver"
)

// play tells the story: the past comes in, the models run, a campaign is
// planned, approved and sent at best hours, people answer, the models see it.
func (d *demo) play(ctx context.Context) error {
	if err := d.loadHistory(ctx); err != nil {
		return err
	}
	if err := d.refresh(ctx); err != nil {
		return err
	}
	planID, err := d.campaign(ctx)
	if err != nil {
		return err
	}
	if planID != "" {
		if err := d.watch(ctx, planID); err != nil {
			return err
		}
		if err := d.refresh(ctx); err != nil {
			return err
		}
		if err := d.tell(ctx, planID); err != nil {
			return err
		}
	}
	if d.options.check {
		return d.checkPromises(ctx, planID)
	}
	if d.options.noServe {
		return nil
	}
	d.say("The dashboard stays up until Ctrl-C. goodhour sql --data %s \"from marts.campaigns\" works meanwhile.", d.cfg.Data)
	<-ctx.Done()
	return nil
}

// refresh runs the models as of the virtual now.
func (d *demo) refresh(ctx context.Context) error {
	p, err := d.publish(ctx, asOfNow)
	if err != nil {
		return err
	}
	d.say("Models as of %s: %d relations, %d rows, in %.1f s.", p.AsOf.Format("Mon 2 Jan 15:04"), p.Relations, p.Rows, p.Took.Seconds())
	return nil
}

// campaign plans and approves the next campaign, or finds the one that an
// earlier run left unfinished. It returns no plan where virtual time has come
// too near to the real one for another.
func (d *demo) campaign(ctx context.Context) (planID string, err error) {
	plans, err := d.sending.ledger.Plans(ctx)
	if err != nil {
		return "", err
	}
	for i := range plans {
		switch plans[i].Status {
		case plan.Approved, plan.Running:
			d.say("Going on with plan %s.", plans[i].ID)
			return plans[i].ID, nil
		case plan.Planned, plan.Paused, plan.Done, plan.CancelledPlan:
		}
	}
	if left := d.now().Sub(d.virtual.Now()); left < demoAfter+24*time.Hour {
		d.say("Virtual time is %s behind the real one, which it never passes: no further campaign.", left.Round(time.Hour))
		return "", nil
	}
	d.state.Campaigns++
	if err := d.saveState(&d.cfg); err != nil {
		return "", err
	}
	file := strings.ReplaceAll(demoCampaign, "{{n}}", fmt.Sprint(d.state.Campaigns))
	stored, err := d.sending.campaigns.Create(ctx, []byte(file), demoAuthor)
	if err != nil {
		return "", err
	}
	if _, err := d.sending.sender.SyncTemplates(ctx, demoAccount); err != nil {
		return "", err
	}
	report, err := d.sending.campaigns.Plan(ctx, stored.ID, demoAuthor)
	if err != nil {
		return "", err
	}
	d.sayPlan(report)
	if err := d.sending.campaigns.Approve(ctx, report.PlanID, report.Hash, demoApprover); err != nil {
		return "", err
	}
	d.say("Approved by its hash, %.12s….", report.Hash)
	return report.PlanID, nil
}

func (d *demo) sayPlan(r *campaign.Report) {
	d.say("Planned %s: %d customers, %d to be written to, from %s to %s (UTC).", r.CampaignID, r.Audience, r.ToSend,
		r.FirstSendAt.Format("Mon 15:04"), r.LastSendAt.Format("Mon 15:04"))
	var b strings.Builder
	printCounts(&b, "rules", r.Rules)
	printHours(&b, r.Hours)
	printCounts(&b, "why", r.HourReasons)
	for line := range strings.Lines(b.String()) {
		d.say("  %s", strings.TrimSpace(line))
	}
}

// watch lets virtual time pass until the plan is over and its customers have
// had time to answer. While somebody holds the plan, time stands.
func (d *demo) watch(ctx context.Context, planID string) error {
	day := d.virtual.Now().Add(24 * time.Hour)
	for {
		status, err := d.unheld(ctx, planID)
		if err != nil {
			return err
		}
		if status == plan.Done || status == plan.CancelledPlan {
			d.say("The plan is %s. Customers have %s to answer.", status, demoAfter)
			_, err = d.pass(ctx, d.virtual.Now().Add(demoAfter))
			return err
		}
		more, err := d.pass(ctx, d.virtual.Now().Add(2*time.Hour))
		if err != nil {
			return err
		}
		d.sayProgress(ctx, planID)
		if !more {
			d.say("Virtual time has reached the real one, which it never passes.")
			return nil
		}
		if !d.virtual.Now().Before(day) {
			day = d.virtual.Now().Add(24 * time.Hour)
			if err := d.refresh(ctx); err != nil {
				return err
			}
		}
	}
}

// unheld waits while the plan is paused, and returns its status.
func (d *demo) unheld(ctx context.Context, planID string) (plan.Status, error) {
	told := false
	for {
		s, err := d.sending.ledger.Plan(ctx, planID)
		if err != nil || s.Status != plan.Paused {
			return s.Status, err
		}
		if !told {
			d.say("Plan %s is paused, and virtual time with it: goodhour campaign resume %s --data %s", planID, planID, d.cfg.Data)
			told = true
		}
		if err := (wallClock{}).Wait(ctx, d.now().Add(200*time.Millisecond)); err != nil {
			return s.Status, err
		}
	}
}

func (d *demo) sayProgress(ctx context.Context, planID string) {
	s, err := d.sending.ledger.Plan(ctx, planID)
	if err != nil {
		return
	}
	d.say("%s (virtual): %d accepted, %d waiting; %d delivered, %d read", d.virtual.Now().Format("Mon 2 Jan 15:04"),
		s.States[plan.Accepted], s.States[plan.Waiting], s.Delivery[ledger.Delivered]+s.Delivery[ledger.Read], s.Delivery[ledger.Read])
}

// The ticks of virtual time: never shorter than a minute between two instants
// at which somebody is due, and what the sandbox's people do within a quarter
// of an hour is looked at together. (Their events carry their own times.)
const (
	tickMin  = time.Minute
	tickBox  = 15 * time.Minute
	pacedFor = time.Minute
)

// pass moves virtual time to an instant, by way of everything that is due until
// then. It moves only when nothing is under way; a sender that paces itself is
// given its next instant at once. It reports false where virtual time has
// reached the real one before.
func (d *demo) pass(ctx context.Context, until time.Time) (more bool, err error) {
	for {
		if err := d.settle(ctx); err != nil {
			return false, err
		}
		now, wall := d.virtual.Now(), d.now()
		switch {
		case !now.Before(until):
			return true, nil
		case wall.Sub(now) < tickMin:
			return false, nil
		}
		next := until
		if at, due := d.sending.sender.NextDue(); due && at.Before(next) {
			next = at
			if at.Sub(now) > pacedFor {
				next = later(at, now.Add(tickMin))
			}
		}
		if at, due := d.box.NextDue(); due {
			if at = at.Truncate(tickBox).Add(tickBox); at.Before(next) {
				next = later(at, now.Add(tickMin))
			}
		}
		if _, err := d.virtual.Advance(next); err != nil {
			return false, err
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// settle waits until nothing is under way at this virtual instant: no call, no
// webhook, no event that is not in both projections.
func (d *demo) settle(ctx context.Context) error {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	quiet := func() bool { return d.box.Quiet() && d.sending.sender.Quiet() }
	for {
		if at, pacing := d.sending.sender.Turn(); pacing {
			if _, err := d.virtual.Advance(at); err != nil {
				return err
			}
		}
		if quiet() {
			if err := d.waitForEnd(ctx); err != nil {
				return err
			}
			if quiet() {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}
