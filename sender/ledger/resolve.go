package ledger

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/plan"
)

const (
	selectResolutions    = `select message, ordinal, outcome from resolutions`
	selectResolutionsOut = `
select seq, message, ordinal, outcome, resolved_at
from resolutions
where seq >= ? and seq < ?`
)

// ruleResolved marks the event of a resolution among those of attempts.
const ruleResolved = "resolved_by_person"

// Resolution is what a person said of a message whose answer was lost.
type Resolution struct {
	Outcome Outcome   `json:"outcome"` // accepted or failed
	By      string    `json:"by"`
	At      time.Time `json:"at"`
}

// resolutionRow is a row of resolutions.
type resolutionRow struct {
	Resolution
	seq     int64
	message int32
	ordinal int32
}

// Resolve moves a plan's unknown message on a person's word. It returns
// ErrNoPlan, ErrNoMessage where the plan has none of that id, or a
// *MessageError where the message is not unknown or the outcome is no answer.
func (db *DB) Resolve(ctx context.Context, planID, messageID string, r Resolution) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	s := &db.state
	p, known := s.planByID[planID]
	if !known {
		return fmt.Errorf("resolve a message of plan %s: %w", planID, ErrNoPlan)
	}
	n, known := s.find(messageID)
	if !known || s.messages[n].plan != p {
		return fmt.Errorf("resolve message %.40s of plan %s: %w", messageID, planID, ErrNoMessage)
	}
	m := &s.messages[n]
	switch to := plan.State(r.Outcome); {
	case r.Outcome != Accepted && r.Outcome != Failed:
		return &MessageError{messageID, m.state.name(), "it can be resolved as accepted or failed"}
	case !plan.CanMove(m.state.name(), to, plan.ByPerson):
		return &MessageError{messageID, m.state.name(), "only an unknown message can be resolved"}
	}
	row := resolutionRow{Resolution: r, seq: s.nextSeq, message: n, ordinal: m.attempts}
	err := db.change(ctx, func(tx *transaction) error {
		return appendAll(tx, schemaMain, "resolutions", []resolutionRow{row}, func(r *resolutionRow) []driver.Value {
			return []driver.Value{r.seq, r.message, r.ordinal, string(r.Outcome), r.By, timestamp(r.At)}
		})
	}, func(s *state) {
		s.settle(n, r.Outcome, 0)
		s.nextSeq++
	})
	if err != nil {
		return fmt.Errorf("resolve message %s: %w", messageID, err)
	}
	return nil
}

// resolutionsOut reads the resolutions whose seqs are in the range. Each is one
// more answer to its attempt.
func (db *DB) resolutionsOut(ctx context.Context, from, to int64, add func(outgoing)) error {
	var seq int64
	var n, ordinal int32
	var outcome string
	var at time.Time
	return db.scanRange(ctx, selectResolutionsOut, from, to, func() {
		data, whom := db.attempted(n, ordinal)
		data.Outcome, data.Rule = outcome, ruleResolved
		add(outgoing{seq: seq, id: "resolution:" + data.AttemptID, at: at, data: data, whom: whom})
	}, &seq, &n, &ordinal, &outcome, &at)
}

// attempted is what the events of an attempt have in common, and whom they are
// about.
func (db *DB) attempted(n, ordinal int32) (event.MessageAttemptedData, []int32) {
	m, p, whom := db.message(n)
	id, _ := parseMessageID(m.ID)
	return event.MessageAttemptedData{
		MessageID: m.ID, AttemptID: attemptID(id, ordinal), PlanID: m.PlanID, CampaignID: m.CampaignID,
		Template: p.Template.Name + "/" + p.Template.Language, Category: string(m.Category), Provider: p.Provider,
		NumberID: m.NumberID, Arm: string(m.Arm), SendHourLocal: hourOf(&m), TimeZone: m.TimeZone,
		Propensity: propensityOf(&m), PolicyID: p.RulesVersion,
	}, whom
}
