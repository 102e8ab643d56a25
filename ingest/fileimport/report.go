package fileimport

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
)

// Report says what an import found and did. No value of a row stands in it,
// but masked ones in Samples.
type Report struct {
	Kind   Kind   `json:"kind"`
	Source string `json:"source"`
	DryRun bool   `json:"dry_run"`
	// Files in the order they were read.
	Files []FileReport `json:"files"`
	// Preset, if a shop's export was read by one.
	Preset *PresetReport `json:"preset,omitempty"`
	// Mapping of fields to columns; Unused are the other headings.
	Mapping []MappedField `json:"mapping"`
	Unused  []string      `json:"unused,omitempty"`
	// Readings say how values with several readings were read.
	Readings []string `json:"readings,omitempty"`

	// Rows is what the files hold, the headings left out, or with a preset the
	// orders that count and their refunds. Each is rejected, a
	// duplicate (same id and content as an earlier one, counted once), or good.
	Rows       int64 `json:"rows"`
	Rejected   int64 `json:"rejected"`
	Duplicates int64 `json:"duplicates"`
	Good       int64 `json:"good"`
	// Events that the good rows give, by CloudEvents type, and how many of
	// them were handed on.
	Events       int64            `json:"events"`
	EventsByType map[string]int64 `json:"events_by_type"`
	Published    int64            `json:"published"`

	// Rejections by reason; Examples are the first rejected rows.
	Rejections []ReasonCount `json:"rejections,omitempty"`
	Examples   []Rejection   `json:"examples,omitempty"`
	// Notes are values set aside, or taken in a way worth knowing.
	Notes []ReasonCount `json:"notes,omitempty"`

	// First and Last are the times of the earliest and the latest event; nil
	// without events.
	First *time.Time `json:"first,omitempty"`
	Last  *time.Time `json:"last,omitempty"`

	Reach    Reach           `json:"reach"`
	Money    []CurrencyTotal `json:"money,omitempty"`
	Consents *ConsentTotal   `json:"consents,omitempty"`
	Warnings []string        `json:"warnings,omitempty"`
	// Samples are the first events of a dry run, personal values masked.
	Samples []Sample `json:"samples,omitempty"`
}

// FileReport is what was found out about a file.
type FileReport struct {
	Name     string `json:"name"`
	Format   string `json:"format"` // csv, ndjson, json, parquet, or empty
	Encoding string `json:"encoding,omitempty"`
	// Delimiter in words, of delimited text.
	Delimiter string `json:"delimiter,omitempty"`
	Columns   int    `json:"columns"`
	// HeaderLine is the line of the headings; 0 means none.
	HeaderLine int64 `json:"header_line,omitempty"`
}

// Reach is who of the files can be written to, as far as the files say.
// Customers are counted by the best identifier of each row; those whom other
// data joins are still apart.
type Reach struct {
	Customers int64 `json:"customers"`
	WithPhone int64 `json:"with_phone"`
	// EmailOnly and KeyOnly customers cannot be reached until a phone number
	// is imported for them.
	EmailOnly int64 `json:"email_only"`
	KeyOnly   int64 `json:"key_only"`

	RowsWithKey   int64 `json:"rows_with_key"`
	RowsWithPhone int64 `json:"rows_with_phone"`
	RowsWithEmail int64 `json:"rows_with_email"`
}

// CurrencyTotal is what the orders of one currency came to.
type CurrencyTotal struct {
	Currency string       `json:"currency"`
	Orders   int64        `json:"orders"`
	Amount   string       `json:"amount"` // decimal
	Refunds  int64        `json:"refunds"`
	Refunded string       `json:"refunded"` // decimal
	Median   event.Amount `json:"median"`

	zero, large int64
}

// ConsentTotal counts the good rows of a consents file.
type ConsentTotal struct {
	OptedIn  int64 `json:"opted_in"`
	OptedOut int64 `json:"opted_out"`
}

var (
	//go:embed sql/totals.sql
	sqlTotals string
	//go:embed sql/customers.sql
	sqlCustomers string
	//go:embed sql/money.sql
	sqlMoney string
	//go:embed sql/conflicts.sql
	sqlConflicts string
)

