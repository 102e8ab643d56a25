package fileimport_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/fileimport"
	"github.com/goodhour/goodhour/ingest/identity"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

const folder = "../../testdata/import"

// outcome is what an import did.
type outcome struct {
	*fileimport.Report
	events []event.Event
}

// run imports files of testdata/import (or absolute ones).
func run(t *testing.T, o fileimport.Options, files ...string) (outcome, error) {
	t.Helper()
	for i, f := range files {
		if !filepath.IsAbs(f) {
			files[i] = filepath.Join(folder, f)
		}
	}
	if o.Now.IsZero() {
		o.Now = now
	}
	o.Limits.TempDir = t.TempDir()
	var got outcome
	var err error
	got.Report, err = fileimport.Run(t.Context(), files, o, func(_ context.Context, events []event.Event) error {
		got.events = append(got.events, events...)
		return nil
	})
	if left, _ := filepath.Glob(filepath.Join(o.Limits.TempDir, "*")); len(left) > 0 {
		t.Errorf("the import left %v behind", left)
	}
	return got, err
}

// mustRun is run for an import that works. It asks the codec about every event
// and checks the report's own sums.
func mustRun(t *testing.T, o fileimport.Options, files ...string) outcome {
	t.Helper()
	got, err := run(t, o, files...)
	if err != nil {
		t.Fatalf("import: %v", err)
	}
	if got.Rows != got.Good+got.Rejected+got.Duplicates {
		t.Errorf("rows do not add up: %d = %d good + %d rejected + %d duplicates", got.Rows, got.Good, got.Rejected, got.Duplicates)
	}
	if !o.DryRun && (got.Events != int64(len(got.events)) || got.Published != got.Events) {
		t.Errorf("report says %d events, %d published; there were %d", got.Events, got.Published, len(got.events))
	}
	batch := decode(t, got.events)
	if n := len(batch.DeadLetters); n > 0 {
		t.Errorf("%d events are dead letters, the first because %s", n, batch.DeadLetters[0].Reason)
	}
	return got
}

