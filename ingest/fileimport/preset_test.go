package fileimport_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/fileimport"
)

// example is a file of the folder examples.
func example(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// reasonRows are counts by reason.
func reasonRows(counts []fileimport.ReasonCount) map[string]int64 {
	rows := map[string]int64{}
	for _, c := range counts {
		rows[string(c.Reason)] = c.Rows
	}
	return rows
}

func TestShopifyExport(t *testing.T) {
	t.Parallel()
	got := mustRun(t, orders(), example(t, "shopify_orders.csv"))
	p := got.Preset
	if p == nil || p.Name != "shopify" || !p.Recognised || p.Lines != 10 || p.Orders != 9 {
		t.Fatalf("preset %+v", p)
	}
	if diff := cmp.Diff(map[string]int64{"cancelled": 2, "not paid, or not in full": 1, "test order": 1}, reasonRows(p.LeftOut)); diff != "" {
		t.Error(diff)
	}
	eur := got.Money[0]
	if len(got.Money) != 2 || eur.Orders != 4 || eur.Amount != "162.40" || eur.Refunds != 2 || eur.Refunded != "35.00" ||
		got.Money[1].Currency != "USD" || got.Money[1].Amount != "30.00" {
		t.Errorf("money %+v", got.Money)
	}
	// National numbers are read by the country of the billing address.
	if got.Reach.Customers != 4 || got.Reach.WithPhone != 4 || got.Rejected != 0 {
		t.Errorf("reach %+v, %d rejected", got.Reach, got.Rejected)
	}
	first := data(t, got.events[0])
	if diff := cmp.Diff(map[string]any{
		"order_id": "#1001", "amount": "54.90", "currency": "EUR", "coupon": "SPRING", "phone": "+351912345678",
		"items": []any{
			map[string]any{"sku": "MUG-1", "name": "Mug", "quantity": 2.0, "price": 12.5},
			map[string]any{"sku": "PLT-2", "name": "Plate, blue", "quantity": 1.0, "price": 30.0},
		},
	}, first); diff != "" {
		t.Error(diff)
	}
	if e := got.events[0]; e.ID != "order:orders:#1001" || e.Subject != "email:ana@shop.example" || e.Time.Format("15:04:05") != "08:59:30" {
		t.Errorf("event %s of %s at %s", e.ID, e.Subject, e.Time)
	}
	if e := got.events[2]; e.ID != "refund:orders:#1002" || data(t, e)["amount"] != "20.00" {
		t.Errorf("refund %s: %s", e.ID, e.Data)
	}
	if got.events[5].Subject != got.events[0].Subject {
		t.Error("an address in capitals is another customer")
	}
}

func TestWooCommerceExport(t *testing.T) {
	t.Parallel()
	got := mustRun(t, orders(), example(t, "woocommerce_orders.csv"))
	p := got.Preset
	if p == nil || p.Name != "woocommerce" || p.Lines != 9 || p.Orders != 8 {
		t.Fatalf("preset %+v", p)
	}
	if diff := cmp.Diff(map[string]int64{"cancelled": 1, "not paid, or not in full": 1, "payment failed or expired": 1}, reasonRows(p.LeftOut)); diff != "" {
		t.Error(diff)
	}
	wantRejected(t, got, "line 10: the order's status is not one that the preset knows: give a select")
	gbp := got.Money[0]
	if gbp.Orders != 4 || gbp.Amount != "102.40" || gbp.Refunds != 2 || gbp.Refunded != "23.00" {
		t.Errorf("money %+v", gbp)
	}
	if got.Reach.Customers != 3 || got.Reach.WithPhone != 2 {
		t.Errorf("reach %+v, notes %+v", got.Reach, got.Notes)
	}
}

// Advanced Order Export's headings, which name no currency.
func TestWooCommercePluginHeadings(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "plugin.csv", "Order Number,Order Status,Order Date,First Name (Billing),Last Name (Billing),Email (Billing),Phone (Billing),"+
		"Country Code (Billing),Order Refund Amount,Order Total Amount,Item #,SKU,Item Name,Quantity,Item Cost,Coupon Code\n"+
		"9,Completed,2026-03-01 10:00,Ida,Berg,ida@shop.example,030 123456,DE,-5.00,19.90,1,A,Mug,1,9.90,\n"+
		"9,Completed,2026-03-01 10:00,Ida,Berg,ida@shop.example,030 123456,DE,-5.00,19.90,2,B,Cup,1,10.00,\n"+
		"10,Pending payment,2026-03-01 10:00,Ida,Berg,ida@shop.example,,DE,0,7.00,1,A,Mug,1,7.00,\n")
	wantText(t, refusal(t, orders(), file), "--value currency=")
	o := orders()
	o.Values = map[string]string{"currency": "EUR"}
	got := mustRun(t, o, file)
	if m := got.Money[0]; m.Orders != 1 || m.Amount != "19.90" || m.Refunded != "5.00" || got.Reach.WithPhone != 1 {
		t.Errorf("money %+v, reach %+v", m, got.Reach)
	}
	if diff := cmp.Diff(map[string]int64{"not paid, or not in full": 1}, reasonRows(got.Preset.LeftOut)); diff != "" {
		t.Error(diff)
	}
}

