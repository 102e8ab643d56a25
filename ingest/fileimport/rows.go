package fileimport

import (
	"strings"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
)

// Rows makes events of rows that come one by one, where nothing can be decided
// over all of them: the select over a topic's records. One goroutine each.
type Rows struct {
	builder *builder
	values  []string
}

// NewRows reads rows whose values are the named fields. Of the options it takes
// Kind, Source, Values, TimeFormat, TimeZone, Decimal (empty: a point),
// PhoneRegion and KeyNamespace; a date whose day could be a month is read only
// with a TimeFormat. The events' source is prefix and Source. The error is a
// *Refusal with every problem.
func NewRows(options Options, prefix string, fields []string) (*Rows, error) {
	o := &options
	o.Now = time.Unix(0, 0) // each row has its own
	if o.Decimal == "" {
		o.Decimal = decimalPoint
	}
	if err := o.complete(); err != nil {
		return nil, err
	}
	m := &mapping{}
	var problems []string
	for _, name := range fields {
		if problem := m.addSelected(o.Kind, name, ""); problem != "" {
			problems = append(problems, problem)
		}
	}
	m.addValues(o)
	if problems = append(problems, m.missing(o, nil)...); len(problems) > 0 {
		return nil, &Refusal{Problems: problems}
	}
	b := newBuilder(o, m)
	b.source = prefix + o.Source
	b.decimal = '.'
	if o.Decimal == decimalComma {
		b.decimal = ','
	}
	return &Rows{builder: b}, nil
}

// Build makes the events of a row that arrived at an instant, or says why there
// are none. id names the row; one that carries an id of its own, such as an
// order's, is named by that.
func (r *Rows) Build(values []string, at time.Time, id string) ([]event.Event, Reason) {
	r.values = r.values[:0]
	for _, v := range values {
		r.values = append(r.values, strings.TrimSpace(v))
	}
	r.values = append(r.values, r.builder.constants...)
	r.builder.options.Now = at
	row, why := r.builder.build(r.values)
	if why != "" {
		return nil, why
	}
	if row.name != "" {
		id = row.name
	}
	events := make([]event.Event, len(row.drafts))
	for i := range row.drafts {
		var err error
		if events[i], err = row.drafts[i].event(&row.person, id, r.builder.source); err != nil {
			return nil, Reason(err.Error())
		}
	}
	return events, ""
}

// SQLText is the SQL that turns a column of a DuckDB type into the text of a
// field: nested types into JSON.
func SQLText(name, kind string) string { return asText(name, kind) }

// SQLFault says what kind of error ended a select, without the value that
// DuckDB would quote.
func SQLFault(err error) string { return sqlFault(err) }
