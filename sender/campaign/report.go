package campaign

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
)

// Report is what an approver reads before naming the plan's hash. It is part of
// what the hash is over, and stays as it was planned.
type Report struct {
	PlanID     string `json:"plan_id,omitempty"`
	Hash       string `json:"hash,omitempty"`
	CampaignID string `json:"campaign_id"`
	Author     string `json:"author"`
	// Audience is its customers: ToSend and all of Rules together.
	Audience int `json:"audience"`
	// ToSend waits to be sent.
	ToSend int                `json:"to_send"`
	States map[plan.State]int `json:"states"`
	// Rules counts who gets no message, by the rule that decided.
	Rules map[policy.Rule]int `json:"rules"`
	// Delayed counts those of ToSend that a rule delays as things stand, such as
	// a template in review.
	Delayed map[policy.Rule]int `json:"delayed"`
	// AlsoPlanned counts those of ToSend whom another unfinished plan is to send
	// marketing too, within the marketing cap's window: the cap delays or
	// suppresses whichever message comes second.
	AlsoPlanned int `json:"also_planned"`
	// Arms counts the eligible customers of a marketing campaign, as they were
	// drawn: those of control and holdout are who is kept back. No other count
	// of a report says so.
	Arms map[plan.Arm]int `json:"arms"`
	// Control is how the control was planned before anybody was drawn. Its
	// Customers is an expected size, for the power of the test: show Arms.
	Control policy.Control `json:"control"`
	// Baseline is the share that buys within a week without a message, which the
	// control was planned with; 0 means not known. BaselineFrom says whose:
	// campaign (its file), or customers (all reachable ones, the week before AsOf).
	Baseline     float64 `json:"baseline"`
	BaselineFrom string  `json:"baseline_from"`
	// FirstSendAt is the first message's time. LastSendAt is an estimate: when
	// the last one goes out if each number sends its messages in the order of
	// their times at PacePerMinute, without pauses. Both zero if nothing is sent.
	FirstSendAt   time.Time `json:"first_send_at,omitzero"`
	LastSendAt    time.Time `json:"last_send_at,omitzero"`
	PacePerMinute int       `json:"pace_per_minute"` // of one number
	Numbers       int       `json:"numbers"`
	// LateAtPace is how many of ToSend that pace brings to their deadline or past
	// it, the end of the schedule's local hours included: they would expire. Give
	// more days (spread_days), longer hours, or more numbers.
	LateAtPace int `json:"late_at_pace"`
	// Hours counts ToSend by the customer's local hour, HourReasons by why it.
	Hours       map[int]int    `json:"hours"`
	HourReasons map[string]int `json:"hour_reasons"`
	// TimeZonesUnknown is how many customers of the audience have no time zone on
	// record; they get the schedule's, or no marketing: the rule is quiet_hours.
	TimeZonesUnknown int `json:"time_zones_unknown"`
	// PredictedCost is "unknown" until there are rate cards.
	PredictedCost string        `json:"predicted_cost"`
	RulesVersion  string        `json:"rules_version"`
	Template      plan.Template `json:"template"`
	TemplateHash  string        `json:"template_hash"`
	Account       string        `json:"account"`
	Mode          plan.Mode     `json:"mode"`
	// AsOf and PublishedAt are of the published file that the audience was read from.
	AsOf        time.Time `json:"as_of"`
	PublishedAt time.Time `json:"published_at"`
	PlannedAt   time.Time `json:"planned_at"`
}

// unknownCost is PredictedCost without rate cards.
const unknownCost = "unknown"

// newReport counts a plan that is complete but for its report and its seal.
func newReport(p *plan.Plan, pace int) *Report {
	r := &Report{
		CampaignID: p.CampaignID, Author: p.Author, Audience: len(p.Messages), PacePerMinute: pace, PredictedCost: unknownCost,
		States: map[plan.State]int{}, Rules: map[policy.Rule]int{}, Delayed: map[policy.Rule]int{}, Arms: map[plan.Arm]int{},
		Hours: map[int]int{}, HourReasons: map[string]int{}, RulesVersion: p.RulesVersion,
		Template: p.Template, TemplateHash: p.Template.BodyHash, Account: p.Account, Mode: p.Mode,
		AsOf: p.AsOf, PublishedAt: p.PublishedAt, PlannedAt: p.CreatedAt,
	}
	for i := range p.Messages {
		r.count(&p.Messages[i])
	}
	paced := estimate(p.Messages, pace)
	r.FirstSendAt, r.LastSendAt, r.Numbers, r.LateAtPace = paced.first, paced.last, paced.numbers, paced.late
	return r
}

func (r *Report) count(m *plan.Message) {
	r.States[m.State]++
	if m.Arm != "" {
		r.Arms[m.Arm]++
	}
	if m.State != plan.Waiting {
		r.Rules[policy.Rule(m.Rule)]++
		return
	}
	r.ToSend++
	if m.Rule != "" {
		r.Delayed[policy.Rule(m.Rule)]++
	}
	r.Hours[m.SendHourLocal]++
	r.HourReasons[m.HourReason]++
}

// stored is the report as the plan keeps it: without what is made of the plan's
// hash.
func (r *Report) stored() (json.RawMessage, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write the report of campaign %s as JSON: %w", r.CampaignID, err)
	}
	return raw, nil
}

// readReport gives back a stored report, of the plan of that id and hash.
func readReport(raw json.RawMessage, planID, hash string) (*Report, error) {
	r := &Report{}
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("read the report of plan %s: %w", planID, err)
	}
	r.PlanID, r.Hash = planID, hash
	return r, nil
}
