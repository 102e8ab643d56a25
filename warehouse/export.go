package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goodhour/goodhour/warehouse/internal/stream"
)

// Format is a format that a result can be exported in.
type Format string

// The formats. All are written as a stream of any size in constant memory.
const (
	// CSV: RFC 4180 with a header and CRLF, UTF-8, fields quoted where they must
	// be. Null is an empty field, an empty text is "". Times are UTC, written
	// 2006-01-02 15:04:05.
	CSV Format = "csv"
	// JSON: one array of objects. Times are RFC 3339 in UTC; decimals and large
	// integers keep every digit; NaN and infinity are null.
	JSON Format = "json"
	// NDJSON: the objects of JSON, one a line.
	NDJSON Format = "ndjson"
	// Parquet, compressed with Zstandard. TIMESTAMP is marked as UTC.
	Parquet Format = "parquet"
	// Arrow: the Arrow IPC streaming format. It needs a goodhour that was built
	// with the tag duckdb_arrow.
	Arrow Format = "arrow"
)

// Formats lists them all.
func Formats() []Format { return []Format{CSV, JSON, NDJSON, Parquet, Arrow} }

// ContentType is the media type of the format.
func (f Format) ContentType() string {
	switch f {
	case CSV:
		return "text/csv; charset=utf-8; header=present"
	case JSON:
		return "application/json"
	case NDJSON:
		return "application/x-ndjson"
	case Parquet:
		return "application/vnd.apache.parquet"
	case Arrow:
		return "application/vnd.apache.arrow.stream"
	default:
		return "application/octet-stream"
	}
}

// Source is what to export: a relation or one select.
type Source struct {
	// Relation is a full name, such as marts.customers.
	Relation string
	// SQL is one select, with the values of its parameters.
	SQL  string
	Args []any
	// Limit cuts the result after its first rows; zero means all.
	Limit int64
}

// ExportOptions vary an export.
type ExportOptions struct {
	// BOM begins a CSV with the byte order mark that Excel needs to see UTF-8.
	BOM bool
	// RawCells leaves the texts of a CSV as they are. Without it a text that
	// begins with = + - @, tab or carriage return, in a cell or the header, gets
	// an apostrophe in front, because spreadsheets would run it as a formula
	// (OWASP, CSV Injection, read 2026-11-24). Machines want it raw.
	RawCells bool
}

// Export writes a whole result, of any size, in constant memory, and returns
// its number of rows. UUIDs are written as text. The rows of a table come in
// the table's order, those of a select in that of its own ORDER BY; without one
// they have none.
//
// The deadline is that of ctx, else Limits.ExportTimeout. A Write to w that
// never returns holds the export beyond it: give a connection a write deadline.
// What was written before an error must be thrown away. Where w fails, its
// error is returned; every other one is a *QueryError.
func (r *Reader) Export(ctx context.Context, w io.Writer, format Format, source Source, options ExportOptions) (int64, error) {
	return r.limitedExport(ctx, func(ctx context.Context) (_ int64, err error) {
		p, err := r.plan(ctx, format, source)
		if err != nil {
			return 0, err
		}
		s, err := r.exports.take(ctx)
		if err != nil {
			return 0, err
		}
		defer func() { r.exports.give(s, err) }()
		return s.export(ctx, w, format, p, source.Args, options)
	})
}

// limitedExport runs an export within its limits and explains its error.
func (r *Reader) limitedExport(ctx context.Context, export func(context.Context) (int64, error)) (int64, error) {
	limits := r.limits
	limits.Timeout, limits.Queries = limits.ExportTimeout, limits.Exports
	running, cancel := withTimeout(ctx, limits.Timeout)
	defer cancel()
	n, err := export(running)
	if failed, ok := errors.AsType[*writeError](err); ok {
		return n, failed.err
	}
	if err != nil {
		return n, limits.explain(ctx, err)
	}
	return n, nil
}

// writeError is an error of the receiver's, not of the query.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }

// export writes what the plan reads.
func (s *seat) export(
	ctx context.Context, w io.Writer, format Format, p exportPlan, args []any, options ExportOptions,
) (int64, error) {
	query := p.project(format, options)
	session := s.instance.Session()
	defer session.Close()
	if format == Arrow {
		return writeArrow(ctx, w, session, query, args)
	}
	if format == CSV && options.BOM {
		if _, err := io.WriteString(w, "\ufeff"); err != nil {
			return 0, &writeError{err}
		}
	}
	copying := fmt.Sprintf("%s, preserve_order %t", copyOptions[format], p.ordered)
	return s.copyOut(ctx, w, session, query, copying, args)
}

// copyOptions are the options of DuckDB's COPY.
var copyOptions = map[Format]string{
	CSV:     `format csv, header true, new_line '\r\n'`,
	JSON:    `format json, array true, timestampformat '%Y-%m-%dT%H:%M:%S.%fZ'`,
	NDJSON:  `format json, timestampformat '%Y-%m-%dT%H:%M:%S.%fZ'`,
	Parquet: `format parquet, compression zstd`,
}

// exportPlan is what an export reads.
type exportPlan struct {
	sql     string // one select
	columns []Column
	// ordered: the rows have an order of their own. Keeping an order that nobody
	// asked for can take as much memory as the result: a select that multiplies
	// the rows of one row group is one batch for DuckDB.
	ordered bool
	limit   int64 // 0: none
}

// isOrdered asks DuckDB's parser for an ORDER BY at the top of a select.
const isOrdered = `select coalesce(list_contains(
    json_serialize_sql($1::varchar)::json ->> '$.statements[0].node.modifiers[*].type', 'ORDER_MODIFIER'), false)`

