package web

import (
	"fmt"
	"net/url"
	"time"

	"github.com/goodhour/goodhour/api/web/texts"
	"github.com/goodhour/goodhour/sender/plan"
)

// Rows of lists that pages show.
const (
	campaignsShown = 200
	sampleShown    = 40
)

// campaignsBody is the list of campaigns: as they stand now, and what the
// published file says of all, those of other systems included.
type campaignsBody struct{ Plans, List table }

func (p *Pages) campaigns(r *request) (view, error) {
	title := r.T("Campaigns")
	plans, err := p.plansList(r)
	if err != nil {
		return view{}, err
	}
	var found []row
	if r.reader != nil {
		if found, err = r.rows("campaigns", int64(campaignsShown)); err != nil {
			return view{}, err
		}
	}
	rate := func(name, help string) column { return column{Name: name, Number: true, Percent: true, Help: help} }
	list := table{
		Caption: r.T("What campaigns brought"),
		Note:    r.T("Rates are over messages that have had their time (24 hours, for orders 7 days, unless configured otherwise); the small figure says how many those are. Credited is not caused."),
		Columns: []column{
			{Name: r.T("Campaign")},
			{Name: r.T("Planned"), Number: true, Minor: true},
			{Name: r.T("Accepted"), Number: true, Minor: true},
			rate(r.T("Delivered"), r.T("delivered ÷ accepted")), rate(r.T("Read"), r.T("read ÷ delivered, where receipts are seen")),
			minor(rate(r.T("Replied"), r.T("answered ÷ delivered"))), minor(rate(r.T("Ordered"), r.T("with an order credited ÷ delivered"))),
			{Name: r.T("Credited revenue"), Number: true},
			{Name: r.T("First message"), Minor: true},
			{Name: r.T("Last message"), Minor: true},
		},
	}
	for _, c := range found {
		amount, known := c.number("attributed_amount")
		line := []cell{
			{Text: c.text("campaign_id"), Link: campaignAddress(c.text("campaign_id"))},
			r.countCell(c.count("planned_count")), r.countCell(c.count("accepted_count")),
		}
		for _, name := range []string{"delivery_rate", "read_rate", "reply_rate", "conversion_rate"} {
			share, known := c.number(name)
			each := r.rateCell(share, known)
			if known {
				each.Sub = r.T("of %d", c.count(name+"_count"))
			}
			line = append(line, each)
		}
		list.Rows = append(list.Rows, append(line,
			r.moneyCell(amount, known, c.text("currency")), text(r.Day(c.time("first_at"))), text(r.Day(c.time("last_at")))))
	}
	return view{template: "campaigns", title: title, body: campaignsBody{plans, list}}, nil
}

func campaignAddress(id string) string { return "/campaigns/" + url.PathEscape(id) }

// campaignBody is one campaign.
type campaignBody struct {
	ID string
	// Plan is its newest one, as it stands now; nil for a campaign that another
	// system sent, or that is not planned yet.
	Plan *planBody
	// Unplanned: it is kept here and has no plan.
	Unplanned bool
	// Published is what the file says; nil for a campaign newer than it.
	Published *publishedCampaign
}

// publishedCampaign is what the published file says of a campaign.
type publishedCampaign struct {
	Facts       []figure
	Planned     bool
	States      stack
	Reasons     table
	Hours       table
	HourReasons table
	Delivery    stack
	Errors      table
	Funnel      funnel
	Sample      table
}

// runningRefresh is how often the page of a running campaign comes anew.
const runningRefresh = 15 * time.Second

// refresh is 0 where nothing moves, or where the reader holds the page still.
func (b *campaignBody) refresh(r *request) time.Duration {
	if b.Plan == nil || !b.Plan.Running || r.URL.Query().Has("still") {
		return 0
	}
	return runningRefresh
}

// Still is the address of the page that does not come anew by itself.
func (b *campaignBody) Still() string { return campaignAddress(b.ID) + "?still=1" }

func (p *Pages) campaign(r *request) (view, error) {
	id := r.PathValue("id")
	current, err := p.currentPlan(r, id)
	if err != nil {
		return view{}, err
	}
	body := &campaignBody{ID: id}
	if current != nil {
		body.ID = current.CampaignID // id may be the plan's
		if body.Plan, err = p.newPlan(r, current); err != nil {
			return view{}, err
		}
	} else if body.Unplanned, err = p.hasCampaign(r, id); err != nil {
		return view{}, err
	}
	if r.reader != nil {
		if body.Published, err = r.publishedCampaign(body.ID); err != nil {
			return view{}, err
		}
	}
	switch {
	case body.Published != nil || body.Plan != nil || body.Unplanned:
		return view{template: "campaign", title: r.T("Campaign %s", body.ID), refresh: body.refresh(r), body: body}, nil
	case r.reader == nil:
		return p.unpublished(r, r.T("Campaign")), nil
	}
	return p.notFound(r, r.T("No campaign has this id. One that another system sent is here after the next model run.")), nil
}

