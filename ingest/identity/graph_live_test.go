package identity

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// checkLive compares a Graph with Components of the same sets.
func checkLive(t *rapid.T, g *Graph, members []Member, links, unlinks []Link) {
	t.Helper()
	want := Components(members, links, unlinks)
	sizes := map[ID]int{}
	for _, a := range want {
		sizes[a.Customer]++
	}
	for _, a := range want {
		n, known := g.Number(a.Identity)
		if !known {
			t.Fatalf("identity %s has no number", a.Identity)
		}
		if got := g.ID(g.Customer(n)); got != a.Customer {
			t.Fatalf("identity %s belongs to %s, want %s", a.Identity, got, a.Customer)
		}
		members := slices.Collect(g.Members(n))
		if len(members) != sizes[a.Customer] || members[0] != n {
			t.Fatalf("customer %s has the members %v, want %d of them", a.Customer, members, sizes[a.Customer])
		}
		for _, m := range members {
			if g.Customer(m) != g.Customer(n) {
				t.Fatalf("member %s of customer %s belongs to another", g.ID(m), a.Customer)
			}
		}
	}
}

// The components are those of Components after every step, in whatever order
// identities, links and unlinks come, repeated or not.
func TestGraphAgreesWithComponentsAtEveryStep(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		members, links, unlinks := genGraph(t)
		// A hub that is shared for a while: more than MaxPartners partners, some
		// of which an unlink takes away again.
		hub := idOf(1 << 40)
		for i := range rapid.IntRange(0, 2*MaxPartners+2).Draw(t, "partners of the hub") {
			partner := idOf(1<<41 + i)
			if rapid.Bool().Draw(t, "known partner") {
				members = append(members, Member{partner, Rank(i % 2)})
			}
			links = append(links, NewLink(hub, partner))
			if rapid.IntRange(0, 4).Draw(t, "unlinked") == 0 {
				unlinks = append(unlinks, NewLink(hub, partner))
			}
			if len(members) > 0 && rapid.IntRange(0, 3).Draw(t, "linked on") == 0 {
				links = append(links, NewLink(partner, rapid.SampledFrom(members).Draw(t, "to").ID))
			}
		}
		type step struct{ set, at int }
		var steps []step
		for set, n := range []int{len(members), len(links), len(unlinks)} {
			for at := range n {
				steps = append(steps, step{set, at})
			}
		}
		steps = rapid.Permutation(steps).Draw(t, "order")
		var g Graph
		var soFar struct {
			members        []Member
			links, unlinks []Link
		}
		ends := func(l Link) (a, b int32) {
			return g.Add(Member{l.A, RankUnknown}), g.Add(Member{l.B, RankUnknown})
		}
		for _, s := range steps {
			switch s.set {
			case 0:
				g.Add(members[s.at])
				soFar.members = append(soFar.members, members[s.at])
			case 1:
				g.Link(ends(links[s.at]))
				soFar.links = append(soFar.links, links[s.at])
			case 2:
				g.Unlink(ends(unlinks[s.at]))
				soFar.unlinks = append(soFar.unlinks, unlinks[s.at])
			}
			checkLive(t, &g, soFar.members, soFar.links, soFar.unlinks)
		}
	})
}

func TestGraphNumbersAreKept(t *testing.T) {
	t.Parallel()
	var g Graph
	for i := range 10_000 {
		if n := g.Add(Member{idOf(i * 7919), RankPhone}); n != int32(i) {
			t.Fatalf("identity %d has number %d", i, n)
		}
	}
	for i := range 10_000 {
		if n, known := g.Number(idOf(i * 7919)); !known || n != int32(i) {
			t.Fatalf("identity %d is found as %d, %v", i, n, known)
		}
	}
	if _, known := g.Number(idOf(3)); known || g.Len() != 10_000 {
		t.Error("an identity that was never added is known")
	}
}

// A placeholder that every order carries must not cost its links squared.
func TestGraphBearsAPlaceholder(t *testing.T) {
	t.Parallel()
	const strangers = 200_000
	var g Graph
	placeholder := g.Add(Member{idOf(1), RankEmail})
	for i := range strangers {
		g.Link(placeholder, g.Add(Member{idOf(10 + i), RankExternal}))
	}
	for n := range g.Members(placeholder) {
		if n != placeholder {
			t.Fatalf("the placeholder is one with number %d", n)
		}
	}
}
