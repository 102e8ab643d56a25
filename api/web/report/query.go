package report

import (
	"fmt"
	"time"

	"github.com/goodhour/goodhour/warehouse"
)

// row of one of our own queries, which cast what they select: that a column is
// missing, or of another type, is a fault that a test meets. Null is the zero value.
type row struct {
	columns []warehouse.Column
	values  []any
}

func value[T any](r row, column string) (out T) {
	for i := range r.columns {
		if r.columns[i].Name == column {
			if r.values[i] == nil {
				return out
			}
			var ok bool
			if out, ok = r.values[i].(T); !ok {
				panic(fmt.Sprintf("report: column %s is a %T", column, r.values[i]))
			}
			return out
		}
	}
	panic("report: a query has no column " + column)
}

func (r row) text(column string) string    { return value[string](r, column) }
func (r row) whole(column string) int64    { return value[int64](r, column) }
func (r row) number(column string) float64 { return value[float64](r, column) }
func (r row) time(column string) time.Time { return value[time.Time](r, column) }
func (r row) flag(column string) bool      { return value[bool](r, column) }

// rows runs sql/<name>.sql on the published file.
func (m *maker) rows(name string, args ...any) ([]row, error) {
	sql, err := files.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(fmt.Sprintf("report: no query %q embedded", name)) // a test runs them all
	}
	found, err := m.reader.Table(m.context, string(sql), args...)
	if err != nil {
		return nil, fmt.Errorf("run the report's query %s: %w", name, err)
	}
	out := make([]row, len(found.Rows))
	for i, values := range found.Rows {
		out[i] = row{found.Columns, values}
	}
	return out, nil
}
