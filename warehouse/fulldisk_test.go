package warehouse_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/warehouse"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

// fullDiskEvents is how much the children load before the disk is full, and
// fullDiskBatch how much at a time after that.
const (
	fullDiskEvents = 40_000
	fullDiskBatch  = 1000
)

// loadOnFullDisk is the child of TestFullDisk. It loads until its own files
// must not grow, says what comes of the next batch, and of the one after there
// is room again. growing is the suffix of the file that may not grow.
func loadOnFullDisk(ctx context.Context, path, growing string) error {
	db, err := openAt(ctx, path)
	if err != nil {
		return err
	}
	defer db.Close()
	checkpointAt := func(size string) error {
		return db.View(ctx, func(conn *sql.Conn) error {
			_, err := conn.ExecContext(ctx, "set global wal_autocheckpoint = '"+size+"'")
			return err
		})
	}
	// The database file gets large and the log small, so that either can be first.
	if err := checkpointAt("100KB"); err != nil {
		return err
	}
	var b event.Batch
	killBatch(&b, 0, fullDiskEvents)
	if err := db.Load(ctx, &b); err != nil {
		return err
	}
	if growing == ".wal" {
		if err := checkpointAt("1GB"); err != nil {
			return err
		}
	}
	room := int64(10_000)
	if info, err := os.Stat(path + growing); err == nil {
		room += info.Size()
	}
	lift, err := limitFileSize(uint64(room))
	if err != nil {
		return err
	}
	killBatch(&b, fullDiskEvents, fullDiskEvents+fullDiskBatch)
	err = db.Load(ctx, &b)
	fmt.Println("full:", err != nil, errors.Is(err, warehouse.ErrInvalidated))
	if err := lift(); err != nil {
		return err
	}
	err = db.Load(ctx, &b)
	_, positionsErr := db.Positions(ctx)
	fmt.Println("free:", err, errors.Is(err, warehouse.ErrInvalidated), errors.Is(positionsErr, warehouse.ErrInvalidated))
	return nil
}

// Goal: a full disk costs the batch that met it, and nothing that was committed.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	quiet := warehousetest.New(t)
	var b event.Batch
	killBatch(&b, 0, fullDiskEvents+fullDiskBatch)
	if err := quiet.Load(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	want, err := quiet.Hash(t.Context(), "raw", "pii")
	if err != nil {
		t.Fatal(err)
	}

	f := func(role string, wantFull, wantFree string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "w.duckdb")
		p := start(t, role, path)
		p.lines.Scan()
		full := p.lines.Text()
		p.lines.Scan()
		free := p.lines.Text()
		p.stop(t)
		if full != wantFull || !strings.HasPrefix(free, wantFree) {
			t.Errorf("%s: %s\n%s", role, full, free)
		}

		db := warehousetest.Open(t, path)
		positions, err := db.Positions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if next := int(positions[0].NextOffset); next < fullDiskEvents+fullDiskBatch {
			killBatch(&b, next, fullDiskEvents+fullDiskBatch)
			if err := db.Load(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.Hash(t.Context(), "raw", "pii")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", role, diff)
		}
	}
	// No room for the log: the transaction is undone, and goes through later.
	f("load-full-wal", "full: true false", "free: <nil> false false")
	// No room for a checkpoint: DuckDB gives the database up until it is opened again.
	f("load-full-file", "full: true true", "free: "+warehouse.ErrInvalidated.Error())
}
