package identity

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Member is an identity as Components needs it.
type Member struct {
	ID   ID
	Rank Rank // of its namespace
}

// Assignment says which customer an identity belongs to.
type Assignment struct {
	Identity ID
	Customer ID
}

// Components groups identities into customers: the connected components of the
// links that no unlink voids. A customer's id is that of its first identity by
// rank, then by id. The result has one entry for each identity that is a member
// or named by a link, in the order of ids.
//
// It is a pure function of the three sets. Order, repetition and the direction
// of a link make no difference, nor does a link of an identity with itself; an
// unlink voids the direct link between its two identities only, whichever came
// first. An id that only links name counts as RankUnknown.
//
// An identity that is linked to more than MaxPartners others of one rank is
// nobody's own: the counter's e-mail address, a placeholder phone, the key of
// all guests. Its links are void, so that it does not melt strangers into one.
//
// Time is n log n; memory about 60 bytes for an identity and 8 for a link.
func Components(members []Member, links, unlinks []Link) []Assignment {
	g := newGraph(members)
	edges, unknown := g.resolve(links)
	if len(unknown) > 0 {
		g = newGraph(append(slices.Clone(members), unknown...))
		edges, _ = g.resolve(links)
	}
	void := make(map[Link]struct{}, len(unlinks))
	for _, l := range unlinks {
		void[NewLink(l.A, l.B)] = struct{}{}
	}
	kept := make([]edge, 0, len(edges))
	for i, l := range links {
		if _, voided := void[NewLink(l.A, l.B)]; !voided && edges[i].a != edges[i].b {
			kept = append(kept, edges[i])
		}
	}
	shared := g.shared(kept)
	for _, e := range kept {
		if !shared[e.a] && !shared[e.b] {
			g.join(e.a, e.b)
		}
	}
	out := make([]Assignment, len(g.nodes))
	for i := range g.nodes {
		out[i] = Assignment{Identity: g.nodes[i].ID, Customer: g.nodes[g.root(int32(i))].ID}
	}
	return out
}

// graph is a union-find over the members sorted by id. The root of a component
// is its best node, so that the root names the customer.
type graph struct {
	nodes  []Member
	parent []int32
	// starts[p] is the first node whose id begins with the bits p: ids are
	// hashes, so a prefix of log2(n) bits leaves one node or two to look at.
	starts []int32
	shift  int
}

func newGraph(members []Member) *graph {
	nodes := slices.Clone(members)
	slices.SortFunc(nodes, func(a, b Member) int {
		if c := a.ID.Compare(b.ID); c != 0 {
			return c
		}
		return int(a.Rank) - int(b.Rank)
	})
	nodes = slices.CompactFunc(nodes, func(a, b Member) bool { return a.ID == b.ID })

	prefixBits := bits.Len(uint(len(nodes)))
	g := &graph{
		nodes:  nodes,
		parent: make([]int32, len(nodes)),
		starts: make([]int32, 1<<prefixBits+1),
		shift:  64 - prefixBits,
	}
	next := 0
	for i := range nodes {
		g.parent[i] = int32(i)
		for p := g.prefix(nodes[i].ID); next <= p; next++ {
			g.starts[next] = int32(i)
		}
	}
	for ; next < len(g.starts); next++ {
		g.starts[next] = int32(len(nodes))
	}
	return g
}

func (g *graph) prefix(id ID) int { return int(binary.BigEndian.Uint64(id[:8]) >> g.shift) }

// lookup returns the position of an id.
func (g *graph) lookup(id ID) (int32, bool) {
	p := g.prefix(id)
	start, end := g.starts[p], g.starts[p+1]
	i, found := slices.BinarySearchFunc(g.nodes[start:end], id, func(m Member, id ID) int { return m.ID.Compare(id) })
	return start + int32(i), found
}

// edge is a link between positions.
type edge struct{ a, b int32 }

// resolve finds the ends of the links, and the ids that only links name.
func (g *graph) resolve(links []Link) (edges []edge, unknown []Member) {
	edges = make([]edge, len(links))
	for i, l := range links {
		a, foundA := g.lookup(l.A)
		b, foundB := g.lookup(l.B)
		edges[i] = edge{a, b}
		if !foundA {
			unknown = append(unknown, Member{ID: l.A, Rank: RankUnknown})
		}
		if !foundB {
			unknown = append(unknown, Member{ID: l.B, Rank: RankUnknown})
		}
	}
	return edges, unknown
}

// MaxPartners is how many identities of one rank one person is believed to
// have: phones, say, or keys in several systems. A household that shares a
// phone, or a person with a new number each year, stays below it.
const MaxPartners = 8

// shared says which nodes are linked to more than MaxPartners others of one rank.
func (g *graph) shared(edges []edge) []bool {
	// A node with few links cannot be, and nearly all have few.
	degree := make([]int32, len(g.nodes))
	for _, e := range edges {
		degree[e.a]++
		degree[e.b]++
	}
	partners := make(map[int32]map[int32]struct{})
	note := func(node, partner int32) {
		if degree[node] > MaxPartners {
			if partners[node] == nil {
				partners[node] = make(map[int32]struct{})
			}
			partners[node][partner] = struct{}{}
		}
	}
	for _, e := range edges {
		note(e.a, e.b)
		note(e.b, e.a)
	}
	out := make([]bool, len(g.nodes))
	for node, set := range partners {
		count := make(map[Rank]int)
		for partner := range set {
			rank := g.nodes[partner].Rank
			count[rank]++
			out[node] = out[node] || count[rank] > MaxPartners
		}
	}
	return out
}

// root returns the best node of i's component and halves the path to it.
func (g *graph) root(i int32) int32 {
	for g.parent[i] != i {
		g.parent[i] = g.parent[g.parent[i]]
		i = g.parent[i]
	}
	return i
}

func (g *graph) join(a, b int32) {
	a, b = g.root(a), g.root(b)
	if g.better(b, a) {
		a, b = b, a
	}
	g.parent[b] = a
}

// better orders nodes by rank, then by id; positions are in the order of ids.
func (g *graph) better(a, b int32) bool {
	if g.nodes[a].Rank != g.nodes[b].Rank {
		return g.nodes[a].Rank < g.nodes[b].Rank
	}
	return a < b
}
