package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goodhour/goodhour/api/web/texts"
)

// Rows of lists that the customer pages show.
const (
	warmestShown   = 25
	timelineShown  = 60
	decisionsShown = 20
)

// customersBody is the search for a customer.
type customersBody struct {
	Query   string
	Nobody  bool
	Several []customerLink
	Warmest table
	Exports exports
}

type customerLink struct{ Text, Link string }

func customerAddress(id string) string { return "/customers/" + url.PathEscape(id) }

func (p *Pages) customers(r *request) (view, error) {
	title := r.T("Customers")
	if r.reader == nil {
		return p.unpublished(r, title), nil
	}
	query := strings.TrimSpace(r.URL.Query().Get("q"))
	body := customersBody{Query: query, Exports: exportsAt("/v1/customers")}
	if query != "" && utf8.ValidString(query) && !strings.ContainsRune(query, 0) {
		found, err := r.rows("customer_find", query)
		if err != nil {
			return view{}, err
		}
		if len(found) == 1 {
			return p.customerView(r, found[0].text("customer_id"))
		}
		for _, each := range found {
			id := each.text("customer_id")
			body.Several = append(body.Several, customerLink{id, customerAddress(id)})
		}
		body.Nobody = len(found) == 0
	}
	var err error
	if body.Warmest, err = r.warmest(); err != nil {
		return view{}, err
	}
	return view{template: "customers", title: title, body: body}, nil
}

func (r *request) warmest() (table, error) {
	out := table{
		Caption: r.T("The warmest customers"), Open: true,
		Note: r.T("By heat score: reads, clicks, replies and purchases, each counting half as much every 14 days."),
		Columns: []column{
			{Name: r.T("Customer")},
			{Name: r.T("Heat score"), Number: true},
			{Name: r.T("Heat")},
			{Name: r.T("Value")},
			{Name: r.T("Frequency")},
			{Name: r.T("Orders"), Number: true},
			{Name: r.T("Spend"), Number: true},
			{Name: r.T("Last engaged")},
		},
	}
	found, err := r.rows("top_customers", int64(warmestShown))
	if err != nil {
		return out, err
	}
	for _, c := range found {
		id := c.text("customer_id")
		heat, _ := c.number("heat_score")
		spend, known := c.number("spend_amount")
		out.Rows = append(out.Rows, []cell{
			{Text: firstOf(c.text("external_id"), id), Link: customerAddress(id)},
			text(r.Decimal(heat, 1)), text(r.Words(c.text("heat_class"))), text(r.Words(c.text("value_segment"))),
			text(r.Words(c.text("frequency_segment"))), r.countCell(c.count("order_count")),
			r.moneyCell(spend, known, c.text("currency")), text(r.Day(c.time("last_engaged_at"))),
		})
	}
	return out, nil
}

// customerBody is one customer, without personal data.
type customerBody struct {
	ID, ExternalID string
	Figures        []figure
	Groups         []factGroup
	Timeline       table
	Decisions      table
}

type factGroup struct {
	Name  string
	Facts []fact
}

type fact struct{ Name, Value, Definition string }

func (p *Pages) customer(r *request) (view, error) {
	if r.reader == nil {
		return p.unpublished(r, r.T("Customer")), nil
	}
	return p.customerView(r, r.PathValue("id"))
}

func (p *Pages) customerView(r *request, id string) (view, error) {
	if !utf8.ValidString(id) || strings.ContainsRune(id, 0) {
		return p.notFound(r, r.T("No customer has this id.")), nil
	}
	found, err := r.rows("customer", id)
	if err != nil {
		return view{}, err
	}
	if len(found) == 0 {
		return view{template: "message", title: r.T("Not found"), status: http.StatusNotFound, body: notice{
			r.T("No customer has this id in the published file. An event counts from the next model run on."), nil,
		}}, nil
	}
	c := found[0]
	definitions, err := r.definitions("marts", "customers")
	if err != nil {
		return view{}, err
	}
	body := customerBody{ID: id, ExternalID: c.text("external_id"), Figures: r.customerFigures(c), Groups: r.customerFacts(c, definitions)}
	if body.Timeline, err = r.timeline(id); err != nil {
		return view{}, err
	}
	if body.Decisions, err = r.customerDecisions(id); err != nil {
		return view{}, err
	}
	return view{template: "customer", title: r.T("Customer %s", firstOf(body.ExternalID, id)), body: body}, nil
}