// plan looks at a source where there is no file to be read or written at all. A
// relation's name is looked up, never put into SQL as it came.
func (r *Reader) plan(ctx context.Context, format Format, source Source) (_ exportPlan, err error) {
	if format != Arrow && copyOptions[format] == "" {
		return exportPlan{}, &QueryError{Kind: QuerySyntax, Message: fmt.Sprintf("there is no format %q", format), Hint: fmt.Sprintf("want one of %v", Formats())}
	}
	p := exportPlan{limit: source.Limit}
	if source.Relation == "" {
		if err := checkExportSQL(source.SQL); err != nil {
			return exportPlan{}, err
		}
		p.sql = source.SQL
	} else {
		relation, ok := r.Relation(source.Relation)
		if !ok {
			return exportPlan{}, &QueryError{
				Kind: QuerySyntax, Message: fmt.Sprintf("the published file has no relation %q", source.Relation),
				Hint: "name it in full, such as marts.customers",
			}
		}
		p.sql = "from " + quoteName(relation.Schema) + "." + quoteName(relation.Name)
		p.ordered = relation.Rows >= 0
	}
	s, err := r.queries.take(ctx)
	if err != nil {
		return exportPlan{}, err
	}
	defer func() { r.queries.give(s, err) }()
	session := s.instance.Session()
	defer session.Close()
	if p.sql, p.columns, err = session.Select(p.sql); err != nil || p.ordered {
		return p, err
	}
	if len(source.Args) > 0 {
		// What a bare parameter in the select is shows only once it has its
		// value: before, DuckDB 1.5.5 tells of one column, "unknown".
		rows, err := session.Query(ctx, "from (\n"+p.sql+"\n) limit 0", source.Args...)
		if err != nil {
			return exportPlan{}, err
		}
		p.columns = rows.Columns()
		rows.Close()
	}
	rows, err := session.Query(ctx, isOrdered, p.sql)
	if err != nil {
		return exportPlan{}, err
	}
	defer rows.Close()
	if rows.Next() {
		p.ordered = rows.Values()[0] == any(true)
	}
	return p, rows.Err()
}

// project wraps the select so that its columns come out as the format needs
// them. They are taken by position: their names may repeat.
func (p exportPlan) project(format Format, options ExportOptions) string {
	var names, list []string
	for i, column := range p.columns {
		name := fmt.Sprintf("c%d", i)
		names = append(names, name)
		list = append(list, cell(name, column.Type, format, options)+" as "+quoteName(header(column.Name, format, options)))
	}
	// The text was parsed as one select, so its parentheses and quotes are
	// balanced; the line break ends a comment.
	query := "select " + strings.Join(list, ", ") + "\nfrom (\n" + p.sql + "\n) as q(" + strings.Join(names, ", ") + ")"
	if p.limit > 0 {
		query += fmt.Sprintf("\nlimit %d", p.limit)
	}
	return query
}

// formulaStarts are the first characters that make a spreadsheet run a text.
const formulaStarts = "=+-@\t\r"

func header(name string, format Format, options ExportOptions) string {
	if format == CSV && !options.RawCells && name != "" && strings.ContainsRune(formulaStarts, rune(name[0])) {
		return "'" + name
	}
	return name
}

// cell is the expression for a column.
func cell(name, sqlType string, format Format, options ExportOptions) string {
	switch {
	case sqlType == "UUID":
		return name + "::varchar"
	case format == CSV && !options.RawCells && (sqlType == "VARCHAR" || sqlType == "ENUM"):
		// Characters, not bytes, and no regular expression: it runs on every cell.
		return fmt.Sprintf("case when ord(%[1]s::varchar) in (%[2]s) then '''' || %[1]s else %[1]s::varchar end", name, formulaCodes())
	case (format == JSON || format == NDJSON) && (sqlType == "DOUBLE" || sqlType == "FLOAT"):
		return fmt.Sprintf("case when isfinite(%[1]s) then %[1]s end", name)
	case (format == Parquet || format == Arrow) && (sqlType == "HUGEINT" || sqlType == "UHUGEINT"):
		return name + "::decimal(38, 0)" // DuckDB's Parquet writer would round it to a double
	case (format == Parquet || format == Arrow) && sqlType == "TIMESTAMP":
		return "make_timestamptz(epoch_us(" + name + "))" // a cast would take 10 times as long
	default:
		return name
	}
}

// formulaCodes are the code points of formulaStarts, for SQL.
func formulaCodes() string {
	var codes []string
	for _, c := range formulaStarts {
		codes = append(codes, fmt.Sprint(c))
	}
	return strings.Join(codes, ", ")
}

// openExportSeat opens the file beside an empty instance in memory that may
// write to one named pipe, and nothing else.
func (r *Reader) openExportSeat(ctx context.Context) (*seat, error) {
	dir, pipe, err := makePipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe for an export: %w", err)
	}
	instance, err := stream.Open(ctx, ":memory:", stream.Options{
		Settings: r.settings(),
		Setup: append(r.setup(),
			"attach "+quoteText(r.path)+" as goodhour (read_only)",
			"set allowed_paths = ["+quoteText(pipe)+"]",
		),
		Session:  []string{"use goodhour", r.setAsOf()},
		Seal:     seal,
		Sessions: sessionsPerSeat,
	})
	s := &seat{instance: instance, dir: dir, pipe: pipe}
	if err != nil {
		return nil, errors.Join(err, s.removeDir())
	}
	return s, nil
}
