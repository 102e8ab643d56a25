package sender

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/sender/provider"
)

const (
	// A pass judges judgedPer messages for each that may go, at least judgedMin:
	// some are refused by a rule, and who waits should know what for.
	judgedPer = 4
	judgedMin = 100
)

// quota is what one number may claim in a pass.
type quota struct {
	total, campaign int
	taken           bool // some of it
	// Without any left: the rule that says so, and when to look again; zero
	// means that the number knows.
	rule   policy.Rule
	until  time.Time
	inputs any
}

// slotsAgain is when to look again while all slots for calls, or the only one,
// are taken.
const slotsAgain = time.Second

func (s *Sender) quotaOf(n *number, now time.Time) quota {
	if h, halted := s.halted(n, now); halted {
		return quota{rule: h.rule, until: h.until, inputs: struct {
			Why string `json:"why"`
		}{h.why}}
	}
	free := cap(n.account.slots) - len(n.account.slots)
	if free == 0 {
		return quota{rule: policy.NumberRate, until: now.Add(slotsAgain), inputs: struct {
			CallsInFlight int `json:"calls_in_flight"`
		}{cap(n.account.slots)}}
	}
	total, campaign := n.limit.Permits(now, min(claimAhead, max(s.cfg.ClaimFor, overheadShare*s.overhead)))
	if one, busy := s.probing(n); one {
		return probe(total, campaign, busy, now)
	}
	return quota{total: min(total, free), campaign: campaign, rule: policy.NumberRate, inputs: struct {
		Share float64 `json:"share"` // of the number's full rate
	}{n.limit.Share(now)}}
}

// probe is what a number may claim whose last answers were lost: one message,
// while nothing is in flight.
func probe(total, campaign int, busy bool, now time.Time) quota {
	q := quota{total: min(total, 1), campaign: min(campaign, 1), rule: numberStopped, inputs: struct {
		Probing bool `json:"probing"`
	}{true}}
	if busy {
		q.total, q.campaign, q.until = 0, 0, now.Add(slotsAgain)
	}
	return q
}

// next is when there may be more: once something was taken, after its calls.
func (q *quota) next(n *number, m *plan.Message, now time.Time) time.Time {
	switch {
	case !q.until.IsZero():
		return q.until
	case q.taken:
		return now
	default:
		_, at := n.take(now, m) // it has nothing now, and says when it has
		return at
	}
}

// use takes one message off the quota.
func (q *quota) use(m *plan.Message) bool {
	if q.total == 0 || m.CampaignID != "" && q.campaign == 0 {
		return false
	}
	q.total--
	q.taken = true
	if m.CampaignID != "" {
		q.campaign--
	}
	return true
}

// judge decides on the messages of a number that are due, and chooses what to
// claim.
func (s *Sender) judge(ctx context.Context, r *round, n *number) error {
	q := s.quotaOf(n, r.now)
	most := max(judgedMin, judgedPer*q.total)
	due, err := s.cfg.Ledger.Due(ctx, r.now, most, n.id)
	if err != nil || len(due) == 0 {
		return err
	}
	slices.SortStableFunc(due, func(a, b plan.Message) int { return lane(a.Category) - lane(b.Category) })
	values, err := s.cfg.Ledger.Parameters(ctx, ids(due))
	if err != nil {
		return err
	}
	before := len(r.claims) + len(r.decisions)
	for i := range due {
		due[i].Parameters = values[due[i].ID]
		if err := s.judgeOne(ctx, r, n, &q, &due[i]); err != nil {
			return err
		}
	}
	if len(due) == most && len(r.claims)+len(r.decisions) > before {
		r.lookAt(r.now) // there may be more
	}
	return nil
}

// lane orders what a number sends: authentication, then replies, then utility,
// then marketing.
func lane(c plan.Category) int {
	order := []plan.Category{plan.Authentication, plan.Service, plan.Utility}
	if i := slices.Index(order, c); i >= 0 {
		return i
	}
	return len(order)
}

func ids(messages []plan.Message) []string {
	out := make([]string, len(messages))
	for i := range messages {
		out[i] = messages[i].ID
	}
	return out
}

func (s *Sender) judgeOne(ctx context.Context, r *round, n *number, q *quota, m *plan.Message) error {
	if lane(m.Category) == lane(plan.Marketing) && !r.marketing {
		r.lookAt(r.now.Add(barrierAgain))
		return nil
	}
	p, err := s.planOf(ctx, m.PlanID)
	if err != nil {
		return err
	}
	l, known := r.live[m.PlanID]
	if !known {
		l = s.live(p, n.account, r.now)
		r.live[m.PlanID] = l
	}
	facts := s.cfg.Ledger.Facts(m, r.now)
	facts.Customer.IsTestRecipient = s.isTestRecipient(n.account, &facts)
	v := policy.Decide(r.now, m, &facts.Customer, &l.account, p.rules)
	if v.Verdict != plan.Allow {
		r.refuse(m, v)
		return nil
	}
	// Two messages to one person are decided one after the other: each is a
	// fact of the next.
	if r.persons[facts.Person] {
		r.lookAt(r.now)
		return nil
	}
	s.choose(r, n, q, m, facts.Person, p, l, v.Inputs)
	return nil
}

