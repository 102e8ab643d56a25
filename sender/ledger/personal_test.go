package ledger_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
)

// Phones, names, message text and keys lie in the two tables of schema pii and
// in no other column of no other table.
func TestPersonalDataIsInTwoTables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer(1)
	w.load(
		w.happened(1, phone(1), event.CustomerUpdatedData{Person: event.Person{Email: "ana@example.com", BSUID: "BR.13491208655302741918"}, Name: "Ana Secret"}),
		w.said(2, 1, "STOP"), w.said(3, 1, "my secret is Ana 1"), w.said(4, 1, "START"),
		w.happened(5, phone(1), event.ConsentChangedData{Category: "utility", State: "opted_in", Source: "form", Evidence: "signed by Ana 1"}),
	)
	p := w.plan("spring", w.message(1))
	w.claim(p.Messages[0].ID)
	w.settle(p.Messages[0].ID, ledger.Accepted)
	w.load(w.statusEvent(6, 1, &p.Messages[0], ledger.Delivered))
	secrets := []string{phoneOf(1)[1:], "ana@example.com", "13491208655302741918", "Ana 1", "Ana Secret", "my secret"}
	found := map[string]string{}
	for table, text := range w.tables() {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				found[secret] += table + " "
			}
		}
	}
	for secret, want := range map[string]string{
		phoneOf(1)[1:]: "pii.identifiers ", "ana@example.com": "pii.identifiers ", "13491208655302741918": "pii.identifiers ",
		"Ana 1": "pii.parameters ", "Ana Secret": "", "my secret": "",
	} {
		if found[secret] != want {
			t.Errorf("a secret is in %q, want %q", found[secret], want)
		}
	}
}

// tables is the text of every table's rows, read by another process's means.
func (w *world) tables() map[string]string {
	w.t.Helper()
	if err := w.db.Close(); err != nil {
		w.t.Fatal(err)
	}
	defer w.open()
	db, err := sql.Open("duckdb", w.path+"?access_mode=read_only")
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	names, err := db.QueryContext(w.t.Context(), "select schema_name || '.' || table_name from duckdb_tables()")
	if err != nil {
		w.t.Fatal(err)
	}
	defer names.Close()
	out := map[string]string{}
	for names.Next() {
		var name string
		if err := names.Scan(&name); err != nil {
			w.t.Fatal(err)
		}
		var text sql.NullString
		if err := db.QueryRowContext(w.t.Context(), "select string_agg(t::varchar, ' ') from "+name+" as t").Scan(&text); err != nil {
			w.t.Fatal(err)
		}
		out[name] = text.String
	}
	if len(out) < 15 || names.Err() != nil {
		w.t.Fatalf("%d tables were read, %v", len(out), names.Err())
	}
	return out
}

func TestParametersAreDroppedAfterSettlement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 3 {
		w.customer(n)
	}
	p := w.plan("spring", w.message(0), w.message(1), w.message(2))
	ids := []string{p.Messages[0].ID, p.Messages[1].ID, p.Messages[2].ID}
	w.claim(ids[0])
	w.settle(ids[0], ledger.Accepted)
	w.claim(ids[1])
	w.settle(ids[1], ledger.Refused) // waits again
	settled := w.now
	if n, err := w.db.DropParameters(t.Context(), settled); n != 0 || err != nil {
		t.Errorf("%d were dropped too soon, %v", n, err)
	}
	for _, want := range []int{1, 0} {
		if n, err := w.db.DropParameters(t.Context(), settled.Add(time.Second)); n != want || err != nil {
			t.Errorf("%d were dropped, want %d, %v", n, want, err)
		}
	}
	left, err := w.db.Parameters(t.Context(), append(ids, "no message"))
	if err != nil || len(left) != 2 || left[ids[0]] != nil {
		t.Errorf("the parameters left are %v, %v", left, err)
	}
	if text := fmt.Sprint(w.tables()["pii.parameters"]); strings.Contains(text, "Ana 0") || !strings.Contains(text, "Ana 1") {
		t.Error("the table has other parameters")
	}
	if w.stateOf(&p.Messages[0]) != plan.Accepted {
		t.Error("dropping parameters changed a message")
	}
}
