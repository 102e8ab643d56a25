package web

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/goodhour/goodhour/warehouse"
)

// row is a row of one of our own queries, whose columns are known: that one is
// missing, or of another type, is a fault that a test meets.
type row struct {
	columns []warehouse.Column
	values  []any
}

func (r row) value(column string) any {
	for i := range r.columns {
		if r.columns[i].Name == column {
			return r.values[i]
		}
	}
	panic("web: a query has no column " + column)
}

// text is a text, or "" for null.
func (r row) text(column string) string {
	s, _ := r.value(column).(string)
	return s
}

// number is any number; false for null.
func (r row) number(column string) (float64, bool) {
	switch v := r.value(column).(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}

// count is a whole number, 0 for null.
func (r row) count(column string) int64 {
	switch v := r.value(column).(type) {
	case int64:
		return v
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
	}
	return 0
}

func (r row) flag(column string) bool {
	b, _ := r.value(column).(bool)
	return b
}

// time is an instant, zero for null.
func (r row) time(column string) time.Time {
	t, _ := r.value(column).(time.Time)
	return t
}

// rows runs sql/<name>.sql.
func rows(ctx context.Context, reader *warehouse.Reader, name string, args ...any) ([]row, error) {
	sql, err := files.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(fmt.Sprintf("web: no query %q embedded", name)) // a test runs them all
	}
	table, err := reader.Table(ctx, string(sql), args...)
	if err != nil {
		return nil, fmt.Errorf("run the pages' query %s: %w", name, err)
	}
	out := make([]row, len(table.Rows))
	for i, values := range table.Rows {
		out[i] = row{table.Columns, values}
	}
	return out, nil
}

// rows runs sql/<name>.sql on the request's published file.
func (r *request) rows(name string, args ...any) ([]row, error) {
	return rows(r.Context(), r.reader, name, args...)
}

// has says whether the published file has a relation: one that a newer version
// or a larger model set brings may be missing.
func (r *request) has(relation string) bool {
	_, ok := r.reader.Relation(relation)
	return ok
}

// definitions returns what the models say of the columns of a relation, with
// the settings' values in place of their names.
func (r *request) definitions(schema, relation string) (map[string]string, error) {
	settings, err := r.settings()
	if err != nil {
		return nil, err
	}
	found, err := r.rows("column_definitions", schema, relation)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(found))
	for _, each := range found {
		out[each.text("name")] = settings.Replace(r.Known(each.text("definition")))
	}
	return out, nil
}

// settings puts the models' settings into texts that name them: mature_hours is
// "24 hours". Those whose name has no unit stay.
func (r *request) settings() (*strings.Replacer, error) {
	found, err := r.rows("settings")
	if err != nil || len(found) == 0 {
		return strings.NewReplacer(), err
	}
	var pairs []string
	for i, c := range found[0].columns {
		text, isNumber := shown(found[0].values[i])
		at := strings.LastIndexByte(c.Name, '_')
		if isNumber == "" || at < 0 {
			continue
		}
		var said string
		switch c.Name[at+1:] {
		case "minutes":
			said = r.T("%s minutes", text)
		case "hours":
			said = r.T("%s hours", text)
		case "days":
			said = r.T("%s days", text)
		case "messages":
			said = r.T("%s messages", text)
		default:
			continue
		}
		// "within heat_hot_days (7)" says the default beside it.
		pairs = append(pairs, c.Name+" ("+text+")", said, c.Name, said)
	}
	return strings.NewReplacer(pairs...), nil
}
