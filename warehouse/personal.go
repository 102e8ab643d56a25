package warehouse

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goodhour/goodhour/ingest/identity"
)

// The fields that Personal knows.
const (
	PersonalName  = "name"
	PersonalPhone = "phone" // E.164
	PersonalEmail = "email" // in lower case
)

// PersonalFields lists them.
func PersonalFields() []string { return []string{PersonalName, PersonalPhone, PersonalEmail} }

// identitiesAtOnce bounds one look-up: its identities go to DuckDB as a text of
// 4 MB, and each one reads the tables of personal data once.
const identitiesAtOnce = 100_000

// The identities asked for, and the number of the person that each belongs to.
const selectAsked = `
with asked as (
    select
        unnest(string_split($1, ','))::uuid as identity_id,
        unnest(string_split($2, ','))::integer as person
)`

const (
	// Of names at one instant that of the smallest source and id, as the models
	// do with what else a system of record says. An empty one says nothing.
	selectNames = selectAsked + `
select
    asked.person,
    first(
        customer_updated.name
        order by customer_updated.ce_time desc, customer_updated.ce_source asc, customer_updated.ce_id asc
    ) as value
from asked
inner join pii.customer_updated
    on customer_updated.identity_id = asked.identity_id
where customer_updated.name <> ''
group by asked.person`

	// Identifiers have no time of their own. The newest is the one that was
	// linked to the person last; of equals the smallest id.
	selectIdentifiers = selectAsked + `,
links as (
    select identity_links.identity_a as identity_id, identity_links.received_at
    from raw.identity_links
    union all
    select identity_links.identity_b, identity_links.received_at
    from raw.identity_links
),
linked as (
    select asked.identity_id, max(links.received_at) as linked_at
    from asked
    inner join links
        on links.identity_id = asked.identity_id
    group by asked.identity_id
)
select
    asked.person,
    first(
        identifiers.value
        order by linked.linked_at desc nulls last, asked.identity_id asc
    ) as value
from asked
inner join raw.identities
    on identities.identity_id = asked.identity_id and identities.namespace = $3
inner join pii.identifiers
    on identifiers.identity_id = asked.identity_id
left join linked
    on linked.identity_id = asked.identity_id
group by asked.person`
)

// Personal returns the newest value of fields (see PersonalFields) of each
// person, who is given as all of their identities. The result has the length
// and order of people; what is not known is left out.
func (db *DB) Personal(ctx context.Context, people [][]identity.ID, fields []string) ([]map[string]string, error) {
	for _, field := range fields {
		if !slices.Contains(PersonalFields(), field) {
			return nil, fmt.Errorf("no personal field %q: there are %s", field, strings.Join(PersonalFields(), ", "))
		}
	}
	out := make([]map[string]string, len(people))
	for i := range out {
		out[i] = make(map[string]string, len(fields))
	}
	err := db.View(ctx, func(conn *sql.Conn) error {
		for start := 0; start < len(people); {
			asked, end := askFor(people, start)
			for _, field := range fields {
				if err := asked.read(ctx, conn, field, out); err != nil {
					return fmt.Errorf("read the field %s of %d people: %w", field, end-start, err)
				}
			}
			start = end
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// asked is one look-up: identities and the places of their people, as texts.
type asked struct{ identities, people string }

// askFor takes people from start on until there are identitiesAtOnce.
func askFor(people [][]identity.ID, start int) (asked, int) {
	const idChars = 37
	var identities, places strings.Builder
	count, end := 0, start
	for ; end < len(people) && (end == start || count+len(people[end]) <= identitiesAtOnce); end++ {
		count += len(people[end])
	}
	identities.Grow(count * idChars)
	for i := start; i < end; i++ {
		for _, id := range people[i] {
			if identities.Len() > 0 {
				identities.WriteByte(',')
				places.WriteByte(',')
			}
			identities.WriteString(id.String())
			places.WriteString(strconv.Itoa(i))
		}
	}
	return asked{identities.String(), places.String()}, end
}

// read puts the values of one field into out.
func (a asked) read(ctx context.Context, conn *sql.Conn, field string, out []map[string]string) error {
	if a.identities == "" {
		return nil
	}
	query, args := selectNames, []any{a.identities, a.people}
	switch field {
	case PersonalPhone:
		query, args = selectIdentifiers, append(args, identity.NamespacePhone)
	case PersonalEmail:
		query, args = selectIdentifiers, append(args, identity.NamespaceEmail)
	}
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var person int
		var value string
		if err := rows.Scan(&person, &value); err != nil {
			return err
		}
		out[person][field] = value
	}
	return rows.Err()
}
