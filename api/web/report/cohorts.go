package report

// How much of the cohorts is shown.
const (
	cohortsShown = 24
	agesShown    = 12
)

// cohorts is how the customers of a month come back.
func (m *maker) cohorts() (*section, error) {
	found, err := m.rows("cohorts", int64(cohortsShown), int64(agesShown))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	oldest, most := int64(0), 0.0
	for _, r := range found {
		oldest = max(oldest, r.whole("age_months"))
		most = max(most, returned(r))
	}
	grid := &table{Heat: true, Head: []head{{Text: m.T("First order in")}, {Text: m.T("Customers"), Number: true}}}
	for age := range oldest + 1 {
		grid.Head = append(grid.Head, head{Text: "+" + m.Num(age), Number: true, Help: m.T("months after the first order's")})
	}
	for _, r := range found {
		if r.whole("age_months") == 0 {
			grid.Rows = append(grid.Rows, []cell{{Text: m.Month(r.time("cohort_month"))}, {Text: m.Num(r.whole("customer_count"))}})
		}
		last := len(grid.Rows) - 1
		grid.Rows[last] = append(grid.Rows[last], cell{
			Text: m.percent(r.whole("returning_count"), r.whole("customer_count")), Level: level(returned(r) / most), Faint: !r.flag("is_complete"),
		})
	}
	for i, cells := range grid.Rows { // a young cohort's months to come
		for len(cells) < len(grid.Head) {
			cells = append(cells, cell{})
		}
		grid.Rows[i] = cells
	}
	return &section{
		ID: "cohorts", Title: m.T("Who comes back"),
		Lead: m.T("%s of %s buyers came back on a later day: %s.", m.Num(m.totals.repeat), m.Num(m.totals.buyers),
			m.percent(m.totals.repeat, m.totals.buyers)),
		Definition: m.T("Each row is the customers of one month of first orders; each column the share of them who bought again so many calendar months later, in the first month on a later day. Pale months were not over yet. The newest %d cohorts and their first %d months.", cohortsShown, agesShown),
		Basis:      m.T("%s buyers", m.Num(m.totals.buyers)),
		Blocks:     []block{{Table: grid}},
	}, nil
}

func returned(r row) float64 {
	return float64(r.whole("returning_count")) / float64(max(1, r.whole("customer_count")))
}
