package main

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/warehouse"
)

// loadedSchemas are the schemas that hold what was loaded.
var loadedSchemas = []string{"raw", "pii"}

// hashes returns the content of every table that was loaded, dead letters left
// out: theirs are the coordinates of a record, not what happened.
func (i *installation) hashes(ctx context.Context, t *testing.T) map[string]warehouse.TableHash {
	t.Helper()
	c := i.cli()
	db, err := warehouse.Open(ctx, warehouse.Options{Path: warehousePath(&c.cfg), Now: c.now, Logger: c.log})
	if err != nil {
		t.Fatal(err)
	}
	tables, err := db.Hash(ctx, loadedSchemas...)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	out := make(map[string]warehouse.TableHash)
	for _, table := range tables {
		if table.Table != "pii.dead_letters" {
			out[table.Table] = table
		}
	}
	return out
}

// modelled is an instant at which the models of two installations are compared.
const modelled = "2026-05-20"

// modelHashes publishes from a fixed day and returns the content of every
// table that the models made.
func (i *installation) modelHashes(ctx context.Context, t *testing.T) map[string]warehouse.TableHash {
	t.Helper()
	i.run(ctx, t, "publish", "--as-of", modelled)
	db, err := sql.Open("duckdb", warehouse.PublishedLink(i.data)+"?access_mode=READ_ONLY")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// Views, which are not hashed, read the day from the session.
	tables, err := warehouse.Hash(ctx, conn, "staging", "intermediate", "marts", "audience")
	if err := errors.Join(err, conn.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	out := make(map[string]warehouse.TableHash)
	for _, table := range tables {
		out[table.Table] = table
	}
	return out
}

// compareTables fails where a table of the two differs, as loaded or as modelled.
func compareTables(ctx context.Context, t *testing.T, got, want *installation) {
	t.Helper()
	g, w := got.hashes(ctx, t), want.hashes(ctx, t)
	maps.Copy(g, got.modelHashes(ctx, t))
	maps.Copy(w, want.modelHashes(ctx, t))
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("tables differ (-want +got):\n%s", diff)
	}
	var rows int64
	for _, table := range w {
		rows += table.Rows
	}
	if rows == 0 {
		t.Error("there is nothing in the tables compared")
	}
	t.Logf("%d tables with %d rows compared", len(w), rows)
}