// summarise makes the report of what the survey found.
func (r *run) summarise(ctx context.Context, b *builder, unzoned int64) error {
	o := r.options
	r.report = &Report{
		Kind: o.Kind, Source: o.Source, DryRun: o.DryRun, Mapping: r.mapping.columns,
		EventsByType: map[string]int64{},
	}
	for _, in := range r.inputs {
		r.report.Files = append(r.report.Files, in.report())
	}
	if o.Select == "" {
		r.report.Unused = r.mapping.unused(r.headings())
	}
	if err := r.countRows(ctx); err != nil {
		return fmt.Errorf("sum up the rows: %w", err)
	}
	if r.preset != nil {
		r.report.Preset = &PresetReport{
			Name: r.preset.name, Recognised: o.Preset == "", Lines: r.lines, Orders: r.orders,
			LeftOut: r.rejections.counts(r.rejections.leftOut),
		}
	}
	r.report.Readings = r.readings(b, unzoned)
	r.report.Warnings = r.warnings()
	return nil
}

func (in *input) report() FileReport {
	f := FileReport{Name: in.name, Format: string(in.format), Columns: len(in.headings), HeaderLine: in.headerLine}
	if in.format != formatParquet && in.format != formatWorkbook {
		f.Encoding = in.encoding
	}
	if in.format == formatCSV {
		f.Delimiter = delimiterName(in.dialect.delimiter)
	}
	return f
}

func (r *run) countRows(ctx context.Context) error {
	p, db := r.report, r.stage.db
	var first, last, optedIn, optedOut, conflicts int64
	err := db.QueryRowContext(ctx, sqlTotals).Scan(&p.Good, &p.Events, &first, &last,
		&p.Reach.RowsWithKey, &p.Reach.RowsWithPhone, &p.Reach.RowsWithEmail, &optedIn, &optedOut, &p.Duplicates, &conflicts)
	if err != nil {
		return err
	}
	if p.Good > 0 {
		from, to := time.UnixMicro(first).UTC(), time.UnixMicro(last).UTC()
		p.First, p.Last = &from, &to
	}
	if r.options.Kind == Consents {
		p.Consents = &ConsentTotal{OptedIn: optedIn, OptedOut: optedOut}
	}
	err = db.QueryRowContext(ctx, sqlCustomers).Scan(&p.Reach.Customers, &p.Reach.WithPhone, &p.Reach.EmailOnly, &p.Reach.KeyOnly)
	if err != nil {
		return err
	}
	if err := errors.Join(r.countConflicts(ctx, conflicts), r.countKinds(ctx), r.countMoney(ctx)); err != nil {
		return err
	}
	p.Rejected = r.rejections.total()
	p.Rows = p.Good + p.Duplicates + p.Rejected
	p.Rejections = r.rejections.counts(r.rejections.rejected)
	p.Notes = r.rejections.counts(r.rejections.noted)
	p.Examples = r.rejections.list()
	return nil
}

// countConflicts rejects the rows whose id an earlier row has with other
// content.
func (r *run) countConflicts(ctx context.Context, conflicts int64) error {
	if conflicts == 0 {
		return nil
	}
	rows, err := r.stage.db.QueryContext(ctx, sqlConflicts, r.rejections.most)
	if err != nil {
		return err
	}
	defer rows.Close()
	first := true
	for rows.Next() {
		var at, earlier place
		if err := rows.Scan(&at.file, &at.at, &earlier.file, &earlier.at); err != nil {
			return err
		}
		if first {
			count(r.rejections.rejected, at, reasonConflict, conflicts)
			first = false
		}
		r.rejections.keep(at, Reason(fmt.Sprintf("%s; first at %s", reasonConflict, r.rejections.describe(earlier))))
	}
	return rows.Err()
}

func (r *run) countKinds(ctx context.Context) error {
	rows, err := r.stage.db.QueryContext(ctx, "select kinds, count(*) from kept group by kinds")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var kinds uint32
		var n int64
		if err := rows.Scan(&kinds, &n); err != nil {
			return err
		}
		for _, k := range event.Kinds() {
			if kinds&(1<<k) != 0 {
				r.report.EventsByType[k.String()] += n
			}
		}
	}
	return rows.Err()
}

