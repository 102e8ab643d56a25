package plan

import (
	"encoding/json"
	"time"

	"github.com/goodhour/goodhour/ingest/identity"
)

// Category is WhatsApp's category of a message.
type Category string

// The categories. Service is a free-form message inside the 24-hour window.
const (
	Marketing      Category = "marketing"
	Utility        Category = "utility"
	Authentication Category = "authentication"
	Service        Category = "service"
)

// State is where a message of a plan is: in exactly one of nine. They always
// add up to the plan. What happens after acceptance is its delivery status.
type State string

// The states.
const (
	Waiting    State = "waiting"    // may still be sent
	Claimed    State = "claimed"    // recorded before the provider is called
	Accepted   State = "accepted"   // the provider took it
	Failed     State = "failed"     // the provider definitely refused it for good
	Unknown    State = "unknown"    // whether the provider took it is lost; never retried by itself
	Suppressed State = "suppressed" // a rule forbids it
	HeldOut    State = "held_out"   // its arm gets no message
	Expired    State = "expired"    // its time passed
	Cancelled  State = "cancelled"  // the plan was cancelled first
)

// States returns all of them in the order above.
func States() []State {
	return []State{Waiting, Claimed, Accepted, Failed, Unknown, Suppressed, HeldOut, Expired, Cancelled}
}

// Status is where a plan is.
type Status string

// A plan is planned once it is frozen, approved by its hash, then running or
// paused until every message is settled, or cancelled.
const (
	Planned       Status = "planned"
	Approved      Status = "approved" // its first message is not due yet
	Running       Status = "running"
	Paused        Status = "paused"
	Done          Status = "done"
	CancelledPlan Status = "cancelled"
)

// Arm says what a customer is assigned to. Assignments are never changed, so
// that results can be read by intention to treat.
type Arm string

// The arms.
const (
	Treatment Arm = "treatment"
	Holdout   Arm = "holdout" // the quarter's global holdout
	Control   Arm = "control" // this campaign's own
)

// Plan is a campaign run, frozen. Nothing in it changes after planning.
type Plan struct {
	ID         string `json:"id"`   // "plan_" and 24 hex digits of Hash
	Hash       string `json:"hash"` // of all that follows, see Seal; approving names it
	CampaignID string `json:"campaign_id"`
	// Campaign is the campaign file as it was read.
	Campaign  json.RawMessage `json:"campaign"`
	CreatedAt time.Time       `json:"created_at"`
	Author    string          `json:"author"`
	// Audience is the relation or SQL; AsOf and PublishedAt are those of the
	// published file it was read from.
	Audience     string    `json:"audience"`
	AsOf         time.Time `json:"as_of"`
	PublishedAt  time.Time `json:"published_at"`
	ModelVersion string    `json:"model_version"`
	// Template as it was when it was planned.
	Template Template `json:"template"`
	Provider string   `json:"provider"` // meta, ...
	Account  string   `json:"account"`  // the configured account's name
	Mode     Mode     `json:"mode"`
	// RulesVersion names the policy file that planning used.
	RulesVersion string `json:"rules_version"`
	// Report is what the approver reads: counts by rule, hours, arms, as
	// package campaign writes it, a JSON object without personal data.
	Report   json.RawMessage `json:"report,omitempty"`
	Messages []Message       `json:"messages"`
}

// Mode is what an account may do.
type Mode string

// The modes. Live is refused until every rule exists.
const (
	Sandbox Mode = "sandbox"
	Test    Mode = "test" // listed recipients only
	Live    Mode = "live"
)

// Template is a provider's template, named and typed.
type Template struct {
	Name     string   `json:"name"`
	Language string   `json:"language"` // "en_US"
	Category Category `json:"category"`
	// BodyHash tells whether the template changed since.
	BodyHash string `json:"body_hash"`
}

// Message is one message of a plan to one customer.
type Message struct {
	// ID is the message_id, see MessageID. The provider echoes it, so a lost
	// outcome can be found again.
	ID         string      `json:"id"`
	PlanID     string      `json:"plan_id"`
	CampaignID string      `json:"campaign_id"`
	CustomerID identity.ID `json:"customer_id"` // as it was at planning
	// To is the identity that it is sent to: a phone or a BSUID. Zero means that
	// the customer has neither.
	To       identity.ID `json:"to"`
	Category Category    `json:"category"`
	NumberID string      `json:"number_id"`
	Arm      Arm         `json:"arm"`
	// State at planning: Waiting, Suppressed or HeldOut; Rule says why.
	State State  `json:"state"`
	Rule  string `json:"rule,omitempty"`
	// Inputs is what the rule saw, without personal data.
	Inputs json.RawMessage `json:"inputs,omitempty"`
	// SendAt is the instant chosen; Deadline is when it is too late.
	SendAt   time.Time `json:"send_at"`
	Deadline time.Time `json:"deadline"`
	// SendHourLocal is the hour (0–23) of SendAt in TimeZone; HourReason says
	// why it: personal, segment, global, explore, default; at and now where the
	// campaign said so; schedule where the chosen hour was moved into the hours
	// that the campaign or the policy allows.
	SendHourLocal int     `json:"send_hour_local"`
	TimeZone      string  `json:"time_zone"`
	HourReason    string  `json:"hour_reason"`
	Propensity    float64 `json:"propensity"` // of this hour under the policy
	// Parameters are frozen, by the template's parameter names. They are
	// personal: the ledger keeps them apart and drops them after settlement.
	Parameters map[string]string `json:"parameters,omitempty"`
	// Frozen facts that rules read at the claim.
	HeatClass                string `json:"heat_class"`
	DeliveredSinceEngagement bool   `json:"delivered_since_engagement"`
	// Priority orders messages that are due together: higher first.
	Priority float64 `json:"priority"`
}

// Decision is the policy's verdict on a message, recorded when it changes.
type Decision struct {
	MessageID string          `json:"message_id"`
	Stage     Stage           `json:"stage"`
	Verdict   Verdict         `json:"verdict"`
	Rule      string          `json:"rule,omitempty"`
	Until     time.Time       `json:"until,omitzero"` // for Delay
	Inputs    json.RawMessage `json:"inputs,omitempty"`
	At        time.Time       `json:"at"`
}

// Stage is when a decision was made.
type Stage string

// The stages.
const (
	AtPlanning Stage = "planning"
	AtClaim    Stage = "claim"
)

// Verdict is what was decided.
type Verdict string

// The verdicts, as in event.DecisionMade.
const (
	Allow    Verdict = "allow"
	Delay    Verdict = "delay"
	Suppress Verdict = "suppress"
	HoldOut  Verdict = "hold_out"
	Expire   Verdict = "expire"
	Cancel   Verdict = "cancel"
)