func decode(t *testing.T, events []event.Event) *event.Batch {
	t.Helper()
	keyer, err := identity.NewKeyer([]byte("a key for tests of 32 bytes at least"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := event.NewDecoder(keyer)
	batch := &event.Batch{}
	for i := range events {
		record, err := events[i].Record("goodhour.")
		if err != nil {
			t.Fatal(err)
		}
		record.Time = now
		decoder.Decode(&record, batch)
	}
	return batch
}

// refusal returns the text of an import's refusal.
func refusal(t *testing.T, o fileimport.Options, files ...string) string {
	t.Helper()
	got, err := run(t, o, files...)
	if _, refused := errors.AsType[*fileimport.Refusal](err); !refused {
		t.Fatalf("want a refusal, got error %v", err)
	}
	if len(got.events) > 0 || got.Report != nil {
		t.Errorf("refused, and still %d events and report %v", len(got.events), got.Report)
	}
	return err.Error()
}

func wantText(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}

// rejected lists the examples as "line: reason".
func (o outcome) rejected() []string {
	var list []string
	for _, e := range o.Examples {
		list = append(list, fmt.Sprintf("%s %d: %s", e.Unit, e.Line, e.Reason))
	}
	return list
}

func wantRejected(t *testing.T, got outcome, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got.rejected()); diff != "" {
		t.Errorf("rejected rows (-want +got):\n%s", diff)
	}
}

func ids(events []event.Event) []string {
	var list []string
	for _, e := range events {
		list = append(list, e.ID)
	}
	return list
}

func sortedIDs(events []event.Event) []string {
	list := ids(events)
	slices.Sort(list)
	return list
}

func data(t *testing.T, e event.Event) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(e.Data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// usd are options for orders whose file has no currency.
func usd() fileimport.Options {
	return fileimport.Options{Kind: fileimport.Orders, Values: map[string]string{"currency": "USD"}}
}

func TestEveryDialectGivesTheSameEvents(t *testing.T) {
	t.Parallel()
	want := mustRun(t, fileimport.Options{Kind: fileimport.Orders}, "orders_comma.csv").events
	if len(want) != 3 {
		t.Fatalf("want 3 events, got %d", len(want))
	}
	for _, name := range []string{
		"orders_tab.tsv", "orders_bar.txt", "orders_semicolon.csv", "orders_bom_crlf.csv", "orders_mac.csv", "orders_separator_line.csv",
	} {
		got := mustRun(t, fileimport.Options{Kind: fileimport.Orders}, name)
		if diff := cmp.Diff(want, got.events); diff != "" {
			t.Errorf("%s (-comma +this):\n%s", name, diff)
		}
	}
}

func TestOrderBecomesAnEvent(t *testing.T) {
	t.Parallel()
	got := mustRun(t, fileimport.Options{Kind: fileimport.Orders, Source: "shop-br"}, "orders_comma.csv")
	want := event.Event{
		ID: "order:shop-br:1001", Source: "import:shop-br", Kind: event.OrderCompleted, Subject: "external:customer:c-1",
		Time: time.Date(2025, 3, 1, 13, 15, 0, 0, time.UTC),
		Data: json.RawMessage(`{"phone":"+5511999990001","email":"ana@example.com","order_id":"1001","amount":"120.50","currency":"BRL"}`),
	}
	if diff := cmp.Diff(string(want.Data), string(got.events[0].Data)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, got.events[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if batch := decode(t, got.events); len(batch.Links) != 3*2 {
		t.Errorf("want each of 2 customers linked among key, phone and e-mail, got %d links", len(batch.Links))
	}
	if got.Reach != (fileimport.Reach{Customers: 2, WithPhone: 2, RowsWithKey: 3, RowsWithPhone: 3, RowsWithEmail: 3}) {
		t.Errorf("reach is %+v", got.Reach)
	}
	if !got.First.Equal(want.Time) || !got.Last.Equal(time.Date(2025, 4, 11, 12, 5, 30, 0, time.UTC)) {
		t.Errorf("span is %v to %v", got.First, got.Last)
	}
	if diff := cmp.Diff("1434.50", got.Money[0].Amount); diff != "" || got.Money[0].Median.String() != "120.50" {
		t.Errorf("money is %+v", got.Money[0])
	}
}

func TestGuessedColumnsAreShown(t *testing.T) {
	t.Parallel()
	got := mustRun(t, fileimport.Options{Kind: fileimport.Orders}, "orders_comma.csv")
	want := []fileimport.MappedField{
		{Field: "customer", Column: "customer_id", Guessed: true},
		{Field: "phone", Column: "phone", Guessed: true},
		{Field: "email", Column: "email", Guessed: true},
		{Field: "order_id", Column: "order_id", Guessed: true},
		{Field: "time", Column: "ordered_at", Guessed: true},
		{Field: "amount", Column: "total", Guessed: true},
		{Field: "currency", Column: "currency", Guessed: true},
	}
	if diff := cmp.Diff(want, got.Mapping); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestColumnsAlignedByBlanks(t *testing.T) {
	t.Parallel()
	o := usd()
	o.Columns = map[string]string{"customer": "customer_id", "time": "date", "amount": "dollar_value"}
	o.TimeFormat = "%Y%m%d"
	got := mustRun(t, o, "orders_blanks.txt")
	wantRejected(t, got, "line 6: fewer columns than headings")
	if got.Good != 3 || got.events[0].Subject != "external:customer:00001" {
		t.Errorf("want 3 orders, the first of 00001, got %d, %q", got.Good, got.events[0].Subject)
	}
	if diff := cmp.Diff([]string{"number_of_cds"}, got.Unused); diff != "" {
		t.Error(diff)
	}
}

func TestFileWithoutHeadings(t *testing.T) {
	t.Parallel()
	o := usd()
	o.NoHeader = true
	o.Columns = map[string]string{"customer": "column1", "time": "#2", "amount": "column3"}
	if got := mustRun(t, o, "orders_no_header.csv"); got.Good != 2 {
		t.Errorf("want both lines, got %d", got.Good)
	}
}

func TestBadRowsCostThemselvesOnly(t *testing.T) {
	t.Parallel()
	got := mustRun(t, usd(), "orders_quotes.csv")
	wantRejected(t, got,
		"line 5: text follows a closing quote",
		"line 7: fewer columns than headings",
		"line 10: more columns than headings",
	)
	var coupons []any
	for _, e := range got.events {
		coupons = append(coupons, data(t, e)["coupon"])
	}
	want := []any{`SPRING, "10" %`, "two\nlines", `5" screen`, nil, "last"}
	if diff := cmp.Diff(want, coupons); diff != "" {
		t.Errorf("coupons (-want +got):\n%s", diff)
	}
}

func TestQuoteThatIsNeverClosedCostsItsLine(t *testing.T) {
	t.Parallel()
	got := mustRun(t, usd(), "orders_unclosed.csv")
	wantRejected(t, got, "line 3: a quote is opened and not closed")
	if got.Good != 2 {
		t.Errorf("want 2 good rows, got %d", got.Good)
	}
}

func TestBackslashInQuotes(t *testing.T) {
	t.Parallel()
	got := mustRun(t, usd(), "orders_backslash.csv")
	if coupon := data(t, got.events[0])["coupon"]; coupon != `say "ten", please` {
		t.Errorf("coupon is %q", coupon)
	}
}

func TestNothingToImport(t *testing.T) {
	t.Parallel()
	wantText(t, refusal(t, usd(), "empty.csv"), "there is nothing in", "empty.csv")
	got := mustRun(t, usd(), "header_only.csv", "empty.csv")
	wantText(t, strings.Join(got.Warnings, "\n"), "headings and no rows", `empty.csv" is empty`)
	wantText(t, refusal(t, usd(), "no such file*"), "no file matches")
	wantText(t, refusal(t, usd(), folder), "is a folder")
	wantText(t, refusal(t, usd(), "workbook.csv"), "Excel workbook")
	wantText(t, refusal(t, usd(), "binary.csv"), "full of NUL bytes")
	if _, err := run(t, usd(), "missing.csv"); err == nil || !strings.Contains(err.Error(), "missing.csv") {
		t.Errorf("want an error that names the missing file, got %v", err)
	}
}

func TestOneColumn(t *testing.T) {
	t.Parallel()
	got := mustRun(t, fileimport.Options{
		Kind:   fileimport.Consents,
		Values: map[string]string{"time": "2025-03-01", "category": "marketing", "state": "opted_in"},
	}, "one_column.csv")
	wantRejected(t, got, "line 5: no usable identifier: none of customer, phone and email is understood")
	if got.Consents.OptedIn != 2 || got.events[1].Subject != "phone:+5511999990002" {
		t.Errorf("consents %+v, second of %s", got.Consents, got.events[1].Subject)
	}
}

func TestThreeHundredColumns(t *testing.T) {
	t.Parallel()
	if got := mustRun(t, usd(), "wide.csv"); got.Good != 1 || len(got.Unused) != 297 {
		t.Errorf("want 1 row and 297 other columns, got %d and %d", got.Good, len(got.Unused))
	}
	o := usd()
	o.Limits.Columns = 299
	wantText(t, refusal(t, o, "wide.csv"), "300 columns, the limit is 299")
}

func TestDuplicateHeadings(t *testing.T) {
	t.Parallel()
	wantText(t, refusal(t, usd(), "duplicate_headings.csv"), "--amount: #3 and #4 may each be meant")
	o := usd()
	o.Columns = map[string]string{"amount": "amount"}
	wantText(t, refusal(t, o, "duplicate_headings.csv"), `"amount" stands over 2 columns: say #3`)
	o.Columns = map[string]string{"amount": "#4"}
	if got := mustRun(t, o, "duplicate_headings.csv"); got.Money[0].Amount != "2.25" {
		t.Errorf("amount is %s", got.Money[0].Amount)
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	got := mustRun(t, usd(), "broken_utf8.csv")
	wantRejected(t, got, "line 3: not valid in the file's encoding: if that is another one, say --encoding")
	if got.Good != 2 {
		t.Errorf("want the other 2 rows, got %d", got.Good)
	}

	got = mustRun(t, fileimport.Options{Kind: fileimport.Customers}, "latin1.csv")
	wantRejected(t, got, "line 2: not valid in the file's encoding: if that is another one, say --encoding")
	got = mustRun(t, fileimport.Options{Kind: fileimport.Customers, Encoding: "latin1"}, "latin1.csv")
	if name := data(t, got.events[0])["name"]; name != "José Gonçalves" {
		t.Errorf("name is %q", name)
	}

	got = mustRun(t, fileimport.Options{Kind: fileimport.Orders}, "orders_utf16le.csv")
	if got.events[0].Subject != "external:customer:zoë" || got.Files[0].Encoding != "utf-16le" {
		t.Errorf("subject %q, encoding %q", got.events[0].Subject, got.Files[0].Encoding)
	}
	got = mustRun(t, fileimport.Options{Kind: fileimport.Orders, Encoding: "gb18030"}, "orders_gb18030.csv")
	if got.events[0].Subject != "external:customer:客户一" {
		t.Errorf("subject %q", got.events[0].Subject)
	}
	wantText(t, refusal(t, fileimport.Options{Kind: fileimport.Orders, Encoding: "klingon"}, "orders_comma.csv"), "no encoding")
}

func TestNULBytes(t *testing.T) {
	t.Parallel()
	got := mustRun(t, usd(), "nul.csv")
	wantRejected(t, got, "line 3: holds a NUL byte")
	if got.Good != 2 {
		t.Errorf("want 2 good rows, got %d", got.Good)
	}
}

func TestHostileTextIsText(t *testing.T) {
	t.Parallel()
	o := usd()
	o.Source = "x"
	got := mustRun(t, o, "formulas.csv")
	if got.events[0].Subject != "external:customer:=1+1" || data(t, got.events[0])["coupon"] != `=HYPERLINK("http://example.com","x")` {
		t.Errorf("formula changed: %s", got.events[0].Data)
	}
	o.Columns = map[string]string{"customer": `customer"; drop table staged; --`, "time": "#2", "coupon": `a"b`}
	got = mustRun(t, o, "injection.csv")
	if got.Good != 2 || got.events[0].Subject != "external:customer:'; drop table facts; --" {
		t.Errorf("injection: %d rows, subject %q", got.Good, got.events[0].Subject)
	}
	o.Source = "x'; drop table staged; --"
	wantText(t, refusal(t, o, "injection.csv"), "source's name")
}
