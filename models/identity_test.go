package models

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/identity"
)

var identityCustomersRelation = Relation{"staging", "identity_customers"}

// people are identities with random links, the same for a seed.
func people(seed uint64, n int) (members []identity.Identity, links, unlinks []identity.Link) {
	random := rand.New(rand.NewPCG(seed, 1))
	namespaces := []string{"phone", "bsuid", "email", "external:customer", "external:shop"}
	id := func() (id identity.ID) {
		for i := range id {
			id[i] = byte(random.Uint32())
		}
		return id
	}
	for range n {
		members = append(members, identity.Identity{ID: id(), Namespace: namespaces[random.IntN(len(namespaces))]})
	}
	one := func() identity.ID { return members[random.IntN(n)].ID }
	for range n / 2 {
		links = append(links, identity.NewLink(one(), one()))
	}
	for range n / 10 {
		unlinks = append(unlinks, links[random.IntN(len(links))])
	}
	// A link may name an identity that erasing took away, and may be stored twice.
	links = append(links, identity.NewLink(one(), id()), links[0])
	return members, links, unlinks
}

func giveIdentities(t *testing.T, conn *sql.Conn, members []identity.Identity, links, unlinks []identity.Link) {
	t.Helper()
	insert := func(statement string, n int, row func(i int) []any) {
		t.Helper()
		for i := range n {
			if _, err := conn.ExecContext(t.Context(), statement, row(i)...); err != nil {
				t.Fatal(err)
			}
		}
	}
	insert("insert into raw.identities values (?::varchar::uuid, ?, null)", len(members), func(i int) []any {
		return []any{members[i].ID.String(), members[i].Namespace}
	})
	const pair = " values (?::varchar::uuid, ?::varchar::uuid, 'customer', 0, 0, timestamp '2026-01-01')"
	insert("insert into raw.identity_links"+pair, len(links), func(i int) []any {
		return []any{links[i].A.String(), links[i].B.String()}
	})
	insert("insert into raw.identity_unlinks"+pair, len(unlinks), func(i int) []any {
		return []any{unlinks[i].A.String(), unlinks[i].B.String()}
	})
}

func TestIdentityCustomersAreTheComponents(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		conn := openConn(t)
		members, links, unlinks := people(seed, 200)
		giveIdentities(t, conn, members, links, unlinks)
		options := Options{AsOf: testAsOf, Now: testClock(), Select: []Relation{identityCustomersRelation}}
		if _, err := run(t.Context(), conn, options, shippedFolder(t)); err != nil {
			t.Fatal(err)
		}
		var ranked []identity.Member
		for _, m := range members {
			ranked = append(ranked, identity.Member{ID: m.ID, Rank: identity.RankOf(m.Namespace)})
		}
		want := make(map[string]string)
		for _, a := range identity.Components(ranked, links, unlinks) {
			want[a.Identity.String()] = a.Customer.String()
		}
		got := make(map[string]string)
		err := eachRow(t.Context(), conn, func(rows *sql.Rows) error {
			var id, customer string
			err := rows.Scan(&id, &customer)
			got[id] = customer
			return err
		}, "select identity_id::varchar, customer_id::varchar from staging.identity_customers")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("seed %d: %s", seed, diff)
		}
	}
}

// BenchmarkIdentityCustomers has one million identities, each linked to another.
func BenchmarkIdentityCustomers(b *testing.B) {
	const n = 1_000_000
	db, err := openSources(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	conn, err := db.Conn(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := conn.Close(); err != nil {
			b.Error(err)
		}
	})
	statement := fmt.Sprintf(`
insert into raw.identities
select md5(i::varchar)::uuid, case when i %% 2 = 0 then 'external:customer' else 'phone' end, null from range(%[1]d) as r(i);
insert into raw.identity_links
select least(a, b), greatest(a, b), 'customer', 0, i, timestamp '2026-01-01'
from (select i, md5((2 * i)::varchar)::uuid as a, md5((2 * i + 1)::varchar)::uuid as b from range(%[1]d // 2) as r(i))`, n)
	if _, err := conn.ExecContext(b.Context(), statement); err != nil {
		b.Fatal(err)
	}
	node := identityCustomersNode()
	started := time.Now()
	for b.Loop() {
		rows, err := buildNode(b.Context(), conn, node)
		if err != nil || rows != n {
			b.Fatal(rows, err)
		}
	}
	b.ReportMetric(float64(n*b.N)/time.Since(started).Seconds(), "identities/s")
}
