package main

import (
	"context"
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

// compareTables fails where a table of the two differs.
func compareTables(ctx context.Context, t *testing.T, got, want *installation) {
	t.Helper()
	g, w := got.hashes(ctx, t), want.hashes(ctx, t)
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
