package report

// listed is how many customers a list names.
const listed = 15

// customers is the top and the sleeping ones, by the shop's own key.
func (m *maker) customers() (*section, error) {
	if m.totals.buyers == 0 {
		return nil, nil
	}
	top, err := m.list(m.T("Top customers"), false)
	if err != nil {
		return nil, err
	}
	sleeping, err := m.list(m.T("Sleeping customers"), true)
	if err != nil {
		return nil, err
	}
	found, err := m.rows("sleeping")
	if err != nil {
		return nil, err
	}
	s := &section{
		ID: "customers", Title: m.T("Top and sleeping customers"), Basis: m.T("%s buyers", m.Num(m.totals.buyers)),
		Blocks: []block{{Table: top}},
	}
	for _, r := range found {
		s.Definition = m.T("By net spend over all time, the %d largest. Sleeping: no order, and no other sign of life, for more than %s days. The key is your own; where the file's key is a phone number or an e-mail, it is goodhour's pseudonym.", listed, m.Num(r.whole("cool_days")))
		if n := r.whole("customer_count"); n > 0 {
			s.Lead = m.T("%s buyers sleep; they have spent %s so far.", m.Num(n), m.money(r.number("spend_amount"), m.totals.currency))
			s.Blocks = append(s.Blocks, block{Table: sleeping})
		}
	}
	return s, nil
}

func (m *maker) list(caption string, sleeping bool) (*table, error) {
	found, err := m.rows("customers", int64(listed), sleeping)
	if err != nil {
		return nil, err
	}
	out := &table{Caption: caption, Head: []head{
		{Text: m.T("Customer")},
		{Text: m.T("Spend"), Number: true},
		{Text: m.T("Orders"), Number: true},
		{Text: m.T("Last order")},
		{Text: m.T("Frequency"), Minor: true},
		{Text: m.T("Heat"), Minor: true},
	}}
	for _, r := range found {
		out.Rows = append(out.Rows, []cell{
			{Text: r.text("own_key")},
			{Text: m.amount(r.number("spend_amount"))},
			{Text: m.Num(r.whole("order_count"))},
			{Text: m.Day(r.time("last_purchased_at"))},
			{Text: m.named(r.text("frequency_segment"))},
			{Text: m.named(r.text("heat_class"))},
		})
	}
	return out, nil
}
