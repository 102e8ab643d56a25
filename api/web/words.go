package web

import (
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
)

// ruleMeaning says in plain words why a rule keeps a message back.
func ruleMeaning(rule string) string {
	switch policy.Rule(rule) {
	case policy.NoRecipient:
		return "No phone number or WhatsApp id of the customer is known."
	case policy.NotATestRecipient:
		return "The account is in test mode and the customer is not on its list of test recipients."
	case policy.OptedOut:
		return "The customer asked not to get such messages. Only they can undo it."
	case policy.ConsentRequired:
		return "There is no opt-in of the customer on record."
	case policy.Holdout:
		return "Kept without a message on purpose, so that what messages bring can be measured."
	case policy.Merged:
		return "Two records turned out to be one person, who gets one message."
	case policy.ColdExcluded:
		return "The customer is cold, and did not react to what came last. The campaign may include them."
	case policy.ParameterMissing:
		return "The template has a place to fill in, and nothing is known to fill it with."
	case policy.TemplateReady:
		return "The template is not approved, paused, or not what was approved."
	case policy.SessionWindow:
		return "Free text may only be sent within 24 hours of the customer's last message."
	case policy.MaxLateness:
		return "It could not be sent in time, and a late message is worse than none."
	case policy.QuietHours:
		return "It is night where the customer is, or their time zone is not known: then nothing is sent."
	case policy.MarketingCap:
		return "The customer had a marketing message in the last 24 hours."
	case policy.PairRate:
		return "WhatsApp takes only so many messages to one person in a short time."
	case policy.NumberRate:
		return "The number sends as fast as it may; this one waits for its turn."
	}
	return "A rule that this version does not describe."
}

// stateMeaning says what a state of a planned message is.
func stateMeaning(state string) string {
	switch plan.State(state) {
	case plan.Waiting:
		return "May still be sent."
	case plan.Claimed:
		return "About to be handed to the provider."
	case plan.Accepted:
		return "The provider took it."
	case plan.Failed:
		return "The provider refused it for good."
	case plan.Unknown:
		return "Whether the provider took it is not known. It is never sent again by itself."
	case plan.Suppressed:
		return "A rule forbids it."
	case plan.HeldOut:
		return "Kept back on purpose, to measure what messages bring."
	case plan.Expired:
		return "Its time passed before it could be sent."
	case plan.Cancelled:
		return "The plan was cancelled first."
	}
	return ""
}

// hourMeaning says why an hour was chosen.
func hourMeaning(reason string) string {
	switch reason {
	case "personal":
		return "the customer's own best hour"
	case "segment":
		return "the best hour of the customer's segment"
	case "global":
		return "the best hour over all customers"
	case "explore":
		return "drawn at random, to go on learning"
	case "default":
		return "the usual hour: too little is known, or no other hour is surely better"
	case "at":
		return "the campaign's own time"
	}
	return "A reason that this version does not describe."
}

// What counts as read. The ledger knows a message's receipts; the published
// file also takes an answer for a read, as phones may keep receipts back.
const (
	readByReceipt  = "a read receipt came; an answer without one is not counted here"
	readOrAnswered = "a read receipt came, or an answer"
)

// deliveryMeaning says what happened to a message after the provider took it.
// What counts as read depends on who counts.
func deliveryMeaning(status, read string) string {
	switch status {
	case "none":
		return "nothing heard of it yet"
	case "sent":
		return "handed to WhatsApp, not on the customer's device yet"
	case "delivered":
		return "on the customer's device"
	case "read":
		return read
	case "failed":
		return "could not be delivered"
	}
	return ""
}

// statusMeaning says what a plan's status is.
func statusMeaning(s plan.Status) string {
	switch s {
	case plan.Planned:
		return "Frozen, and nothing is sent before somebody approves exactly this."
	case plan.Approved:
		return "Its first message is not due yet."
	case plan.Running:
		return "Messages go out as they come due."
	case plan.Paused:
		return "Nothing is sent until somebody resumes it."
	case plan.Done:
		return "Every message is settled."
	case plan.CancelledPlan:
		return "What waited is never sent."
	}
	return ""
}

// controlMeaning says why a campaign has no control of its own.
func controlMeaning(reason policy.ControlReason) string {
	switch reason {
	case policy.ControlOff:
		return "none: the campaign asks for none"
	case policy.BaselineUnknown:
		return "none: nobody knows how many buy without a message"
	case policy.BaselineTooHigh:
		return "none: so many buy anyway that no lift could show"
	case policy.AudienceTooSmall:
		return "none: the audience is too small to show a lift"
	}
	return "none"
}
