package web

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/goodhour/goodhour/warehouse"
)

// segmentation is one way in which marts.customers labels every customer. The
// labels are those that the model's checks accept, in a reader's order.
type segmentation struct {
	name, column string
	labels       []string
}

func segmentations() []segmentation {
	return []segmentation{
		{"value", "value_segment", []string{"high", "mid", "low", "unknown"}},
		{"frequency", "frequency_segment", []string{"monthly", "quarterly", "occasional", "one_time", "lapsed", "none"}},
		{"heat", "heat_class", []string{"hot", "warm", "cool", "cold", "new", "never"}},
	}
}

// segmentsBody is what the segments' page shows.
type segmentsBody struct {
	Customers int64
	Sizes     []segmentSizes
	Cross     crosstab
	Chosen    *chosenSegment
	Audiences []audience
}

// segmentSizes are the segments of one segmentation.
type segmentSizes struct {
	Name, Definition string
	Table            table
}

// exports are the addresses of a list in the formats that people use.
type exports struct{ CSV, Parquet, JSON, Arrow string }

func exportsOf(kind, name string) exports {
	return exportsAt("/v1/" + kind + "/" + url.PathEscape(name) + "/customers")
}

// exportsAt are those of the list at an address of the API.
func exportsAt(address string) exports {
	base := address + "?format="
	return exports{CSV: base + "csv&csv=excel", Parquet: base + "parquet", JSON: base + "json-all", Arrow: base + "arrow"}
}

// tally is what is summed over cells.
type tally struct {
	customers, reachable, orders int64
	spend                        float64
	spendKnown                   bool
	currency                     string
}

func (t *tally) add(c row) {
	t.customers += c.count("customer_count")
	t.reachable += c.count("reachable_count")
	t.orders += c.count("order_count")
	if spend, ok := c.number("spend_amount"); ok {
		t.spend += spend
		t.spendKnown = true
	}
	if currency := c.text("currency"); currency != "" {
		t.currency = currency
	}
}

// sum adds up the cells with these labels; no label is any.
func sum(cells []row, labels map[string]string) tally {
	var out tally
	for _, c := range cells {
		fits := true
		for _, s := range segmentations() {
			if want := labels[s.name]; want != "" && c.text(s.column) != want {
				fits = false
			}
		}
		if fits {
			out.add(c)
		}
	}
	return out
}

func (p *Pages) segments(r *request) (view, error) {
	title := r.T("Segments")
	if r.reader == nil {
		return p.unpublished(r, title), nil
	}
	chosen := chosenLabels(r.URL.Query())
	if chosen == nil {
		return p.notFound(r, r.T("There is no such segment.")), nil
	}
	cells, err := r.rows("cells")
	if err != nil {
		return view{}, err
	}
	definitions, err := r.definitions("marts", "customers")
	if err != nil {
		return view{}, err
	}
	audiences, err := r.audiences()
	if err != nil {
		return view{}, err
	}
	body := segmentsBody{
		Customers: sum(cells, nil).customers, Cross: r.crosstab(cells, chosen), Audiences: audiences,
	}
	for _, s := range segmentations() {
		body.Sizes = append(body.Sizes, r.sizes(s, cells, definitions[s.column]))
	}
	if len(chosen) > 0 {
		body.Chosen = r.chosen(cells, chosen)
	}
	return view{template: "segments", title: title, body: body}, nil
}

// chosenLabels reads value=, frequency= and heat=; nil if one is no label.
func chosenLabels(query url.Values) map[string]string {
	out := make(map[string]string)
	for _, s := range segmentations() {
		switch label := query.Get(s.name); {
		case label == "":
		case slices.Contains(s.labels, label):
			out[s.name] = label
		default:
			return nil
		}
	}
	return out
}

// segmentAddress is the page with these labels chosen.
func segmentAddress(labels map[string]string) string {
	query := url.Values{}
	for name, label := range labels {
		if label != "" {
			query.Set(name, label)
		}
	}
	return "/segments?" + query.Encode() + "#chosen"
}

func (r *request) sizes(s segmentation, cells []row, definition string) segmentSizes {
	all := sum(cells, nil)
	out := segmentSizes{Name: s.name, Definition: definition, Table: table{
		Caption: r.T("Customers by %s", r.Words(s.name)), Note: definition, Chart: "stack",
		Columns: []column{
			{Name: r.T("Segment")},
			{Name: r.T("Customers"), Number: true},
			{Name: r.T("Share"), Number: true, Percent: true},
			{Name: r.T("Reachable"), Number: true, Draw: true, Help: r.T("of those, customers to whom a marketing message may be sent")},
			{Name: r.T("Not reachable"), Number: true, Draw: true},
			{Name: r.T("Spend"), Number: true, Help: r.T("net revenue; customers with an order of unknown value left out")},
		},
	}}
	for _, label := range s.labels {
		t := sum(cells, map[string]string{s.name: label})
		name := cell{Text: r.Words(label), Link: segmentAddress(map[string]string{s.name: label})}
		out.Table.Rows = append(out.Table.Rows, []cell{
			name, r.countCell(t.customers), r.shareCell(t.customers, all.customers), r.countCell(t.reachable),
			r.countCell(t.customers - t.reachable), r.moneyCell(t.spend, t.spendKnown, t.currency),
		})
	}
	return out
}

