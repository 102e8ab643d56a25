package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/goodhour/goodhour/sender/plan"
)

// check is a rule: its name, and its judgement. It returns nil where it does
// not object.
type check struct {
	rule  Rule
	judge func(*question) *finding
}

// checks is the fixed order. What is final comes before what passes, so that a
// message does not wait only to be suppressed.
func checks() [13]check {
	return [...]check{
		{NoRecipient, noRecipient},
		{NotATestRecipient, notATestRecipient},
		{OptedOut, optedOut},
		{ConsentRequired, consentRequired},
		{Holdout, holdout},
		{Merged, merged},
		{ColdExcluded, coldExcluded},
		{ParameterMissing, parameterMissing},
		{TemplateReady, templateReady},
		{SessionWindow, sessionWindow},
		{MaxLateness, maxLateness},
		{QuietHours, quietHours},
		{MarketingCap, marketingCap},
	}
}

// question is what is to be judged.
type question struct {
	now      time.Time
	message  *plan.Message
	customer *Customer
	account  *Account
	rules    *Rules
}

// finding is an objection.
type finding struct {
	verdict plan.Verdict
	until   time.Time
	inputs  any
}

func suppress(inputs any) *finding { return &finding{verdict: plan.Suppress, inputs: inputs} }

// marketing says whether the rules for marketing apply. A category that is not
// known to be anything else counts as marketing.
func (q *question) marketing() bool {
	switch q.message.Category {
	case plan.Utility, plan.Authentication, plan.Service:
		return false
	default:
		return true
	}
}

func (q *question) freeForm() bool { return q.message.Category == plan.Service }

// late says whether an instant is too late for the message. A message without a
// deadline is never late.
func (q *question) late(at time.Time) bool {
	return !q.message.Deadline.IsZero() && !at.Before(q.message.Deadline)
}

// delay puts the message off until an instant, further where quiet hours or the
// cap object then, and expires it where that is too late.
func (q *question) delay(until time.Time, inputs any) *finding {
	if q.marketing() {
		until = q.settled(until)
	}
	if q.late(until) {
		return &finding{verdict: plan.Expire, inputs: inputs}
	}
	return &finding{verdict: plan.Delay, until: until.UTC(), inputs: inputs}
}

// settled is the first instant from at on to which neither quiet hours nor the
// cap objects. Each may put it off into the other; claims run out.
func (q *question) settled(at time.Time) time.Time {
	zone, ok := q.rules.zones.load(q.message.TimeZone)
	if !ok {
		return at
	}
	for {
		free := q.capFreeAt(q.rules.QuietHours.End(at.In(zone)))
		if free.Equal(at) {
			return at
		}
		at = free
	}
}

func noRecipient(q *question) *finding {
	if !q.message.To.IsZero() {
		return nil
	}
	return suppress(struct {
		HasAddress bool `json:"has_address"`
	}{false})
}

// Sandbox accounts reach nobody real; every mode but these two is refused.
func notATestRecipient(q *question) *finding {
	mode := q.account.Mode
	if mode == plan.Sandbox || mode == plan.Test && q.customer.IsTestRecipient {
		return nil
	}
	return suppress(struct {
		Mode            plan.Mode `json:"mode"`
		IsTestRecipient bool      `json:"is_test_recipient"`
	}{mode, q.customer.IsTestRecipient})
}

func optedOut(q *question) *finding {
	category := q.message.Category
	at, out := q.customer.OptedOut[category]
	if !out && q.marketing() {
		// A category of marketing under another name.
		at, out = q.customer.OptedOut[plan.Marketing]
	}
	if !out {
		return nil
	}
	return suppress(struct {
		Category   plan.Category `json:"category"`
		OptedOutAt string        `json:"opted_out_at"`
	}{category, stamp(at)})
}

func consentRequired(q *question) *finding {
	if !q.marketing() {
		return nil
	}
	if _, in := q.customer.OptedIn[plan.Marketing]; in {
		return nil
	}
	return suppress(struct {
		Category plan.Category `json:"category"`
		OptedIn  bool          `json:"opted_in"`
	}{q.message.Category, false})
}

