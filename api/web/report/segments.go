package report

import (
	"math"

	"github.com/goodhour/goodhour/api/web/texts"
)

// The values of the three segments in the order in which they are shown.
func values() []string { return []string{"high", "mid", "low", "unknown"} }

func frequencies() []string {
	return []string{"monthly", "quarterly", "occasional", "lapsed", "one_time", "none"}
}
func heats() []string { return []string{"hot", "warm", "cool", "cold", "new", "never"} }

// segments is value × frequency × heat.
func (m *maker) segments() (*section, error) {
	found, err := m.rows("segments")
	if err != nil {
		return nil, err
	}
	type line struct{ value, frequency string }
	counts, spends, used := make(map[line]map[string]int64), make(map[line]float64), make(map[string]bool)
	var most int64
	for _, r := range found {
		at := line{r.text("value_segment"), r.text("frequency_segment")}
		if counts[at] == nil {
			counts[at] = make(map[string]int64)
		}
		n := r.whole("customer_count")
		counts[at][r.text("heat_class")] += n
		spends[at] += r.number("spend_amount")
		used[r.text("heat_class")] = true
		most = max(most, n)
	}
	grid := &table{Heat: true, Head: []head{{Text: m.T("Value")}, {Text: m.T("Frequency")}}}
	for _, heat := range heats() {
		if used[heat] {
			grid.Head = append(grid.Head, head{Text: m.named(heat), Number: true})
		}
	}
	grid.Head = append(grid.Head, head{Text: m.T("Revenue"), Number: true})
	for _, v := range values() {
		for _, f := range frequencies() {
			at := line{v, f}
			if counts[at] == nil {
				continue
			}
			cells := []cell{{Text: m.named(v)}, {Text: m.named(f)}}
			for _, heat := range heats() {
				if !used[heat] {
					continue
				}
				n := counts[at][heat]
				// By the root, so that small cells can be told apart too.
				c := cell{Text: texts.Dash, Faint: true}
				if n > 0 {
					c = cell{Text: m.Num(n), Level: level(math.Sqrt(float64(n) / float64(most)))}
				}
				cells = append(cells, c)
			}
			grid.Rows = append(grid.Rows, append(cells, cell{Text: m.amount(spends[at])}))
		}
	}
	definition := ""
	if found, err = m.rows("settings"); err != nil {
		return nil, err
	}
	for _, r := range found {
		definition = m.T("Value is the mean order in the reporting currency: low below %s, mid to %s, high above. Frequency is the mean gap between purchase days; lapsed is when the last one is over %s gaps ago. Heat is by the last sign of life, an order or an answer: hot within %s days, warm %s, cool %s, then cold.",
			m.Shortest(r.number("value_mid_from")), m.Shortest(r.number("value_mid_to")), m.Shortest(r.number("frequency_lapsed_gaps")),
			m.Num(r.whole("heat_hot_days")), m.Num(r.whole("heat_warm_days")), m.Num(r.whole("heat_cool_days")))
	}
	return &section{
		ID: "segments", Title: m.T("Value, frequency and heat"),
		Definition: definition,
		Basis:      m.T("%s customers", m.Num(m.totals.customers)),
		Blocks:     []block{{Table: grid}},
	}, nil
}
