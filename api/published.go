package api

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/goodhour/goodhour/warehouse"
)

//go:embed sql/*.sql
var queries embed.FS

// query returns the SQL of a figure, sql/<name>.sql.
func query(name string) string {
	b, err := queries.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(fmt.Sprintf("api: no query %q embedded", name)) // a test runs them all
	}
	return string(b)
}

// publication is how old the published file is.
type publication struct{ asOf, at time.Time }

// publication returns that of the newest file; false where there is none.
func (s *Server) publication() (publication, bool) {
	reader, release, err := s.library.Acquire()
	if err != nil {
		return publication{}, false
	}
	defer release()
	return publicationOf(reader), true
}

func errNotPublished() *problem {
	return &problem{kind: problemNotReady, detail: "Nothing was published yet.", retryAfter: 10 * time.Second}
}

func publicationOf(reader *warehouse.Reader) publication {
	return publication{reader.Info().AsOf.UTC(), reader.Info().PublishedAt.UTC()}
}

// asOf stands in every JSON answer from the published file.
type asOf struct {
	AsOf        time.Time `json:"as_of"`        // the instant that the models looked from
	PublishedAt time.Time `json:"published_at"` // when the file was published
}

func asOfOf(reader *warehouse.Reader) asOf {
	p := publicationOf(reader)
	return asOf{p.asOf, p.at}
}

// published lets an answer be read from one published file, and says in the
// headers how old it is. A publication meanwhile changes nothing for it.
func (s *Server) published(w http.ResponseWriter, answer func(*warehouse.Reader) error) error {
	reader, release, err := s.library.Acquire()
	if err != nil {
		return err
	}
	defer release()
	p := publicationOf(reader)
	w.Header().Set("Goodhour-As-Of", p.asOf.Format(time.RFC3339Nano))
	w.Header().Set("Goodhour-Published-At", p.at.Format(time.RFC3339Nano))
	return answer(reader)
}

// row is a row of a result by the names of its columns, in their order.
type row struct {
	columns []warehouse.Column
	values  []any
}

// value returns the value of a column that our own SQL has. That it has not is
// a fault in it, which a test meets.
func (r row) value(column string) any {
	for i := range r.columns {
		if r.columns[i].Name == column {
			return r.values[i]
		}
	}
	panic("api: a query has no column " + column)
}

// text is a text, or "" for null.
func (r row) text(column string) string {
	if r.value(column) == nil {
		return ""
	}
	return r.value(column).(string)
}

// integer is a whole number of at most 64 bits, whatever its type in SQL
// (count_if gives a HUGEINT).
func (r row) integer(column string) int64 {
	if digits, ok := r.value(column).(json.Number); ok {
		n, err := digits.Int64()
		if err != nil {
			panic("api: the column " + column + " is no whole number of 64 bits")
		}
		return n
	}
	return r.value(column).(int64)
}

// MarshalJSON writes the row as an object, its columns in their order.
func (r row) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, c := range r.columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = warehouse.AppendJSON(b, c.Name)
		b = append(b, ':')
		b = warehouse.AppendJSON(b, r.values[i])
	}
	return append(b, '}'), nil
}

// rows runs one of our own queries, whose answers are small. A publication
// that lacks what the query reads is our fault, not the caller's.
func rows(ctx context.Context, reader *warehouse.Reader, sql string, args ...any) ([]row, error) {
	table, err := reader.Table(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	if table.Truncated {
		return nil, fmt.Errorf("a query of the API has over %d rows or too many bytes", len(table.Rows))
	}
	out := make([]row, len(table.Rows))
	for i, values := range table.Rows {
		out[i] = row{table.Columns, values}
	}
	return out, nil
}

// queryProblem is the problem of a query that failed; nil for other errors.
// That our own SQL is wrong for the file is internal; see sqlProblem.
func queryProblem(err error) *problem {
	var q *warehouse.QueryError
	if !errors.As(err, &q) {
		return nil
	}
	p := &problem{detail: sentence(q.Message)}
	switch q.Kind {
	case warehouse.QueryDeadline:
		p.kind = problemQueryTimeout
	case warehouse.QueryMemory:
		p.kind, p.detail = problemResultTooLarge, sentence(q.Error())
	case warehouse.QueryBusy:
		p.kind, p.retryAfter = problemBusy, time.Second
	default:
		return &problem{kind: problemInternal, detail: "The published file could not be read.", cause: err}
	}
	return p
}

// sqlProblem is the problem of a query that the caller wrote.
func sqlProblem(err error) error {
	var q *warehouse.QueryError
	if !errors.As(err, &q) {
		return err
	}
	switch q.Kind {
	case warehouse.QuerySyntax:
		return problemf(problemInvalidSQL, "%s", sentence(q.Error()))
	case warehouse.QueryRefused:
		return problemf(problemForbiddenSQL, "%s", sentence(q.Error()))
	default:
		return err
	}
}

func sentence(text string) string { return text + "." }
