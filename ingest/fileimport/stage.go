package fileimport

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// stage is a private DuckDB in memory, which spills to a folder of its own. It
// holds the rows of all files as text, so that they can be read several times
// although a file may change meanwhile, and finds what has to be found over all
// rows. It can open the named files and nothing else.
type stage struct {
	folder string
	db     *sql.DB
	// columns of the table staged beside file_no and at_line.
	columns []string
}

func openStage(ctx context.Context, limits Limits, inputs []*input) (*stage, error) {
	folder, err := os.MkdirTemp(limits.TempDir, "goodhour-import-")
	if err != nil {
		return nil, fmt.Errorf("make a temporary folder for the import: %w", err)
	}
	s := &stage{folder: folder}
	if err := s.open(ctx, limits, inputs); err != nil {
		return nil, errors.Join(fmt.Errorf("open the import's private DuckDB: %w", err), s.close())
	}
	return s, nil
}

func (s *stage) open(ctx context.Context, limits Limits, inputs []*input) error {
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return err
	}
	s.db = sql.OpenDB(connector)
	// DuckDB takes a name with * or [ for a pattern: it gets links of our own
	// naming, and the right to open what they point at.
	var paths []string
	for i, in := range inputs {
		if in.format != formatParquet {
			continue
		}
		paths = append(paths, quoteText(in.path))
		if err := os.Symlink(in.path, s.link(i)); err != nil {
			return err
		}
	}
	settings := []string{
		"set memory_limit = '" + strconv.Itoa(limits.MemoryMB) + "MB'",
		"set threads = " + strconv.Itoa(min(workers(), 4)), // each needs its share of the memory
		"set temp_directory = " + quoteText(filepath.Join(s.folder, "spill")),
		"set timezone = 'UTC'",
		"set autoinstall_known_extensions = false",
		"set autoload_known_extensions = false",
		"set allowed_paths = [" + strings.Join(paths, ", ") + "]",
		"set enable_external_access = false",
		"set lock_configuration = true",
	}
	for _, setting := range settings {
		if _, err := s.db.ExecContext(ctx, setting); err != nil {
			return fmt.Errorf("%s: %w", setting, err)
		}
	}
	return nil
}

// close ends DuckDB and removes the folder.
func (s *stage) close() error {
	var err error
	if s.db != nil {
		err = s.db.Close()
	}
	return errors.Join(err, os.RemoveAll(s.folder))
}

// link is the name under which DuckDB opens a file.
func (s *stage) link(fileNo int) string {
	return filepath.Join(s.folder, strconv.Itoa(fileNo)+".parquet")
}

func (s *stage) exec(ctx context.Context, query string) error {
	_, err := s.db.ExecContext(ctx, query)
	return err
}

// createStaged makes the table of the rows: one text column per mapped column.
func (s *stage) createStaged(ctx context.Context, columns []string) error {
	s.columns = columns
	var list strings.Builder
	for _, c := range columns {
		list.WriteString(", " + quoteName(c) + " varchar")
	}
	if err := s.exec(ctx, "create table staged (file_no integer, at_line bigint"+list.String()+")"); err != nil {
		return fmt.Errorf("create the staging table: %w", err)
	}
	return nil
}

// count is the number of rows staged; their rowid runs from 0 to it.
func (s *stage) count(ctx context.Context) (int64, error) {
	var n int64
	if err := s.db.QueryRowContext(ctx, "select count(*) from staged").Scan(&n); err != nil {
		return 0, fmt.Errorf("count the staged rows: %w", err)
	}
	return n, nil
}

// appendText adds a text file's records to a table. lead is the value of its
// first column, the record's number that of the second, and the fields at
// positions (-1: none) follow. What cannot be read is told to reject.
func (s *stage) appendText(ctx context.Context, o *Options, table string, lead driver.Value, in *input, positions []int, reject func(at int64, why Reason), progress func(int)) error {
	if in.format == "" {
		return nil // empty
	}
	r, file, err := in.openRecords(o, progress)
	if err != nil {
		return err
	}
	defer file.Close()
	err = s.appender(ctx, table, func(a *duckdb.Appender) error {
		return appendRecords(ctx, a, lead, r, positions, reject)
	})
	if err != nil {
		return in.readFault(err)
	}
	return nil
}

// appender gives fill an appender to a table and flushes it.
func (s *stage) appender(ctx context.Context, table string, fill func(*duckdb.Appender) error) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(raw any) error {
		driverConn, ok := raw.(driver.Conn)
		if !ok {
			return errors.New("not a DuckDB connection")
		}
		a, err := duckdb.NewAppenderFromConn(driverConn, "", table)
		if err != nil {
			return err
		}
		return errors.Join(fill(a), a.Close())
	})
}

func appendRecords(ctx context.Context, a *duckdb.Appender, lead driver.Value, r recordReader, positions []int, reject func(at int64, why Reason)) error {
	row := make([]driver.Value, 2+len(positions))
	row[0] = lead
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if rec.problem != "" {
			reject(rec.at, rec.problem)
			continue
		}
		row[1] = rec.at
		for i, position := range positions {
			row[2+i] = nil
			if position >= 0 && len(rec.fields[position]) > 0 {
				row[2+i] = string(rec.fields[position])
			}
		}
		if err := a.AppendRow(row...); err != nil {
			return err
		}
	}
}

// describe returns the names and types of a relation's columns.
func (s *stage) describe(ctx context.Context, relation string) (names, kinds []string, err error) {
	rows, err := s.db.QueryContext(ctx, "select column_name, column_type from (describe from "+relation+")")
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			return nil, nil, err
		}
		names, kinds = append(names, name), append(kinds, kind)
	}
	return names, kinds, rows.Err()
}

// parquet is a Parquet file as a relation.
func (s *stage) parquet(fileNo int) string { return "read_parquet(" + quoteText(s.link(fileNo)) + ")" }

// asText is the SQL that turns a column into text: nested types into JSON.
func asText(name, kind string) string {
	if strings.HasSuffix(kind, "]") || strings.HasPrefix(kind, "STRUCT") || strings.HasPrefix(kind, "MAP") || strings.HasPrefix(kind, "UNION") {
		return "to_json(" + quoteName(name) + ")::varchar"
	}
	return quoteName(name) + "::varchar"
}

// parquetFault is what DuckDB says of a Parquet file, under the name that the
// user knows.
func (s *stage) parquetFault(fileNo int, in *input, err error) string {
	return strings.ReplaceAll(err.Error(), s.link(fileNo), in.name)
}

// appendParquet adds the rows of a Parquet file to the staging table.
func (s *stage) appendParquet(ctx context.Context, fileNo int, expressions []string) error {
	var list strings.Builder
	for _, e := range expressions {
		list.WriteString(", " + e)
	}
	return s.exec(ctx, "insert into staged select "+strconv.Itoa(fileNo)+", row_number() over ()"+list.String()+
		" from "+s.parquet(fileNo))
}

// quoteName quotes an identifier for SQL.
func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// quoteText quotes a text for SQL, where a statement takes no parameters.
func quoteText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
