package identity

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// idOf is a test id: n in its first bytes, so that ids sort as their numbers.
func idOf(n int) ID {
	var id ID
	binary.BigEndian.PutUint64(id[:8], uint64(n))
	return id
}

func customersOf(assignments []Assignment) map[ID]ID {
	out := make(map[ID]ID, len(assignments))
	for _, a := range assignments {
		out[a.Identity] = a.Customer
	}
	return out
}

func TestCustomerIsNamedByTheFirstIdentity(t *testing.T) {
	t.Parallel()
	const phone, shop, bsuid, mail, other, stray = 1, 9, 2, 3, 4, 5
	members := []Member{
		{idOf(phone), RankPhone},
		{idOf(shop), RankExternal},
		{idOf(bsuid), RankBSUID},
		{idOf(mail), RankEmail},
		{idOf(other), RankExternal},
	}
	f := func(name string, links, unlinks [][2]int, want map[int]int) {
		t.Helper()
		pairs := func(in [][2]int) (out []Link) {
			for _, p := range in {
				out = append(out, Link{idOf(p[0]), idOf(p[1])})
			}
			return out
		}
		got := customersOf(Components(members, pairs(links), pairs(unlinks)))
		if len(got) != len(want) {
			t.Errorf("%s: %d identities, want %d", name, len(got), len(want))
		}
		for identity, customer := range want {
			if got[idOf(identity)] != idOf(customer) {
				t.Errorf("%s: identity %d belongs to %s, want %d", name, identity, got[idOf(identity)], customer)
			}
		}
	}
	f("alone", nil, nil, map[int]int{1: 1, 9: 9, 2: 2, 3: 3, 4: 4})
	f("external before phone, whatever its id", [][2]int{{phone, shop}}, nil, map[int]int{1: 9, 9: 9, 2: 2, 3: 3, 4: 4})
	f("phone before bsuid before e-mail", [][2]int{{mail, bsuid}, {bsuid, phone}}, nil, map[int]int{1: 1, 9: 9, 2: 1, 3: 1, 4: 4})
	f("of two externals the smaller id", [][2]int{{shop, mail}, {mail, other}}, nil, map[int]int{1: 1, 9: 4, 2: 2, 3: 4, 4: 4})
	f("an unlink voids the direct edge", [][2]int{{phone, shop}}, [][2]int{{shop, phone}}, map[int]int{1: 1, 9: 9, 2: 2, 3: 3, 4: 4})
	f("not the way round it", [][2]int{{phone, shop}, {phone, mail}, {mail, shop}}, [][2]int{{phone, shop}}, map[int]int{1: 9, 9: 9, 2: 2, 3: 9, 4: 4})
	f("a link may name an unknown identity", [][2]int{{stray, mail}, {7, 8}}, nil, map[int]int{1: 1, 9: 9, 2: 2, 3: 3, 4: 4, 5: 3, 7: 7, 8: 7})
	f("a voided link still names its identities", [][2]int{{stray, mail}}, [][2]int{{mail, stray}}, map[int]int{1: 1, 9: 9, 2: 2, 3: 3, 4: 4, 5: 5})

	if got := Components(nil, nil, nil); len(got) != 0 {
		t.Errorf("nobody becomes %v", got)
	}
}

// genGraph draws a small world: few ids, so that links meet.
func genGraph(t *rapid.T) (members []Member, links, unlinks []Link) {
	id := rapid.Custom(func(t *rapid.T) ID {
		var id ID
		id[0] = rapid.Byte().Draw(t, "first byte")
		id[15] = rapid.ByteRange(0, 3).Draw(t, "last byte")
		return id
	})
	ids := rapid.SliceOfNDistinct(id, 1, 24, rapid.ID).Draw(t, "ids")
	for _, id := range ids {
		if rapid.IntRange(0, 5).Draw(t, "known") > 0 {
			members = append(members, Member{id, Rank(rapid.IntRange(0, 3).Draw(t, "rank"))})
		}
	}
	one := rapid.SampledFrom(ids)
	link := rapid.Custom(func(t *rapid.T) Link { return Link{one.Draw(t, "a"), one.Draw(t, "b")} })
	return members, rapid.SliceOfN(link, 0, 30).Draw(t, "links"), rapid.SliceOfN(link, 0, 8).Draw(t, "unlinks")
}

