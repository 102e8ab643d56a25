package warehouse

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/warehouse/dbfile"
)

// Copy is what a copy of the warehouse holds.
type Copy struct {
	// Offsets are its ceiling: every event before them is in, none after.
	Offsets []event.Position
	// Tables and Rows copied, and the Bytes of the file.
	Tables int
	Rows   int64
	Bytes  int64
	// Took is how long it took. The next run begins no sooner than nine times that.
	Took time.Duration
}

// copiedOps are the tables of ops that a published file carries. Everything in
// raw is copied, nothing of pii ever.
var copiedOps = []string{"offsets", "model_runs", "model_checks", "metric_snapshots"}

const (
	selectRawTables = `
select table_name from duckdb_tables()
where database_name = current_database() and schema_name = 'raw'
order by table_name`
	// countCopied: the estimate is exact in a table that is only filled.
	countCopied = `
select count(*), coalesce(sum(estimated_size), 0)::bigint
from duckdb_tables()
where database_name = ?`
)

// Copy copies what the models read into a new file: one state of the warehouse,
// rows and offsets together, while loads go on. After an error nothing is left
// of the file.
func (db *DB) Copy(ctx context.Context, path string) (Copy, error) {
	began := db.now()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		// Whatever it is, it is not ours to write over or to remove.
		return Copy{}, fmt.Errorf("copy the warehouse: %s is there already: choose a new path", path)
	}
	conn, err := db.sql.Conn(ctx)
	if err != nil {
		return Copy{}, fmt.Errorf("copy the warehouse: %w", err)
	}
	defer conn.Close()
	c, err := copyTo(ctx, conn, path)
	if err == nil {
		c.Bytes, err = sizeOfFile(path)
	}
	if err != nil {
		// DuckDB says of an interrupted query only that it was interrupted.
		if over := ctx.Err(); over != nil && !errors.Is(err, over) {
			err = fmt.Errorf("%w: %w", over, err)
		}
		return Copy{}, errors.Join(fmt.Errorf("copy the warehouse to %s: %w", path, explainSpace(path, err)), removeDatabase(path))
	}
	c.Took = db.now().Sub(began)
	return c, nil
}

func sizeOfFile(path string) (int64, error) {
	stat, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return stat.Size(), nil
}

// copyTo attaches the new file, under a name that no other copy has, fills it
// in one transaction and detaches it, which checkpoints it. DuckDB lets a
// transaction read the warehouse while another commits to it, and write to one
// file; that is the new one here.
func copyTo(ctx context.Context, conn *sql.Conn, path string) (_ Copy, err error) {
	name := "copy_" + strings.ToLower(rand.Text())
	if _, err := conn.ExecContext(ctx, "attach "+quoteText(path)+" as "+name); err != nil {
		return Copy{}, err
	}
	// Attached, the file would keep its handle: detach whatever happened, and
	// even if ctx is over.
	last := context.WithoutCancel(ctx)
	defer func() {
		if _, e := conn.ExecContext(last, "detach "+name); e != nil {
			err = errors.Join(err, fmt.Errorf("finish the file: %w", e))
		}
	}()
	tx, err := conn.BeginTx(last, nil) // ended here, not by database/sql in its own time
	if err != nil {
		return Copy{}, err
	}
	c, err := copyTables(ctx, tx, name)
	if err != nil {
		return Copy{}, errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return Copy{}, err
	}
	if err := conn.QueryRowContext(ctx, countCopied, name).Scan(&c.Tables, &c.Rows); err != nil {
		return Copy{}, fmt.Errorf("count the rows: %w", err)
	}
	return c, nil
}

// copyTables copies inside the transaction. Its first look at the warehouse
// fixes the state that all the rest sees.
func copyTables(ctx context.Context, tx *sql.Tx, to string) (Copy, error) {
	var c Copy
	var err error
	if c.Offsets, err = dbfile.Positions(ctx, tx); err != nil {
		return Copy{}, fmt.Errorf("read the offsets: %w", err)
	}
	tables, err := copiedTables(ctx, tx)
	if err != nil {
		return Copy{}, fmt.Errorf("list the tables to copy: %w", err)
	}
	for _, schema := range []string{"raw", "ops"} {
		if _, err := tx.ExecContext(ctx, "create schema "+to+"."+schema); err != nil {
			return Copy{}, err
		}
	}
	for _, table := range tables {
		if _, err := tx.ExecContext(ctx, "create table "+to+"."+table+" as from "+table); err != nil {
			return Copy{}, fmt.Errorf("%s: %w", table, err)
		}
	}
	return c, nil
}

// copiedTables lists the tables to copy, quoted.
func copiedTables(ctx context.Context, tx *sql.Tx) ([]string, error) {
	rows, err := tx.QueryContext(ctx, selectRawTables)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		tables = append(tables, "raw."+quoteName(name))
	}
	for _, name := range copiedOps {
		tables = append(tables, "ops."+name)
	}
	return tables, rows.Err()
}

// explainSpace adds what to do to the errors of a full disk.
func explainSpace(path string, err error) error {
	if !containsAny(err.Error(), outOfSpace) {
		return err
	}
	return fmt.Errorf("the disk of %s is full; a run needs room for one more published file: free some, "+
		"or move the data directory: %w", filepath.Dir(path), err)
}

// removeDatabase removes a database file and what DuckDB may have put beside it.
func removeDatabase(path string) error {
	var errs []error
	for _, file := range []string{path, path + ".wal"} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, os.RemoveAll(path+".tmp"))...)
}

// BuildLimits bound the run that builds the models. Zero means the default.
type BuildLimits struct {
	// MemoryBytes for everything that is built; 1 GiB.
	MemoryBytes int64
	// TempBytes that it may spill to disk; 16 GiB.
	TempBytes int64
	// Threads; 2.
	Threads int
}

// OpenBuild opens a copied file for building: in an instance of its own, so
// that a model that runs wild hurts only its own run, without access to files,
// the network or extensions, in UTC, with the configuration locked. It must be
// closed before Publication.Commit. Session state such as variables belongs to
// one *sql.Conn.
func OpenBuild(ctx context.Context, path string, limits BuildLimits) (*sql.DB, error) {
	setDefault(&limits.MemoryBytes, 1<<30)
	setDefault(&limits.TempBytes, 16<<30)
	setDefault(&limits.Threads, 2)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open the copy for building: %w", err)
	}
	if strings.ContainsAny(path, "?%") {
		return nil, fmt.Errorf("open the copy %s for building: DuckDB's driver cannot open a path with ? or %% in it, choose another", path)
	}
	connector, err := duckdb.NewConnector(path, nil)
	if err != nil {
		return nil, fmt.Errorf("open the copy for building: %w", err)
	}
	build := sql.OpenDB(connector)
	for _, statement := range append([]string{
		"set global memory_limit = " + quoteText(bytesSetting(limits.MemoryBytes)),
		"set global max_temp_directory_size = " + quoteText(bytesSetting(limits.TempBytes)),
		fmt.Sprintf("set global threads = %d", limits.Threads),
		"set global temp_directory = " + quoteText(spillDir(filepath.Dir(path))),
		"set global timezone = 'UTC'",
	}, seal...) {
		if _, err := build.ExecContext(ctx, statement); err != nil {
			return nil, errors.Join(fmt.Errorf("open the copy for building: %s: %w", statement, err), build.Close())
		}
	}
	return build, nil
}
