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
// its number of rows. UUIDs are written as text. The deadline is that of ctx,
// else Limits.ExportTimeout. What was written before an error must be thrown
// away; where w fails, its error is returned, every other one is a *QueryError.
func (r *Reader) Export(ctx context.Context, w io.Writer, format Format, source Source, options ExportOptions) (int64, error) {
	limits := r.limits
	limits.Timeout, limits.Queries = limits.ExportTimeout, limits.Exports
	running, cancel := withTimeout(ctx, limits.Timeout)
	defer cancel()
	n, err := r.export(running, w, format, source, options)
	var failed *writeError
	if errors.As(err, &failed) {
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

func (r *Reader) export(ctx context.Context, w io.Writer, format Format, source Source, options ExportOptions) (int64, error) {
	sql, err := r.sourceSQL(source)
	if err != nil {
		return 0, err
	}
	columns, err := r.describe(ctx, sql, source.Args)
	if err != nil {
		return 0, err
	}
	s, err := r.exports.take(ctx)
	if err != nil {
		return 0, err
	}
	defer r.exports.give(s)
	session := s.instance.Session()
	defer session.Close()
	query := project(sql, columns, format, options)
	switch format {
	case Arrow:
		return writeArrow(ctx, w, session, query, source.Args)
	case CSV, JSON, NDJSON, Parquet:
		if format == CSV && options.BOM {
			if _, err := io.WriteString(w, "\ufeff"); err != nil {
				return 0, &writeError{err}
			}
		}
		return s.copyOut(ctx, w, session, query, copyOptions[format], source.Args)
	default:
		return 0, &QueryError{Kind: QuerySyntax, Message: fmt.Sprintf("there is no format %q", format), Hint: fmt.Sprintf("want one of %v", Formats())}
	}
}

// copyOptions are the options of DuckDB's COPY.
var copyOptions = map[Format]string{
	CSV:     `format csv, header true, new_line '\r\n'`,
	JSON:    `format json, array true, timestampformat '%Y-%m-%dT%H:%M:%S.%fZ'`,
	NDJSON:  `format json, timestampformat '%Y-%m-%dT%H:%M:%S.%fZ'`,
	Parquet: `format parquet, compression zstd`,
}

// sourceSQL is the select of a source. A relation's name is looked up, never
// put into SQL as it came.
func (r *Reader) sourceSQL(source Source) (string, error) {
	if source.Relation == "" {
		return source.SQL, checkExportSQL(source.SQL)
	}
	relation, ok := r.Relation(source.Relation)
	if !ok {
		return "", &QueryError{
			Kind: QuerySyntax, Message: fmt.Sprintf("the published file has no relation %q", source.Relation),
			Hint: "name it in full, such as marts.customers",
		}
	}
	return "from " + quoteName(relation.Schema) + "." + quoteName(relation.Name), nil
}

// describe returns the columns of a select, and the errors in it. It runs where
// there is no file to be read or written at all.
func (r *Reader) describe(ctx context.Context, sql string, args []any) ([]Column, error) {
	s, err := r.queries.take(ctx)
	if err != nil {
		return nil, err
	}
	defer r.queries.give(s)
	session := s.instance.Session()
	defer session.Close()
	columns, err := session.Describe(sql)
	if err != nil || len(args) == 0 {
		return columns, err
	}
	// What a bare parameter in the select is shows only once it has its value:
	// before, DuckDB 1.5.5 tells of one column, "unknown".
	rows, err := session.Query(ctx, "from (\n"+strings.TrimRight(sql, " \t\r\n;")+"\n) limit 0", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return rows.Columns(), nil
}

// project wraps a select so that its columns come out as the format needs them.
// Columns are taken by position: their names may repeat.
func project(sql string, columns []Column, format Format, options ExportOptions) string {
	var names, list []string
	for i, column := range columns {
		name := fmt.Sprintf("c%d", i)
		names = append(names, name)
		list = append(list, cell(name, column.Type, format, options)+" as "+quoteName(header(column.Name, format, options)))
	}
	// The text was parsed as one select, so its parentheses and quotes are
	// balanced; the line break ends a comment.
	text := strings.TrimRight(sql, " \t\r\n;")
	return "select " + strings.Join(list, ", ") + "\nfrom (\n" + text + "\n) as q(" + strings.Join(names, ", ") + ")"
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
