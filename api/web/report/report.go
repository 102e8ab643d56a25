package report

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"time"

	"golang.org/x/text/language"

	"github.com/goodhour/goodhour/api/web/texts"
	"github.com/goodhour/goodhour/warehouse"
)

// Options say what a report is told beside its file.
type Options struct {
	// Files are the names of what the customers came from, as the reader knows
	// them; none where they came by topics.
	Files []string
	// Again are the arguments of the goodhour try that the report is of, for the
	// command that keeps what it did; none where it is of something else.
	Again []string
	// Data is the data directory that stays; empty where nothing is kept.
	Data string
	// Language of the report, one of texts.Tags or near to one; the zero value is English.
	Language language.Tag
	// Version of goodhour.
	Version string
}

// maker makes one report: every section asks it for rows and for words.
type maker struct {
	*texts.Language
	context context.Context
	reader  *warehouse.Reader
	options Options
	totals  totals
}

// section is a part of the report under a heading.
type section struct {
	ID, Title string
	// Lead is what the section has to say, in a sentence with its figures.
	Lead string
	// Definition says how what is shown is counted.
	Definition string
	// Basis is how many it is of.
	Basis  string
	Blocks []block
}

// block is what a section shows; one of its fields is set.
type block struct {
	Chart    *chart
	Table    *table
	Stack    *stack
	Commands []string
	Text     string
}

// sections are the parts in their order. Each may return none: a section
// without data says so itself where that helps, and is left out where not.
func sections() []func(*maker) (*section, error) {
	return []func(*maker) (*section, error){
		(*maker).trade,
		(*maker).segments,
		(*maker).rfm,
		(*maker).cohorts,
		(*maker).customers,
		(*maker).reach,
		(*maker).next,
	}
}

// totals are the figures that several sections tell.
type totals struct {
	customers, buyers, repeat, orders, unvalued int64
	spend                                       float64
	currency                                    string
	first, last                                 time.Time
}

//go:embed sql/*.sql report.html style.css
var files embed.FS

// Write writes the report on reader's published file. The error names the query
// or the part that could not be made; nothing was written then.
func Write(ctx context.Context, w io.Writer, reader *warehouse.Reader, options Options) error {
	languages, err := texts.Read()
	if err != nil {
		return err
	}
	m := &maker{Language: languages[texts.Nearest(options.Language)], context: ctx, reader: reader, options: options}
	if err := m.readTotals(); err != nil {
		return err
	}
	page, err := m.page()
	if err != nil {
		return err
	}
	style, err := files.ReadFile("style.css")
	if err != nil {
		return fmt.Errorf("read the report's style: %w", err)
	}
	shown, err := template.New("report.html").Funcs(template.FuncMap{
		"t": m.T,
		// Our own file, not the user's data.
		"style": func() template.CSS { return template.CSS(style) },
	}).ParseFS(files, "report.html")
	if err != nil {
		return fmt.Errorf("read the report's template: %w", err)
	}
	var b bytes.Buffer // whole or not at all
	if err := shown.Execute(&b, page); err != nil {
		return fmt.Errorf("draw the report: %w", err)
	}
	if _, err := b.WriteTo(w); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// page is what report.html is given.
type page struct {
	Lang, Title, Span, AsOf, Version string
	Files                            []string
	Figures                          []figure
	Sections                         []*section
	Notes                            []string
}

// figure is a number that matters, with what it means.
type figure struct{ Label, Value, Definition string }

func (m *maker) page() (*page, error) {
	out := &page{
		Lang: m.Tag.String(), Title: m.T("Your customers"), AsOf: m.Day(m.reader.Info().AsOf),
		Version: m.options.Version, Files: m.options.Files, Figures: m.figures(),
	}
	if m.totals.orders > 0 {
		out.Span = m.T("Orders from %s to %s", m.Day(m.totals.first), m.Day(m.totals.last))
	}
	if m.totals.unvalued > 0 {
		out.Notes = append(out.Notes, m.T("%s orders are in a currency without a rate, or refunded in another one: their value is unknown, and their customers' spend is left out of all sums.", m.Num(m.totals.unvalued)))
	}
	for _, tell := range sections() {
		s, err := tell(m)
		if err != nil {
			return nil, err
		}
		if s != nil {
			out.Sections = append(out.Sections, s)
		}
	}
	return out, nil
}

func (m *maker) figures() []figure {
	t := &m.totals
	out := []figure{
		{m.T("Customers"), m.Num(t.customers), m.T("one row each, several keys of one person counted once")},
		{m.T("Orders"), m.Num(t.orders), m.T("each order id once, however often it is told of")},
		{m.T("Revenue"), m.money(t.spend, t.currency), m.T("net of refunds, in the reporting currency")},
	}
	if t.buyers > 0 {
		out = append(out, figure{m.T("Came back"), m.percent(t.repeat, t.buyers), m.T("buyers with an order on a later day than their first")})
	}
	return out
}

func (m *maker) readTotals() error {
	found, err := m.rows("totals")
	if err != nil {
		return err
	}
	if len(found) != 1 {
		return errors.New("count the customers: no answer")
	}
	r := found[0]
	m.totals = totals{
		customers: r.whole("customer_count"), buyers: r.whole("buyer_count"), repeat: r.whole("repeat_count"),
		orders: r.whole("order_count"), unvalued: r.whole("unvalued_order_count"),
		spend: r.number("spend_amount"), currency: r.text("currency"),
		first: r.time("first_purchased_at"), last: r.time("last_purchased_at"),
	}
	return nil
}
