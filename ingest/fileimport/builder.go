package fileimport

import (
	"strings"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
)

// builder turns rows into events. It is a pure function of the row and of what
// was decided over all rows (how amounts and dates are read), so that a row
// gives the same events whenever it is built.
type builder struct {
	options *Options
	mapping *mapping
	source  string // of the events
	clock   clock
	fixed   clock // for values that the user gave for all rows
	decimal byte
	zones   zones
	preset  bool // the rows are made of a shop's export

	customer, phone, email cell
	time                   cell
	cells                  map[string]cell

	constants []string
	notes     []Reason // of the row in hand
	drafts    []draft  // of the row in hand
	moments   []moment // of the row in hand
}

// cell is where a field stands in a row's values; -1: nowhere. Values given
// for all rows stand behind the columns.
type cell struct {
	index int
	fixed bool
}

func (c cell) mapped() bool { return c.index >= 0 }

// of returns the field's text in the row, trimmed; empty for none.
func (c cell) of(values []string) string {
	if c.index < 0 {
		return ""
	}
	return values[c.index]
}

// built is what became of a row.
type built struct {
	person person
	// name is the row's id where it has one of its own; else it is made of
	// identity and of its ordinal among rows with the same.
	name string
	// identity is what makes the row the one it is: of an order whose, when
	// and how much, so that an import with one more column is still the same.
	identity []string
	drafts   []draft
	// amount and currency of an order; refund: they went back.
	amount   event.Amount
	currency string
	refund   bool
	// consent: 1 in, 0 out, -1 not a consent.
	consent int
	unzoned bool // a time did not say its zone
}

// draft is an event without its id.
type draft struct {
	kind event.Kind
	time time.Time
	// suffix of the row's id, which makes it the event's.
	suffix string
	// data of the event. Where the file has no id for the order or the message,
	// it carries the row's.
	data func(rowID string) event.Data
}

func newBuilder(o *Options, m *mapping) *builder {
	b := &builder{
		options: o, mapping: m, source: event.ImportSource + o.Source, zones: zones{},
		clock: clock{format: o.TimeFormat, zone: o.TimeZone},
		fixed: clock{zone: o.TimeZone},
		cells: map[string]cell{}, drafts: make([]draft, 0, len(momentFields)),
	}
	for _, name := range fieldNames(o.Kind) {
		b.cells[name] = cell{index: -1}
	}
	columns := 0
	for _, c := range m.columns {
		if c.Column != "" {
			b.cells[c.Field] = cell{index: columns}
			columns++
		}
	}
	for _, c := range m.columns {
		if c.Column == "" {
			b.cells[c.Field] = cell{index: columns + len(b.constants), fixed: true}
			b.constants = append(b.constants, strings.TrimSpace(c.Value))
		}
	}
	b.customer, b.phone, b.email, b.time = b.cells["customer"], b.cells["phone"], b.cells["email"], b.cells["time"]
	return b
}

// clone is another builder with the same decisions, for another goroutine.
func (b *builder) clone() *builder {
	c := newBuilder(b.options, b.mapping)
	c.clock, c.decimal, c.preset = b.clock, b.decimal, b.preset
	return c
}

func (b *builder) note(r Reason) { b.notes = append(b.notes, r) }

// build makes the events of a row, or says why there are none. The values are
// the row's columns, trimmed, and the constants; the result lasts until the
// next call.
func (b *builder) build(values []string) (built, Reason) {
	b.notes = b.notes[:0]
	row := built{consent: -1}
	var why Reason
	if row.person, why = b.identify(values); why != "" {
		return row, why
	}
	switch b.options.Kind {
	case Orders:
		why = b.buildOrder(values, &row)
	case Customers:
		why = b.buildCustomer(values, &row)
	case Consents:
		why = b.buildConsent(values, &row)
	case Messages:
		why = b.buildMessage(values, &row)
	}
	return row, why
}

// only makes d the only event of the row.
func (b *builder) only(row *built, d draft) {
	b.drafts = append(b.drafts[:0], d)
	row.drafts = b.drafts
}

// readTime reads a time field of the row.
func (b *builder) readTime(c cell, values []string, row *built) (time.Time, Reason) {
	text := c.of(values)
	if text == "" {
		return time.Time{}, reasonNoTime
	}
	clock := &b.clock
	if c.fixed {
		clock = &b.fixed
	}
	t, zoned, why := clock.read(text)
	if why != "" {
		return t, why
	}
	row.unzoned = row.unzoned || !zoned
	if t.After(b.options.Now.Add(maxAhead)) {
		return t, reasonTimeFuture
	}
	return t, ""
}

// timeLayout writes a time for the row's identity.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// maxAhead is how far an event's time may lie after its arrival in Kafka.
const maxAhead = 24 * time.Hour

// identifiers are what an event's data carries beside its subject.
func (p *person) identifiers() event.Person { return event.Person{Phone: p.phone, Email: p.email} }

// event makes a draft an event.
func (d *draft) event(p *person, rowID, source string) (event.Event, error) {
	return event.New(rowID+d.suffix, source, p.subject, d.time, d.data(rowID))
}

// unnamed are the row's events with a placeholder for its id.
func (row *built) unnamed(source string) ([]event.Event, error) {
	events := make([]event.Event, len(row.drafts))
	for i := range row.drafts {
		var err error
		if events[i], err = row.drafts[i].event(&row.person, "row", source); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// contentOf is all that events say.
func contentOf(events []event.Event) []string {
	texts := make([]string, 0, 4*len(events))
	for i := range events {
		e := &events[i]
		texts = append(texts, e.Kind.String(), e.Subject, e.Time.Format(timeLayout), string(e.Data))
	}
	return texts
}
