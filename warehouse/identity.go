package warehouse

import (
	"context"
	"fmt"
	"strings"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/warehouse/internal/bulk"
)

// knownLimit bounds how many identities, and how many links, a DB remembers as
// stored: at most twice this many, about 100 MB in all.
const knownLimit = 1 << 19

// known are identities and links that are surely stored. Most of a batch's are
// old acquaintances; without this memory each load would look for all of them
// in tables of millions. What is not in it may be stored or not. Whoever
// deletes from those tables must empty it.
type known struct {
	identities recent[identity.ID]
	links      recent[identity.Link]
}

// unseen is what of a batch's identities and links is not known to be stored.
type unseen struct {
	identities []identity.Identity
	links      []event.SeenLink
	unlinks    []event.SeenLink
}

func (k *known) unseen(batch *event.Batch) unseen {
	u := unseen{unlinks: batch.Unlinks}
	for _, id := range batch.Identities {
		if !k.identities.has(id.ID) {
			u.identities = append(u.identities, id)
		}
	}
	for _, link := range batch.Links {
		if !k.links.has(link.Link) {
			u.links = append(u.links, link)
		}
	}
	return u
}

// add is called after the commit.
func (k *known) add(u unseen) {
	for _, id := range u.identities {
		k.identities.add(id.ID)
	}
	for _, link := range u.links {
		k.links.add(link.Link)
	}
}

// recent is a set that forgets: when the young half is full, it becomes the old one.
type recent[K comparable] struct{ young, old map[K]struct{} }

func (r *recent[K]) has(key K) bool {
	if _, ok := r.young[key]; ok {
		return true
	}
	_, ok := r.old[key]
	if ok {
		r.add(key) // still in use
	}
	return ok
}

func (r *recent[K]) add(key K) {
	if r.young == nil || len(r.young) >= knownLimit {
		r.old, r.young = r.young, make(map[K]struct{})
	}
	r.young[key] = struct{}{}
}

const (
	insertIdentities = `
insert into raw.identities
select * from batch
where not exists (from raw.identities as stored where stored.identity_id = batch.identity_id)`
	insertIdentifiers = `
insert into pii.identifiers
select * from batch
where not exists (from pii.identifiers as stored where stored.identity_id = batch.identity_id)`
	insertLinks = `
insert into raw.identity_links
select * from batch
where not exists (
    from raw.identity_links as stored
    where stored.identity_a = batch.identity_a and stored.identity_b = batch.identity_b
)`
	insertUnlinks = `
insert into raw.identity_unlinks
select * from batch
where not exists (
    from raw.identity_unlinks as stored
    where stored.identity_a = batch.identity_a and stored.identity_b = batch.identity_b
)`
)

// loadIdentities inserts the identities, links and unlinks that are not stored.
func (db *DB) loadIdentities(ctx context.Context, topics []string, u unseen) error {
	if err := db.insertIdentities(ctx, u.identities); err != nil {
		return fmt.Errorf("insert %d identities: %w", len(u.identities), err)
	}
	if err := db.insertLinks(ctx, insertLinks, topics, u.links); err != nil {
		return fmt.Errorf("insert %d identity links: %w", len(u.links), err)
	}
	if err := db.insertLinks(ctx, insertUnlinks, topics, u.unlinks); err != nil {
		return fmt.Errorf("insert %d identity unlinks: %w", len(u.unlinks), err)
	}
	return nil
}

func (db *DB) insertIdentities(ctx context.Context, identities []identity.Identity) error {
	if len(identities) == 0 {
		return nil
	}
	var namespaces, keys, identifiers event.TextColumn
	ids := make([]identity.ID, len(identities))
	external := make([]bool, len(identities))
	all := make([]int32, len(identities))
	var personal []int32
	for i, id := range identities {
		ids[i], all[i] = id.ID, int32(i)
		namespaces.Append([]byte(id.Namespace))
		// Whatever is not the caller's own key is personal.
		external[i] = strings.HasPrefix(id.Namespace, identity.NamespaceExternal)
		if external[i] {
			keys.Append([]byte(id.Value))
			identifiers.Append(nil)
		} else {
			keys.Append(nil)
			identifiers.Append([]byte(id.Value))
			personal = append(personal, int32(i))
		}
	}

	var raw columns
	raw.add(bulk.UUID(ids))
	raw.text("namespace", namespaces.Bytes, namespaces.Ends, nil)
	raw.text("external_id", keys.Bytes, keys.Ends, external)
	if raw.err != nil {
		return raw.err
	}
	names := []string{"identity_id", "namespace", "external_id"}
	if err := db.conn.AppendQuery(ctx, insertIdentities, "batch", names, raw.list, all); err != nil {
		return err
	}
	if len(personal) == 0 {
		return nil
	}
	var pii columns
	pii.add(bulk.UUID(ids))
	pii.text("value", identifiers.Bytes, identifiers.Ends, nil)
	if pii.err != nil {
		return pii.err
	}
	return db.conn.AppendQuery(ctx, insertIdentifiers, "batch", []string{"identity_id", "value"}, pii.list, personal)
}

func (db *DB) insertLinks(ctx context.Context, insert string, topics []string, links []event.SeenLink) error {
	if len(links) == 0 {
		return nil
	}
	n := len(links)
	a, b := make([]identity.ID, n), make([]identity.ID, n)
	topic, partition := make([]uint16, n), make([]int32, n)
	offset, receivedAt := make([]int64, n), make([]int64, n)
	all := make([]int32, n)
	for i, link := range links {
		a[i], b[i], all[i] = link.A, link.B, int32(i)
		topic[i], partition[i] = link.Topic, link.Partition
		offset[i], receivedAt[i] = link.Offset, link.ReceivedAt
	}
	var c columns
	c.add(bulk.UUID(a))
	c.add(bulk.UUID(b))
	c.topics(topics, topic)
	c.add(bulk.Integer(partition, nil))
	c.add(bulk.BigInt(offset, nil))
	c.add(bulk.Microseconds(receivedAt, nil))
	if c.err != nil {
		return c.err
	}
	names := []string{"identity_a", "identity_b", "topic", "partition", "offset", "received_at"}
	return db.conn.AppendQuery(ctx, insert, "batch", names, c.list, all)
}
