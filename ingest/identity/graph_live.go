package identity

import (
	"encoding/binary"
	"iter"
)

// Graph is Components kept up to date: identities, links and unlinks come one
// by one, in any order, and after each the components are those that
// Components gives for all so far. It is for who must know the component of
// now, in memory.
//
// Identities have numbers, 0, 1, 2 and so on in the order of Add. A change
// costs about the size of the components that it touches. Memory is about 45
// bytes for an identity and 16 for a link. Reading is safe for concurrent use
// while nothing changes.
type Graph struct {
	index    numbers
	ids      []ID
	ranks    []Rank
	shared   []bool  // linked to more than MaxPartners of one rank
	customer []int32 // the best identity of the component
	ring     []int32 // the next of the component, around
	first    []int32 // half-edge of the node, noEdge if none
	degree   []int32
	halves   []halfEdge
	void     map[edge]struct{} // a < b
}

// halfEdge is a link as one of its ends sees it.
type halfEdge struct{ to, next int32 }

const noEdge = -1

// Len is how many identities there are.
func (g *Graph) Len() int { return len(g.ids) }

// Number returns the number of an id.
func (g *Graph) Number(id ID) (n int32, known bool) { return g.index.find(g.ids, id) }

// ID returns the id of a number.
func (g *Graph) ID(n int32) ID { return g.ids[n] }

// Rank returns the rank of a number's namespace.
func (g *Graph) Rank(n int32) Rank { return g.ranks[n] }

// Customer returns the number of the identity that names n's customer.
func (g *Graph) Customer(n int32) int32 { return g.customer[n] }

// Members returns the numbers of all identities of n's customer, n first.
func (g *Graph) Members(n int32) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for at := n; yield(at); {
			if at = g.ring[at]; at == n {
				return
			}
		}
	}
}

// Add adds an identity and returns its number, the old one if it is known. Of
// two ranks for one id the better counts.
func (g *Graph) Add(m Member) int32 {
	n, known := g.Number(m.ID)
	if known {
		if m.Rank < g.ranks[n] {
			g.setRank(n, m.Rank)
		}
		return n
	}
	n = int32(len(g.ids))
	g.ids = append(g.ids, m.ID)
	g.ranks = append(g.ranks, m.Rank)
	g.shared = append(g.shared, false)
	g.customer = append(g.customer, n)
	g.ring = append(g.ring, n)
	g.first = append(g.first, noEdge)
	g.degree = append(g.degree, 0)
	g.index.add(g.ids, n)
	return n
}

// Linked says whether there is a link between two identities, voided or not.
func (g *Graph) Linked(a, b int32) bool {
	if g.degree[b] < g.degree[a] {
		a, b = b, a
	}
	for partner := range g.partners(a) {
		if partner == b {
			return true
		}
	}
	return false
}

// Unlinked says whether an unlink voids the link between two identities.
func (g *Graph) Unlinked(a, b int32) bool {
	if len(g.void) == 0 {
		return false
	}
	_, void := g.void[edge{min(a, b), max(a, b)}]
	return void
}

// Link links two identities. A link that is known, or of one with itself, says
// nothing.
func (g *Graph) Link(a, b int32) {
	if a == b || g.Linked(a, b) {
		return
	}
	g.addHalf(a, b)
	g.addHalf(b, a)
	switch {
	case g.Unlinked(a, b):
	case g.reshare(a, b):
	case !g.shared[a] && !g.shared[b]:
		g.join(a, b)
	}
}

// Unlink voids the link between two identities, whether there is one yet or
// not.
func (g *Graph) Unlink(a, b int32) {
	if a == b || g.Unlinked(a, b) {
		return
	}
	if g.void == nil {
		g.void = make(map[edge]struct{})
	}
	g.void[edge{min(a, b), max(a, b)}] = struct{}{}
	if g.Linked(a, b) && !g.reshare(a, b) {
		g.rebuild(a, b)
	}
}

func (g *Graph) addHalf(from, to int32) {
	g.halves = append(g.halves, halfEdge{to: to, next: g.first[from]})
	g.first[from] = int32(len(g.halves) - 1)
	g.degree[from]++
}

// setRank makes a rank better. It may name the customer anew, and change which
// of the partners are shared.
func (g *Graph) setRank(n int32, rank Rank) {
	g.ranks[n] = rank
	touched := []int32{n}
	for partner := range g.partners(n) {
		touched = append(touched, partner)
	}
	if !g.reshare(touched...) {
		g.rebuild(n)
	}
}