func (r *request) customerFigures(c row) []figure {
	reach := figure{Label: r.T("Marketing"), Value: r.T("can be reached"), Definition: r.T("There is an address and an opt-in, and no opt-out.")}
	if !c.flag("is_reachable") {
		reach.Value = r.T("cannot be reached")
		reach.Basis = r.Words(c.text("unreachable_reason"))
	}
	spend, known := c.number("spend_amount")
	value := texts.Dash
	if known {
		value = r.money(spend, c.text("currency"))
	}
	score, _ := c.number("heat_score")
	return []figure{
		reach,
		{Label: r.T("Heat"), Value: r.Words(c.text("heat_class")), Basis: r.T("score %s", r.Decimal(score, 1)), Definition: r.T("By how long ago they last engaged.")},
		{Label: r.T("Value"), Value: r.Words(c.text("value_segment")), Basis: r.T("spent %s", value), Definition: r.T("By the average order.")},
		{Label: r.T("Frequency"), Value: r.Words(c.text("frequency_segment")), Basis: r.Plural(c.count("order_count"), "1 order", "%d orders"), Definition: r.T("By the days between purchases.")},
	}
}

// customerFacts are all columns of the row, in groups, each with what the model
// says of it. A column that a newer model brings is in the last group.
func (r *request) customerFacts(c row, definitions map[string]string) []factGroup {
	groups := []struct {
		name    string
		columns []string
	}{
		{r.T("Who"), []string{"external_id", "customer_id", "country", "language", "time_zone", "tags", "first_seen_at", "last_seen_at"}},
		{r.T("Consent"), []string{"is_reachable", "unreachable_reason", "consent_marketing", "consent_utility", "consent_authentication", "has_receipts_off"}},
		{r.T("Engagement"), []string{"heat_class", "heat_score", "interaction_count_30d", "delivered_count", "read_count", "read_rate", "replied_count", "last_delivered_at", "last_read_at", "last_replied_at", "last_clicked_at", "last_engaged_at"}},
		{r.T("Purchases"), []string{"value_segment", "frequency_segment", "order_count", "purchase_day_count", "purchase_gap_days", "average_order_value_amount", "spend_amount", "refund_amount", "currency", "recency_score", "frequency_score", "monetary_score", "first_purchased_at", "last_purchased_at"}},
	}
	taken := make(map[string]bool)
	var out []factGroup
	for _, group := range groups {
		g := factGroup{Name: group.name}
		for _, name := range group.columns {
			taken[name] = true
			for i, column := range c.columns {
				if column.Name == name {
					g.Facts = append(g.Facts, r.fact(name, c.values[i], definitions[name], c.text("currency")))
				}
			}
		}
		out = append(out, g)
	}
	rest := factGroup{Name: r.T("More")}
	for i, column := range c.columns {
		if !taken[column.Name] {
			rest.Facts = append(rest.Facts, r.fact(column.Name, c.values[i], definitions[column.Name], c.text("currency")))
		}
	}
	return append(out, rest)
}

func (r *request) fact(name string, value any, definition, currency string) fact {
	f := fact{Name: r.Words(name), Definition: definition}
	switch v := value.(type) {
	case time.Time:
		f.Value = r.When(v)
	case float64:
		f.Value = r.Decimal(v, 2)
	case []any:
		var texts []string
		for _, each := range v {
			s, _ := shown(each)
			texts = append(texts, s)
		}
		f.Value = strings.Join(texts, ", ")
	case int64:
		f.Value = r.Num(v)
	case json.Number:
		f.Value = v.String()
		if amount, err := v.Float64(); err == nil && strings.HasSuffix(name, "_amount") {
			f.Value = r.money(amount, currency)
		}
	case bool:
		f.Value = r.T("no")
		if v {
			f.Value = r.T("yes")
		}
	default:
		f.Value, _ = shown(v)
		f.Value = label(name, f.Value)
	}
	if f.Value == "" {
		f.Value = texts.Dash
	}
	return f
}

func (r *request) timeline(id string) (table, error) {
	out := table{
		Caption: r.T("What happened, the newest first"), Open: true,
		Columns: []column{{Name: r.T("When")}, {Name: r.T("What")}, {Name: r.T("Detail")}},
	}
	found, err := r.rows("customer_timeline", id, int64(timelineShown))
	if err != nil {
		return out, err
	}
	for _, each := range found {
		out.Rows = append(out.Rows, []cell{text(r.When(each.time("occurred_at"))), text(each.text("what")), text(each.text("detail"))})
	}
	return out, nil
}

func (r *request) customerDecisions(id string) (table, error) {
	out := table{
		Caption: r.T("Why they got a message, or did not"), Open: true,
		Columns: []column{
			{Name: r.T("Campaign")}, {Name: r.T("State")}, {Name: r.T("Rule")}, {Name: r.T("Why")}, {Name: r.T("Decided")},
		},
	}
	found, err := r.rows("customer_decisions", id, int64(decisionsShown))
	if err != nil {
		return out, err
	}
	for _, each := range found {
		why := stateMeaning(each.text("state"))
		if rule := each.text("rule"); rule != "" {
			why = ruleMeaning(rule)
		}
		out.Rows = append(out.Rows, []cell{
			{Text: each.text("campaign_id"), Link: campaignAddress(each.text("campaign_id"))},
			text(r.Words(each.text("state"))), text(r.Words(each.text("rule"))), text(r.T(why)), text(r.When(each.time("decided_at"))),
		})
	}
	return out, nil
}
