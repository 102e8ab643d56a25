package campaign

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/warehouse"
)

// audienceMax bounds a plan.
const audienceMax = 2_000_000

// row is a customer of the audience, with what the plan freezes of them.
type row struct {
	customer       identity.ID
	score          float64
	heat           string
	deliveredSince bool // since the last engagement
	timeZone       string
	hour           hour
	columns        []string // in the order of audience.columns; "" for null
}

// audience is the list that a plan freezes.
type audience struct {
	// columns that parameters take, sorted.
	columns []string
	// rows, each customer once, in the order of ids.
	rows []row
}

//go:embed sql/audience.sql
var selectAudience string

//go:embed sql/baseline.sql
var selectBaseline string

// sendHours is where the models say each customer's hour.
const sendHours = "marts.customer_send_hours"

// readAudience reads the audience's rows. Without a deadline of the caller's, a
// query of it may take what any other may: sql.timeout of the configuration.
func readAudience(ctx context.Context, reader *warehouse.Reader, c *Campaign) (*audience, error) {
	from, err := source(ctx, reader, c.Audience)
	if err != nil {
		return nil, err
	}
	a := &audience{columns: c.columns()}
	listed, err := from.listed(a.columns)
	if err != nil {
		return nil, err
	}
	sql := "with listed as (\n" + listed + "\n),\nhours as (\n" + selectHours(reader) + "\n)\n" + selectAudience
	return a, a.read(ctx, reader, sql, c.Audience.SQL)
}

// selectHours reads the customers' hours; a file of an older version may have
// none, or no time zones with them.
func selectHours(reader *warehouse.Reader) string {
	relation, ok := reader.Relation(sendHours)
	if !ok {
		return "select null::uuid as customer_id, null as send_hour_local, null as hour_reason, null as propensity, null as time_zone where false"
	}
	if slices.ContainsFunc(relation.Columns, func(c warehouse.Column) bool { return c.Name == "time_zone" }) {
		return "select customer_id, send_hour_local, hour_reason, propensity, time_zone from " + sendHours
	}
	return "select customer_id, send_hour_local, hour_reason, propensity, null as time_zone from " + sendHours
}

