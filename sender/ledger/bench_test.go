package ledger_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
)

// A million customers (a shop key, a phone and a BSUID each, opted in) and a
// plan to all of them: what each step takes, and the memory of the state.
// GOODHOUR_BENCH_CUSTOMERS sets another number.
func BenchmarkLedgerOfAMillion(b *testing.B) {
	customers := 1_000_000
	if text := os.Getenv("GOODHOUR_BENCH_CUSTOMERS"); text != "" {
		if _, err := fmt.Sscan(text, &customers); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		w := newWorld(b)
		empty := heapMB()
		took := func(unit string, do func()) {
			begin := time.Now()
			do()
			b.ReportMetric(time.Since(begin).Seconds(), unit)
		}
		took("s-load", func() { w.loadMillion(b, customers) })
		people := heapMB()
		b.ReportMetric(people-empty, "MB-people")
		p := w.millionPlan(customers)
		took("s-add-plan", func() {
			if err := w.db.AddPlan(b.Context(), p); err != nil {
				b.Fatal(err)
			}
		})
		id, hash := p.ID, p.Hash
		p = nil
		took("s-approve", func() {
			if err := w.db.Approve(b.Context(), id, hash, "bea", w.now); err != nil {
				b.Fatal(err)
			}
		})
		b.ReportMetric(heapMB()-people, "MB-plan")
		took("s-open", w.reopen)
		b.ReportMetric(heapMB()-empty, "MB-reopened")
		took("s-send-20000", func() { w.send(b, 20_000, 1000) })
		took("s-publish-50000", func() {
			for n := 0; n < 50_000; {
				out, err := w.db.Unpublished(b.Context(), 5000)
				if err != nil || len(out) == 0 {
					b.Fatal(len(out), err)
				}
				n += len(out)
				if err := w.db.MarkPublished(b.Context(), out[len(out)-1].Cursor); err != nil {
					b.Fatal(err)
				}
			}
		})
		took("s-cancel", func() {
			if err := w.db.Cancel(b.Context(), id, "bea", w.now); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func heapMB() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1e6
}

func (w *world) loadMillion(b *testing.B, customers int) {
	const batchSize = 50_000
	for from := 0; from < customers; from += batchSize {
		var batch event.Batch
		for n := from; n < min(from+batchSize, customers); n++ {
			var ids []identity.ID
			for _, i := range []identity.Identity{
				{Namespace: "external:shop", Value: fmt.Sprint(n)},
				{Namespace: identity.NamespacePhone, Value: phoneOf(n)},
				{Namespace: identity.NamespaceBSUID, Value: fmt.Sprintf("BR.%020d", n)},
			} {
				i.ID = w.keyer.ID(i.Namespace, i.Value)
				ids = append(ids, i.ID)
				batch.AddIdentity(i)
			}
			batch.AddLink(identity.NewLink(ids[0], ids[1]), event.Coordinates{})
			batch.AddLink(identity.NewLink(ids[1], ids[2]), event.Coordinates{})
			rows := batch.RowsOf(event.ConsentChanged)
			rows.Time = append(rows.Time, start.UnixMicro())
			rows.Identity = append(rows.Identity, ids[0])
			for name, value := range map[string]string{"category": "marketing", "state": "opted_in", "source": "import"} {
				rows.Columns[event.ConsentChanged.Spec().Column(name)].AppendText([]byte(value))
			}
		}
		if err := w.db.Load(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
	}
}

func (w *world) millionPlan(customers int) *plan.Plan {
	p := &plan.Plan{
		CampaignID: "all", Campaign: []byte("{}"), CreatedAt: w.now, Mode: plan.Sandbox,
		Template: plan.Template{Name: "hello", Language: "pt_BR"}, Messages: make([]plan.Message, customers),
	}
	for n := range p.Messages {
		p.Messages[n] = w.message(n)
		p.Messages[n].Priority = float64(n % 1000)
		p.Messages[n].Inputs = []byte(`{"mode":"sandbox","arm":"treatment","marketing_claims":0}`)
	}
	p.Seal()
	return p
}

// send sends n messages, as the sender does.
func (w *world) send(b *testing.B, n, group int) {
	for sent := 0; sent < n; {
		due, err := w.db.Due(b.Context(), w.now, group)
		if err != nil || len(due) == 0 {
			b.Fatal(len(due), err)
		}
		ids := make([]string, len(due))
		to := make([]identity.ID, len(due))
		claims := make([]ledger.Claim, len(due))
		settlements := make([]ledger.Settlement, len(due))
		for i := range due {
			m := &due[i]
			if facts := w.db.Facts(m, w.now); len(facts.Customer.OptedIn) == 0 {
				b.Fatal("a customer is not opted in")
			}
			ids[i], to[i] = m.ID, m.To
			claims[i] = ledger.Claim{MessageID: m.ID, AttemptID: w.db.NextAttempt(m.ID), At: w.now}
			settlements[i] = ledger.Settlement{MessageID: m.ID, AttemptID: claims[i].AttemptID, At: w.now, Outcome: ledger.Accepted}
		}
		parameters, err := w.db.Parameters(b.Context(), ids)
		if err != nil || len(parameters) != len(ids) {
			b.Fatal(len(parameters), err)
		}
		addresses, err := w.db.Addresses(b.Context(), to)
		if err != nil || len(addresses) != len(ids) {
			b.Fatal(len(addresses), err)
		}
		if err := w.db.Claim(b.Context(), claims); err != nil {
			b.Fatal(err)
		}
		for i := range due {
			if w.db.OptedOut(&due[i]) {
				b.Fatal("a customer is opted out")
			}
		}
		if err := w.db.Settle(b.Context(), settlements); err != nil {
			b.Fatal(err)
		}
		sent += len(due)
	}
}
