package campaign

import (
	"errors"
	"fmt"
	"testing"

	"github.com/goodhour/goodhour/warehouse"
)

// A file that models without hours have published: everyone gets the default.
func TestWithoutHoursOfTheModelsItIsEleven(t *testing.T) {
	t.Parallel()
	people := population()[:3]
	f := func(change string) {
		t.Helper()
		w, err := newWorld(t.TempDir(), people, change)
		if err != nil {
			t.Fatal(err)
		}
		b := setupIn(t, w)
		t.Cleanup(func() {
			if err := w.close(); err != nil {
				t.Error(err)
			}
		})
		report := b.plan(everyone("hours", "plain", ""))
		if report.ToSend != report.Hours[11] || report.ToSend != report.HourReasons["default"] || report.ToSend == 0 {
			t.Errorf("%s: %d to send, hours %v, reasons %v", change, report.ToSend, report.Hours, report.HourReasons)
		}
	}
	f("drop table marts.customer_send_hours")
	f("alter table marts.customer_send_hours drop column time_zone; update marts.customer_send_hours set send_hour_local = 99")
}

func TestBeforeAnythingIsPublishedNothingIsPlanned(t *testing.T) {
	t.Parallel()
	b := setup(t)
	library, err := warehouse.OpenLibrary(t.Context(), t.TempDir(), warehouse.Limits{}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := library.Close(); err != nil {
			t.Error(err)
		}
	})
	b.config.Library = library
	id := b.create(everyone("early", "plain", ""))
	if _, err := b.Plan(t.Context(), id, "ana"); !errors.Is(err, warehouse.ErrNotPublished) {
		t.Error(err)
	}
}

// BenchmarkPlan plans and stores a campaign to 100,000 customers with a name, a
// column and their best hours.
func BenchmarkPlan(b *testing.B) {
	const n = 100_000
	people := make([]customer, n)
	for i := range people {
		people[i] = customer{
			key: fmt.Sprintf("c-%06d", i), phone: fmt.Sprintf("+55119%08d", 10_000_000+i), name: fmt.Sprint("Nome", i), zone: paulo,
			consent: []string{"opted_in"}, orderedAgo: 3 * day, amount: "10",
		}
	}
	w, err := newWorld(b.TempDir(), people, eveningPeople)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := w.close(); err != nil {
			b.Error(err)
		}
	})
	bench := setupIn(b, w)
	id := bench.create(offer("bench", name, "{column: code, missing: skip}", "select customer_id, heat_score as score, external_id as code from marts.customers"))
	c, err := bench.campaign(b.Context(), id)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("make", func(b *testing.B) {
		for b.Loop() {
			p, _, err := bench.make(b.Context(), c, "ana")
			if err != nil || len(p.Messages) != n {
				b.Fatal(len(p.Messages), err)
			}
		}
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "customers/s")
	})
	b.Run("store", func(b *testing.B) {
		p, _, err := bench.make(b.Context(), c, "ana")
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			p.Author += "a" // another plan
			p.Seal()
			if err := bench.ledger.AddPlan(b.Context(), p); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "customers/s")
	})
}
