package campaign

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/sender/template"
	"github.com/goodhour/goodhour/warehouse"
)

// check says whether the configured accounts can send a campaign at all.
func (s *Service) check(c *Campaign) error {
	account, ok := s.accounts[c.Account]
	if !ok {
		return invalid("account", "no account is called %q: there are %s", c.Account, names(slices.Sorted(maps.Keys(s.accounts))))
	}
	var problems []Problem
	if err := policy.Refuse(account.Mode, c.Needs...); err != nil {
		problems = append(problems, Problem{Field: "account", Text: err.Error()})
	}
	for _, number := range c.Numbers {
		if !slices.Contains(account.Numbers, number) {
			problems = append(problems, Problem{Field: "numbers", Text: fmt.Sprintf("account %s has no number %q: it has %s", account.Name, number, names(account.Numbers))})
		}
	}
	if len(account.Numbers) == 0 {
		problems = append(problems, Problem{Field: "account", Text: "account " + account.Name + " has no number to send from: configure one"})
	}
	if len(problems) > 0 {
		return &InvalidError{Problems: problems}
	}
	return nil
}

func names(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// planner makes one plan.
type planner struct {
	*Service
	campaign *Campaign
	account  *Account
	template *template.Template
	state    policy.Account // of account and template now
	values   map[string]template.Rule
	rules    *policy.Rules // with the campaign's overrides
	slots    *slots
	numbers  []string
	tests    map[identity.ID]bool // persons who are test recipients
	now      time.Time

	audience *audience
	messages []plan.Message
	drafts   []draft // of the messages, in their order
}

// draft is a message in the making, and what is known of its customer.
type draft struct {
	message *plan.Message
	facts   ledger.Facts
	// latest is the deadline without the schedule's days and hours: until then
	// the message may be moved to others of them.
	latest time.Time
	// merged: another message of this plan goes to the same person.
	merged bool
	// refusal is the parameter that must not be missing, and is.
	refusal *template.RefusedError
}

// make plans a campaign: the plan is sealed, and not stored yet.
func (s *Service) make(ctx context.Context, c *Campaign, by string) (*plan.Plan, *Report, error) {
	// What anyone was told before this call is known from here on.
	if err := s.config.Barrier.WaitForEnd(ctx); err != nil {
		return nil, nil, fmt.Errorf("wait until every opt-out is read: %w", err)
	}
	p, err := s.newPlanner(c)
	if err != nil {
		return nil, nil, err
	}
	reader, release, err := s.config.Library.Acquire()
	if err != nil {
		return nil, nil, fmt.Errorf("read the audience: %w", err)
	}
	defer release()
	if p.audience, err = readAudience(ctx, reader, c); err != nil {
		return nil, nil, err
	}
	baseline, from, err := p.baseline(ctx, reader)
	if err != nil {
		return nil, nil, err
	}
	if err := p.draft(ctx); err != nil {
		return nil, nil, err
	}
	control := p.assign(baseline)
	p.decide()
	if err := p.refused(); err != nil {
		return nil, nil, err
	}
	return p.seal(reader.Info(), by, control, baseline, from)
}

func (s *Service) newPlanner(c *Campaign) (*planner, error) {
	account := s.accounts[c.Account]
	p := &planner{
		Service: s, campaign: c, account: account, numbers: c.Numbers, now: s.now(),
		rules: c.rules(s.config.Rules), values: map[string]template.Rule{}, tests: map[identity.ID]bool{},
	}
	if len(p.numbers) == 0 {
		p.numbers = account.Numbers
	}
	for name, parameter := range c.Template.Parameters {
		p.values[name] = parameter.rule()
	}
	for _, id := range account.TestRecipients {
		p.tests[s.config.Ledger.Person(id)] = true
	}
	if err := p.findTemplate(); err != nil {
		return nil, err
	}
	p.state = policy.Account{Mode: account.Mode, Template: p.template.State(p.template.BodyHash())}
	p.slots = newSlots(&c.Schedule, p.now, p.rules, p.isMarketing())
	if !p.slots.open() {
		return nil, invalid("schedule.local_hours", "they all lie in quiet hours, %s to %s", p.rules.QuietHours.From, p.rules.QuietHours.To)
	}
	return p, nil
}

// rules are the policy's with the campaign's overrides.
func (c *Campaign) rules(base *policy.Rules) *policy.Rules {
	rules := base.With(c.Overrides)
	if percent := c.Holdout.ControlPercent; percent != nil {
		rules.Holdout.ControlPercent = *percent
	}
	return rules
}

// findTemplate looks the template up among those of the account, and checks that
// the campaign can fill it.
func (p *planner) findTemplate() error {
	c := &p.campaign.Template
	found, ok := p.config.Ledger.Template(p.account.Name, c.Name, c.Language)
	if !ok {
		list, syncedAt := p.config.Ledger.Templates(p.account.Name)
		if syncedAt.IsZero() {
			return invalid("template", "the templates of account %s are not known yet: run goodhour template sync %s", p.account.Name, p.account.Name)
		}
		var known []string
		for i := range list {
			known = append(known, list[i].Name+" ("+list[i].Language+")")
		}
		return invalid("template", "account %s has no template %s in %s: it has %s", p.account.Name, c.Name, c.Language, names(known))
	}
	p.template = found
	if err := found.CheckRules(p.values); err != nil {
		var problems []Problem
		for text := range strings.SplitSeq(err.Error(), "\n") {
			problems = append(problems, Problem{Field: "template.parameters", Text: text})
		}
		return &InvalidError{Problems: problems}
	}
	switch policy.TemplateStatus(strings.ToUpper(string(found.Status))) {
	case policy.TemplateMissing, policy.TemplateRejected, policy.TemplateDisabled, policy.TemplateDeleted,
		policy.TemplatePendingDeletion, policy.TemplateArchived:
		return invalid("template", "the provider has %s as %s: nothing could be sent", c.Name, found.Status)
	default: // approved, or may be by then
		return nil
	}
}

func (p *planner) isMarketing() bool {
	return p.template.Category != plan.Utility && p.template.Category != plan.Authentication
}

// baseline is the share that buys without a message, and whose word it is.
func (p *planner) baseline(ctx context.Context, reader *warehouse.Reader) (share float64, from string, err error) {
	if own := p.campaign.Holdout.Baseline; own != nil {
		return *own, "campaign", nil
	}
	share, err = readBaseline(ctx, reader)
	return share, "customers", err
}

// draft makes a message for each row of the audience, and asks the ledger who
// its customer is by now.
func (p *planner) draft(ctx context.Context) error {
	personal, err := p.personal(ctx)
	if err != nil {
		return err
	}
	p.messages = make([]plan.Message, len(p.audience.rows))
	p.drafts = make([]draft, len(p.audience.rows))
	for i := range p.drafts {
		d, r := &p.drafts[i], &p.audience.rows[i]
		d.message = &p.messages[i]
		p.message(d, r)
		values := p.valuesOf(r, personal, i)
		if d.message.Parameters, err = p.template.Fill(values, p.values); err != nil && !errors.As(err, &d.refusal) {
			return err
		}
	}
	p.mergeDrafts()
	return nil
}

// personal reads the personal fields that parameters take, of everyone at once;
// nil where none does.
func (p *planner) personal(ctx context.Context) ([]map[string]string, error) {
	fields := map[string]bool{}
	for _, parameter := range p.campaign.Template.Parameters {
		if parameter.Field != "" {
			fields[parameter.Field] = true
		}
	}
	if len(fields) == 0 {
		return nil, nil
	}
	people := make([][]identity.ID, len(p.audience.rows))
	for i := range people {
		people[i] = p.config.Ledger.Identities(p.audience.rows[i].customer)
	}
	values, err := p.config.Personal.Personal(ctx, people, slices.Sorted(maps.Keys(fields)))
	if err != nil {
		return nil, fmt.Errorf("read the personal fields of %d customers: %w", len(people), err)
	}
	return values, nil
}

// valuesOf are a row's values by the template's parameters.
func (p *planner) valuesOf(r *row, personal []map[string]string, at int) map[string]string {
	values := make(map[string]string, len(p.campaign.Template.Parameters))
	for name, parameter := range p.campaign.Template.Parameters {
		switch {
		case parameter.Column != "":
			column, _ := slices.BinarySearch(p.audience.columns, parameter.Column)
			values[name] = r.columns[column]
		case parameter.Field != "":
			values[name] = personal[at][parameter.Field]
		}
	}
	return values
}

// message fills in all but the arm and the verdict.
func (p *planner) message(d *draft, r *row) {
	person := p.config.Ledger.Person(r.customer)
	to, _ := p.config.Ledger.Recipient(r.customer) // zero: rule no_recipient
	zone, zoneName, _ := p.slots.zone(r.timeZone)
	slot := p.slots.choose(zone, r.hour, p.slots.spreadDay(person))
	*d.message = plan.Message{
		CampaignID: p.campaign.ID, CustomerID: r.customer, To: to,
		Category: p.template.Category, NumberID: p.number(person), TimeZone: zoneName,
		HeatClass: r.heat, DeliveredSinceEngagement: r.deliveredSince, Priority: r.score,
	}
	d.place(slot)
	d.facts = p.config.Ledger.Facts(d.message, slot.sendAt)
	d.facts.Customer.IsTestRecipient = p.tests[d.facts.Person]
	// The arms are of the quarter in which they are drawn.
	d.facts.Customer.HoldoutArm, _ = p.config.Ledger.HoldoutArm(d.facts.Person, policy.Quarter(p.now))
}

func (d *draft) place(s slot) {
	m := d.message
	m.SendAt, m.Deadline, d.latest = s.sendAt, s.deadline, s.latest
	m.SendHourLocal, m.HourReason, m.Propensity = s.hour.local, s.hour.reason, s.hour.propensity
}

// number deals the people out to the numbers; a person stays with theirs as
// long as the numbers are the same. An id is a hash: see spreadDay.
func (p *planner) number(person identity.ID) string {
	return p.numbers[binary.BigEndian.Uint32(person[:4])%uint32(len(p.numbers))]
}

// mergeDrafts leaves one message to each person: that of the highest score, of
// equals the first.
func (p *planner) mergeDrafts() {
	kept := make(map[identity.ID]int32, len(p.drafts))
	for i := range p.drafts {
		person := p.drafts[i].facts.Person
		other, taken := kept[person]
		switch {
		case !taken:
			kept[person] = int32(i)
		case p.drafts[i].message.Priority > p.drafts[other].message.Priority:
			p.drafts[other].merged = true
			kept[person] = int32(i)
		default:
			p.drafts[i].merged = true
		}
	}
}

// assign draws the arms of all who are eligible, and returns the control that
// the campaign has. Only marketing has arms.
func (p *planner) assign(baseline float64) policy.Control {
	if !p.isMarketing() {
		return policy.Control{Reason: policy.ControlOff}
	}
	var eligible []int
	for i := range p.drafts {
		d := &p.drafts[i]
		if !d.merged && policy.Eligible(d.message.SendAt, d.message, &d.facts.Customer, &p.state, p.rules) {
			eligible = append(eligible, i)
		}
	}
	control := p.rules.PlanControl(len(eligible), baseline)
	for _, i := range eligible {
		d := &p.drafts[i]
		global := d.facts.Customer.HoldoutArm
		if global == "" {
			global = p.rules.GlobalArm(p.now, d.facts.Person)
		}
		d.message.Arm = policy.Arm(global, p.campaign.ID, d.facts.Person, control)
	}
	return control
}

// decide asks the policy about each message at the instant chosen for it.
func (p *planner) decide() {
	for i := range p.drafts {
		d := &p.drafts[i]
		if d.merged {
			// The person's arm is the other message's.
			d.facts.Customer.AlreadyMessagedByPlan, d.facts.Customer.HoldoutArm = true, ""
		}
		verdict := p.judge(d)
		if verdict.Rule == policy.MarketingCap || verdict.Rule == policy.QuietHours {
			verdict = p.postpone(d, verdict)
		}
		m := d.message
		m.State, m.Rule, m.Inputs = stateOf(verdict.Verdict), string(verdict.Rule), verdict.Inputs
		if m.State != plan.Waiting {
			m.Parameters = nil // personal, and never sent
		}
	}
}

func (p *planner) judge(d *draft) policy.Verdict {
	return policy.Decide(d.message.SendAt, d.message, &d.facts.Customer, &p.state, p.rules)
}

// postpone moves a message that the cap delays, or quiet hours, to the customer's
// next best hour. Where that is not asked for, or comes too late, it goes when
// the delay ends, and where that is too late it does not go.
func (p *planner) postpone(d *draft, verdict policy.Verdict) policy.Verdict {
	m := d.message
	deadline := m.Deadline
	m.Deadline = time.Time{} // when would it be allowed, however late?
	until := p.judge(d).Until
	m.Deadline = deadline
	zone := p.slots.location(m.TimeZone)
	if zone == nil || until.IsZero() {
		return verdict
	}
	best := hour{m.SendHourLocal, m.HourReason, m.Propensity}
	if p.campaign.Schedule.Send == BestTime && best.reason != reasonSchedule {
		if next := p.slots.best(until.In(zone), zone, best); next.hour == best {
			d.place(next)
			return p.judge(d)
		}
	}
	moved := p.slots.slotUntil(p.slots.permitted(until.In(zone)), d.latest, hour{reason: reasonSchedule, propensity: 1})
	if !moved.sendAt.Before(d.latest) {
		return verdict
	}
	d.place(moved)
	return p.judge(d)
}

// stateOf is the state that a verdict at planning leads to. What would be too
// late from the start never waits, so it is suppressed and does not expire.
func stateOf(v plan.Verdict) plan.State {
	switch v {
	case plan.Allow, plan.Delay:
		return plan.Waiting
	case plan.HoldOut:
		return plan.HeldOut
	case plan.Suppress, plan.Expire, plan.Cancel:
	}
	return plan.Suppressed
}

// refused says that the plan cannot be made: a parameter that must not be
// missing is missing in messages that nothing else keeps from being sent.
func (p *planner) refused() error {
	counts := map[string]int{}
	for i := range p.drafts {
		if d := &p.drafts[i]; d.refusal != nil && d.message.Rule == string(policy.ParameterMissing) {
			counts[d.refusal.Parameter]++
		}
	}
	if len(counts) == 0 {
		return nil
	}
	var problems []Problem
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		problems = append(problems, Problem{
			Field: "template.parameters." + name,
			Text:  fmt.Sprintf("%d customers have no value that can be sent, and missing is refuse: give a default, or set missing to skip", counts[name]),
		})
	}
	return &InvalidError{Problems: problems}
}