// publishedCampaign reads what the file says; nil if it does not know the id.
func (r *request) publishedCampaign(id string) (*publishedCampaign, error) {
	found, err := r.rows("campaign", id)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	c := found[0]
	body := &publishedCampaign{Planned: c.count("plan_count") > 0, Facts: r.campaignFacts(c)}
	if found, err = r.rows("funnel", id); err != nil {
		return nil, err
	}
	body.Funnel = r.newFunnel(found[0])
	if body.States, err = r.plannedStates(id); err != nil {
		return nil, err
	}
	if body.Reasons, err = r.campaignReasons(id); err != nil {
		return nil, err
	}
	if body.Hours, body.HourReasons, err = r.campaignHours(id); err != nil {
		return nil, err
	}
	if body.Delivery, body.Errors, err = r.campaignDelivery(id); err != nil {
		return nil, err
	}
	body.Sample, err = r.campaignSample(id)
	return body, err
}

func (r *request) campaignFacts(c row) []figure {
	amount, known := c.number("attributed_amount")
	revenue := texts.Dash
	if known {
		revenue = r.money(amount, c.text("currency"))
	}
	return []figure{
		{
			Label: r.T("Messages"), Value: r.Num(c.count("message_count")),
			Basis: r.T("%d planned here", c.count("planned_count")), Definition: r.T("Messages that carry the campaign's id, whoever sent them."),
		},
		{
			Label: r.T("First message"), Value: r.Day(c.time("first_at")), Basis: clock(c.time("first_at")),
			Definition: r.T("First event of a message."),
		},
		{
			Label: r.T("Last message"), Value: r.Day(c.time("last_at")), Basis: clock(c.time("last_at")),
			Definition: r.T("First event of the last message so far."),
		},
		{
			Label: r.T("Credited revenue"), Value: revenue, Basis: r.Plural(c.count("attributed_order_count"), "1 order", "%d orders"),
			Definition: r.T("Orders whose last marketing message before them was of this campaign. Credited is not caused."),
		},
	}
}

func clock(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format("15:04") + " UTC"
}

// stateColours are classes of the style sheet.
func stateColour(s plan.State) string {
	switch s {
	case plan.Accepted:
		return "c-good"
	case plan.Waiting:
		return "c-wait"
	case plan.Claimed:
		return "c-busy"
	case plan.HeldOut:
		return "c-held"
	case plan.Suppressed:
		return "c-none"
	case plan.Failed:
		return "c-bad"
	case plan.Unknown:
		return "c-warn"
	case plan.Expired:
		return "c-late"
	case plan.Cancelled:
		return "c-gone"
	}
	return "c-none"
}

// plannedStates are the planned messages by state; they add up to the plans.
// The published file knows no claimed: those are waiting until their attempt is
// an event.
func (r *request) plannedStates(id string) (stack, error) {
	found, err := r.rows("campaign_states", id)
	if err != nil {
		return stack{}, err
	}
	counts := make(map[plan.State]int64)
	for _, each := range found {
		counts[plan.State(each.text("state"))] = each.count("message_count")
	}
	return r.statesBar(counts), nil
}

func (r *request) statesBar(counts map[plan.State]int64) stack {
	var parts []part
	for _, s := range plan.States() {
		parts = append(parts, part{Name: r.Words(string(s)), Count: counts[s], Colour: stateColour(s), Help: r.T(stateMeaning(string(s)))})
	}
	return newStack(r.T("Planned messages by state"), parts)
}

func (r *request) campaignReasons(id string) (table, error) {
	out := table{
		Caption: r.T("Why messages were not sent"), Chart: "bars", Open: true,
		Note: r.T("Planned messages that a rule keeps back, by the rule that had the last word. Those that wait are sent when it allows."),
		Columns: []column{
			{Name: r.T("Rule")}, {Name: r.T("Messages"), Number: true, Draw: true}, {Name: r.T("State")},
		},
	}
	found, err := r.rows("campaign_reasons", id)
	if err != nil {
		return out, err
	}
	for _, each := range found {
		rule := each.text("rule")
		out.Rows = append(out.Rows, []cell{
			{Text: r.Words(rule), Sub: r.T(ruleMeaning(rule))}, r.countCell(each.count("message_count")), text(r.Words(each.text("state"))),
		})
	}
	return out, nil
}