// The stored assignment is read too: after a merge the person may be in both
// arms of the quarter, and is held out then.
func holdout(q *question) *finding {
	if !q.marketing() {
		return nil
	}
	arm, stored := q.message.Arm, q.customer.HoldoutArm
	if arm != plan.Holdout && arm != plan.Control && stored != plan.Holdout {
		return nil
	}
	return &finding{verdict: plan.HoldOut, inputs: struct {
		Arm        plan.Arm `json:"arm"`
		HoldoutArm plan.Arm `json:"holdout_arm,omitempty"`
	}{arm, stored}}
}

func merged(q *question) *finding {
	if !q.customer.AlreadyMessagedByPlan {
		return nil
	}
	return suppress(struct {
		AlreadyMessagedByPlan bool `json:"already_messaged_by_plan"`
	}{true})
}

// Who was never written to since has not ignored anything.
func coldExcluded(q *question) *finding {
	m := q.message
	if !q.marketing() || q.rules.overrides.IncludeCold || m.HeatClass != "cold" || !m.DeliveredSinceEngagement {
		return nil
	}
	return suppress(struct {
		HeatClass                string `json:"heat_class"`
		DeliveredSinceEngagement bool   `json:"delivered_since_engagement"`
	}{m.HeatClass, true})
}

// The provider takes no blank value either. What a changed template takes, if
// it is changed indeed, template_ready judges.
func parameterMissing(q *question) *finding {
	t := q.account.Template
	if q.freeForm() || t.Unconfirmed && t.changed() {
		return nil
	}
	var missing []string
	for _, name := range t.Parameters {
		if strings.TrimSpace(q.message.Parameters[name]) == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return suppress(struct {
		Parameters []string `json:"parameters"`
	}{missing})
}

// A template that was changed in content or category is not what was approved;
// one that is paused or in review may come back. That it is missing or changed
// in content must be said twice: what is suppressed stays so.
func templateReady(q *question) *finding {
	if q.freeForm() {
		return nil
	}
	t := q.account.Template
	status := TemplateStatus(strings.ToUpper(string(t.Status)))
	inputs := struct {
		Status          TemplateStatus `json:"status"`
		Category        plan.Category  `json:"category,omitempty"`
		PlannedCategory plan.Category  `json:"planned_category"`
		BodyChanged     bool           `json:"body_changed"`
		Unconfirmed     bool           `json:"unconfirmed,omitempty"`
	}{status, t.Category, q.message.Category, t.changed(), t.Unconfirmed}
	again := q.now.Add(q.rules.TemplateReady.Recheck)

	switch status {
	case TemplateMissing:
		if t.Unconfirmed {
			return q.delay(again, inputs)
		}
		return suppress(inputs)
	case TemplateRejected, TemplateDisabled, TemplateDeleted, TemplatePendingDeletion, TemplateArchived:
		return suppress(inputs)
	case TemplateApproved:
	default:
		return q.delay(again, inputs)
	}
	switch {
	case t.Category != q.message.Category, t.changed() && !t.Unconfirmed:
		return suppress(inputs)
	case t.changed():
		return q.delay(again, inputs)
	default:
		return nil
	}
}

// changed says whether the content is not what was planned.
func (t *TemplateState) changed() bool {
	return t.PlannedBodyHash != "" && t.BodyHash != t.PlannedBodyHash
}

func sessionWindow(q *question) *finding {
	if !q.freeForm() {
		return nil
	}
	window, last := q.rules.SessionWindow, q.customer.LastInboundAt
	closes := last.Add(window.Window - window.Margin)
	if !last.IsZero() && q.now.Before(closes) {
		return nil
	}
	inputs := struct {
		LastInboundAt string `json:"last_inbound_at"` // empty: never
		ClosedAt      string `json:"closed_at,omitempty"`
	}{LastInboundAt: stamp(last)}
	if !last.IsZero() {
		inputs.ClosedAt = stamp(closes)
	}
	return suppress(inputs)
}

func maxLateness(q *question) *finding {
	if !q.late(q.now) {
		return nil
	}
	return &finding{verdict: plan.Expire, inputs: struct {
		SendAt   string `json:"send_at"`
		Deadline string `json:"deadline"`
	}{stamp(q.message.SendAt), stamp(q.message.Deadline)}}
}

// Where nobody knows what the customer's clock says, nothing is sent.
func quietHours(q *question) *finding {
	if !q.marketing() {
		return nil
	}
	type seen struct {
		TimeZone  string `json:"time_zone"`
		LocalTime string `json:"local_time,omitempty"` // HH:MM
		From      string `json:"from"`
		To        string `json:"to"`
	}
	hours := q.rules.QuietHours
	inputs := seen{TimeZone: q.message.TimeZone, From: hours.From.String(), To: hours.To.String()}
	zone, known := q.rules.zones.load(q.message.TimeZone)
	if !known {
		return suppress(inputs)
	}
	local := q.now.In(zone)
	if !hours.Contains(local) {
		return nil
	}
	inputs.LocalTime = local.Format("15:04")
	return q.delay(q.now, inputs)
}

func marketingCap(q *question) *finding {
	if !q.marketing() {
		return nil
	}
	free := q.capFreeAt(q.now)
	if free.Equal(q.now) {
		return nil
	}
	limit, claims := q.rules.MarketingCap, q.claimsBefore(q.now)
	return q.delay(free, struct {
		Claims      int    `json:"claims"`
		Messages    int    `json:"messages"`
		WindowHours int    `json:"window_hours"`
		LastClaimAt string `json:"last_claim_at"`
	}{len(claims), limit.Messages, int(limit.Window / time.Hour), stamp(claims[0])})
}

// capFreeAt is the first instant from at on at which the cap allows one more:
// when the oldest of the newest claims that fill it leaves (t − window, t].
func (q *question) capFreeAt(at time.Time) time.Time {
	limit := q.rules.MarketingCap
	claims := q.claimsBefore(at)
	if len(claims) < limit.Messages {
		return at
	}
	return claims[limit.Messages-1].Add(limit.Window)
}

// claimsBefore returns the claims in the cap's window that ends at an instant,
// the newest first. One ahead of it (a clock was put back) counts too.
func (q *question) claimsBefore(at time.Time) []time.Time {
	var in []time.Time
	for _, claimed := range q.customer.MarketingClaims {
		if claimed.After(at.Add(-q.rules.MarketingCap.Window)) {
			in = append(in, claimed)
		}
	}
	slices.SortFunc(in, func(a, b time.Time) int { return b.Compare(a) })
	return in
}

// allowed is what the rules saw of a message that they allow.
type allowed struct {
	Mode            plan.Mode      `json:"mode"`
	Arm             plan.Arm       `json:"arm,omitempty"`
	OptedInAt       string         `json:"opted_in_at,omitempty"`
	HeatClass       string         `json:"heat_class,omitempty"`
	TemplateStatus  TemplateStatus `json:"template_status,omitempty"`
	LastInboundAt   string         `json:"last_inbound_at,omitempty"`
	TimeZone        string         `json:"time_zone,omitempty"`
	LocalTime       string         `json:"local_time,omitempty"` // HH:MM
	MarketingClaims int            `json:"marketing_claims"`
}

func (q *question) seen() allowed {
	m, c := q.message, q.customer
	s := allowed{
		Mode: q.account.Mode, Arm: m.Arm, OptedInAt: stamp(c.OptedIn[m.Category]), HeatClass: m.HeatClass,
		TemplateStatus: q.account.Template.Status, LastInboundAt: stamp(c.LastInboundAt),
		TimeZone: m.TimeZone, MarketingClaims: len(q.claimsBefore(q.now)),
	}
	if zone, ok := q.rules.zones.load(m.TimeZone); ok {
		s.LocalTime = q.now.In(zone).Format("15:04")
	}
	return s
}

// stamp writes an instant in UTC; the zero time is empty.
func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339Nano)
}
