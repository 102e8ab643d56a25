package fileimport

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/goodhour/goodhour/ingest/identity"
)

// NoPreset as Options.Preset takes a shop's export for a bare table.
const NoPreset = "none"

// Presets returns the names of the shops whose order exports are known.
func Presets() []string {
	var names []string
	for _, p := range presets() {
		names = append(names, p.name)
	}
	return names
}

// preset is what is known of a shop's export of orders: what its columns are
// called and what its words for a payment's state mean. What makes orders of
// its rows is the same for all: sql/preset.sql.
type preset struct {
	name string
	// columns by their names in sql/preset.sql. Of several headings the first
	// that a file has counts; they are compared by plainHeading.
	columns map[string][]string
	// signs are the columns that only this export has together.
	signs []string
	// statuses are the words for how an order stands, and what each means: one
	// of the two below, or why the order is left out.
	statuses map[string]string
}

// What a status means for an order that counts.
const (
	meansPaid     = "paid"
	meansRefunded = "refunded" // all of it went back
)

// Why an order is left out. A cancelled one is, whatever was paid back for it.
const (
	leftOutCancelled Reason = "cancelled"
	leftOutUnpaid    Reason = "not paid, or not in full"
	leftOutFailed    Reason = "payment failed or expired"
	leftOutDraft     Reason = "a draft, or thrown away"
	leftOutTest      Reason = "test order"
)

func presets() []preset { return []preset{shopify(), wooCommerce()} }

// shopify is the CSV of Orders > Export. Shopify writes what holds for the
// whole order on the first of its rows only; the others have Name and Email.
func shopify() preset {
	return preset{
		name: "shopify",
		columns: map[string][]string{
			"order_id": tier("name"), "time": tier("createdat"), "amount": tier("total"), "currency": tier("currency"),
			"customer": tier("email"), "phone": tier("phone"), "billing_phone": tier("billingphone"), "shipping_phone": tier("shippingphone"),
			"phone_country": tier("billingcountry shippingcountry"),
			"status":        tier("financialstatus"), "refunded": tier("refundedamount"), "cancelled_at": tier("cancelledat"), "test": tier("test"),
			"coupon": tier("discountcode"), "item_sku": tier("lineitemsku"), "item_name": tier("lineitemname"),
			"item_quantity": tier("lineitemquantity"), "item_price": tier("lineitemprice"),
		},
		signs: []string{"order_id", "time", "amount", "status", "item_name"},
		statuses: map[string]string{
			"paid": meansPaid, "partially_refunded": meansPaid, "refunded": meansRefunded,
			"pending": string(leftOutUnpaid), "authorized": string(leftOutUnpaid), "partially_paid": string(leftOutUnpaid), "unpaid": string(leftOutUnpaid),
			"voided": string(leftOutCancelled), "expired": string(leftOutFailed),
		},
	}
}

// wooCommerce are the CSVs of the export plugins: Advanced Order Export, Order
// Export & Order Import, Customer / Order / Coupon Export. Those with a row for
// each line repeat what holds for the order. WooCommerce's own Analytics export
// has no customer but a name: see analyticsExport.
func wooCommerce() preset {
	return preset{
		name: "woocommerce",
		columns: map[string][]string{
			"order_id": tier("ordernumber ordernumberformatted orderid"), "time": tier("orderdate date datecreated"),
			"amount":   tier("ordertotal ordertotalamount"),
			"currency": tier("ordercurrency currency"),
			"customer": tier("billingemail emailbilling customeremail"), "phone": tier("billingphone phonebilling"),
			"billing_phone": nil, "shipping_phone": tier("shippingphone phoneshipping"),
			"phone_country": tier("billingcountry countrycodebilling billingcountrycode"),
			"status":        tier("orderstatus status"), "refunded": tier("refundedtotal orderrefundamount totalrefunded"),
			"cancelled_at": nil, "test": nil,
			"coupon": tier("couponcode coupons"), "item_sku": tier("itemsku sku"), "item_name": tier("itemname"),
			"item_quantity": tier("itemquantity quantity"), "item_price": tier("itemprice itemcost"),
		},
		signs: []string{"order_id", "time", "amount", "status", "customer"},
		statuses: map[string]string{
			"processing": meansPaid, "completed": meansPaid, "refunded": meansRefunded,
			"pending": string(leftOutUnpaid), "pending_payment": string(leftOutUnpaid), "on_hold": string(leftOutUnpaid),
			"cancelled": string(leftOutCancelled), "failed": string(leftOutFailed),
			"trash": string(leftOutDraft), "draft": string(leftOutDraft), "checkout_draft": string(leftOutDraft), "auto_draft": string(leftOutDraft),
		},
	}
}

