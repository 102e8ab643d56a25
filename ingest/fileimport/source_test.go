package fileimport_test

import (
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/fileimport"
)

// duck runs SQL in a DuckDB of the test's own.
func duck(t *testing.T, query string) {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

func orders() fileimport.Options { return fileimport.Options{Kind: fileimport.Orders} }

func TestNDJSON(t *testing.T) {
	t.Parallel()
	o := orders()
	o.Columns = map[string]string{"customer": fileimport.NoColumn}
	got := mustRun(t, o, "orders.ndjson")
	wantRejected(t, got,
		"line 3: not valid JSON",
		"line 5: not a JSON object",
		"line 6: holds a NUL byte",
		"line 7: order id is empty",
		"line 8: not valid JSON",
	)
	first := data(t, got.events[0])
	if first["order_id"] != "12345678901234567890" || first["amount"] != "12.30" {
		t.Errorf("a number changed: %v", first)
	}
	if diff := cmp.Diff([]any{map[string]any{"sku": "A", "price": 12.30}}, first["items"]); diff != "" {
		t.Error(diff)
	}
	if got.events[0].Time.Format("15:04") != "08:00" || got.events[0].Subject != "email:ana@example.com" {
		t.Errorf("event %+v", got.events[0])
	}
	// A member that only a later record has is a heading too.
	if diff := cmp.Diff([]string{"customer", "later"}, got.Unused); diff != "" {
		t.Error(diff)
	}
}

func TestJSONOfOneValue(t *testing.T) {
	t.Parallel()
	got := mustRun(t, orders(), "orders.json")
	wantRejected(t, got, "record 3: not a JSON object")
	values := mustRun(t, orders(), "orders_values.json")
	if diff := cmp.Diff(got.events, values.events); diff != "" || got.Good != 2 {
		t.Errorf("an array and values one after another differ:\n%s", diff)
	}
	text := refusal(t, orders(), "broken.json")
	wantText(t, text, "not valid JSON behind record")
	if strings.Contains(text, "oops") || strings.Contains(text, "ana@") {
		t.Errorf("a value is quoted: %s", text)
	}
}

func TestJSONWithoutEndIsRefused(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "endless.json")
	if err := os.WriteFile(name, []byte(`[{"a":"`+strings.Repeat("x", 300_000)+`"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	o := orders()
	o.Limits.RecordBytes = 64 << 10
	wantText(t, refusal(t, o, name), "longer than 65536 bytes")
}

func TestParquet(t *testing.T) {
	t.Parallel()
	// The name is a pattern, and SQL: it has to be neither.
	name := filepath.Join(t.TempDir(), "o'; drop table staged; [x]*.parquet")
	other := filepath.Join(filepath.Dir(name), "o'; drop table staged; x1.parquet")
	duck(t, `copy (
		select 1 as order_id, 'c-1' as customer, timestamptz '2025-03-01 10:00:00+02' as "time", 12.30::decimal(10,2) as amount, 'EUR' as currency,
			[{sku: 'A', quantity: 2}] as items
		union all
		select 2, 'c-2', timestamptz '2025-03-02 10:00:00+00', 7.5, 'EUR', null
		union all
		select 3, 'c-3', null, 7.5, 'EUR', null
		order by 1
	) to '`+strings.ReplaceAll(name, "'", "''")+`'`)
	if err := os.WriteFile(other, []byte("not Parquet"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := mustRun(t, orders(), name)
	wantRejected(t, got, "row 3: time is empty")
	if got.events[0].ID != "order:orders:1" || got.events[0].Time.Format("15:04") != "08:00" {
		t.Errorf("event %+v", got.events[0])
	}
	if diff := cmp.Diff(map[string]any{
		"order_id": "1", "amount": "12.30", "currency": "EUR", "items": []any{map[string]any{"sku": "A", "quantity": 2.0}},
	}, data(t, got.events[0])); diff != "" {
		t.Error(diff)
	}

	broken := filepath.Join(t.TempDir(), "broken.parquet")
	if err := os.WriteFile(broken, []byte("PAR1 and then nothing that is Parquet"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantText(t, refusal(t, orders(), broken), "not a Parquet file that can be read")
}

func TestSeveralFilesHaveOneMapping(t *testing.T) {
	t.Parallel()
	// Columns stand in another order and under another delimiter.
	got := mustRun(t, orders(), "orders_comma.csv", "orders_bar.txt")
	if got.Good != 3 || got.Duplicates != 3 {
		t.Errorf("want 3 orders, each said twice, got %d and %d", got.Good, got.Duplicates)
	}
	wantText(t, refusal(t, usd(), "repeats.csv", "orders_comma.csv"), "orders_comma.csv", `no column is headed "customer", as another file has it`)

	// A member of a JSON file may be missing where it says nothing.
	more := filepath.Join(t.TempDir(), "more.json")
	if err := os.WriteFile(more, []byte(`[{"email":"eva@example.com","order_id":"J9","time":"2025-03-05","amount":1,"currency":"EUR","coupon":"X"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	got = mustRun(t, orders(), "orders.json", more)
	if got.Good != 3 || data(t, got.events[2])["coupon"] != "X" {
		t.Errorf("want 3 orders, the last with a coupon, got %d: %s", got.Good, got.events[2].Data)
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	plain, err := os.ReadFile(filepath.Join(folder, "orders_comma.csv"))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "orders.csv.gz")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := gzip.NewWriter(f)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	want := mustRun(t, orders(), "orders_comma.csv")
	got := mustRun(t, orders(), name)
	if diff := cmp.Diff(want.events, got.events); diff != "" {
		t.Error(diff)
	}

	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, whole[:len(whole)-20], 0o600); err != nil {
		t.Fatal(err)
	}
	wantText(t, refusal(t, orders(), name), "compressed, and broken or cut short")
}

func TestSelectSumsTheLinesOfAnOrder(t *testing.T) {
	t.Parallel()
	o := orders()
	o.Select = `select "order" as order_id, customer, date as time, currency,
		sum(price::decimal(18,4) * quantity::int) as amount, min(line) as line, any_value(filename) as filename
		from file group by all order by 1; -- one row an order`
	got := mustRun(t, o, "lines.csv")
	if diff := cmp.Diff([]string{"order:orders:L1", "order:orders:L2"}, ids(got.events)); diff != "" || got.Money[0].Amount != "46.25" {
		t.Error(diff, got.Money)
	}
}

func TestSelectReportsLines(t *testing.T) {
	t.Parallel()
	o := usd()
	o.Select = `select customer, date as time, amount, filename, line from file where customer <> 'c-4'`
	got := mustRun(t, o, "dates_forms.csv")
	if r := got.Examples[0]; r.Line != 12 || r.Unit != "line" || !strings.HasSuffix(r.File, "dates_forms.csv") {
		t.Errorf("first rejected row is %+v", r)
	}
	o.Select = `select customer, date as time, amount from file`
	got = mustRun(t, o, "dates_forms.csv")
	if r := got.Examples[0]; r.Line != 11 || r.Unit != "row" || r.File != "the select" {
		t.Errorf("first rejected row is %+v", r)
	}
}

func TestSelectOverSeveralFiles(t *testing.T) {
	t.Parallel()
	o := usd()
	o.Select = `select customer, date as time, amount, note as coupon, filename, line from file`
	got := mustRun(t, o, "repeats.csv", "repeats_reordered.csv")
	coupons := 0
	for _, e := range got.events {
		if data(t, e)["coupon"] == "n" {
			coupons++
		}
	}
	if got.Good != 10 || coupons != 5 {
		t.Errorf("want 10 rows, 5 of them with the second file's column, got %d and %d", got.Good, coupons)
	}

	dir := t.TempDir()
	duck(t, "copy (select 'c-1' as customer, date '2025-03-01' as day, 5::double as amount) to '"+dir+"/a.parquet';"+
		"copy (select 6 as amount, 'c-2' as customer, 'x' as line, date '2025-03-01' as day) to '"+dir+"/b.parquet'")
	o.Select = `select customer, day as time, amount, line_2 as coupon, line, filename from file`
	got = mustRun(t, o, filepath.Join(dir, "*.parquet"))
	if got.Good != 2 || data(t, got.events[1])["coupon"] != "x" {
		t.Errorf("Parquet by a select: %d good, %s", got.Good, got.events[1].Data)
	}
	wantText(t, refusal(t, o, filepath.Join(dir, "a.parquet"), "repeats.csv"), "not both at once")
}

func TestSelectMayOnlySelectFromTheNamedFiles(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret.csv")
	if err := os.WriteFile(secret, []byte("customer,time,amount\nsecret,2025-03-01,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	written := filepath.Join(t.TempDir(), "written.csv")
	for _, query := range []string{
		"select * from read_csv('" + secret + "')",
		"from '" + secret + "'",
		"select content as customer, '2025-03-01' as time, 1 as amount from read_text('/etc/hostname')",
		"select file as customer, '2025-03-01' as time, 1 as amount from glob('/*')",
		"copy (select 1) to '" + written + "'",
		"select 1 as customer; drop table file",
		"attach '" + written + "' as w",
		"install httpfs",
		"set enable_external_access = true",
		"insert into file values (1)",
		"pragma version",
		"select 1) ; copy (select 1) to '" + written + "'; select * from (select 1",
		"not SQL at all",
		"",
		";",
	} {
		o := usd()
		o.Select = query
		if query == "" {
			o.Select = " "
		}
		if _, err := run(t, o, "repeats.csv"); err == nil {
			t.Errorf("%s: no error", query)
		}
	}
	if _, err := os.Stat(written); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a select wrote a file: %v", err)
	}
}

func TestSelectIsChecked(t *testing.T) {
	t.Parallel()
	o := usd()
	o.Select = "select customer, date as time, amount, 1 as total from file"
	wantText(t, refusal(t, o, "repeats.csv"), `"total" is not a field of orders`, "coupon")
	o.Select = "select date as time, amount from file"
	wantText(t, refusal(t, o, "repeats.csv"), "says who a row is about")
	o.Select = "select customer, nowhere as time, amount from file"
	wantText(t, refusal(t, o, "repeats.csv"), "nowhere")
	o.Select = "select customer, date as time, amount::date::varchar as amount from file"
	text := refusal(t, o, "repeats.csv")
	wantText(t, text, "use try_cast")
	if strings.Contains(text, "9.9") {
		t.Errorf("a value is quoted: %s", text)
	}
	o.Columns = map[string]string{"time": "date"}
	wantText(t, refusal(t, o, "repeats.csv"), "leave the column options out")
}

func TestHugeField(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "huge.csv")
	text := "customer,date,amount,note\nc-1,2025-03-01,1.50," + strings.Repeat("x", 200_000) +
		"\nc-2,2025-03-01,2.50,\"" + strings.Repeat("a\n", 100_000) + "\"\nc-3,2025-03-01,3.50,short\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := mustRun(t, usd(), name); got.Good != 3 {
		t.Errorf("within the limit: %d good", got.Good)
	}
	o := usd()
	o.Limits.RecordBytes, o.Limits.Examples = 100_000, 2
	got := mustRun(t, o, name)
	wantRejected(t, got, "line 2: longer than a record may be", "line 3: a quote is opened and not closed")
	if got.Good != 1 || got.events[0].Subject != "external:customer:c-3" {
		t.Errorf("want the row behind them, got %d good", got.Good)
	}
}

func TestPublishingInBatches(t *testing.T) {
	t.Parallel()
	o := usd()
	o.Now = now
	o.Limits.BatchEvents = 2
	var sizes []int
	var phases []string
	o.Progress = func(p fileimport.Progress) {
		if len(phases) == 0 || phases[len(phases)-1] != p.Phase {
			phases = append(phases, p.Phase)
		}
	}
	report, err := fileimport.Run(t.Context(), []string{folder + "/repeats.csv"}, o, func(_ context.Context, events []event.Event) error {
		sizes = append(sizes, len(events))
		return nil
	})
	if err != nil || report.Published != 5 {
		t.Fatalf("published %v, %v", report, err)
	}
	if diff := cmp.Diff([]int{2, 2, 1}, sizes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"reading", "checking", "publishing"}, phases); diff != "" {
		t.Error(diff)
	}
}

func TestPublishingFails(t *testing.T) {
	t.Parallel()
	o := usd()
	o.Now = now
	o.Limits.BatchEvents = 2
	broken := errors.New("the broker is gone")
	calls := 0
	report, err := fileimport.Run(t.Context(), []string{folder + "/repeats.csv"}, o, func(context.Context, []event.Event) error {
		if calls++; calls == 2 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) || report == nil || report.Published != 2 || report.Events != 5 {
		t.Errorf("report %+v, error %v", report, err)
	}
}

func TestCancelledImportPublishesNoMore(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "many.csv")
	var text strings.Builder
	text.WriteString("customer,date,amount\n")
	for i := range 100_000 {
		fmt.Fprintf(&text, "c-%d,2025-03-01,%d.50\n", i, i%100)
	}
	if err := os.WriteFile(name, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, phase := range []string{"reading", "checking", "publishing"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("the user pressed Ctrl-C")
		o := usd()
		o.Now = now
		o.Limits.TempDir = t.TempDir()
		o.Progress = func(p fileimport.Progress) {
			if p.Phase == phase {
				cancel(stop)
			}
		}
		_, err := fileimport.Run(ctx, []string{name}, o, func(ctx context.Context, _ []event.Event) error { return context.Cause(ctx) })
		if err == nil {
			t.Errorf("%s: cancelled and no error", phase)
		}
		if left, _ := filepath.Glob(filepath.Join(o.Limits.TempDir, "*")); len(left) > 0 {
			t.Errorf("%s: left %v behind", phase, left)
		}
		cancel(nil)
	}
}
