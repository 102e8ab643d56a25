package models

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goodhour/goodhour/warehouse"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

// The seam: warehouse copies and opens, models builds.
func TestRunBuildsInACopyOfTheWarehouse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "goodhour.duckdb")
	if _, err := warehousetest.New(t).Copy(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	build, err := warehouse.OpenBuild(t.Context(), path, warehouse.BuildLimits{})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := build.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	options := Options{AsOf: testAsOf, Now: time.Now, Own: folder(t, "mine.sql", "select * from marts.messages")}
	result, err := Run(t.Context(), conn, options)
	if err != nil {
		t.Fatal(err)
	}
	if left := result.LeftOut(); len(left) > 0 {
		t.Errorf("left out: %+v", left)
	}
	values, err := Metrics(t.Context(), conn, result.Provenance, testAsOf.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range values {
		if value.N != 0 || value.Hash == "" || !value.AsOf.Equal(testAsOf) {
			t.Errorf("of nothing: %+v", value)
		}
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if err := build.Close(); err != nil {
		t.Error(err)
	}
	if matches, err := filepath.Glob(path + ".wal"); err != nil || len(matches) > 0 {
		t.Error("the file has a log beside it after it was closed")
	}
	reader, err := warehouse.OpenReader(t.Context(), path, warehouse.Limits{})
	if err == nil {
		_ = reader.Close()
	}
	// The caller describes the file before it is published.
	if err == nil || !strings.Contains(err.Error(), "ops.publication") {
		t.Errorf("got %v", err)
	}
}
