package ledger

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

	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/warehouse/dbfile"
)

//go:embed schema/*.sql
var embeddedSchema embed.FS

// LockedError says that the ledger is open elsewhere.
type LockedError = dbfile.LockedError

// Options say which file to open and what it may use.
type Options struct {
	// Path of the database file. It and its folder are made if missing.
	Path string
	// MemoryLimit bounds DuckDB's buffers, in bytes; zero means 512 MiB. The
	// state of now is in Go's memory beside it: see doc.go.
	MemoryLimit int64
	// Threads DuckDB may use; zero means one for each core.
	Threads int
	// Rules say how long a claim counts for the marketing cap. Nil means the
	// default ones.
	Rules *policy.Rules
	// Now is the clock for loaded_at, and for attempts whose outcome was lost
	// with the process. It is required.
	Now func() time.Time
	// Logger is required.
	Logger *slog.Logger
}

const (
	defaultMemoryLimit = 512 << 20
	// walLimit: see warehouse/DECISIONS.md; a checkpoint holds up claims.
	walLimit = "256MB"
	// maxConns bounds the connections of readers, and the writer's.
	maxConns = 5
)

// DB is the open ledger. Its methods may be called by several goroutines; of
// those that write, one runs at a time.
type DB struct {
	path      string
	lock      *os.File
	sql       *sql.DB
	now       func() time.Time
	logger    *slog.Logger
	capWindow time.Duration // of the marketing cap
	changed   chan struct{}

	// writing guards what follows, and is held by whoever changes state.
	writing sync.Mutex
	conn    *sql.Conn
	closed  bool
	broken  error // why the state of now is no longer sure

	// mu guards state. Only who holds writing may lock it for changes of what
	// is stored; the queues change with Due too.
	mu    sync.RWMutex
	state state
}

// Open opens the ledger, brings it to the newest schema, derives the state of
// now, and settles as unknown what was claimed when the process ended. Only one
// DB may have a file open, in this process or another; a second one gets a
// *LockedError.
func Open(ctx context.Context, o Options) (_ *DB, err error) {
	path, err := dbfile.Path(o.Path)
	if err != nil {
		return nil, err
	}
	db := &DB{path: path, now: o.Now, logger: o.Logger, changed: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open the ledger %s: %w", path, err), db.Close())
		}
	}()
	rules := o.Rules
	if rules == nil {
		if rules, err = policy.Default(); err != nil {
			return nil, err
		}
	}
	db.capWindow = rules.MarketingCap.Window
	if db.lock, err = dbfile.Lock(path); err != nil {
		return nil, err
	}
	if err := db.connect(ctx, o); err != nil {
		return nil, err
	}
	if err := db.restore(ctx); err != nil {
		return nil, fmt.Errorf("derive the state of now: %w", err)
	}
	lost, err := db.recover(ctx)
	if err != nil {
		return nil, fmt.Errorf("settle what was claimed when the process ended: %w", err)
	}
	o.Logger.Info("ledger opened", "path", path, "identities", db.state.people.graph.Len(),
		"messages", len(db.state.messages), "plans", len(db.state.plans), "attempts_unknown", lost)
	return db, nil
}

