package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/goodhour/goodhour/warehouse/internal/stream"
)

// Limits bound what queries on a published file may use. Zero means the default.
type Limits struct {
	// MemoryBytes of one query; 512 MiB. So all may use (Queries × MemoryBytes).
	MemoryBytes int64
	// TempBytes that one query may spill to disk; 4 GiB.
	TempBytes int64
	// Threads of one query; 2.
	Threads int
	// Queries at once; 4.
	Queries int
	// Wait for a free place; 2 s.
	Wait time.Duration
	// Timeout of a query, its last row included, where its context has no
	// deadline; 30 s.
	Timeout time.Duration
	// Rows and Bytes of a Table; 10,000 and 16 MiB.
	Rows  int
	Bytes int64
	// Exports at once, beside Queries; 2.
	Exports int
	// ExportTimeout of an export, where its context has no deadline; 1 hour.
	ExportTimeout time.Duration
	// TempDir is the folder for spilling; empty means that of the published file.
	TempDir string
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.MemoryBytes, 512<<20)
	setDefault(&l.TempBytes, 4<<30)
	setDefault(&l.Threads, 2)
	setDefault(&l.Queries, 4)
	setDefault(&l.Wait, 2*time.Second)
	setDefault(&l.Timeout, 30*time.Second)
	setDefault(&l.Rows, 10_000)
	setDefault(&l.Bytes, 16<<20)
	setDefault(&l.Exports, 2)
	setDefault(&l.ExportTimeout, time.Hour)
	return l
}

func setDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

// Column is a column of a result: its name, and its type as SQL writes it.
type Column = stream.Column

// Relation is a table or view of a published file.
type Relation struct {
	Schema, Name string
	Columns      []Column
	// Rows of a table; -1 for a view.
	Rows int64
}

// Reader answers queries on one published file, read-only: in DuckDB instances
// of their own, without access to files, the network, extensions or settings.
// Whatever a query does, it cannot change the file, and neither disturb the
// warehouse nor another query. It may be used by several goroutines.
//
// Memory: DuckDB counts what a query gathers, sorts and joins against the
// limit. It does not count the texts and lists of the rows it is working on
// (2,048 a thread), so a query that makes texts of megabytes can exceed it.
type Reader struct {
	path      string
	limits    Limits
	info      Info
	relations []Relation
	queries   *pool
	exports   *pool
}

// OpenReader opens a published file: data/goodhour.duckdb, or one under
// data/published. It is opened by its real path, so a link that moves later
// does not matter to it.
func OpenReader(ctx context.Context, path string, limits Limits) (*Reader, error) {
	file, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("open the published file: %w; goodhour models run makes one", err)
	}
	if file, err = filepath.Abs(file); err != nil {
		return nil, fmt.Errorf("open the published file: %w", err)
	}
	r := &Reader{path: file, limits: limits.withDefaults()}
	r.queries = newPool(r.limits.Queries, r.limits.Wait, r.openSeat)
	r.exports = newPool(r.limits.Exports, r.limits.Wait, r.openExportSeat)
	if err := r.load(ctx); err != nil {
		return nil, fmt.Errorf("open the published file %s: %w", file, err)
	}
	return r, nil
}

// load reads what the file says of itself.
func (r *Reader) load(ctx context.Context) error {
	instance, err := r.open(ctx, 0)
	if err != nil {
		return err
	}
	defer instance.Close()
	if r.info, err = readInfo(ctx, instance.Control()); err != nil {
		return err
	}
	r.relations, err = readRelations(ctx, instance.Control())
	return err
}

// open opens the file for queries.
func (r *Reader) open(ctx context.Context, sessions int) (*stream.Instance, error) {
	return stream.Open(ctx, r.path, stream.Options{
		Settings: append(r.settings(), stream.Setting{Name: "access_mode", Value: "READ_ONLY"}),
		Setup:    r.setup(),
		Session:  []string{r.setAsOf()},
		Seal:     seal,
		Sessions: sessions,
	})
}

func (r *Reader) openSeat(ctx context.Context) (*seat, error) {
	instance, err := r.open(ctx, sessionsPerSeat)
	if err != nil {
		return nil, err
	}
	return &seat{instance: instance}, nil
}

// seal takes away what a query has no business with, and locks that. The
// extensions that the models use are linked in.
var seal = []string{
	"set autoinstall_known_extensions = false",
	"set autoload_known_extensions = false",
	"set enable_external_access = false",
	"set lock_configuration = true",
}

func (r *Reader) settings() []stream.Setting {
	dir := r.limits.TempDir
	if dir == "" {
		dir = filepath.Dir(r.path)
	}
	return []stream.Setting{
		{Name: "memory_limit", Value: bytesSetting(r.limits.MemoryBytes)},
		{Name: "threads", Value: strconv.Itoa(r.limits.Threads)},
		{Name: "temp_directory", Value: spillDir(dir)},
	}
}

// setup is what DuckDB takes only once it is open: its own check of the
// temporary space does not see the limit when it is given at the opening.
func (r *Reader) setup() []string {
	return []string{
		"set global max_temp_directory_size = " + quoteText(bytesSetting(r.limits.TempBytes)),
		"set global timezone = 'UTC'",
	}
}

// setAsOf makes getvariable('as_of') the file's own, so that the SQL of a model
// runs here as it stands.
func (r *Reader) setAsOf() string {
	return "set variable as_of = timestamp " + quoteText(r.info.AsOf.Format(sqlTimestamp))
}

