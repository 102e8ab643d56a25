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
		ID: "trade", Title: m.t("Customers and revenue over time"),
		Definition: m.t("By calendar month (UTC). A customer is new in the month of the first order and returning in every later month with one. Revenue is net of refunds. A pale month was not over yet."),
		Basis:      m.t("%s orders of %s buyers", m.num(m.totals.orders), m.num(m.totals.buyers)),
	}
	if len(found) == 0 {
		s.Lead = m.t("There are no orders yet.")
		return s, nil
	}
	if cut := len(found) - monthsShown; cut > 0 {
		found = found[cut:]
	}
	var revenue, buyers []column
	var returning, all float64
	rows := &table{
		Fold: m.t("The months in numbers"),
		Head: []head{
			{Text: m.t("Month")},
			{Text: m.t("New customers"), Number: true},
			{Text: m.t("Returning"), Number: true},
			{Text: m.t("Orders"), Number: true, Minor: true},
			{Text: m.t("Revenue"), Number: true},
		},
	}
	for _, r := range found {
		name, faint := m.month(r.time("month")), !r.flag("is_complete")
		fresh, again := r.number("new_amount"), r.number("returning_amount")
		returning, all = returning+again, all+fresh+again
		revenue = append(revenue, column{name, name + ": " + m.money(fresh+again, m.totals.currency), faint, []float64{again, fresh}})
		n, back := r.whole("new_count"), r.whole("returning_count")
		buyers = append(buyers, column{
			name, m.t("%s: %s new, %s returning", name, m.num(n), m.num(back)), faint, []float64{float64(back), float64(n)},
		})
		rows.Rows = append(rows.Rows, []cell{
			{Text: name, Faint: faint},
			{Text: m.num(n)},
			{Text: m.num(back)},
			{Text: m.num(r.whole("order_count"))},
			{Text: m.amount(fresh + again)},
		})
	}
	if all > 0 {
		s.Lead = m.t("%s of revenue in the months shown comes from customers who had bought in an earlier month.", m.share(returning/all))
	}
	parts := []legend{{m.t("returning customers"), "s1"}, {m.t("new customers"), "s2"}}
	s.Blocks = []block{
		{Chart: newChart(m.t("Revenue by month, in %s", m.totals.currency), parts, revenue, m.plain)},
		{Chart: newChart(m.t("Buyers by month"), parts, buyers, m.plain)},
		{Table: rows},
	}
	return s, nil
}
