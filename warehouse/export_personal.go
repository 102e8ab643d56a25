package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/warehouse/internal/stream"
)

// PersonalSource reads personal data, which no published file holds. A *DB is one.
type PersonalSource interface {
	// Personal returns the newest value of fields (see PersonalFields) of each
	// person, who is given as all of their identities, in the order of people.
	Personal(ctx context.Context, people [][]identity.ID, fields []string) ([]map[string]string, error)
}

// personalAtOnce is how many identities of an export go into one question.
const personalAtOnce = 20_000

const (
	createPersonal = `create table memory.main.personal (customer_id uuid, name varchar, phone varchar, email varchar)`

	insertPersonal = `
insert into memory.main.personal
select person.customer_id, person.name, person.phone, person.email
from (
    select unnest(from_json($1, '[{"customer_id": "UUID", "name": "VARCHAR", "phone": "VARCHAR", "email": "VARCHAR"}]')) as person
)`

	// Who is in the list, with all of their identities.
	selectPeople = `
select identities.customer_id::varchar as customer_id, string_agg(identities.identity_id::varchar, ',') as identities
from staging.identities
where identities.customer_id in (select people.customer_id from (
%s
) as people)
group by identities.customer_id`
)

// ExportPersonal is Export with the name, phone and email of each row's
// customer_id (a UUID; a select's must be one of its columns) as columns beside
// the source's own; what is not known is null. The rows have no order. While it
// runs, the personal data lie beside the file in the memory of the export
// alone, about 100 bytes a customer, within Limits.MemoryBytes and then
// Limits.TempBytes; no other query can see them, and they go with its end.
func (r *Reader) ExportPersonal(
	ctx context.Context, w io.Writer, format Format, source Source, options ExportOptions, personal PersonalSource,
) (int64, error) {
	return r.limitedExport(ctx, func(ctx context.Context) (int64, error) {
		p, err := r.plan(ctx, format, source)
		if err != nil {
			return 0, err
		}
		if !p.hasCustomers() {
			return 0, &QueryError{
				Kind: QuerySyntax, Message: "there is no column customer_id of type UUID to find personal data by",
				Hint: "export a relation of customers, such as marts.customers or an audience",
			}
		}
		s, err := r.exports.take(ctx)
		if err != nil {
			return 0, err
		}
		// The seat now knows personal data: it is never used again.
		defer r.exports.discard(s)
		if err := s.fillPersonal(ctx, p, source.Args, personal); err != nil {
			return 0, err
		}
		return s.export(ctx, w, format, p.withPersonal(), source.Args, options)
	})
}

func (p exportPlan) hasCustomers() bool {
	for _, column := range p.columns {
		if column.Name == "customer_id" && column.Type == "UUID" {
			return true
		}
	}
	return false
}

// withPersonal is the plan with the columns of memory.main.personal. The limit
// holds for the source's rows, of which the join keeps each once.
func (p exportPlan) withPersonal() exportPlan {
	p.sql = "select source.*, personal.name, personal.phone, personal.email\nfrom (\n" + p.sql + "\n) as source\n" +
		"left join memory.main.personal on personal.customer_id = source.customer_id"
	p.ordered = false
	p.columns = append(slices.Clip(p.columns),
		Column{Name: PersonalName, Type: "VARCHAR"}, Column{Name: PersonalPhone, Type: "VARCHAR"}, Column{Name: PersonalEmail, Type: "VARCHAR"})
	return p
}

// personalRow is a row of memory.main.personal on its way.
type personalRow struct {
	CustomerID string  `json:"customer_id"`
	Name       *string `json:"name"`
	Phone      *string `json:"phone"`
	Email      *string `json:"email"`
}

// fillPersonal asks for the personal data of everyone in the plan.
func (s *seat) fillPersonal(ctx context.Context, p exportPlan, args []any, personal PersonalSource) error {
	reading, writing := s.instance.Session(), s.instance.Session()
	defer reading.Close()
	defer writing.Close()
	if err := run(ctx, writing, createPersonal); err != nil {
		return err
	}
	found, err := reading.Query(ctx, fmt.Sprintf(selectPeople, p.sql), args...)
	if err != nil {
		return err
	}
	defer found.Close()
	var customers []string
	var people [][]identity.ID
	count := 0
	flush := func() error {
		if len(people) == 0 {
			return nil
		}
		known, err := personal.Personal(ctx, people, PersonalFields())
		if err != nil {
			return err
		}
		text, err := json.Marshal(personalRows(customers, known))
		if err != nil {
			return fmt.Errorf("encode personal data: %w", err)
		}
		customers, people, count = customers[:0], people[:0], 0
		return run(ctx, writing, insertPersonal, string(text))
	}
	for found.Next() {
		values := found.Values()
		ids, err := parseIDs(values[1].(string))
		if err != nil {
			return err
		}
		if count+len(ids) > personalAtOnce {
			if err := flush(); err != nil {
				return err
			}
		}
		customers, people, count = append(customers, values[0].(string)), append(people, ids), count+len(ids)
	}
	if err := found.Err(); err != nil {
		return err
	}
	return flush()
}

func personalRows(customers []string, known []map[string]string) []personalRow {
	rows := make([]personalRow, 0, len(customers))
	for i, values := range known {
		field := func(name string) *string {
			if value, ok := values[name]; ok {
				return &value
			}
			return nil
		}
		rows = append(rows, personalRow{customers[i], field(PersonalName), field(PersonalPhone), field(PersonalEmail)})
	}
	return rows
}

func parseIDs(list string) ([]identity.ID, error) {
	var ids []identity.ID
	for text := range strings.SplitSeq(list, ",") {
		id, err := identity.ParseID(text)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// run carries out one statement without rows.
func run(ctx context.Context, session *stream.Conn, statement string, args ...any) error {
	rows, err := session.Query(ctx, statement, args...)
	if err != nil {
		return err
	}
	rows.Close()
	return rows.Err()
}
