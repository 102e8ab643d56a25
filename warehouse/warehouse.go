package warehouse

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/goodhour/goodhour/warehouse/dbfile"
	"github.com/goodhour/goodhour/warehouse/internal/bulk"
)

//go:embed schema/*.sql
var embeddedSchema embed.FS

// LockedError says that the warehouse is open elsewhere.
type LockedError = dbfile.LockedError

// Options say which file to open and what it may use.
type Options struct {
	// Path of the database file. It and its folder are made if missing.
	Path string
	// MemoryLimit bounds DuckDB's buffers, in bytes; zero means 1 GiB. The
	// process needs up to 0.7 GB more at full speed (Go's heap, and memory that
	// DuckDB's limit does not count).
	MemoryLimit int64
	// Threads DuckDB may use; zero means one for each core.
	Threads int
	// TempDir is where DuckDB spills; empty means beside the file.
	TempDir string
	// Now is the clock for loaded_at and its kin. It is required.
	Now func() time.Time
	// Logger is required.
	Logger *slog.Logger
}

const (
	defaultMemoryLimit = 1 << 30
	// walLimit is how much write-ahead log may gather before a checkpoint. At
	// DuckDB's default of 16 MB checkpoints take most of a load's time; reading
	// 256 MB again after a kill takes about 1.3 s.
	walLimit = "256MB"
	// maxConns bounds the connections of View. Loading has one of its own.
	maxConns = 8
)

// DB is the open warehouse. Its methods may be called by several goroutines;
// of those that write, one runs at a time.
type DB struct {
	path string
	lock *os.File
	sql  *sql.DB
	now  func() time.Time

	// writing guards what follows.
	writing sync.Mutex
	conn    *bulk.Conn
	known   known
	scratch scratch
	closed  bool
}

// Open opens the warehouse and brings it to the newest schema. Only one DB may
// have a file open, in this process or another; a second one gets a
// *LockedError. After a kill, Open reads the write-ahead log again: what Load
// committed is there, what it did not is not.
func Open(ctx context.Context, options Options) (*DB, error) {
	folder, err := fs.Sub(embeddedSchema, "schema")
	if err != nil {
		return nil, fmt.Errorf("read the embedded schema: %w", err)
	}
	migrations, err := dbfile.ReadMigrations(folder)
	if err != nil {
		return nil, err
	}
	return open(ctx, options, migrations)
}

func open(ctx context.Context, options Options, migrations []dbfile.Migration) (_ *DB, err error) {
	path, err := dbfile.Path(options.Path)
	if err != nil {
		return nil, err
	}
	db := &DB{path: path, now: options.Now}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open the warehouse %s: %w", path, err), db.Close())
		}
	}()
	if db.lock, err = dbfile.Lock(path); err != nil {
		return nil, err
	}
	// The bare path, without options: see bulk.Join. They are set right after.
	connector, err := duckdb.NewConnector(path, nil)
	if err != nil {
		return nil, dbfile.ExplainOpen(path, err)
	}
	db.sql = sql.OpenDB(connector)
	db.sql.SetMaxOpenConns(maxConns)
	conn, err := db.sql.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := configure(ctx, conn, options); err != nil {
		return nil, err
	}
	if err := dbfile.Migrate(ctx, conn, migrations, options.Now); err != nil {
		return nil, err
	}
	if db.conn, err = bulk.Join(path); err != nil {
		return nil, err
	}
	options.Logger.Info("warehouse opened", "path", path, "schema_version", len(migrations))
	return db, nil
}

type setting struct {
	statement string
	value     any
}