// columns that the campaign's parameters take from the audience, sorted.
func (c *Campaign) columns() []string {
	names := map[string]bool{}
	for _, p := range c.Template.Parameters {
		if p.Column != "" {
			names[p.Column] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// listSource is what the audience is read from: SQL for a from clause, and the
// columns that it has.
type listSource struct {
	sql     string
	columns []warehouse.Column
}

// source finds the relation in the file's catalog, or asks DuckDB for the
// columns of the select. Nothing of a campaign gets into our SQL unless DuckDB's
// own parser has taken it for one select, or it is a name of the catalog.
func source(ctx context.Context, reader *warehouse.Reader, a Audience) (listSource, error) {
	if a.SQL == "" {
		relation, ok := reader.Relation(a.Relation)
		if !ok {
			return listSource{}, invalid("audience", "the published file has no relation %s: its audiences are %s", a.Relation, names(audiences(reader)))
		}
		return listSource{quote(relation.Schema) + "." + quote(relation.Name), relation.Columns}, nil
	}
	if err := checkOneSelect(ctx, reader, a.SQL); err != nil {
		return listSource{}, err
	}
	// A comment may end the select: the parenthesis is on a line of its own.
	sql := "(\n" + a.SQL + "\n)"
	asked := "select * from " + sql + " as audience limit 0"
	rows, err := reader.Query(ctx, asked)
	if err != nil {
		return listSource{}, explainQuery(err, asked, a.SQL)
	}
	defer rows.Close()
	return listSource{sql, rows.Columns()}, nil
}

// audiences are the names of the relations that are lists to send to.
func audiences(reader *warehouse.Reader) []string {
	var out []string
	for _, r := range reader.Relations() {
		if r.Schema == "audience" {
			out = append(out, r.Schema+"."+r.Name)
		}
	}
	return out
}

func checkOneSelect(ctx context.Context, reader *warehouse.Reader, sql string) error {
	if err := warehouse.CheckSQL(sql); err != nil {
		return explainQuery(err, sql, sql)
	}
	table, err := reader.Table(ctx, `
with parsed as (select json_serialize_sql($1::varchar)::json as tree)
select
    coalesce((tree ->> '$.error')::boolean, true) as is_wrong,
    tree ->> '$.error_message' as message,
    json_array_length(tree, '$.statements') as statements
from parsed`, sql)
	if err != nil {
		return explainQuery(err, "", "")
	}
	values := table.Rows[0]
	if wrong, _ := values[0].(bool); wrong {
		message, _ := values[1].(string)
		return invalid("audience.sql", "want one select: %s", message)
	}
	if fmt.Sprint(values[2]) != "1" || strings.HasSuffix(strings.TrimSpace(sql), ";") {
		return invalid("audience.sql", "want one select, without a semicolon")
	}
	return nil
}

// marker is DuckDB's pointer into a query: "LINE 2: select …", and a caret.
var marker = regexp.MustCompile(`(?s)\s*\n\s*LINE (\d+): .*$`)

// explainQuery makes a query's error the author's where it is. own is what the
// author wrote in it: the line that an error names is one of theirs, or none.
func explainQuery(err error, sql, own string) error {
	if query, ok := errors.AsType[*warehouse.QueryError](err); ok {
		switch query.Kind {
		case warehouse.QuerySyntax, warehouse.QueryRefused, warehouse.QueryMemory, warehouse.QueryDeadline:
			told := *query
			told.Message = marker.ReplaceAllStringFunc(query.Message, func(found string) string {
				return lineOf(marker.FindStringSubmatch(found)[1], sql, own)
			})
			return invalid("audience", "%v", &told)
		case warehouse.QueryBusy, warehouse.QueryCanceled, warehouse.QueryInternal:
		}
	}
	return fmt.Errorf("read the audience: %w", err)
}

// lineOf says which line of own a line of the query is; nothing if it is none.
func lineOf(line, sql, own string) string {
	before, _, ok := strings.Cut(sql, own)
	n, err := strconv.Atoi(line)
	n -= strings.Count(before, "\n")
	if own == "" || !ok || err != nil || n < 1 || n > strings.Count(own, "\n")+1 {
		return ""
	}
	return fmt.Sprintf(" (line %d of the select)", n)
}

// column finds a column by its name, as DuckDB does: whatever the case.
func (s *listSource) column(name string) (warehouse.Column, bool) {
	for _, c := range s.columns {
		if strings.EqualFold(c.Name, name) {
			return c, true
		}
	}
	return warehouse.Column{}, false
}

// numeric are DuckDB's types of numbers, a decimal's digits left out, and that
// of a null.
var numeric = []string{
	"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
	"FLOAT", "DOUBLE", "DECIMAL", "BIGNUM", `"NULL"`,
}

// score is SQL for the order in which customers are sent to. Texts that look
// like numbers are not taken: 9 would or would not come before 10.
func (s *listSource) score() (string, error) {
	column, ok := s.column("score")
	if !ok {
		return "null", nil
	}
	kind, _, _ := strings.Cut(column.Type, "(")
	if !slices.Contains(numeric, kind) || strings.HasSuffix(column.Type, "]") {
		return "", invalid("audience", "its column score is of the type %s: want a number, the higher the sooner, such as score::double, or leave it out", column.Type)
	}
	return "audience." + quote(column.Name), nil
}

// listed is a select of the customer, the score and the named columns as text.
func (s *listSource) listed(columns []string) (string, error) {
	id, ok := s.column("customer_id")
	if !ok {
		return "", invalid("audience", "it has no column customer_id")
	}
	score, err := s.score()
	if err != nil {
		return "", err
	}
	out := []string{"audience." + quote(id.Name) + " as customer_id", score + " as score"}
	var problems []Problem
	for i, name := range columns {
		found, ok := s.column(name)
		if !ok {
			problems = append(problems, Problem{Field: "template.parameters", Text: fmt.Sprintf("the audience has no column %q: it has %s", name, s.names())})
			continue
		}
		out = append(out, fmt.Sprintf("audience.%s::varchar as %s", quote(found.Name), quote(fmt.Sprint("parameter ", i))))
	}
	if len(problems) > 0 {
		return "", &InvalidError{Problems: problems}
	}
	return "select\n    " + strings.Join(out, ",\n    ") + "\nfrom " + s.sql + " as audience", nil
}

func (s *listSource) names() string {
	names := make([]string, len(s.columns))
	for i, c := range s.columns {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

// quote writes an identifier.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// fixedColumns come before the parameters' in audience.sql.
const fixedColumns = 8

// read runs the query on an audience; own is the part of it that its author
// wrote, if any.
func (a *audience) read(ctx context.Context, reader *warehouse.Reader, sql, own string) error {
	rows, err := reader.Query(ctx, sql)
	if err != nil {
		return explainQuery(err, sql, own)
	}
	defer rows.Close()
	texts := map[string]string{} // the same few stand in every row
	unknown := 0
	for rows.Next() {
		values := rows.Values()
		text, _ := values[0].(string)
		id, err := identity.ParseID(text)
		if err != nil {
			unknown++
			continue
		}
		if len(a.rows) == audienceMax {
			return invalid("audience", "it has over %d customers: send to fewer at a time", audienceMax)
		}
		a.rows = append(a.rows, a.row(id, values, texts))
	}
	if err := rows.Err(); err != nil {
		return explainQuery(err, sql, own)
	}
	if unknown > 0 {
		return invalid("audience", "%d of its rows have no customer_id of ours (a UUID): leave them out", unknown)
	}
	return a.order()
}

func (a *audience) row(id identity.ID, values []any, texts map[string]string) row {
	r := row{customer: id, heat: interned(texts, values[2]), timeZone: interned(texts, values[4]), hour: hour{defaultHour, reasonDefault, 1}}
	if score, ok := values[1].(float64); ok && !math.IsNaN(score) && !math.IsInf(score, 0) {
		r.score = score
	}
	r.deliveredSince, _ = values[3].(bool)
	if local, ok := values[5].(int64); ok && local >= 0 && local < 24 {
		r.hour.local = int(local)
		if reason := interned(texts, values[6]); reason != "" {
			r.hour.reason = reason
		}
		if p, ok := values[7].(float64); ok && p > 0 && p <= 1 {
			r.hour.propensity = p
		}
	}
	if len(a.columns) > 0 {
		r.columns = make([]string, len(a.columns))
		for i := range r.columns {
			r.columns[i], _ = values[fixedColumns+i].(string)
		}
	}
	return r
}

// interned gives one copy of a text that stands in many rows.
func interned(texts map[string]string, value any) string {
	text, _ := value.(string)
	if known, ok := texts[text]; ok {
		return known
	}
	text = strings.Clone(text)
	texts[text] = text
	return text
}

// order sorts the rows, and refuses an audience that is nobody, or that names a
// customer twice: which row's values would be sent?
func (a *audience) order() error {
	if len(a.rows) == 0 {
		return invalid("audience", "nobody is in it: look at it with goodhour sql, or publish as of another day (goodhour publish --as-of)")
	}
	slices.SortFunc(a.rows, func(x, y row) int { return x.customer.Compare(y.customer) })
	twice := 0
	for i := 1; i < len(a.rows); i++ {
		if a.rows[i].customer == a.rows[i-1].customer {
			twice++
		}
	}
	if twice > 0 {
		return invalid("audience", "%d of its %d rows name a customer who is in it already: give each customer once", twice, len(a.rows))
	}
	return nil
}

// readBaseline is the share of reachable customers who buy in a week anyway; 0
// if it cannot be told.
func readBaseline(ctx context.Context, reader *warehouse.Reader) (float64, error) {
	table, err := reader.Table(ctx, selectBaseline)
	if err != nil {
		return 0, fmt.Errorf("read the share of customers who buy without a message: %w", err)
	}
	share, _ := table.Rows[0][0].(float64)
	return share, nil
}
