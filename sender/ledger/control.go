package ledger

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"time"

	"github.com/goodhour/goodhour/sender/plan"
)

// The actions on a plan, as plan_actions has them.
const (
	actionApprove = "approve"
	actionPause   = "pause"
	actionResume  = "resume"
	actionCancel  = "cancel"
)

// act is one action on a plan.
type act struct {
	plan   int32
	action string
	by     string
	at     time.Time
}

// Approve lets a plan's messages be sent when they are due. hash must be the
// plan's own: whoever approves has seen what was planned. It returns ErrNoPlan,
// a *HashError or a *StatusError.
func (db *DB) Approve(ctx context.Context, planID, hash, by string, at time.Time) error {
	return db.control(ctx, act{action: actionApprove, by: by, at: at}, planID, func(p *planState) error {
		if p.Hash != hash {
			return &HashError{PlanID: planID, Have: p.Hash, Want: hash}
		}
		return nil
	})
}

// Pause holds a plan's messages at the next claim. Pausing a paused plan does
// nothing.
func (db *DB) Pause(ctx context.Context, planID, by string, at time.Time) error {
	return db.control(ctx, act{action: actionPause, by: by, at: at}, planID, nil)
}

// Resume lets a paused plan go on. Resuming one that goes on does nothing.
func (db *DB) Resume(ctx context.Context, planID, by string, at time.Time) error {
	return db.control(ctx, act{action: actionResume, by: by, at: at}, planID, nil)
}

// Cancel ends a plan: what waits is cancelled, what is claimed is settled, what
// was sent stays sent. Cancelling a cancelled plan does nothing.
func (db *DB) Cancel(ctx context.Context, planID, by string, at time.Time) error {
	return db.control(ctx, act{action: actionCancel, by: by, at: at}, planID, nil)
}

// PauseAll pauses every running and approved plan, in one transaction, and says
// how many.
func (db *DB) PauseAll(ctx context.Context, by string, at time.Time) (int, error) {
	db.writing.Lock()
	defer db.writing.Unlock()
	var acts []act
	for n, p := range db.state.plans {
		if s := p.status(); s == plan.Running || s == plan.Approved {
			acts = append(acts, act{plan: int32(n), action: actionPause, by: by, at: at})
		}
	}
	if len(acts) == 0 {
		return 0, nil
	}
	if err := db.act(ctx, acts, nil); err != nil {
		return 0, fmt.Errorf("pause all plans: %w", err)
	}
	return len(acts), nil
}

// allowed says from which statuses an action is possible, and in which it has
// been done already.
func allowed(action string) (from []plan.Status, already plan.Status) {
	switch action {
	case actionApprove:
		return []plan.Status{plan.Planned}, ""
	case actionPause:
		return []plan.Status{plan.Approved, plan.Running}, plan.Paused
	case actionResume:
		return []plan.Status{plan.Paused}, plan.Running
	default:
		return []plan.Status{plan.Planned, plan.Approved, plan.Running, plan.Paused}, plan.CancelledPlan
	}
}

func (db *DB) control(ctx context.Context, a act, planID string, check func(*planState) error) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	n, known := db.state.planByID[planID]
	if !known {
		return fmt.Errorf("%s plan %s: %w", a.action, planID, ErrNoPlan)
	}
	a.plan = n
	p := db.state.plans[n]
	if check != nil {
		if err := check(p); err != nil {
			return err
		}
	}
	status := p.status()
	from, already := allowed(a.action)
	switch {
	case status == already || a.action == actionResume && status == plan.Approved:
		return nil
	case !slices.Contains(from, status):
		return &StatusError{PlanID: planID, Action: a.action, Status: status}
	}
	var decisions []decisionRow
	if a.action == actionCancel {
		decisions = db.state.cancelWaiting(p, a.at)
	}
	if err := db.act(ctx, []act{a}, decisions); err != nil {
		return fmt.Errorf("%s plan %s: %w", a.action, planID, err)
	}
	db.signal()
	return nil
}

// cancelWaiting are the decisions that a cancelled plan's waiting messages get.
func (s *state) cancelWaiting(p *planState, at time.Time) (rows []decisionRow) {
	for n := p.first; n < p.first+p.count; n++ {
		if s.messages[n].state == waiting {
			rows = append(rows, decisionRow{
				seq: s.nextSeq + int64(len(rows)), message: n, attempts: s.messages[n].attempts,
				verdict: plan.Cancel, at: at,
			})
		}
	}
	return rows
}

func (db *DB) act(ctx context.Context, acts []act, decisions []decisionRow) error {
	return db.change(ctx, func(tx *transaction) error {
		if err := appendAll(tx, schemaMain, "plan_actions", acts, func(a *act) []driver.Value {
			return []driver.Value{a.plan, a.action, a.by, timestamp(a.at)}
		}); err != nil {
			return err
		}
		return writeDecisions(tx, decisions)
	}, func(s *state) {
		for _, a := range acts {
			s.act(a)
		}
		s.applyDecisions(decisions)
		for _, a := range acts {
			if p := s.plans[a.plan]; p.active() {
				s.enqueuePlan(p)
			}
		}
	})
}

// act brings a plan to what an action says.
func (s *state) act(a act) {
	p := s.plans[a.plan]
	switch a.action {
	case actionApprove:
		p.approved, p.ApprovedBy, p.ApprovedAt = true, a.by, a.at.UTC()
	case actionPause:
		p.paused = true
	case actionResume:
		p.paused = false
	case actionCancel:
		p.cancelled, p.cancelledAt = true, a.at
	}
}
