package fileimport_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/fileimport"
)

func location(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestImportingTwiceGivesTheSameEvents(t *testing.T) {
	t.Parallel()
	first := mustRun(t, usd(), "repeats.csv")
	second := mustRun(t, usd(), "repeats.csv")
	if diff := cmp.Diff(first.events, second.events); diff != "" {
		t.Error(diff)
	}
}

func TestRealRepeatsStay(t *testing.T) {
	t.Parallel()
	got := mustRun(t, usd(), "repeats.csv")
	if got.Good != 5 || got.Duplicates != 0 {
		t.Errorf("want 5 good rows, got %d and %d duplicates", got.Good, got.Duplicates)
	}
	ordinals := 0
	seen := map[string]bool{}
	for _, e := range got.events {
		if seen[e.ID] {
			t.Errorf("id %s twice", e.ID)
		}
		seen[e.ID] = true
		if e.Subject == "external:customer:c-1" && strings.HasPrefix(e.ID, "row:orders:") {
			ordinals++
		}
		if data(t, e)["order_id"] != e.ID {
			t.Errorf("an order without an id of its own has the event's, got %v", data(t, e)["order_id"])
		}
	}
	if ordinals != 3 {
		t.Errorf("want 3 repeats of c-1, got %d", ordinals)
	}
}

func TestIDsDoNotDependOnOrderDialectOrOtherColumns(t *testing.T) {
	t.Parallel()
	a := mustRun(t, usd(), "repeats.csv")
	b := mustRun(t, usd(), "repeats_reordered.csv")
	if diff := cmp.Diff(sortedIDs(a.events), sortedIDs(b.events)); diff != "" {
		t.Error(diff)
	}
	o := usd()
	o.Columns = map[string]string{"coupon": "note"}
	b = mustRun(t, o, "repeats_reordered.csv")
	if diff := cmp.Diff(sortedIDs(a.events), sortedIDs(b.events)); diff != "" {
		t.Errorf("one more column mapped made other orders of them:\n%s", diff)
	}
}

func TestOrdinalsRunOverAllFiles(t *testing.T) {
	t.Parallel()
	whole := mustRun(t, usd(), "repeats.csv", "repeats_reordered.csv")
	if whole.Good != 10 || len(sortedIDs(whole.events)) != 10 {
		t.Errorf("want 10 orders of two files, got %d", whole.Good)
	}
	seen := map[string]bool{}
	for _, id := range ids(whole.events) {
		if seen[id] {
			t.Errorf("id %s twice", id)
		}
		seen[id] = true
	}
	// The same file named twice, once by a pattern, is one file.
	twice := mustRun(t, usd(), "repeats.csv", "repeats.c*v", "../import/repeats.csv")
	if twice.Good != 5 {
		t.Errorf("want the 5 rows of one file, got %d", twice.Good)
	}
}

func TestAnOrderIDCountsOnce(t *testing.T) {
	t.Parallel()
	o := usd()
	o.Source = "shop"
	got := mustRun(t, o, "conflicts.csv")
	const why = "same id as an earlier row, other content: sum the lines of one order in a select; first at line 2"
	wantRejected(t, got, "line 4: "+why, "line 6: "+why)
	if got.Duplicates != 1 || got.Good != 2 {
		t.Errorf("want 1 duplicate and 2 good rows, got %d and %d", got.Duplicates, got.Good)
	}
	if diff := cmp.Diff([]string{"order:shop:K1", "order:shop:K2"}, ids(got.events)); diff != "" {
		t.Error(diff)
	}
	if got.Money[0].Amount != "30.00" {
		t.Errorf("revenue is %s", got.Money[0].Amount)
	}
	if got.Rejections[0].Rows != 2 {
		t.Errorf("rejections %+v", got.Rejections)
	}
}

func TestSourcesAreApart(t *testing.T) {
	t.Parallel()
	o := usd()
	a := mustRun(t, o, "repeats.csv")
	o.Source = "shop-br"
	b := mustRun(t, o, "repeats.csv")
	if a.events[0].Source != "import:orders" || b.events[0].Source != "import:shop-br" || a.events[0].ID == b.events[0].ID {
		t.Errorf("%s %s and %s %s", a.events[0].Source, a.events[0].ID, b.events[0].Source, b.events[0].ID)
	}
	// The id of an order stays what it is: users have it in their warehouses.
	if a.events[0].ID != "row:orders:"+goldenDigest+":1" {
		t.Errorf("the first row's id is %s", a.events[0].ID)
	}
}

// goldenDigest is that of an order of external:customer:c-1 on 2025-03-01 for
// USD 9.90: the first 128 bits of the SHA-256 over type, subject, time, order
// id, amount and currency, each behind its length (8 bytes, big endian).
const goldenDigest = "076fccb86a95e0711871806ac5a0382e"

func TestDryRunPublishesNothingAndMasks(t *testing.T) {
	t.Parallel()
	o := fileimport.Options{Kind: fileimport.Customers, PhoneRegion: "BR", DryRun: true}
	got := mustRun(t, o, "customers.csv")
	if len(got.events) != 0 || got.Published != 0 || got.Events != 3 || len(got.Samples) != 3 {
		t.Errorf("%d published, %d events, %d samples", len(got.events), got.Events, len(got.Samples))
	}
	var text strings.Builder
	if err := got.Write(&text); err != nil {
		t.Fatal(err)
	}
	wantText(t, text.String(), "would be published (dry run)", `"phone":"+55*********01"`, `"email":"a***@***.com"`, `"name":"[9 characters]"`,
		`email = "email" (guessed)`, "customers.csv line 5: no usable identifier")
	for _, secret := range []string{"Ana", "ana@", "99999", "Souza"} {
		if strings.Contains(text.String(), secret) {
			t.Errorf("%q is in the report:\n%s", secret, text.String())
		}
	}
}
