package web

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/goodhour/goodhour/sender/campaign"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
)

// planBody is a plan as the ledger has it now, not as of a published file.
type planBody struct {
	ID       string
	Figures  []figure
	States   stack
	Reasons  table
	Delivery stack
	Accepted int
	// Running: its figures move.
	Running bool
	// Report is what the approver reads.
	Report   []fact
	Commands []string
}

// plansList are the campaigns kept here with their plans, the newest first.
func (p *Pages) plansList(r *request) (table, error) {
	out := table{
		Caption: r.T("Campaigns kept here"),
		Note:    r.T("As it is this moment. Not sent are those that a rule keeps back, that were held out, whose time passed, or that were cancelled."),
		Columns: []column{
			{Name: r.T("Campaign")},
			{Name: r.T("Status")},
			{Name: r.T("Mode"), Minor: true},
			{Name: r.T("Messages"), Number: true},
			{Name: r.T("Waiting"), Number: true, Minor: true},
			{Name: r.T("Accepted"), Number: true},
			{Name: r.T("Failed or unknown"), Number: true, Minor: true},
			{Name: r.T("Not sent"), Number: true, Minor: true},
			{Name: r.T("First send"), Minor: true},
			{Name: r.T("Last send"), Minor: true},
		},
	}
	if p.cfg.Campaigns == nil {
		return out, nil
	}
	campaigns, err := p.cfg.Campaigns.Campaigns(r.Context())
	if err != nil {
		return out, err
	}
	for _, c := range campaigns {
		name := cell{Text: c.ID, Link: campaignAddress(c.ID)}
		if len(c.Plans) == 0 {
			out.Rows = append(out.Rows, []cell{name, text(r.T("not planned")), {}, {}, {}, {}, {}, {}, {}, {}})
		}
		for i := range c.Plans {
			s := &c.Plans[i]
			n := func(states ...plan.State) cell { return r.countCell(countStates(s.States, states...)) }
			out.Rows = append(out.Rows, []cell{
				{Text: c.ID, Link: campaignAddress(c.ID), Sub: r.T("plan %s", shortPlan(s.ID)), Help: s.ID},
				text(r.Words(string(s.Status))), text(string(s.Mode)), r.countCell(int64(s.Messages)),
				n(plan.Waiting, plan.Claimed), n(plan.Accepted), n(plan.Failed, plan.Unknown),
				n(plan.Suppressed, plan.HeldOut, plan.Expired, plan.Cancelled), text(r.When(s.FirstSendAt)), text(r.When(s.LastSendAt)),
			})
			if len(out.Rows) == campaignsShown {
				return out, nil
			}
		}
	}
	return out, nil
}

// shortPlan is enough of a plan's id to tell the plans of a campaign apart.
func shortPlan(id string) string {
	const enough = 6
	id = strings.TrimPrefix(id, "plan_")
	return id[:min(enough, len(id))] + "…"
}

func countStates(counts map[plan.State]int, states ...plan.State) int64 {
	n := 0
	for _, s := range states {
		n += counts[s]
	}
	return int64(n)
}