func TestAnalyticsExportIsRefused(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "analytics.csv", "Date,Order #,N. Revenue (formatted),Status,Customer,Customer type,Product(s),Items sold,Coupon(s),Net Sales,Attribution\n"+
		"2026-03-01 10:00:00,9,$19.90,completed,Ida Berg,new,1× Mug,1,,19.9,Direct\n")
	wantText(t, refusal(t, orders(), file), "WooCommerce's Analytics export", "no e-mail address")
}

// What a shop's export cannot say is rejected and not made up.
func TestPresetRejectsWhatContradicts(t *testing.T) {
	t.Parallel()
	const headings = "Name,Email,Financial Status,Currency,Total,Created at,Lineitem name,Lineitem quantity"
	file := writeFile(t, "odd.csv", headings+"\n"+
		"#1,a@shop.example,paid,EUR,10.00,2026-03-01,Mug,1\n"+
		"#1,a@shop.example,paid,EUR,11.00,2026-03-01,Cup,1\n"+
		"#2,b@shop.example,partially_refunded,EUR,10.00,2026-03-01,Mug,1\n"+
		"#3,c@shop.example,,,,,Mug,1\n"+
		"#4,d@shop.example,refunded,EUR,10.00,2026-03-01,Mug,1\n"+
		",e@shop.example,paid,EUR,10.00,2026-03-01,Mug,1\n"+
		"#6,f@shop.example,mystery,EUR,10.00,2026-03-01,Mug,1\n")
	got := mustRun(t, orders(), file)
	wantRejected(t, got,
		"line 2: the rows of one order differ in e-mail address, time, amount, currency, status or refund",
		"line 4: partly refunded, and the file does not say how much",
		"line 5: the order has no status: none of its rows says whether it was paid",
		"line 7: order id is empty",
		"line 8: the order's status is not one that the preset knows: give a select",
	)
	if m := got.Money[0]; m.Orders != 1 || m.Amount != "10.00" || m.Refunds != 1 || m.Refunded != "10.00" {
		t.Errorf("money %+v", m)
	}
}

// A later export that tells an order again changes nothing, and neither does
// one that tells of more money back: an order's refund counts once.
func TestPresetTwice(t *testing.T) {
	t.Parallel()
	name := example(t, "shopify_orders.csv")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	again := writeFile(t, "again.csv", string(text))
	got := mustRun(t, orders(), name, again)
	if got.Duplicates != 7 || got.Good != 7 || got.Money[0].Amount != "162.40" {
		t.Errorf("%d duplicates, %d good, %+v", got.Duplicates, got.Good, got.Money)
	}
	later := writeFile(t, "later.csv", strings.Replace(string(text), "Shopify Payments,20.00", "Shopify Payments,30.00", 1))
	got = mustRun(t, orders(), name, later)
	if got.Rejected != 1 || got.Money[0].Refunded != "35.00" {
		t.Errorf("%d rejected, %+v", got.Rejected, got.Money)
	}
}

// A large export is made into orders in parts: an order whose lines stand far
// apart is one all the same.
func TestPresetOverManyLines(t *testing.T) {
	t.Parallel()
	const n = 55_000
	var text strings.Builder
	text.WriteString("Name,Email,Financial Status,Currency,Total,Created at,Lineitem name,Lineitem quantity\n")
	for i := range n {
		fmt.Fprintf(&text, "#%d,c%d@shop.example,paid,EUR,2.50,2026-03-01,Mug,1\n", i, i%100)
	}
	for i := range n {
		fmt.Fprintf(&text, "#%d,c%d@shop.example,,,,,Cup,1\n", i, i%100)
	}
	got := mustRun(t, orders(), writeFile(t, "large.csv", text.String()))
	if p := got.Preset; p.Lines != 2*n || p.Orders != n || got.Good != n || got.Money[0].Amount != "137500.00" || got.Reach.Customers != 100 {
		t.Errorf("%+v, %d good, %+v, %+v", p, got.Good, got.Money, got.Reach)
	}
	if items, ok := data(t, got.events[n-1])["items"].([]any); !ok || len(items) != 2 {
		t.Errorf("items of the last order: %v", items)
	}
}

func TestPresetOptions(t *testing.T) {
	t.Parallel()
	name := example(t, "shopify_orders.csv")
	o := orders()
	o.Preset = "magento"
	wantText(t, refusal(t, o, name), `no preset "magento"`, "shopify, woocommerce")
	o.Preset = "woocommerce"
	wantText(t, refusal(t, o, name), "the preset woocommerce finds no column for amount")
	o.Preset = ""
	o.Columns = map[string]string{"email": "Email"}
	wantText(t, refusal(t, o, name), "--email cannot be named beside the preset shopify")
	// A column that the user names goes before the preset's.
	o.Columns = map[string]string{"order_id": "Id", "phone": fileimport.NoColumn}
	got := mustRun(t, o, name)
	if got.events[0].ID != "order:orders:7410991464714" {
		t.Errorf("event %s", got.events[0].ID)
	}
	// Without the preset an order's second line is a row without a time, and
	// #1008 has nobody.
	o = orders()
	o.Preset = fileimport.NoPreset
	o.Columns = map[string]string{"order_id": "Name", "time": "Created at", "phone": fileimport.NoColumn}
	if got := mustRun(t, o, name); got.Preset != nil || got.Rejected != 2 {
		t.Errorf("preset %+v, %d rejected", got.Preset, got.Rejected)
	}
}

// writeFile writes a file of the test's own.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