// analyticsExport recognises the download of WooCommerce > Analytics > Orders.
func analyticsExport(headings []string) bool {
	for _, sign := range tier("order nrevenueformatted customertype itemssold") {
		if !slices.ContainsFunc(headings, func(h string) bool { return plainHeading(h) == sign }) {
			return false
		}
	}
	return true
}

// locate finds the preset's columns among headings; -1: not there. What the
// user names goes before.
func (p *preset) locate(headings []string, named map[string]string) (positions map[string]int, problems []string) {
	positions = map[string]int{}
	for name, called := range p.columns {
		positions[name] = -1
		if column, ok := named[name]; ok {
			if column != NoColumn {
				i, problem := findHeading(headings, column)
				if problem != "" {
					problems = append(problems, fmt.Sprintf("--%s: %s", strings.ReplaceAll(name, "_", "-"), problem))
				}
				positions[name] = i
			}
			continue
		}
		for _, c := range called {
			i := slices.IndexFunc(headings, func(h string) bool { return plainHeading(h) == c })
			if i >= 0 {
				positions[name] = i
				break
			}
		}
	}
	slices.Sort(problems)
	return positions, problems
}

// recognised reports whether headings are those of the preset's export.
func (p *preset) recognised(headings []string) bool {
	positions, _ := p.locate(headings, nil)
	return !slices.ContainsFunc(p.signs, func(name string) bool { return positions[name] < 0 })
}

// choosePreset returns the preset that the user names, or else the one that the
// first file's headings show; nil for none.
func (r *run) choosePreset() (*preset, error) {
	o, headings := r.options, r.headings()
	if o.Kind != Orders || o.Select != "" || o.NoHeader || o.Preset == NoPreset {
		return nil, nil
	}
	parquet := slices.ContainsFunc(r.inputs, func(in *input) bool { return in.format == formatParquet })
	if o.Preset == "" && analyticsExport(headings) && len(o.Columns) == 0 {
		return nil, refuse("this is WooCommerce's Analytics export, which names customers but has no e-mail address, phone number or id of theirs: " +
			"export the orders with a plugin such as Advanced Order Export, or name the columns yourself")
	}
	for _, p := range presets() {
		if o.Preset == p.name || o.Preset == "" && !parquet && p.recognised(headings) {
			if parquet {
				return nil, refuse("the preset %s reads text files and workbooks, not Parquet: give a select instead", p.name)
			}
			return &p, nil
		}
	}
	return nil, nil
}

// PresetReport says how a shop's export was read.
type PresetReport struct {
	Name string `json:"name"`
	// Recognised: by the headings, not named by the user.
	Recognised bool `json:"recognised"`
	// Lines are the export's rows that could be read; Orders what they were of.
	Lines  int64 `json:"lines"`
	Orders int64 `json:"orders"`
	// LeftOut are the orders that do not count, by why.
	LeftOut []ReasonCount `json:"left_out,omitempty"`
}

var (
	//go:embed sql/preset.sql
	sqlPreset string
	//go:embed sql/preset_staged.sql
	sqlPresetStaged string
)

// loadPreset brings the orders of a shop's export into the staging table.
func (r *run) loadPreset(ctx context.Context, p *preset, bytes func(int)) error {
	o := r.options
	if o.KeyNamespace == identity.NamespaceCustomer {
		o.KeyNamespace = identity.NamespaceEmail // the customer column is the e-mail address
	}
	names := sortedKeys(p.columns)
	var problems []string
	for _, field := range sortedKeys(o.Columns) {
		if _, ok := p.columns[field]; !ok {
			problems = append(problems, fmt.Sprintf("--%s cannot be named beside the preset %s: say --preset none, and name all columns",
				strings.ReplaceAll(field, "_", "-"), p.name))
		}
	}
	if len(problems) > 0 {
		return &Refusal{Problems: problems}
	}
	if err := r.stage.createSheet(ctx, names, p.statuses); err != nil {
		return err
	}
	for i, in := range r.inputs {
		if in.format == "" {
			continue
		}
		where, problems := p.locate(in.headings, o.Columns)
		if r.mapping == nil && len(problems) == 0 {
			r.mapping, problems = p.mapping(o, where, in.headings)
		}
		if len(problems) > 0 {
			return in.named(&Refusal{Problems: problems})
		}
		positions := make([]int, len(names))
		for j, name := range names {
			positions[j] = where[name]
		}
		reject := func(at int64, why Reason) { r.rejections.reject(place{i, at}, why) }
		if err := r.stage.appendText(ctx, o, "sheet", int32(i), in, positions, reject, bytes); err != nil {
			return err
		}
	}
	r.preset = p
	return r.stagePreset(ctx)
}

