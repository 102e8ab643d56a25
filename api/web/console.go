package web

import (
	"errors"
	"net/http"
	"strings"

	"github.com/goodhour/goodhour/warehouse"
)

// Limits of the console. More rows are what POST /v1/sql and exports are for.
const (
	consoleRows  = 1000
	consoleBytes = 64 << 10 // of SQL
	consoleCell  = 2000     // characters of a cell
)

// consoleBody is the SQL console.
type consoleBody struct {
	SQL       string
	Asked     bool // the SQL was run
	Error     string
	Result    table
	Rows      int
	Truncated bool
	Examples  []example
	// Relations that others build on, and the layers below them.
	Relations, Inner []relation
}

type example struct{ Text, SQL string }

type relation struct {
	Name, Definition string
	Rows             int64
	Columns          []warehouse.Column
}

func examples() []example {
	return []example{
		{"Customers by value and heat", "select value_segment, heat_class, count(*) as customers\nfrom marts.customers\ngroup by all\norder by all"},
		{"Messages and reads by day", "select started_on, sum(delivered_count) as delivered, sum(read_count) as read\nfrom marts.funnel\ngroup by started_on\norder by started_on"},
		{"Revenue by month", "select date_trunc('month', ordered_at)::date as month, sum(net_reporting_amount) as revenue\nfrom staging.orders\ngroup by month\norder by month"},
		{"Why messages were not sent", "select campaign_id, state, rule, count(*) as messages\nfrom marts.decisions\ngroup by all\norder by messages desc"},
	}
}

func (p *Pages) console(r *request) (view, error) {
	title := r.T("SQL")
	if r.reader == nil {
		return p.unpublished(r, title), nil
	}
	body := consoleBody{SQL: r.URL.Query().Get("q"), Examples: examples()}
	var err error
	if body.Relations, err = r.relations("marts", "audience", "ops"); err != nil {
		return view{}, err
	}
	if body.Inner, err = r.relations("intermediate", "staging", "raw"); err != nil {
		return view{}, err
	}
	v := view{template: "console", title: title}
	switch {
	case strings.TrimSpace(body.SQL) == "":
	case len(body.SQL) > consoleBytes:
		body.Error, v.status = r.T("This is longer than %d bytes. Use goodhour sql or the API.", consoleBytes), http.StatusBadRequest
	case fromElsewhere(r.Request):
		body.Error = r.T("This SQL came by a link from another site. Look at it, then run it.")
	default:
		body.Asked = true
		if err := r.run(&body); err != nil {
			return view{}, err
		}
	}
	v.body = body
	return v, nil
}

// fromElsewhere reports whether a browser says that another site asked (W3C
// Fetch Metadata): such a link may show SQL, but not make us run it.
func fromElsewhere(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	return true
}

// run answers the SQL; what is wrong with it is part of the page.
func (r *request) run(body *consoleBody) error {
	result, err := r.reader.Table(r.Context(), body.SQL)
	var q *warehouse.QueryError
	if errors.As(err, &q) && q.Kind != warehouse.QueryInternal {
		body.Error = q.Error()
		return nil
	}
	if err != nil {
		return err
	}
	body.Truncated = result.Truncated || len(result.Rows) > consoleRows
	result.Rows = result.Rows[:min(len(result.Rows), consoleRows)]
	body.Rows = len(result.Rows)
	body.Result = table{Caption: r.T("Result"), Open: true, Columns: make([]column, len(result.Columns))}
	for i, c := range result.Columns {
		body.Result.Columns[i] = column{Name: c.Name, Number: isNumber(c.Type), Help: c.Type}
	}
	for _, values := range result.Rows {
		line := make([]cell, len(values))
		for i, value := range values {
			line[i].Text, line[i].Raw = shown(value)
			if value == nil {
				line[i].Text = "null"
			}
			if runes := []rune(line[i].Text); len(runes) > consoleCell {
				line[i].Text = string(runes[:consoleCell]) + "…"
			}
			if !body.Result.Columns[i].Number {
				line[i].Raw = ""
			}
		}
		body.Result.Rows = append(body.Result.Rows, line)
	}
	body.Result.Chart = drawable(&body.Result)
	return nil
}

// drawable chooses a chart for a result: a first column of names or days, then
// at least one of numbers, and not more rows than a picture holds.
func drawable(t *table) string {
	if len(t.Columns) < 2 || t.Columns[0].Number || len(t.Rows) < 2 || len(t.Rows) > 400 {
		return ""
	}
	drawn := 0
	for i := range t.Columns[1:] {
		if c := &t.Columns[i+1]; c.Number && drawn < 6 {
			c.Draw = true
			drawn++
		}
	}
	kind := t.Columns[0].Help
	switch {
	case drawn == 0:
		return ""
	case kind == "DATE" || strings.HasPrefix(kind, "TIMESTAMP"):
		return "lines"
	case len(t.Rows) > 40 || !t.Columns[1].Number:
		return ""
	}
	return "bars"
}

// isNumber says whether values of an SQL type are numbers.
func isNumber(sqlType string) bool {
	switch sqlType {
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE":
		return true
	}
	return strings.HasPrefix(sqlType, "DECIMAL(")
}

// relations of these schemas, in their order.
func (r *request) relations(schemas ...string) ([]relation, error) {
	found, err := r.rows("relation_definitions")
	if err != nil {
		return nil, err
	}
	definitions := make(map[string]string)
	for _, each := range found {
		definitions[each.text("schema_name")+"."+each.text("name")] = each.text("definition")
	}
	var out []relation
	for _, schema := range schemas {
		for _, each := range r.reader.Relations() {
			if each.Schema == schema {
				name := each.Schema + "." + each.Name
				out = append(out, relation{Name: name, Definition: definitions[name], Rows: each.Rows, Columns: each.Columns})
			}
		}
	}
	return out, nil
}
