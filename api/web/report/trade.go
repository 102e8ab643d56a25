package report

// monthsShown is how many months are drawn: more are too thin to see.
const monthsShown = 60

// trade is customers and revenue over time.
func (m *maker) trade() (*section, error) {
	found, err := m.rows("months")
	if err != nil {
		return nil, err
	}
	s := &section{
		ID: "trade", Title: m.T("Customers and revenue over time"),
		Definition: m.T("By calendar month (UTC). A customer is new in the month of the first order and returning in every later month with one. Revenue is net of refunds. A pale month was not over yet."),
		Basis:      m.T("%s orders of %s buyers", m.Num(m.totals.orders), m.Num(m.totals.buyers)),
	}
	if len(found) == 0 {
		s.Lead = m.T("There are no orders yet.")
		return s, nil
	}
	if cut := len(found) - monthsShown; cut > 0 {
		found = found[cut:]
	}
	var revenue, buyers []column
	var returning, all float64
	rows := &table{
		Fold: m.T("The months in numbers"),
		Head: []head{
			{Text: m.T("Month")},
			{Text: m.T("New customers"), Number: true},
			{Text: m.T("Returning"), Number: true},
			{Text: m.T("Orders"), Number: true, Minor: true},
			{Text: m.T("Revenue"), Number: true},
		},
	}
	for _, r := range found {
		name, faint := m.Month(r.time("month")), !r.flag("is_complete")
		fresh, again := r.number("new_amount"), r.number("returning_amount")
		returning, all = returning+again, all+fresh+again
		revenue = append(revenue, column{name, name + ": " + m.money(fresh+again, m.totals.currency), faint, []float64{again, fresh}})
		n, back := r.whole("new_count"), r.whole("returning_count")
		buyers = append(buyers, column{
			name, m.T("%s: %s new, %s returning", name, m.Num(n), m.Num(back)), faint, []float64{float64(back), float64(n)},
		})
		rows.Rows = append(rows.Rows, []cell{
			{Text: name, Faint: faint},
			{Text: m.Num(n)},
			{Text: m.Num(back)},
			{Text: m.Num(r.whole("order_count"))},
			{Text: m.amount(fresh + again)},
		})
	}
	if all > 0 {
		s.Lead = m.T("%s of revenue in the months shown comes from customers who had bought in an earlier month.", m.Percent(returning/all))
	}
	parts := []legend{{m.T("returning customers"), "s1"}, {m.T("new customers"), "s2"}}
	s.Blocks = []block{
		{Chart: newChart(m.T("Revenue by month, in %s", m.totals.currency), parts, revenue, m.Shortest)},
		{Chart: newChart(m.T("Buyers by month"), parts, buyers, m.Shortest)},
		{Table: rows},
	}
	return s, nil
}
