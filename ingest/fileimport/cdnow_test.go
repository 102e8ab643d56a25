//go:build cdnow

package fileimport_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/fileimport"
)

// CDNOW's orders, as the PyPI package lifetimes 0.11.3 carries them
// (datasets/CDNOW_master.txt). The file is not in the repository: GOODHOUR_CDNOW
// names it, or it lies in testdata/cdnow.
func TestCDNOW(t *testing.T) {
	name := os.Getenv("GOODHOUR_CDNOW")
	if name == "" {
		name = "../../testdata/cdnow/CDNOW_master.txt"
	}
	o := usd()
	o.Source = "cdnow"
	o.Columns = map[string]string{"customer": "customer_id", "time": "date", "amount": "dollar_value"}
	o.TimeFormat = "%Y%m%d"
	name, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	got, err := run(t, o, name)
	if err != nil {
		t.Fatal(err)
	}
	if got.Rows != 69_659 || got.Good != 69_659 || got.Published != 69_659 || len(got.events) != 69_659 {
		t.Errorf("want 69,659 rows and events, got %d, %d good, %d published", got.Rows, got.Good, got.Published)
	}
	want := fileimport.Reach{Customers: 23_570, KeyOnly: 23_570, RowsWithKey: 69_659}
	if diff := cmp.Diff(want, got.Reach); diff != "" {
		t.Error(diff)
	}
	if m := got.Money[0]; m.Amount != "2500315.63" || m.Currency != "USD" || m.Orders != 69_659 {
		t.Errorf("money is %+v", m)
	}
	if from, to := got.First.Format("2006-01-02"), got.Last.Format("2006-01-02"); from != "1997-01-01" || to != "1998-06-30" {
		t.Errorf("span is %s to %s", from, to)
	}
	seen := make(map[string]bool, len(got.events))
	days := map[string]bool{}
	for _, e := range got.events {
		if seen[e.ID] {
			t.Fatalf("id %s twice", e.ID)
		}
		seen[e.ID] = true
		days[e.Subject+e.Time.Format("2006-01-02")] = true
	}
	if len(days) != 67_591 {
		t.Errorf("want 67,591 customer-days, got %d", len(days))
	}
	again, err := run(t, o, name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ids(got.events), ids(again.events)); diff != "" {
		t.Error("a second import gives other ids")
	}
	if batch := decode(t, got.events); len(batch.DeadLetters) > 0 {
		t.Errorf("%d dead letters", len(batch.DeadLetters))
	}
}
