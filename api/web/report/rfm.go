package report

import "github.com/goodhour/goodhour/api/web/texts"

// rfm is the named segments of recency, frequency and monetary score.
func (m *maker) rfm() (*section, error) {
	s := &section{
		ID: "rfm", Title: m.T("RFM segments"),
		Definition: m.T("Each buyer scores 1 to 5 by recency, number of orders and spend, by the shop's own fifths; equal values score alike. The ten names and their bounds are those of the R package rfm, the first that holds."),
	}
	found, err := m.rows("rfm_refusal")
	if err != nil {
		return nil, err
	}
	for _, r := range found {
		if why := r.text("refusal"); why != "" {
			s.Basis, s.Lead = m.T("%s buyers", m.Num(m.totals.buyers)), m.refusal(why, r)
			return s, nil
		}
	}
	if found, err = m.rows("rfm"); err != nil {
		return nil, err
	}
	var customers, most int64
	spend := 0.0
	for _, r := range found {
		customers, most = customers+r.whole("customer_count"), max(most, r.whole("customer_count"))
		spend += r.number("spend_amount")
	}
	s.Basis = m.T("%s buyers", m.Num(customers))
	list := &table{Head: []head{
		{Text: m.T("Segment")},
		{Text: m.T("Customers"), Number: true},
		{Text: m.T("Share of customers"), Minor: true, Number: true},
		{Text: m.T("Revenue"), Number: true, Minor: true},
		{Text: m.T("Share of revenue"), Number: true},
		{Text: m.T("Days since last order"), Help: m.T("median"), Number: true, Minor: true},
	}}
	for _, r := range found {
		n, amount := r.whole("customer_count"), r.number("spend_amount")
		share := texts.Dash
		if spend > 0 {
			share = m.Percent(amount / spend)
		}
		name := r.text("rfm_segment")
		list.Rows = append(list.Rows, []cell{
			{Text: m.rfmName(name), Sub: m.meaning(name)},
			{Text: m.Num(n), Bar: round(100 * float64(n) / float64(most)), HasBar: true},
			{Text: m.percent(n, customers)},
			{Text: m.amount(amount)},
			{Text: share},
			{Text: m.Num(int64(r.number("recency_days")))},
		})
	}
	if len(found) > 0 && spend > 0 {
		first := found[0]
		s.Lead = m.T("%s: %s of buyers, %s of revenue.", m.rfmName(first.text("rfm_segment")),
			m.percent(first.whole("customer_count"), customers), m.Percent(first.number("spend_amount")/spend))
	}
	s.Blocks = []block{{Table: list}}
	return s, nil
}

// rfmName is a segment's name: new is a heat class too.
func (m *maker) rfmName(segment string) string {
	if segment == "new" {
		segment = "new_customers"
	}
	return m.named(segment)
}

// refusal says why there are no scores, and what they would need.
func (m *maker) refusal(why string, needs row) string {
	switch why {
	case "too_few_buyers":
		return m.T("No scores: they need at least %s buyers, or fifths mean little.", m.Num(needs.whole("min_buyers")))
	case "too_short_history":
		return m.T("No scores: they need orders over at least %s days.", m.Num(needs.whole("min_history_days")))
	default:
		return m.T("No scores: the newest order is more than %s days before the as-of day.", m.Num(needs.whole("max_quiet_days")))
	}
}

// meaning says who is in a segment.
func (m *maker) meaning(segment string) string {
	switch segment {
	case "champions":
		return m.T("bought last, most often and most")
	case "potential_loyalist":
		return m.T("recent, and more orders than most")
	case "loyal":
		return m.T("in the middle on all three")
	case "promising":
		return m.T("fairly recent, few orders, good spend")
	case "new":
		return m.T("recent, with few orders yet")
	case "cant_lose":
		return m.T("spent much and have not been seen for long")
	case "at_risk":
		return m.T("good spend, long ago")
	case "need_attention":
		return m.T("above the middle, and slipping")
	case "about_to_sleep":
		return m.T("below the middle, and slipping")
	case "lost":
		return m.T("the longest ago")
	}
	return m.T("between the named ones")
}
