package policy

import (
	"encoding/json"
	"time"

	"github.com/goodhour/goodhour/sender/plan"
)

// Customer is what the ledger knows of a message's customer now: of all
// identities that are one person at this moment.
type Customer struct {
	// OptedOut holds the opt-outs in force, by category, with their times; one
	// of "all" stands under each category. What undoes an opt-out (a start word,
	// the platform's resume) has been taken off by the ledger; an opt-in of any
	// other source undoes nothing and is not weighed here.
	OptedOut map[plan.Category]time.Time
	// OptedIn holds the opt-ins on record, by category.
	OptedIn map[plan.Category]time.Time
	// LastInboundAt is the customer's last message to the message's number;
	// zero means none.
	LastInboundAt time.Time
	// MarketingClaims are the times of marketing messages that were claimed,
	// accepted or lost from view, in the cap's window, in any order, of all
	// campaigns and numbers. Answers that the customer asked for are not here.
	MarketingClaims []time.Time
	// HoldoutArm is the quarter's stored assignment, Holdout if the person's
	// identities have both; empty means not assigned yet.
	HoldoutArm plan.Arm
	// AlreadyMessagedByPlan says that another message of the same plan was
	// claimed for this person.
	AlreadyMessagedByPlan bool
	// IsTestRecipient says that the account lists this person.
	IsTestRecipient bool
}

// Account is what is known now of the account that sends, and of the message's
// template.
type Account struct {
	Mode     plan.Mode
	Template TemplateState
}

// TemplateState is a template as the provider has it now, beside how it was
// planned. Free-form messages have none.
type TemplateState struct {
	// Status as the provider says, in Meta's words; empty means not known yet.
	Status TemplateStatus
	// Category now: the provider may have changed it.
	Category plan.Category
	// BodyHash now, and as it was planned; an empty PlannedBodyHash means that
	// no content was approved by a person (a single send).
	BodyHash, PlannedBodyHash string
	// Unconfirmed says that the content was listed as it is now, or as missing,
	// for less than template_ready.recheck: one listing may be wrong.
	Unconfirmed bool
	// Parameters are the names of all that the template takes.
	Parameters []string
}

// TemplateStatus is a template's state at the provider (Meta,
// message_template_status_update; checked 2026-11-23).
type TemplateStatus string

// The statuses that are told apart. All others wait: they may pass.
const (
	TemplateUnknown  TemplateStatus = ""         // not synced yet
	TemplateApproved TemplateStatus = "APPROVED" // can be sent
	TemplatePaused   TemplateStatus = "PAUSED"   // for low quality, 3 h or 6 h
	TemplatePending  TemplateStatus = "PENDING"  // in review
	// TemplateMissing is ours: the provider has none of that name and language.
	TemplateMissing         TemplateStatus = "MISSING"
	TemplateRejected        TemplateStatus = "REJECTED"
	TemplateDisabled        TemplateStatus = "DISABLED"
	TemplateDeleted         TemplateStatus = "DELETED"
	TemplatePendingDeletion TemplateStatus = "PENDING_DELETION"
	TemplateArchived        TemplateStatus = "ARCHIVED"
)

// Verdict is the policy's answer.
type Verdict struct {
	Verdict plan.Verdict // Allow, Delay, Suppress, HoldOut or Expire
	Rule    Rule         // which decided; empty for Allow
	Until   time.Time    // for Delay: the next look, UTC
	// Inputs is what the rule saw, for Allow what all saw: a JSON object
	// without personal data.
	Inputs json.RawMessage
}

// Decide judges whether a message may be sent at an instant: the rules in their
// order, the first that objects decides. Planning calls it for the instant that
// was chosen, the sender before each claim. All but the quotas is here.
//
// With the same facts it is monotone: what is suppressed, held out or expired
// stays so at every later instant; a message delayed by quiet hours or the cap
// is allowed at Until and at no instant before. Until is always before the
// deadline: a message that would have to wait for it expires at once.
func Decide(now time.Time, m *plan.Message, c *Customer, a *Account, r *Rules) Verdict {
	q := &question{now: now, message: m, customer: c, account: a, rules: r}
	for _, check := range checks() {
		if f := check.judge(q); f != nil {
			return Verdict{Verdict: f.verdict, Rule: check.rule, Until: f.until, Inputs: encode(f.inputs)}
		}
	}
	return Verdict{Verdict: plan.Allow, Inputs: encode(q.seen())}
}

// Eligible says whether a message's customer takes part in the campaign at all:
// no rule before the holdout objects. Only the eligible are assigned to arms;
// what suppresses one later leaves him in his arm.
func Eligible(now time.Time, m *plan.Message, c *Customer, a *Account, r *Rules) bool {
	q := &question{now: now, message: m, customer: c, account: a, rules: r}
	for _, check := range checks() {
		if check.rule == Holdout {
			break
		}
		if check.judge(q) != nil {
			return false
		}
	}
	return true
}

// encode cannot fail: inputs are structs of strings, numbers and booleans.
func encode(inputs any) json.RawMessage {
	raw, _ := json.Marshal(inputs)
	return raw
}