// isTestRecipient says whether an account lists a person, under any identity.
func (s *Sender) isTestRecipient(a *account, facts *ledger.Facts) bool {
	if a.Mode != plan.Test {
		return false
	}
	for _, id := range a.TestRecipients {
		if s.cfg.Ledger.Person(id) == facts.Person {
			return true
		}
	}
	return false
}

// refuse notes a rule's verdict.
func (r *round) refuse(m *plan.Message, v policy.Verdict) {
	r.decisions = append(r.decisions, plan.Decision{
		MessageID: m.ID, Stage: plan.AtClaim, Verdict: v.Verdict, Rule: string(v.Rule), Until: v.Until, Inputs: v.Inputs, At: r.now,
	})
}

// wait has a message wait for a quota. It is recorded when the rule changes,
// not each time that it is looked at.
func (r *round) wait(m *plan.Message, rule policy.Rule, until time.Time, inputs any) {
	r.lookAt(until)
	if m.Rule == string(rule) {
		return
	}
	if limit := r.now.Add(lookAgain); until.After(limit) {
		until = limit
	}
	raw, _ := json.Marshal(inputs) // structs of strings and numbers
	r.refuse(m, policy.Verdict{Verdict: plan.Delay, Rule: rule, Until: until, Inputs: raw})
}

// choose claims a message that the rules allow, if the quotas do and it can be
// made. The permits of the pair are taken here, those of the number at the call.
func (s *Sender) choose(r *round, n *number, q *quota, m *plan.Message, person identity.ID, p *planned, l live, inputs json.RawMessage) {
	if !q.use(m) {
		r.wait(m, q.rule, q.next(n, m, r.now), q.inputs)
		return
	}
	out, problem := p.message(m, n, l)
	if problem != nil {
		r.refuse(m, *problem)
		return
	}
	if ok, at := s.pairs.Take(r.now, n.id, person); !ok {
		r.wait(m, policy.PairRate, at, struct {
			NumberID string `json:"number_id"`
		}{n.id})
		return
	}
	out.attempt, out.claimedAt = s.cfg.Ledger.NextAttempt(m.ID), r.now
	out.inputs = inputs
	r.persons[person] = true
	r.claims = append(r.claims, out)
}

var errNoTemplate = errors.New("the template is not there any more")

// message makes what is sent, but for the address. A plan was checked for what
// the provider would refuse, so a problem is rare, and final.
func (p *planned) message(m *plan.Message, n *number, l live) (*sending, *policy.Verdict) {
	suppress := func(rule policy.Rule, err error) (*sending, *policy.Verdict) {
		raw, _ := json.Marshal(struct {
			Problem string `json:"problem"`
		}{err.Error()})
		return nil, &policy.Verdict{Verdict: plan.Suppress, Rule: rule, Inputs: raw}
	}
	if l.template == nil {
		return suppress(policy.TemplateReady, errNoTemplate)
	}
	message, err := provider.NewTemplateMessage(l.template, m.Parameters)
	if err != nil {
		return suppress(policy.ParameterMissing, err)
	}
	content, err := l.template.Features(m.Parameters, p.names...)
	if err != nil {
		return suppress(policy.ParameterMissing, err)
	}
	return &sending{
		message: *m, number: n, content: &content,
		request: provider.Request{MessageID: m.ID, NumberID: n.id, Category: m.Category, Template: message},
	}, nil
}

// address looks up where the chosen go, for all at once. Who has no address any
// more was erased.
func (s *Sender) address(ctx context.Context, r *round) error {
	if len(r.claims) == 0 {
		return nil
	}
	to := make([]identity.ID, len(r.claims))
	for i, m := range r.claims {
		to[i] = m.message.To
	}
	found, err := s.cfg.Ledger.Addresses(ctx, to)
	if err != nil {
		return err
	}
	r.claims = slices.DeleteFunc(r.claims, func(m *sending) bool {
		address, known := found[m.message.To]
		if !known {
			r.refuse(&m.message, policy.Verdict{
				Verdict: plan.Suppress, Rule: policy.NoRecipient, Inputs: json.RawMessage(`{"has_address":false}`),
			})
			return true
		}
		m.request.To = address
		return false
	})
	return nil
}