func (r *run) countMoney(ctx context.Context) error {
	rows, err := r.stage.db.QueryContext(ctx, sqlMoney)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var t CurrencyTotal
		var amount, refunded string
		if err := rows.Scan(&t.Currency, &t.Orders, &amount, &t.Refunds, &refunded, &t.Median, &t.zero, &t.large); err != nil {
			return err
		}
		if t.Amount, err = decimalOf(amount); err != nil {
			return err
		}
		if t.Refunded, err = decimalOf(refunded); err != nil {
			return err
		}
		r.report.Money = append(r.report.Money, t)
	}
	return rows.Err()
}

// decimalOf writes a sum of ten-thousandths, which may be over 64 bits.
func decimalOf(units string) (string, error) {
	n, ok := new(big.Int).SetString(units, 10)
	if !ok {
		return "", fmt.Errorf("sum of amounts: DuckDB gave no integer")
	}
	whole, rest := new(big.Int).QuoRem(n, big.NewInt(10_000), new(big.Int))
	fraction := event.Amount(rest.Int64()).String() // "0.63"
	return whole.String() + fraction[1:], nil
}

// readings says how values were read that could be read in several ways.
func (r *run) readings(b *builder, unzoned int64) []string {
	var list []string
	if r.options.Kind == Orders {
		word := decimalPoint
		if b.decimal == ',' {
			word = decimalComma
		}
		list = append(list, "amounts with a decimal "+word)
	}
	if r.preset != nil && r.report.EventsByType[event.OrderRefunded.String()] > 0 {
		list = append(list, "refunds at the time of their orders: the export does not say theirs")
	}
	switch {
	case r.options.TimeFormat != "":
		list = append(list, "times as "+r.options.TimeFormat)
	case b.clock.order == dayFirst:
		list = append(list, "dates with the day first")
	case b.clock.order == monthFirst:
		list = append(list, "dates with the month first")
	}
	if b.clock.serials && r.options.TimeFormat == "" {
		list = append(list, "times that are numbers as a spreadsheet's days")
	}
	if unzoned > 0 {
		list = append(list, fmt.Sprintf("times without a zone as %s (%s rows)", r.options.TimeZone, thousands(unzoned)))
	}
	return list
}

// manyTimesMedian is how far above the middle an amount is worth a warning.
// The number stands in sql/money.sql too.
const manyTimesMedian = 100

func (r *run) warnings() []string {
	p := r.report
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	for _, in := range r.inputs {
		if in.format == "" {
			add("%q is empty", in.name)
		}
	}
	if p.Rows == 0 {
		add("the files have headings and no rows")
	} else if p.Good == 0 {
		add("no row could be used")
	}
	if p.Last != nil && p.Last.After(r.options.Now) {
		add("some times lie ahead of now (up to %s)", p.Last.Format(time.DateTime))
	}
	if p.First != nil && p.First.Year() < 2000 {
		add("some times are before the year 2000 (from %s)", p.First.Format(time.DateOnly))
	}
	if len(p.Money) > 1 {
		add("the amounts are in %d currencies", len(p.Money))
	}
	for _, m := range p.Money {
		if m.zero > 0 {
			add("%d amounts in %s are zero", m.zero, m.Currency)
		}
		if m.large > 0 {
			add("%d amounts in %s are over %d times the median of %s", m.large, m.Currency, manyTimesMedian, m.Median)
		}
	}
	return list
}

// takeSamples makes the first events of a dry run.
func (r *run) takeSamples(ctx context.Context, b *builder) error {
	const most = 5
	err := r.eachEvent(ctx, b, r.total, func(_ int64, e event.Event) error {
		sample, err := sampleOf(r.options.Kind, &e)
		if err != nil {
			return err
		}
		r.report.Samples = append(r.report.Samples, sample)
		if len(r.report.Samples) == most {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// errEnough ends a reading early.
var errEnough = errors.New("enough rows")

// types lists the event types of the report in a fixed order.
func (p *Report) types() []string {
	types := make([]string, 0, len(p.EventsByType))
	for t := range p.EventsByType {
		types = append(types, t)
	}
	slices.SortFunc(types, func(a, b string) int {
		return cmp.Or(cmp.Compare(p.EventsByType[b], p.EventsByType[a]), cmp.Compare(a, b))
	})
	return types
}