func (r *request) campaignHours(id string) (hours, reasons table, err error) {
	hours = table{
		Caption: r.T("Messages by local hour"), Chart: "columns",
		Note: r.T("The hour on the customer's own clock that was chosen for each message which may be sent, and those attempted so far."),
		Columns: []column{
			{Name: r.T("Local hour")}, {Name: r.T("Chosen"), Number: true, Draw: true}, {Name: r.T("Attempted"), Number: true, Draw: true},
		},
	}
	found, err := r.rows("campaign_hours", id)
	if err != nil {
		return hours, reasons, err
	}
	byHour := make(map[int64]row)
	for _, each := range found {
		byHour[each.count("send_hour_local")] = each
	}
	if len(byHour) > 0 {
		for hour := range int64(24) {
			var chosen, attempted int64
			if each, ok := byHour[hour]; ok {
				chosen, attempted = each.count("message_count"), each.count("attempted_count")
			}
			hours.Rows = append(hours.Rows, []cell{text(fmt.Sprintf("%02d:00", hour)), r.countCell(chosen), r.countCell(attempted)})
		}
	}
	reasons = table{
		Caption: r.T("Why these hours"), Open: true,
		Columns: []column{{Name: r.T("Reason")}, {Name: r.T("Messages"), Number: true}, {Name: r.T("Meaning")}},
	}
	if found, err = r.rows("campaign_hour_reasons", id); err != nil {
		return hours, reasons, err
	}
	for _, each := range found {
		reason := each.text("hour_reason")
		reasons.Rows = append(reasons.Rows, []cell{text(r.Words(reason)), r.countCell(each.count("message_count")), text(r.T(hourMeaning(reason)))})
	}
	return hours, reasons, nil
}

func (r *request) campaignDelivery(id string) (stack, table, error) {
	errorTable := table{
		Caption: r.T("Errors"), Open: true,
		Note:    r.T("The provider's codes, of refusals and of failures after it took the message."),
		Columns: []column{{Name: r.T("Code")}, {Name: r.T("Class")}, {Name: r.T("Messages"), Number: true}},
	}
	found, err := r.rows("campaign_delivery", id)
	if err != nil {
		return stack{}, errorTable, err
	}
	counts := make(map[string]int64)
	for _, each := range found {
		counts[each.text("delivery_status")] = each.count("message_count")
	}
	if found, err = r.rows("campaign_errors", id); err != nil {
		return stack{}, errorTable, err
	}
	for _, each := range found {
		errorTable.Rows = append(errorTable.Rows, []cell{
			text(each.text("error_code")), text(r.Words(each.text("error_class"))), r.countCell(each.count("message_count")),
		})
	}
	return r.deliveryBar(counts, readOrAnswered), errorTable, nil
}

func (r *request) deliveryBar(counts map[string]int64, read string) stack {
	var parts []part
	for _, s := range []struct{ status, colour string }{
		{"read", "c-good"}, {"delivered", "c-fine"}, {"sent", "c-busy"}, {"none", "c-wait"}, {"failed", "c-bad"},
	} {
		name := r.Words(s.status)
		if s.status == "none" {
			name = r.T("nothing yet")
		}
		parts = append(parts, part{Name: name, Count: counts[s.status], Colour: s.colour, Help: r.T(deliveryMeaning(s.status, read))})
	}
	return newStack(r.T("Accepted messages by delivery status"), parts)
}

func (r *request) campaignSample(id string) (table, error) {
	out := table{
		Caption: r.T("A sample of decisions"), Open: true,
		Note: r.T("The last word on a few messages of each state and rule. goodhour campaign explain tells the whole story of one customer."),
		Columns: []column{
			{Name: r.T("Customer")},
			{Name: r.T("State")},
			{Name: r.T("Rule")},
			{Name: r.T("Decided at")},
			{Name: r.T("Local hour"), Number: true},
			{Name: r.T("Hour chosen by")},
			{Name: r.T("Decided")},
		},
	}
	found, err := r.rows("campaign_decisions", id, int64(sampleShown))
	if err != nil {
		return out, err
	}
	for _, each := range found {
		customer := cell{Text: texts.Dash}
		if id := each.text("customer_id"); id != "" {
			customer = cell{Text: firstOf(each.text("external_id"), id), Link: "/customers/" + id}
		}
		hour := text(texts.Dash)
		if _, known := each.number("send_hour_local"); known {
			hour = text(fmt.Sprintf("%02d:00", each.count("send_hour_local")))
		}
		rule := cell{Text: r.Words(each.text("rule"))}
		if rule.Text != "" {
			rule.Help = r.T(ruleMeaning(each.text("rule")))
		}
		out.Rows = append(out.Rows, []cell{
			customer, text(r.Words(each.text("state"))), rule, text(each.text("stage")), hour,
			text(r.Words(each.text("hour_reason"))), text(r.When(each.time("decided_at"))),
		})
	}
	return out, nil
}

func firstOf(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}
