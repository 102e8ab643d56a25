package ledger

import (
	"database/sql/driver"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/goodhour/goodhour/ingest/identity"
)

// newcomers are identities that a write adds: their numbers are those that they
// get when it is committed.
type newcomers struct {
	people *people
	fresh  map[identity.ID]int32
	list   []newcomer
}

type newcomer struct {
	number    int32
	id        identity.ID
	namespace string // empty: only named
	value     string
}

func (s *state) newcomers() *newcomers {
	return &newcomers{people: &s.people, fresh: make(map[identity.ID]int32)}
}

// number returns an identity's number, a new one if it is not known.
func (c *newcomers) number(id identity.ID) int32 {
	if n, known := c.find(id); known {
		return n
	}
	return c.add(newcomer{id: id})
}

func (c *newcomers) find(id identity.ID) (int32, bool) {
	if n, known := c.people.graph.Number(id); known {
		return n, true
	}
	n, known := c.fresh[id]
	return n, known
}

// see notes an identity with its value. One that was only named so far becomes
// known.
func (c *newcomers) see(i identity.Identity) {
	rank := identity.RankOf(i.Namespace)
	n, known := c.people.graph.Number(i.ID)
	switch {
	case !known:
		c.add(newcomer{id: i.ID, namespace: i.Namespace, value: i.Value})
	case c.people.graph.Rank(n) == identity.RankUnknown && rank != identity.RankUnknown:
		c.list = append(c.list, newcomer{number: n, id: i.ID, namespace: i.Namespace, value: i.Value})
	}
}

func (c *newcomers) add(one newcomer) int32 {
	one.number = int32(c.people.graph.Len() + len(c.fresh))
	c.fresh[one.id] = one.number
	c.list = append(c.list, one)
	return one.number
}

// isNew says whether a number is not committed yet.
func (c *newcomers) isNew(n int32) bool { return int(n) >= c.people.graph.Len() }

func (c *newcomers) write(tx *transaction) error {
	if err := appendAll(tx, schemaMain, "identities", c.list, func(one *newcomer) []driver.Value {
		return []driver.Value{one.number, duckdb.UUID(one.id), orNull(one.namespace)}
	}); err != nil {
		return err
	}
	var known []newcomer
	for _, one := range c.list {
		if one.namespace != "" {
			known = append(known, one)
		}
	}
	return appendAll(tx, schemaPII, "identifiers", known, func(one *newcomer) []driver.Value {
		return []driver.Value{one.number, one.namespace, one.value}
	})
}

func (c *newcomers) apply(p *people) {
	for _, one := range c.list {
		p.add(memberOf(one.id, one.namespace))
	}
}

// memberOf is an identity for the graph; an empty namespace is not known.
func memberOf(id identity.ID, namespace string) identity.Member {
	return identity.Member{ID: id, Rank: identity.RankOf(namespace)}
}