// presetFields are the fields that a preset gives, and the columns they are of.
func presetFields() map[string]string {
	return map[string]string{
		"customer": "customer", "phone": "phone", "phone_country": "phone_country", "order_id": "order_id", "time": "time",
		"amount": "amount", "currency": "currency", "type": "status", "coupon": "coupon", "items": "item_name",
	}
}

// mapping is what the columns found give, or what is missing.
func (p *preset) mapping(o *Options, where map[string]int, headings []string) (*mapping, []string) {
	m := &mapping{}
	var problems []string
	fields := presetFields()
	for _, field := range sortedKeys(fields) {
		column := where[fields[field]]
		if field == "phone" && column < 0 {
			column = max(where["billing_phone"], where["shipping_phone"])
		}
		switch {
		case o.Values[field] != "":
			m.columns = append(m.columns, MappedField{Field: field, Value: o.Values[field]})
		case column >= 0:
			_, named := o.Columns[field]
			m.columns = append(m.columns, MappedField{Field: field, Column: headings[column], Guessed: !named})
		case slices.Contains(p.signs, fields[field]) && field != "items":
			problems = append(problems, fmt.Sprintf("the preset %s finds no column for %s among %s", p.name, field, listHeadings(headings)))
		}
	}
	m.sort(o.Kind)
	for i, h := range headings {
		used := false
		for _, at := range where {
			used = used || at == i
		}
		if !used {
			m.rest = append(m.rest, h)
		}
	}
	return m, problems
}

// createSheet makes the table of an export's rows, and the one of what its
// statuses mean.
func (s *stage) createSheet(ctx context.Context, columns []string, statuses map[string]string) error {
	var list strings.Builder
	for _, c := range columns {
		list.WriteString(", " + quoteName(c) + " varchar")
	}
	for _, statement := range []string{
		"create table sheet (file_no integer, at_line bigint" + list.String() + ")",
		"create table statuses (word varchar, meaning varchar)",
	} {
		if err := s.exec(ctx, statement); err != nil {
			return fmt.Errorf("create the tables of the preset: %w", err)
		}
	}
	for _, word := range sortedKeys(statuses) {
		if _, err := s.db.ExecContext(ctx, "insert into statuses values (?, ?)", word, statuses[word]); err != nil {
			return fmt.Errorf("write down the preset's statuses: %w", err)
		}
	}
	return nil
}

// linesInPart is about how many rows of an export are gathered into orders at a
// time. DuckDB keeps the texts of a group in memory.
const linesInPart = 100_000

// pickOrders makes the table picked of the rows of the sheet, which are counted,
// and drops those.
func (s *stage) pickOrders(ctx context.Context, lines *int64) error {
	if err := s.db.QueryRowContext(ctx, "select count(*) from sheet").Scan(lines); err != nil {
		return err
	}
	statements := []string{sqlPreset}
	parts := *lines/linesInPart + 1
	for part := range parts {
		into := "insert into picked"
		if part == 0 {
			into = "create table picked as"
		}
		statements = append(statements, fmt.Sprintf("%s from pick(%d, %d)", into, parts, part))
	}
	for _, statement := range append(statements, "drop macro table pick", "drop table sheet") {
		if err := s.exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// stagePreset makes orders and refunds of the sheet's rows.
func (r *run) stagePreset(ctx context.Context) error {
	if err := r.stage.pickOrders(ctx, &r.lines); err != nil {
		return fmt.Errorf("make orders of the export's rows: %w", err)
	}
	fields := r.mapping.columnFields()
	if err := r.stage.createStaged(ctx, fields); err != nil {
		return err
	}
	var list strings.Builder
	for _, f := range fields {
		list.WriteString(", " + quoteName(f))
	}
	if err := r.stage.exec(ctx, strings.Replace(sqlPresetStaged, "/* fields */", list.String(), 1)); err != nil {
		return fmt.Errorf("stage the export's orders: %w", err)
	}
	if err := r.stage.db.QueryRowContext(ctx, "select count(*) from picked").Scan(&r.orders); err != nil {
		return fmt.Errorf("count the export's orders: %w", err)
	}
	return r.judgePreset(ctx)
}

// judgePreset counts the orders that do not count, and why.
func (r *run) judgePreset(ctx context.Context) error {
	rows, err := r.stage.db.QueryContext(ctx, `
		select file_no, at_line, coalesce(left_out, ''), coalesce(wrong, '') from picked
		where left_out is not null or wrong is not null
		order by file_no, at_line`)
	if err != nil {
		return fmt.Errorf("list the orders left out: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var at place
		var leftOut, wrong Reason
		if err := rows.Scan(&at.file, &at.at, &leftOut, &wrong); err != nil {
			return fmt.Errorf("list the orders left out: %w", err)
		}
		if wrong != "" {
			r.rejections.reject(at, wrong)
		} else {
			count(r.rejections.leftOut, at, leftOut, 1)
		}
	}
	return rows.Err()
}