// crosstab is frequency × heat, of one value segment or of all.
type crosstab struct {
	Values []choice
	Table  table
}

type choice struct {
	Label, Link string
	Count       int64
	Current     bool
}

func (r *request) crosstab(cells []row, chosen map[string]string) crosstab {
	all := segmentations()
	value, frequency, heat := all[0], all[1], all[2]
	var out crosstab
	for _, label := range append([]string{""}, value.labels...) {
		labels := map[string]string{value.name: label}
		each := choice{Label: r.Words(label), Link: segmentAddress(labels), Count: sum(cells, labels).customers, Current: chosen[value.name] == label}
		if label == "" {
			each.Label, each.Link = r.T("all values"), "/segments"
		}
		out.Values = append(out.Values, each)
	}
	out.Table = table{
		Caption: r.T("Customers by frequency and heat"), Open: true,
		Note:    r.T("Each customer is in exactly one cell. Choose one to see it and take it away as a list."),
		Columns: []column{{Name: r.T("Frequency")}},
	}
	for _, label := range heat.labels {
		out.Table.Columns = append(out.Table.Columns, column{Name: r.Words(label), Number: true})
	}
	out.Table.Columns = append(out.Table.Columns, column{Name: r.T("all"), Number: true})
	counts, most := make(map[[2]string]int64), int64(0)
	for _, f := range frequency.labels {
		for _, h := range heat.labels {
			n := sum(cells, map[string]string{value.name: chosen[value.name], frequency.name: f, heat.name: h}).customers
			counts[[2]string{f, h}], most = n, max(most, n)
		}
	}
	for _, f := range frequency.labels {
		labels := func(h string) map[string]string {
			return map[string]string{value.name: chosen[value.name], frequency.name: f, heat.name: h}
		}
		line := []cell{text(r.Words(f))}
		for _, h := range heat.labels {
			n := counts[[2]string{f, h}]
			c := r.countCell(n)
			c.Level = level(float64(n), float64(most))
			if n > 0 {
				c.Link = segmentAddress(labels(h))
			} else {
				c.Text = "·"
			}
			c.Mark = chosen[frequency.name] == f && chosen[heat.name] == h
			line = append(line, c)
		}
		total := r.countCell(sum(cells, labels("")).customers)
		total.Link = segmentAddress(labels(""))
		out.Table.Rows = append(out.Table.Rows, append(line, total))
	}
	return out
}

// chosenSegment is the intersection that the reader chose.
type chosenSegment struct {
	Title   string
	Name    string // in the API
	Figures []figure
	Exports exports
}

func (r *request) chosen(cells []row, chosen map[string]string) *chosenSegment {
	var names, titles []string
	for _, s := range segmentations() {
		if label := chosen[s.name]; label != "" {
			names = append(names, s.name+":"+label)
			titles = append(titles, r.T("%s %s", r.Words(s.name), r.Words(label)))
		}
	}
	name := strings.Join(names, ",")
	t := sum(cells, chosen)
	all := sum(cells, nil)
	figures := []figure{
		{Label: r.T("Customers"), Value: r.Num(t.customers), Basis: r.T("of %d", all.customers)},
		{Label: r.T("Reachable"), Value: r.Num(t.reachable), Basis: r.T("may get a marketing message")},
		{Label: r.T("Orders"), Value: r.Num(t.orders), Basis: r.T("all they ever placed")},
	}
	if t.spendKnown {
		figures = append(figures, figure{Label: r.T("Spend"), Value: r.money(t.spend, t.currency), Basis: r.T("net revenue so far")})
	}
	return &chosenSegment{Title: strings.Join(titles, " · "), Name: name, Figures: figures, Exports: exportsOf("segments", name)}
}

// audience is a list to send to.
type audience struct {
	Name, Definition string
	Customers        int64
	Exports          exports
}

// audiences are the relations of the schema with customers in them.
func (r *request) audiences() ([]audience, error) {
	settings, err := r.settings()
	if err != nil {
		return nil, err
	}
	found, err := r.rows("relation_definitions")
	if err != nil {
		return nil, err
	}
	var out []audience
	for _, relation := range r.reader.Relations() {
		isList := slices.ContainsFunc(relation.Columns, func(c warehouse.Column) bool { return c.Name == "customer_id" && c.Type == "UUID" })
		if relation.Schema != "audience" || !isList {
			continue
		}
		each := audience{Name: relation.Name, Customers: relation.Rows, Exports: exportsOf("audiences", relation.Name)}
		if relation.Rows < 0 {
			if each.Customers, err = countView(r.Context(), r.reader, relation); err != nil {
				return nil, err
			}
		}
		for _, d := range found {
			if d.text("schema_name") == relation.Schema && d.text("name") == relation.Name {
				each.Definition = settings.Replace(r.Known(d.text("definition")))
			}
		}
		out = append(out, each)
	}
	return out, nil
}

// countView counts a view, whose name is of the file's own catalogue.
func countView(ctx context.Context, reader *warehouse.Reader, relation warehouse.Relation) (int64, error) {
	quote := func(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
	counted, err := reader.Table(ctx, "select count(*) as n from "+quote(relation.Schema)+"."+quote(relation.Name))
	if err != nil {
		return 0, err
	}
	return row{counted.Columns, counted.Rows[0]}.count("n"), nil
}
