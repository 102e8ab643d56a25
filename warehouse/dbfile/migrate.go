package dbfile

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
)

// Migration is one file NNNN_name.sql. Once released, a file never changes.
type Migration struct {
	version  int
	name     string
	sql      string
	checksum string // SHA-256 of the file with Unix line ends, hex
}

// ReadMigrations returns the migrations of a folder: 1, 2, 3 and so on.
func ReadMigrations(folder fs.FS) ([]Migration, error) {
	files, err := fs.Glob(folder, "*.sql") // sorted by name
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	out := make([]Migration, 0, len(files))
	for i, file := range files {
		body, err := fs.ReadFile(folder, file)
		if err != nil {
			return nil, fmt.Errorf("read migration %s: %w", file, err)
		}
		number, name, ok := strings.Cut(strings.TrimSuffix(path.Base(file), ".sql"), "_")
		version, err := strconv.Atoi(number)
		if !ok || err != nil || version != i+1 {
			return nil, fmt.Errorf("migration %s: the file at this place must be called %04d_name.sql", file, i+1)
		}
		text := strings.ReplaceAll(string(body), "\r\n", "\n")
		sum := sha256.Sum256([]byte(text))
		out = append(out, Migration{version: version, name: name, sql: text, checksum: hex.EncodeToString(sum[:])})
	}
	return out, nil
}

const (
	createMigrations = `
create schema if not exists ops;
create table if not exists ops.migrations (
    version integer not null,
    name varchar not null,
    checksum varchar not null,
    applied_at timestamp not null
)`
	selectMigrations = `select version, name, checksum from ops.migrations order by version`
	insertMigration  = `insert into ops.migrations values (?, ?, ?, ?)`
	selectForeign    = `
select count(*) from duckdb_tables()
where database_name = current_database() and not (schema_name = 'ops' and table_name = 'migrations')`
)

// Migrate brings the database to the newest migration, each in a transaction
// of its own, and refuses a database that these migrations did not make.
func Migrate(ctx context.Context, conn *sql.Conn, migrations []Migration, now func() time.Time) error {
	if _, err := conn.ExecContext(ctx, createMigrations); err != nil {
		return fmt.Errorf("create the table of migrations: %w", err)
	}
	applied, err := checkApplied(ctx, conn, migrations)
	if err != nil {
		return err
	}
	for _, m := range migrations[applied:] {
		if err := m.apply(ctx, conn, now()); err != nil {
			return fmt.Errorf("migration %d (%s) was rolled back: %w", m.version, m.name, err)
		}
	}
	return nil
}

// checkApplied counts the migrations that the database has.
func checkApplied(ctx context.Context, conn *sql.Conn, migrations []Migration) (int, error) {
	rows, err := conn.QueryContext(ctx, selectMigrations)
	if err != nil {
		return 0, fmt.Errorf("read the applied migrations: %w", err)
	}
	defer rows.Close()
	applied := 0
	for rows.Next() {
		var got Migration
		if err := rows.Scan(&got.version, &got.name, &got.checksum); err != nil {
			return 0, fmt.Errorf("read the applied migrations: %w", err)
		}
		if got.version > len(migrations) {
			return 0, fmt.Errorf("a newer goodhour wrote this file: it has migration %d (%s), this one knows %d; "+
				"use the newer goodhour, or restore a backup", got.version, got.name, len(migrations))
		}
		applied++
		if got.version != applied {
			return 0, fmt.Errorf("migration %d is missing before %d in ops.migrations: the file was changed by hand, "+
				"restore a backup", applied, got.version)
		}
		want := migrations[applied-1]
		if got.name != want.name || got.checksum != want.checksum {
			return 0, fmt.Errorf("migration %d was applied as %s (%.12s) and is now %s (%.12s): a released migration "+
				"must not change; use the goodhour that wrote this file, or restore a backup",
				got.version, got.name, got.checksum, want.name, want.checksum)
		}
	}
	if err := rows.Err(); err != nil {
		return 0, fmt.Errorf("read the applied migrations: %w", err)
	}
	if applied > 0 {
		return applied, nil
	}
	var foreign int
	if err := conn.QueryRowContext(ctx, selectForeign).Scan(&foreign); err != nil {
		return 0, fmt.Errorf("look for tables: %w", err)
	}
	if foreign > 0 {
		return 0, fmt.Errorf("the file has %d tables that are not goodhour's: choose another path", foreign)
	}
	return 0, nil
}

func (m Migration) apply(ctx context.Context, conn *sql.Conn, at time.Time) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if _, err := tx.ExecContext(ctx, m.sql); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, insertMigration, m.version, m.name, m.checksum, at.UTC()); err != nil {
		return err
	}
	return tx.Commit()
}