func configure(ctx context.Context, conn *sql.Conn, options Options) error {
	memory := options.MemoryLimit
	if memory == 0 {
		memory = defaultMemoryLimit
	}
	settings := []setting{
		{"set global memory_limit = ?", strconv.FormatInt(memory, 10) + "B"},
		{"set global wal_autocheckpoint = ?", walLimit},
		{"set global timezone = ?", "UTC"},
		// An extension that cannot be reached would cost half a second and an error.
		{"set global autoinstall_known_extensions = ?", false},
		{"set global autoload_known_extensions = ?", false},
	}
	if options.Threads > 0 {
		settings = append(settings, setting{"set global threads = ?", options.Threads})
	}
	if options.TempDir != "" {
		settings = append(settings, setting{"set global temp_directory = ?", options.TempDir})
	}
	for _, s := range settings {
		if _, err := conn.ExecContext(ctx, s.statement, s.value); err != nil {
			return fmt.Errorf("%s (%v): %w", s.statement, s.value, err)
		}
	}
	return nil
}

// Close waits for a load that runs, and closes the file. It may be called again.
func (db *DB) Close() error {
	db.writing.Lock()
	defer db.writing.Unlock()
	if db.closed {
		return nil
	}
	db.closed = true
	var errs []error
	if db.conn != nil {
		db.conn.Close()
	}
	if db.sql != nil {
		errs = append(errs, db.sql.Close())
	}
	if db.lock != nil {
		errs = append(errs, db.lock.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close the warehouse %s: %w", db.path, err)
	}
	return nil
}

// Path is the file's absolute path.
func (db *DB) Path() string { return db.path }

// View runs read on a connection inside a read-only transaction: all its
// queries see one state, while loads go on. A write is refused by DuckDB.
//
// It shares the writer's memory limit. So it is for short queries whose answer
// must be live; whatever an analyst asks belongs on the published file.
func (db *DB) View(ctx context.Context, read func(*sql.Conn) error) error {
	conn, err := db.sql.Conn(ctx)
	if err != nil {
		return explain(fmt.Errorf("connect to the warehouse: %w", err))
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "begin transaction read only"); err != nil {
		return explain(fmt.Errorf("begin to read the warehouse: %w", err))
	}
	readErr := explain(read(conn))
	// The end must reach DuckDB even if ctx is over: the connection goes back to the pool.
	if _, err := conn.ExecContext(context.WithoutCancel(ctx), "rollback"); err != nil {
		return errors.Join(readErr, fmt.Errorf("end reading the warehouse: %w", err))
	}
	return readErr
}

// update runs write inside a transaction of the loading connection, alone.
// Whatever error comes, everything is rolled back: after an error inside a
// transaction DuckDB's COMMIT may report success and write nothing, so it is
// never asked.
func (db *DB) update(ctx context.Context, write func() error) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	if db.closed {
		return errClosed
	}
	if _, err := db.conn.Exec(ctx, "begin transaction"); err != nil {
		return explain(fmt.Errorf("begin a transaction: %w", err))
	}
	// A commit or rollback that has begun is not interrupted.
	last := context.WithoutCancel(ctx)
	if err := write(); err != nil {
		if _, rollbackErr := db.conn.Exec(last, "rollback"); rollbackErr != nil {
			err = errors.Join(err, fmt.Errorf("roll back: %w", rollbackErr))
		}
		return explain(err)
	}
	if _, err := db.conn.Exec(last, "commit"); err != nil {
		// A failed COMMIT ends the transaction in DuckDB; the rollback is for
		// the case that it did not, and its own error says nothing new.
		_, _ = db.conn.Exec(last, "rollback")
		return explain(fmt.Errorf("commit: %w", err))
	}
	return nil
}

var errClosed = errors.New("the warehouse is closed")

// ErrInvalidated says that DuckDB gave the open database up, as it does when a
// checkpoint finds the disk full. Every further call fails so too, until the
// warehouse is closed and opened again; what was committed is kept.
var ErrInvalidated = errors.New("DuckDB gave the open warehouse up: make room on the disk if it is full, " +
	"and start goodhour again; what was committed is kept")

// explain marks DuckDB's fatal errors, which have no type in its C interface.
func explain(err error) error {
	if err != nil && strings.Contains(err.Error(), "FATAL Error") {
		return fmt.Errorf("%w: %w", ErrInvalidated, err)
	}
	return err
}