// connect opens the file and brings it to the newest schema.
func (db *DB) connect(ctx context.Context, o Options) error {
	folder, err := fs.Sub(embeddedSchema, "schema")
	if err != nil {
		return fmt.Errorf("read the embedded schema: %w", err)
	}
	migrations, err := dbfile.ReadMigrations(folder)
	if err != nil {
		return err
	}
	connector, err := duckdb.NewConnector(db.path, nil)
	if err != nil {
		return dbfile.ExplainOpen(db.path, err)
	}
	db.sql = sql.OpenDB(connector)
	db.sql.SetMaxOpenConns(maxConns)
	if db.conn, err = db.sql.Conn(ctx); err != nil {
		return dbfile.ExplainOpen(db.path, err)
	}
	memory := o.MemoryLimit
	if memory == 0 {
		memory = defaultMemoryLimit
	}
	type setting struct {
		statement string
		value     any
	}
	settings := []setting{
		{"set global memory_limit = ?", strconv.FormatInt(memory, 10) + "B"},
		{"set global wal_autocheckpoint = ?", walLimit},
		{"set global timezone = ?", "UTC"},
		// An extension that cannot be reached would cost half a second and an error.
		{"set global autoinstall_known_extensions = ?", false},
		{"set global autoload_known_extensions = ?", false},
	}
	if o.Threads > 0 {
		settings = append(settings, setting{"set global threads = ?", o.Threads})
	}
	for _, s := range settings {
		if _, err := db.conn.ExecContext(ctx, s.statement, s.value); err != nil {
			return fmt.Errorf("%s (%v): %w", s.statement, s.value, err)
		}
	}
	return dbfile.Migrate(ctx, db.conn, migrations, o.Now)
}

// Close waits for a write that runs, and closes the file. It may be called again.
func (db *DB) Close() error {
	db.writing.Lock()
	defer db.writing.Unlock()
	if db.closed {
		return nil
	}
	db.closed = true
	var errs []error
	if db.conn != nil {
		errs = append(errs, db.conn.Close())
	}
	if db.sql != nil {
		errs = append(errs, db.sql.Close())
	}
	if db.lock != nil {
		errs = append(errs, db.lock.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close the ledger %s: %w", db.path, err)
	}
	return nil
}

// Path is the file's absolute path.
func (db *DB) Path() string { return db.path }

// Changed signals, by a channel of one, that something may be due now that was
// not before: a plan was added, approved or resumed, or a message waits again.
func (db *DB) Changed() <-chan struct{} { return db.changed }

func (db *DB) signal() {
	select {
	case db.changed <- struct{}{}:
	default:
	}
}

// Unsettled counts the messages that are claimed and not settled.
func (db *DB) Unsettled() int {
	db.mu.RLock()
	defer db.mu.RUnlock()
	n := 0
	for _, p := range db.state.plans {
		n += p.states[codeOf(plan.Claimed)]
	}
	return n
}

// change is a write: check looks at the state of now and says what to append;
// apply brings the state of now to what was committed. Nobody else writes
// meanwhile, so check may read without db.mu.
func (db *DB) change(ctx context.Context, write func(*transaction) error, apply func(*state)) error {
	if db.closed {
		return errClosed
	}
	if db.broken != nil {
		return db.broken
	}
	if err := db.commit(ctx, write); err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	apply(&db.state)
	return nil
}

// commit runs write in a transaction of the writer's connection. Whatever error
// comes, everything is rolled back: after an error inside a transaction
// DuckDB's COMMIT may report success and write nothing, so it is never asked.
func (db *DB) commit(ctx context.Context, write func(*transaction) error) error {
	if _, err := db.conn.ExecContext(ctx, "begin transaction"); err != nil {
		return db.explain(fmt.Errorf("begin a transaction: %w", err))
	}
	// A commit or rollback that has begun is not interrupted.
	last := context.WithoutCancel(ctx)
	if err := write(&transaction{ctx: ctx, conn: db.conn}); err != nil {
		if _, rollbackErr := db.conn.ExecContext(last, "rollback"); rollbackErr != nil {
			err = errors.Join(err, fmt.Errorf("roll back: %w", rollbackErr))
		}
		return db.explain(err)
	}
	if _, err := db.conn.ExecContext(last, "commit"); err != nil {
		// Whether it is done is open, and so is the state of now.
		db.broken = fmt.Errorf("%w: commit: %w", ErrInvalidated, err)
		return db.broken
	}
	return nil
}

// explain marks DuckDB's fatal errors, which have no type in its C interface.
func (db *DB) explain(err error) error {
	if strings.Contains(err.Error(), "FATAL Error") {
		db.broken = fmt.Errorf("%w: %w", ErrInvalidated, err)
		return db.broken
	}
	return err
}