// partners returns the other ends of a node's links, voided ones too.
func (g *Graph) partners(n int32) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for at := g.first[n]; at != noEdge; at = g.halves[at].next {
			if !yield(g.halves[at].to) {
				return
			}
		}
	}
}

// isShared counts a node's partners by rank. A shared node is not counted again
// when a link is added: it would stay shared, and may have very many.
func (g *Graph) isShared(n int32) bool {
	if g.degree[n] <= MaxPartners {
		return false
	}
	var count [RankUnknown + 1]int
	for partner := range g.partners(n) {
		if rank := min(g.ranks[partner], RankUnknown); !g.Unlinked(n, partner) {
			if count[rank]++; count[rank] > MaxPartners {
				return true
			}
		}
	}
	return false
}

// reshare looks again at which of the nodes are shared, and reports whether
// that changed; then the components are rebuilt where it makes a difference.
func (g *Graph) reshare(nodes ...int32) bool {
	touched := nodes
	changed := false
	for _, n := range nodes {
		if shared := g.isShared(n); shared != g.shared[n] {
			g.shared[n] = shared
			changed = true
			for partner := range g.partners(n) {
				touched = append(touched, partner)
			}
		}
	}
	if changed {
		g.rebuild(touched...)
	}
	return changed
}

// join makes one component of two. The one whose best identity loses is
// labelled anew.
func (g *Graph) join(a, b int32) {
	winner, loser := g.customer[a], g.customer[b]
	if winner == loser {
		return
	}
	if g.better(loser, winner) {
		winner, loser = loser, winner
	}
	for n := range g.Members(loser) {
		g.customer[n] = winner
	}
	g.ring[winner], g.ring[loser] = g.ring[loser], g.ring[winner]
}

// rebuild finds the components of the given nodes, and of all that were one
// with them, from the links.
func (g *Graph) rebuild(nodes ...int32) {
	const unseen = -1
	var members []int32
	for _, n := range nodes {
		if g.customer[n] != unseen {
			for member := range g.Members(n) {
				members = append(members, member)
				g.customer[member] = unseen
			}
		}
	}
	var component []int32
	for _, start := range members {
		if g.customer[start] != unseen {
			continue
		}
		best := start
		component = append(component[:0], start)
		g.customer[start] = start
		for i := 0; i < len(component); i++ {
			at := component[i]
			if g.better(at, best) {
				best = at
			}
			if g.shared[at] {
				continue
			}
			for next := range g.partners(at) {
				if g.customer[next] == unseen && !g.shared[next] && !g.Unlinked(at, next) {
					g.customer[next] = start
					component = append(component, next)
				}
			}
		}
		for i, n := range component {
			g.customer[n] = best
			g.ring[n] = component[(i+1)%len(component)]
		}
	}
}

// better orders nodes by rank, then by id.
func (g *Graph) better(a, b int32) bool {
	if g.ranks[a] != g.ranks[b] {
		return g.ranks[a] < g.ranks[b]
	}
	return g.ids[a].Less(g.ids[b])
}

// numbers finds the number of an id: a hash table of numbers only, open
// addressing, at most half full. Ids are hashes already.
type numbers struct {
	slots []int32 // 0 is free, else number + 1
	used  int
}

func (x *numbers) find(ids []ID, id ID) (int32, bool) {
	if x.used == 0 {
		return 0, false
	}
	mask := uint64(len(x.slots) - 1)
	for slot := hashOf(id) & mask; ; slot = (slot + 1) & mask {
		switch n := x.slots[slot] - 1; {
		case n < 0:
			return 0, false
		case ids[n] == id:
			return n, true
		}
	}
}

// add adds a number whose id is not in the table.
func (x *numbers) add(ids []ID, n int32) {
	if 2*(x.used+1) > len(x.slots) {
		old := x.slots
		x.slots = make([]int32, max(64, 2*len(old)))
		for _, stored := range old {
			if stored != 0 {
				x.place(ids, stored-1)
			}
		}
	}
	x.place(ids, n)
	x.used++
}

func (x *numbers) place(ids []ID, n int32) {
	mask := uint64(len(x.slots) - 1)
	slot := hashOf(ids[n]) & mask
	for x.slots[slot] != 0 {
		slot = (slot + 1) & mask
	}
	x.slots[slot] = n + 1
}

// hashOf takes both halves, so that ids which differ in a few bits only (in
// tests) are spread too.
func hashOf(id ID) uint64 {
	h := binary.LittleEndian.Uint64(id[:8]) ^ binary.LittleEndian.Uint64(id[8:])*0x9e3779b97f4a7c15
	h *= 0xff51afd7ed558ccd
	return h ^ h>>32
}