// The reference: walk the live links from every identity, take the best.
func componentsByWalking(members []Member, links, unlinks []Link) map[ID]ID {
	rank := map[ID]Rank{}
	for _, l := range links {
		rank[l.A], rank[l.B] = RankUnknown, RankUnknown
	}
	for _, m := range members {
		rank[m.ID] = m.Rank
	}
	next := map[ID][]ID{}
	for _, l := range links {
		if !slices.Contains(unlinks, l) && !slices.Contains(unlinks, Link{l.B, l.A}) {
			next[l.A], next[l.B] = append(next[l.A], l.B), append(next[l.B], l.A)
		}
	}
	out := map[ID]ID{}
	for start := range rank {
		seen := map[ID]bool{start: true}
		best := start
		for todo := []ID{start}; len(todo) > 0; todo = todo[1:] {
			at := todo[0]
			if rank[at] < rank[best] || rank[at] == rank[best] && at.Less(best) {
				best = at
			}
			for _, n := range next[at] {
				if !seen[n] {
					seen[n] = true
					todo = append(todo, n)
				}
			}
		}
		out[start] = best
	}
	return out
}

func TestComponentsAreAPureFunctionOfTheSets(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		members, links, unlinks := genGraph(t)
		got := Components(members, links, unlinks)
		if !slices.IsSortedFunc(got, func(a, b Assignment) int { return a.Identity.Compare(b.Identity) }) {
			t.Fatal("not in the order of ids")
		}
		want := componentsByWalking(members, links, unlinks)
		if len(got) != len(want) {
			t.Fatalf("%d identities, want %d", len(got), len(want))
		}
		for _, a := range got {
			if want[a.Identity] != a.Customer {
				t.Fatalf("%s belongs to %s, want %s", a.Identity, a.Customer, want[a.Identity])
			}
		}
		// Shuffled, repeated, turned round, with links of identities to themselves.
		members2 := rapid.Permutation(append(slices.Clone(members), members...)).Draw(t, "members again")
		links2 := slices.Clone(links)
		for _, l := range links {
			links2 = append(links2, Link{l.B, l.A}, Link{l.A, l.A})
		}
		links2 = rapid.Permutation(links2).Draw(t, "links again")
		unlinks2 := rapid.Permutation(append(slices.Clone(unlinks), unlinks...)).Draw(t, "unlinks again")
		if again := Components(members2, links2, unlinks2); !slices.Equal(got, again) {
			t.Fatalf("%v became %v", got, again)
		}
	})
}

func TestAnIdentifierOfManyLinksNobody(t *testing.T) {
	t.Parallel()
	// An e-mail address that one shop wrote on every guest's order: the guests
	// stay apart, and each keeps their phone. Up to MaxPartners it is a family's.
	const mail = 999
	f := func(guests int, wantCustomers int) {
		t.Helper()
		members := []Member{{idOf(mail), RankEmail}}
		var links []Link
		for i := range guests {
			key, phone := 2*i+1, 2*i+2
			members = append(members, Member{idOf(key), RankExternal}, Member{idOf(phone), RankPhone})
			links = append(links, Link{idOf(key), idOf(phone)}, Link{idOf(key), idOf(mail)}, Link{idOf(phone), idOf(mail)})
		}
		customers := make(map[ID]int)
		for _, a := range Components(members, links, nil) {
			customers[a.Customer]++
		}
		if len(customers) != wantCustomers {
			t.Errorf("%d guests with one address are %d customers, want %d", guests, len(customers), wantCustomers)
		}
	}
	f(MaxPartners, 1)
	f(MaxPartners+1, MaxPartners+2) // the address itself is one more
	f(60, 61)
}

func TestCustomerIDResolvesAfterAMerge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		members, links, _ := genGraph(t)
		for i := range links {
			before := Components(members, links[:i], nil)
			after := customersOf(Components(members, links, nil))
			for _, a := range before {
				if after[a.Customer] != after[a.Identity] {
					t.Fatalf("the old customer %s of %s is in another component now", a.Customer, a.Identity)
				}
			}
		}
	})
}

// BenchmarkComponents groups a million identities of 400,000 persons: a
// customer key, a phone and every second a BSUID, linked in pairs.
func BenchmarkComponents(b *testing.B) {
	const persons = 400_000
	random := rand.New(rand.NewPCG(1, 2))
	newID := func() ID {
		var id ID
		binary.BigEndian.PutUint64(id[:8], random.Uint64())
		binary.BigEndian.PutUint64(id[8:], random.Uint64())
		return id
	}
	var members []Member
	var links []Link
	for i := range persons {
		key, phone := newID(), newID()
		members = append(members, Member{key, RankExternal}, Member{phone, RankPhone})
		links = append(links, NewLink(key, phone))
		if i%2 == 0 {
			bsuid := newID()
			members = append(members, Member{bsuid, RankBSUID})
			links = append(links, NewLink(phone, bsuid), NewLink(key, bsuid))
		}
	}
	unlinks := slices.Clone(links[:100])
	b.ReportAllocs()
	for b.Loop() {
		if got := Components(members, links, unlinks); len(got) != len(members) {
			b.Fatal(len(got))
		}
	}
	b.ReportMetric(float64(len(members)), "identities")
	b.ReportMetric(float64(len(links)), "links")
}