// currentPlan is the newest plan of a campaign, or the plan of an id; nil where
// there is none.
func (p *Pages) currentPlan(r *request, id string) (*ledger.PlanStatus, error) {
	if p.cfg.Campaigns == nil {
		return nil, nil //nolint:nilnil // no plan is an answer
	}
	s, err := p.cfg.Campaigns.Status(r.Context(), id)
	if errors.Is(err, campaign.ErrNotFound) {
		return nil, nil //nolint:nilnil // no plan is an answer
	}
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// hasCampaign says whether a campaign is kept here, planned or not.
func (p *Pages) hasCampaign(r *request, id string) (bool, error) {
	if p.cfg.Campaigns == nil {
		return false, nil
	}
	campaigns, err := p.cfg.Campaigns.Campaigns(r.Context())
	return slices.ContainsFunc(campaigns, func(c campaign.Summary) bool { return c.ID == id }), err
}

func (p *Pages) newPlan(r *request, s *ledger.PlanStatus) (*planBody, error) {
	report, err := p.cfg.Campaigns.Report(r.Context(), s.ID)
	if err != nil {
		return nil, err
	}
	counts := make(map[plan.State]int64, len(s.States))
	for state, n := range s.States {
		counts[state] = int64(n)
	}
	delivery := make(map[string]int64, len(s.Delivery))
	for status, n := range s.Delivery {
		delivery[string(status)] = int64(n)
	}
	return &planBody{
		ID: s.ID, Figures: r.planFigures(s), States: r.statesBar(counts), Reasons: r.planReasons(s, report), Delivery: r.deliveryBar(delivery, readByReceipt),
		Accepted: s.States[plan.Accepted], Running: s.Status == plan.Running, Report: r.reportFacts(report), Commands: planCommands(s),
	}, nil
}

func (r *request) planFigures(s *ledger.PlanStatus) []figure {
	status := figure{Label: r.T("Status"), Value: r.Words(string(s.Status)), Basis: r.T("planned by %s", s.Author), Definition: r.T(statusMeaning(s.Status))}
	if s.ApprovedBy != "" {
		status.Basis = r.T("approved by %s, %s", s.ApprovedBy, r.When(s.ApprovedAt))
	}
	done := int64(s.Messages) - countStates(s.States, plan.Waiting, plan.Claimed)
	return []figure{
		status,
		{
			Label: r.T("Progress"), Value: r.shareCell(done, int64(s.Messages)).Text, Basis: r.T("%d of %d messages are settled", done, s.Messages),
			Definition: r.T("Settled: sent, or certain not to be."),
		},
		{Label: r.T("First send"), Value: r.Day(s.FirstSendAt), Basis: clock(s.FirstSendAt), Definition: r.T("Of the messages that may be sent.")},
		{Label: r.T("Last send"), Value: r.Day(s.LastSendAt), Basis: clock(s.LastSendAt), Definition: r.T("The last one's own time; the number's pace may make it later.")},
	}
}

func (r *request) planReasons(s *ledger.PlanStatus, report *campaign.Report) table {
	out := table{
		Caption: r.T("Why messages are not sent"), Chart: "bars", Open: true,
		Note:    r.T("Messages of the plan that a rule keeps back now, by the rule that had the last word. Those that only wait go out when it allows."),
		Columns: []column{{Name: r.T("Rule")}, {Name: r.T("Messages"), Number: true, Draw: true}},
	}
	rules := slices.SortedFunc(maps.Keys(s.Rules), func(a, b policy.Rule) int {
		if s.Rules[a] != s.Rules[b] {
			return s.Rules[b] - s.Rules[a]
		}
		return strings.Compare(string(a), string(b))
	})
	for _, rule := range rules {
		if s.Rules[rule] > 0 {
			meaning := r.T(ruleMeaning(string(rule)))
			if rule == policy.QuietHours && report.TimeZonesUnknown > 0 {
				meaning += " " + r.T("Of the audience, %d have no known time zone.", report.TimeZonesUnknown)
			}
			out.Rows = append(out.Rows, []cell{{Text: r.Words(string(rule)), Sub: meaning}, r.countCell(int64(s.Rules[rule]))})
		}
	}
	return out
}

// reportFacts are the lines of the report that the other figures do not say.
func (r *request) reportFacts(report *campaign.Report) []fact {
	facts := []fact{
		{Name: r.T("audience"), Value: r.Plural(int64(report.Audience), "1 customer", "%d customers"), Definition: r.T("from the file as of %s", r.When(report.AsOf))},
		{Name: r.T("to send"), Value: r.Num(report.ToSend), Definition: r.T("when it was planned")},
		{Name: r.T("template"), Value: report.Template.Name + ", " + report.Template.Language, Definition: string(report.Template.Category)},
		{Name: r.T("account"), Value: report.Account, Definition: r.T("mode %s", string(report.Mode))},
		r.keptBack(report),
		{Name: r.T("predicted cost"), Value: report.PredictedCost, Definition: r.T("unknown until there are rate cards")},
		{Name: r.T("pace"), Value: r.T("%d a minute", report.PacePerMinute*max(1, report.Numbers)), Definition: r.T("of all numbers together")},
		{Name: r.T("rules"), Value: report.RulesVersion, Definition: r.T("version of the policy")},
	}
	if report.LateAtPace > 0 {
		facts = append(facts, fact{
			Name: r.T("too many for the pace"), Value: r.Num(report.LateAtPace),
			Definition: r.T("would expire before their turn: give more days or numbers"),
		})
	}
	return facts
}

// keptBack counts who gets no message on purpose: as drawn, not as expected.
func (r *request) keptBack(report *campaign.Report) fact {
	out := fact{
		Name: r.T("kept back"), Value: r.T("%d control, %d holdout", report.Arms[plan.Control], report.Arms[plan.Holdout]),
		Definition: r.T("control: to tell what this campaign brings; holdout: to tell what all messages bring"),
	}
	if report.Control.Percent == 0 {
		out.Definition = r.T("control: %s; holdout: to tell what all messages bring", r.T(controlMeaning(report.Control.Reason)))
	}
	return out
}

// planCommands are what may be done with a plan as it stands, to paste.
func planCommands(s *ledger.PlanStatus) []string {
	switch s.Status {
	case plan.Planned:
		return []string{"goodhour campaign approve " + s.ID + " --hash " + s.Hash, "goodhour campaign cancel " + s.ID}
	case plan.Approved, plan.Running:
		return []string{"goodhour campaign pause " + s.ID, "goodhour campaign cancel " + s.ID, "goodhour campaign explain " + s.ID + " CUSTOMER"}
	case plan.Paused:
		return []string{"goodhour campaign resume " + s.ID, "goodhour campaign cancel " + s.ID}
	case plan.Done, plan.CancelledPlan:
	}
	return []string{"goodhour campaign explain " + s.ID + " CUSTOMER"}
}
