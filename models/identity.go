package models

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/goodhour/goodhour/ingest/identity"
)

// identityCustomersNode is the graph's node that says which customer an
// identity belongs to. The rule is package identity's, the same that the ledger
// has, so it is not written again in SQL.
func identityCustomersNode() *Node {
	return &Node{
		Relation: Relation{"staging", "identity_customers"},
		File:     "identity.Components",
		Header: Header{
			Doc:      "The customer of each identity: the connected component of the links that no unlink voids.",
			Grain:    []string{"identity_id"},
			HasGrain: true,
			Columns: []Column{
				{"identity_id", "pseudonym of one identifier: a phone, a BSUID, an e-mail or a key of another system"},
				{"customer_id", "the component's first identity in the order external, phone, BSUID, e-mail, then by id"},
			},
		},
		Inputs:  []Relation{{"raw", "identities"}, {"raw", "identity_links"}, {"raw", "identity_unlinks"}},
		builder: identityCustomers{},
	}
}

type identityCustomers struct{}

// definition changes when the rule of identity.Components does.
func (identityCustomers) definition() string { return "identity.Components 1" }

// Only linked identities can belong to another's customer: the rest never
// leaves DuckDB.
const (
	linkedMembersSQL = `
select identity_id, min(namespace)
from raw.identities
where identity_id in (select identity_a from raw.identity_links union all select identity_b from raw.identity_links)
group by identity_id`

	linksSQL   = `select distinct identity_a, identity_b from raw.identity_links`
	unlinksSQL = `select distinct identity_a, identity_b from raw.identity_unlinks`

	createMergedSQL = `create or replace temp table merged_identities (identity_id uuid not null, customer_id uuid not null)`
	// The ids come as two texts of hexadecimal numbers: a list parameter is
	// bound value by value and takes five times as long.
	insertMergedSQL = `
insert into merged_identities
select unnest(string_split(?::varchar, ','))::uuid, unnest(string_split(?::varchar, ','))::uuid`
	dropMergedSQL = `drop table merged_identities`

	identityCustomersSQL = `
select known.identity_id, coalesce(merged_identities.customer_id, known.identity_id) as customer_id
from (
    select identity_id from raw.identities
    union
    select identity_a from raw.identity_links
    union
    select identity_b from raw.identity_links
) as known
left join merged_identities on merged_identities.identity_id = known.identity_id`
)

func (identityCustomers) build(ctx context.Context, db database, to Relation) error {
	var members []identity.Member
	err := eachRow(ctx, db, func(rows *sql.Rows) error {
		var id sql.RawBytes
		var namespace string
		if err := rows.Scan(&id, &namespace); err != nil {
			return err
		}
		members = append(members, identity.Member{ID: identity.ID(id), Rank: identity.RankOf(namespace)})
		return nil
	}, linkedMembersSQL)
	if err != nil {
		return fmt.Errorf("read the linked identities: %w", err)
	}
	links, err := readLinks(ctx, db, linksSQL)
	if err != nil {
		return fmt.Errorf("read the links: %w", err)
	}
	unlinks, err := readLinks(ctx, db, unlinksSQL)
	if err != nil {
		return fmt.Errorf("read the unlinks: %w", err)
	}
	if _, err := db.ExecContext(ctx, createMergedSQL); err != nil {
		return err
	}
	if err := insertMerged(ctx, db, identity.Components(members, links, unlinks)); err != nil {
		return fmt.Errorf("write the merged identities: %w", err)
	}
	if _, err := db.ExecContext(ctx, "create or replace table "+to.quoted()+" as"+identityCustomersSQL); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, dropMergedSQL)
	return err
}

func readLinks(ctx context.Context, db database, query string) ([]identity.Link, error) {
	var links []identity.Link
	err := eachRow(ctx, db, func(rows *sql.Rows) error {
		var a, b sql.RawBytes
		if err := rows.Scan(&a, &b); err != nil {
			return err
		}
		links = append(links, identity.Link{A: identity.ID(a), B: identity.ID(b)})
		return nil
	}, query)
	return links, err
}

// insertMerged writes the identities that another one names.
func insertMerged(ctx context.Context, db database, assignments []identity.Assignment) error {
	const rowsPerInsert = 100_000
	var identities, customers strings.Builder
	pending := 0
	flush := func() error {
		if pending == 0 {
			return nil
		}
		_, err := db.ExecContext(ctx, insertMergedSQL, identities.String(), customers.String())
		identities.Reset()
		customers.Reset()
		pending = 0
		return err
	}
	for _, a := range assignments {
		if a.Identity == a.Customer {
			continue
		}
		if pending > 0 {
			identities.WriteByte(',')
			customers.WriteByte(',')
		}
		writeHex(&identities, a.Identity)
		writeHex(&customers, a.Customer)
		if pending++; pending == rowsPerInsert {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

func writeHex(to *strings.Builder, id identity.ID) {
	var text [32]byte
	hex.Encode(text[:], id[:])
	to.Write(text[:])
}
