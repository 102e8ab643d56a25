package warehouse_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/warehouse"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

// named is a word of a system of record on a customer's name.
func named(source, id string, at int64, who identity.ID, name string) given {
	return given{
		kind: event.CustomerUpdated, source: source, id: id, at: at, identity: who,
		values: map[string]any{"name": name, "country": "BR"},
	}
}

func TestPersonalIsTheNewestValueOfAPerson(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	key, phone, newPhone, mail, other, alone := customer(1), customer(2), customer(3), customer(4), customer(5), customer(6)
	var b event.Batch
	appendEvents(
		t, &b,
		named("crm", "1", 5*minute, key, "Ana Lima"),
		named("crm", "2", 9*minute, phone, "Ana Souza"), // married since, told under the phone
		named("crm", "3", 11*minute, key, ""),           // says nothing
		named("shop", "1", 9*minute, key, "ana"),        // the same instant, a later source
		named("crm", "4", 20*minute, other, "Bob'); drop table pii.identifiers; --"),
	)
	b.Identities = []identity.Identity{
		{ID: key, Namespace: identity.NamespaceCustomer, Value: "1001"},
		{ID: phone, Namespace: identity.NamespacePhone, Value: "+5511999990001"},
		{ID: newPhone, Namespace: identity.NamespacePhone, Value: "+5511999990002"},
		{ID: mail, Namespace: identity.NamespaceEmail, Value: "ana@example.com"},
		{ID: other, Namespace: identity.NamespacePhone, Value: "+5511999990003"},
	}
	link := func(x, y identity.ID, at int64) {
		b.Links = append(b.Links, event.SeenLink{Link: identity.NewLink(x, y), Coordinates: event.Coordinates{ReceivedAt: at}})
	}
	link(key, newPhone, 8*minute)
	link(key, phone, 3*minute)
	link(key, mail, 3*minute)
	if err := db.Load(t.Context(), &b); err != nil {
		t.Fatal(err)
	}

	people := [][]identity.ID{{mail, newPhone, phone, key}, {alone}, {other}, nil, {customer(7), phone}}
	got, err := db.Personal(t.Context(), people, warehouse.PersonalFields())
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]string{
		{"name": "Ana Souza", "phone": "+5511999990002", "email": "ana@example.com"},
		{},
		{"name": "Bob'); drop table pii.identifiers; --", "phone": "+5511999990003"},
		{},
		{"name": "Ana Souza", "phone": "+5511999990001"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err = db.Personal(t.Context(), people[:1], []string{"name"}); err != nil || len(got[0]) != 1 {
		t.Errorf("only the name: %v, %v", got, err)
	}
	if got, err = db.Personal(t.Context(), nil, warehouse.PersonalFields()); err != nil || len(got) != 0 {
		t.Errorf("of nobody: %v, %v", got, err)
	}
	hostile := "name'; drop table pii.customer_updated; --"
	if _, err = db.Personal(t.Context(), people, []string{hostile}); err == nil || !strings.Contains(err.Error(), "no personal field") {
		t.Errorf("a field that is none: %v", err)
	}
}

// More people than go into one look-up keep their order.
func TestPersonalOfManyKeepsTheirOrder(t *testing.T) {
	t.Parallel()
	const n = 100_500
	db := warehousetest.New(t)
	var events []given
	people := make([][]identity.ID, n)
	for i := range people {
		people[i] = []identity.ID{customer(i)}
		if i%100 == 0 {
			events = append(events, named("crm", fmt.Sprint(i), int64(i), customer(i), fmt.Sprint("name ", i)))
		}
	}
	load(t, db, events...)
	got, err := db.Personal(t.Context(), people, []string{"name"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		want := ""
		if i%100 == 0 {
			want = fmt.Sprint("name ", i)
		}
		if got[i]["name"] != want {
			t.Fatalf("person %d is called %q, want %q", i, got[i]["name"], want)
		}
	}
}