// seal makes the plan of the drafts.
func (p *planner) seal(info warehouse.Info, by string, control policy.Control, baseline float64, from string) (*plan.Plan, *Report, error) {
	file, err := p.campaign.file()
	if err != nil {
		return nil, nil, err
	}
	out := &plan.Plan{
		CampaignID: p.campaign.ID, Campaign: file, CreatedAt: p.now, Author: by, Audience: p.campaign.Audience.String(),
		AsOf: info.AsOf.UTC(), PublishedAt: info.PublishedAt.UTC(), ModelVersion: info.ModelVersion,
		Template: p.template.Planned(), Provider: p.account.Provider, Account: p.account.Name, Mode: p.account.Mode,
		RulesVersion: p.rules.Version, Messages: p.messages,
	}
	report := newReport(out, p.pace())
	report.Control, report.Baseline, report.BaselineFrom = control, baseline, from
	for i := range p.audience.rows {
		if p.slots.location(p.audience.rows[i].timeZone) == nil {
			report.TimeZonesUnknown++
		}
	}
	report.AlsoPlanned = p.alsoPlanned()
	if out.Report, err = report.stored(); err != nil {
		return nil, nil, err
	}
	out.Seal()
	report.PlanID, report.Hash = out.ID, out.Hash
	return out, report, nil
}

// alsoPlanned counts who is to be sent this and another plan's marketing within
// the cap's window.
func (p *planner) alsoPlanned() (n int) {
	if !p.isMarketing() {
		return 0
	}
	for i := range p.messages {
		if m := &p.messages[i]; m.State == plan.Waiting && p.config.Ledger.AlsoPlanned(m) {
			n++
		}
	}
	return n
}

// pace is how many messages of campaigns a number sends in a minute.
func (p *planner) pace() int {
	if rate := p.account.NumberRate.CampaignPerMinute; rate > 0 {
		return rate
	}
	return p.rules.NumberRate.CampaignPerMinute
}
