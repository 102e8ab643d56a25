package ledger

import (
	"encoding/json"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
)

// PlanStatus is a plan without its messages, and where it stands.
type PlanStatus struct {
	ID           string          `json:"id"`
	Hash         string          `json:"hash"`
	CampaignID   string          `json:"campaign_id"`
	Campaign     json.RawMessage `json:"campaign"`
	Audience     string          `json:"audience"`
	AsOf         time.Time       `json:"as_of"`
	PublishedAt  time.Time       `json:"published_at"`
	ModelVersion string          `json:"model_version"`
	Template     plan.Template   `json:"template"`
	Provider     string          `json:"provider"`
	Account      string          `json:"account"`
	Mode         plan.Mode       `json:"mode"`
	RulesVersion string          `json:"rules_version"`
	// Report is what the approver read, as it was planned: plan.Plan's.
	Report     json.RawMessage `json:"report,omitempty"`
	Status     plan.Status     `json:"status"`
	Author     string          `json:"author"`
	CreatedAt  time.Time       `json:"created_at"`
	ApprovedBy string          `json:"approved_by,omitempty"`
	ApprovedAt time.Time       `json:"approved_at,omitzero"`
	// States counts the messages by state: all nine, adding up to Messages.
	States   map[plan.State]int `json:"states"`
	Messages int                `json:"messages"`
	// Rules counts the messages that a rule keeps from being sent now, by the
	// rule: suppressed, held out, expired, and waiting ones that are delayed.
	Rules map[policy.Rule]int `json:"rules"`
	// Delivery counts accepted messages by delivery_status.
	Delivery map[DeliveryStatus]int `json:"delivery"`
	// FirstSendAt and LastSendAt are of the messages that may be sent.
	FirstSendAt time.Time `json:"first_send_at,omitzero"`
	LastSendAt  time.Time `json:"last_send_at,omitzero"`
}

// DeliveryStatus is what happened to a message after the provider took it.
type DeliveryStatus string

// The delivery statuses. They only go forward, in this order; Undelivered only
// before Delivered.
const (
	DeliveryNone DeliveryStatus = "none" // nothing heard yet
	Sent         DeliveryStatus = "sent"
	Undelivered  DeliveryStatus = "failed"
	Delivered    DeliveryStatus = "delivered"
	Read         DeliveryStatus = "read"
)

// Facts is what the policy asks about a message's customer.
type Facts struct {
	// Person is the component of now: pair limits are kept by it.
	Person   identity.ID
	Customer policy.Customer
}

// Claim records that a message is about to be handed to the provider.
type Claim struct {
	MessageID string
	// AttemptID is the ledger's: message id and the attempt's ordinal.
	AttemptID string
	At        time.Time
	// Verdict is the policy's Allow, recorded when it differs from the last.
	Decision plan.Decision
}

// Outcome is what became of an attempt.
type Outcome string

// The outcomes. Refused is a definite refusal that is safe to retry: the
// message waits again, not before Settlement.NotBefore.
const (
	Accepted Outcome = "accepted"
	Failed   Outcome = "failed"
	Unknown  Outcome = "unknown"
	Refused  Outcome = "refused"
)

// Settlement is the outcome of one attempt.
type Settlement struct {
	MessageID         string
	AttemptID         string
	At                time.Time
	Outcome           Outcome
	ProviderMessageID string
	ErrorCode         string
	ErrorClass        string
	// NotBefore is for Refused.
	NotBefore time.Time
	// OptedOut: the provider says that the customer stopped marketing. It is an
	// opt-out of the platform, and becomes an event.
	OptedOut bool
	// RequestTime is how long the provider took to answer.
	RequestTime time.Duration
	Content     *event.Content
}

// Outgoing is an event that the ledger owes to the topics, and the cursor that
// marks it published.
type Outgoing struct {
	Cursor int64
	Event  event.Event
}

// MessageDetail is one message with all that is known of it, for explain.
type MessageDetail struct {
	plan.Message
	// CustomerNow is the component of now; it differs from CustomerID after a merge.
	CustomerNow identity.ID     `json:"customer_id_now"`
	StateNow    plan.State      `json:"state_now"`
	RuleNow     string          `json:"rule_now,omitempty"`
	NotBefore   time.Time       `json:"not_before,omitzero"`
	Delivery    DeliveryStatus  `json:"delivery_status"`
	Decisions   []plan.Decision `json:"decisions"`
	Attempts    []Attempt       `json:"attempts"`
}

// Attempt is one claim and its outcome.
type Attempt struct {
	ID                string    `json:"id"`
	ClaimedAt         time.Time `json:"claimed_at"`
	SettledAt         time.Time `json:"settled_at,omitzero"`
	Outcome           Outcome   `json:"outcome,omitempty"`
	ProviderMessageID string    `json:"provider_message_id,omitempty"`
	ErrorCode         string    `json:"error_code,omitempty"`
	ErrorClass        string    `json:"error_class,omitempty"`
	// Resolution is a person's, where the outcome was unknown.
	Resolution *Resolution `json:"resolution,omitempty"`
}

// StoredCampaign is a campaign as its author gave it, not planned yet or since.
type StoredCampaign struct {
	ID        string          `json:"id"`
	Campaign  json.RawMessage `json:"campaign"`
	Author    string          `json:"author"`
	CreatedAt time.Time       `json:"created_at"`
}