const sqlTimestamp = "2006-01-02 15:04:05.999999"

func bytesSetting(n int64) string { return strconv.FormatInt(n, 10) + "B" }

// Path is the file's real path.
func (r *Reader) Path() string { return r.path }

// Info is what the file says of itself.
func (r *Reader) Info() Info { return r.info }

// Relations of the file, by schema and name.
func (r *Reader) Relations() []Relation { return r.relations }

// Relation finds one by its full name, such as marts.customers.
func (r *Reader) Relation(name string) (Relation, bool) {
	for _, relation := range r.relations {
		if relation.Schema+"."+relation.Name == name {
			return relation, true
		}
	}
	return Relation{}, false
}

// Close waits for the queries that run, so cancel their contexts first.
func (r *Reader) Close() error {
	err := r.queries.close()
	if e := r.exports.close(); e != nil {
		err = e
	}
	return err
}

// Query runs SQL and hands over the rows as they come, however many. Several
// statements are run in turn, in one session that ends with the query; the rows
// are those of the last, which alone has the arguments. A statement that
// returns nothing gives Rows without columns. The deadline is that of ctx, else
// Limits.Timeout. Every error is a *QueryError.
//
// Arguments are nil, bool, int, int64, float64, string, or time.Time (a
// TIMESTAMP in UTC).
func (r *Reader) Query(ctx context.Context, sql string, args ...any) (*Rows, error) {
	if err := CheckSQL(sql); err != nil {
		return nil, err
	}
	running, cancel := withTimeout(ctx, r.limits.Timeout)
	s, err := r.queries.take(running)
	if err != nil {
		cancel()
		return nil, r.limits.explain(ctx, err)
	}
	session := s.instance.Session()
	end := func(err error) {
		session.Close()
		cancel()
		r.queries.give(s, err)
	}
	rows, err := session.Query(running, sql, args...)
	if err != nil {
		end(err)
		return nil, r.limits.explain(ctx, err)
	}
	explain := func(err error) *QueryError { return r.limits.explain(ctx, err) }
	return &Rows{rows: rows, end: end, explain: explain}, nil
}

// withTimeout keeps the context's own deadline where it has one.
func withTimeout(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, timeout)
}

// Rows are the rows of a query. They hold one of the Reader's places until
// they are closed. They belong to one goroutine.
type Rows struct {
	rows    *stream.Rows
	end     func(error)
	explain func(error) *QueryError
}

// Columns of the result; empty where the statement returns nothing.
func (r *Rows) Columns() []Column { return r.rows.Columns() }

// Next moves to the next row; false at the end and after an error.
func (r *Rows) Next() bool { return r.rows.Next() }

// Values of the row: nil, bool, int64 (whole numbers up to 64 bits), float32,
// float64, string (VARCHAR, UUID, ENUM, DATE, TIME, INTERVAL, BIT), []byte
// (BLOB), time.Time in UTC (TIMESTAMP; infinity is a string), json.Number
// (DECIMAL, HUGEINT, UBIGINT: every digit), json.RawMessage (JSON), []any (LIST
// and ARRAY), and structs and maps that encode as JSON objects in their order.
func (r *Rows) Values() []any { return r.rows.Values() }

// Err is the *QueryError that ended the rows, nil at their proper end.
func (r *Rows) Err() error {
	if err := r.rows.Err(); err != nil {
		return r.explain(err)
	}
	return nil
}

// Close ends the query, wherever it is. It may be called again.
func (r *Rows) Close() {
	r.rows.Close()
	if r.end != nil {
		r.end(r.rows.Err())
		r.end = nil
	}
}

// Table is the answer to a query, or its beginning.
type Table struct {
	Columns []Column
	Rows    [][]any
	// Truncated: the limit of rows or bytes was reached before the end.
	Truncated bool
}

// Table runs SQL and returns the rows up to Limits.Rows and Limits.Bytes. An
// export has no such limits.
func (r *Reader) Table(ctx context.Context, sql string, args ...any) (Table, error) {
	rows, err := r.Query(ctx, sql, args...)
	if err != nil {
		return Table{}, err
	}
	defer rows.Close()
	t := Table{Columns: rows.Columns()}
	var bytes int64
	for rows.Next() {
		values := rows.Values()
		bytes += sizeOf(values)
		if len(t.Rows) == r.limits.Rows || bytes > r.limits.Bytes {
			t.Truncated = true
			return t, nil
		}
		t.Rows = append(t.Rows, values)
	}
	return t, rows.Err()
}

// sizeOf is about what values take in memory.
func sizeOf(values []any) int64 {
	const boxed = 24
	var n int64
	for _, value := range values {
		switch v := value.(type) {
		case string:
			n += int64(len(v))
		case []byte:
			n += int64(len(v))
		case json.Number:
			n += int64(len(v))
		case json.RawMessage:
			n += int64(len(v))
		case []any:
			n += sizeOf(v)
		case stream.Struct:
			for _, field := range v {
				n += sizeOf([]any{field.Value})
			}
		case stream.Map:
			for _, entry := range v {
				n += sizeOf([]any{entry.Key, entry.Value})
			}
		}
		n += boxed
	}
	return n
}

// AppendJSON appends a value of Rows as JSON: decimals with every digit, times
// as RFC 3339 in UTC, BLOB in base64, NaN and infinity as null.
func AppendJSON(dst []byte, value any) []byte { return stream.AppendJSON(dst, value) }
