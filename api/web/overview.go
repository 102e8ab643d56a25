package web

import "slices"

// overviewBody is what the overview shows.
type overviewBody struct {
	Figures []figure
	Funnel  funnel
	Days    table
	Reach   stack
}

// daysShown is how many days with messages the overview draws.
const daysShown = 60

func (p *Pages) overview(r *request) (view, error) {
	title := r.T("Overview")
	if r.reader == nil {
		return p.unpublished(r, title), nil
	}
	figures, reach, err := r.keyFigures()
	if err != nil {
		return view{}, err
	}
	counted, err := r.rows("funnel", nil)
	if err != nil {
		return view{}, err
	}
	days, err := r.messageDays()
	if err != nil {
		return view{}, err
	}
	return view{template: "overview", title: title, body: overviewBody{figures, r.newFunnel(counted[0]), days, reach}}, nil
}

func (r *request) keyFigures() ([]figure, stack, error) {
	found, err := r.rows("overview")
	if err != nil {
		return nil, stack{}, err
	}
	c := found[0]
	if found, err = r.rows("revenue_30d"); err != nil {
		return nil, stack{}, err
	}
	revenue := found[0]
	trends, err := r.trends()
	if err != nil {
		return nil, stack{}, err
	}
	customers := c.count("customer_count")
	of := func(column string) string {
		if customers == 0 {
			return ""
		}
		return r.T("%s of %d customers", r.Percent(float64(c.count(column))/float64(customers)), customers)
	}
	trend := func(metric string) spark { return newSpark(r.T("its last 60 days"), trends[metric]) }
	amount, _ := revenue.number("revenue_amount")
	figures := []figure{
		{
			Label: r.T("Customers"), Value: r.Num(customers), Basis: r.T("%d have bought", c.count("buyer_count")),
			Definition: r.T("Everyone whom any event names, several keys of one person counted once."),
		},
		{
			Label: r.T("Reachable"), Value: r.Num(c.count("reachable_count")), Basis: of("reachable_count"),
			Definition: r.T("May get a marketing message: there is an address and an opt-in, and no opt-out."),
			Trend:      trend("customers_reachable"),
		},
		{
			Label: r.T("Active in 30 days"), Value: r.Num(c.count("active_count")), Basis: of("active_count"),
			Definition: r.T("Read, clicked, wrote or bought in the 30 days before the as-of time."),
			Trend:      trend("customers_active_30d"),
		},
		{
			Label: r.T("Revenue in 30 days"), Value: r.money(amount, revenue.text("currency")),
			Basis:      r.Plural(revenue.count("order_count"), "1 order", "%d orders"),
			Definition: r.T("Net of refunds, in the reporting currency; orders of unknown value are left out."),
			Trend:      trend("revenue_30d"),
		},
	}
	reach := newStack(r.T("Who can be reached"), []part{
		{Name: r.T("reachable"), Count: c.count("reachable_count"), Colour: "c-good", Help: r.T("address and opt-in on record")},
		{Name: r.T("no opt-in"), Count: c.count("no_consent_count"), Colour: "c-wait", Help: r.T("nothing on record: ask them")},
		{Name: r.T("opted out"), Count: c.count("opted_out_count"), Colour: "c-bad", Help: r.T("they asked not to be written to")},
		{Name: r.T("no address"), Count: c.count("no_address_count"), Colour: "c-none", Help: r.T("no phone number or WhatsApp id is known")},
	})
	return figures, reach, nil
}

// trends are the daily metrics' values, oldest first.
func (r *request) trends() (map[string][]float64, error) {
	out := make(map[string][]float64)
	found, err := r.rows("trends")
	if err != nil {
		return nil, err
	}
	for _, each := range found {
		if value, ok := each.number("value"); ok {
			out[each.text("metric")] = append(out[each.text("metric")], value)
		}
	}
	return out, nil
}

func (r *request) messageDays() (table, error) {
	found, err := r.rows("days", int64(daysShown))
	if err != nil {
		return table{}, err
	}
	slices.Reverse(found)
	out := table{
		Caption: r.T("Messages by day"), Chart: "lines",
		Note: r.T("By the day (UTC) of the message's first event. The last days are still on their way: their reads and answers come in yet."),
		Columns: []column{
			{Name: r.T("Day")},
			{Name: r.T("Messages"), Number: true, Draw: true},
			{Name: r.T("Delivered"), Number: true, Draw: true},
			{Name: r.T("Read"), Number: true, Draw: true},
			{Name: r.T("Replied"), Number: true, Draw: true},
		},
	}
	for _, each := range found {
		out.Rows = append(out.Rows, []cell{
			text(each.text("day")), r.countCell(each.count("message_count")), r.countCell(each.count("delivered_count")),
			r.countCell(each.count("read_count")), r.countCell(each.count("replied_count")),
		})
	}
	return out, nil
}
