package warehouse_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/warehouse"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

const (
	measuredBatches = 60
	measuredRows    = 20_000
	measuredLimit   = 200 << 20
)

// measureLoads loads many batches, half of each stored already, and prints the
// process's resident memory after each.
func measureLoads(ctx context.Context, path string) error {
	db, err := warehouse.Open(ctx, warehouse.Options{
		Path: path, MemoryLimit: measuredLimit, Now: warehousetest.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer db.Close()
	var b event.Batch
	for i := range measuredBatches {
		killBatch(&b, i*measuredRows/2, i*measuredRows/2+measuredRows)
		b.Moves = nil
		if err := db.Load(ctx, &b); err != nil {
			return err
		}
		resident, err := residentBytes()
		if err != nil {
			return err
		}
		fmt.Println(resident)
	}
	return nil
}

// Goal: memory stays under DuckDB's limit and what Go and DuckDB's allocator
// add to it, however much is loaded. Measured in a process of its own, by the
// kernel's count of its resident pages.
func TestMemoryIsBoundedOverManyBatches(t *testing.T) {
	t.Parallel()
	p := start(t, "measure", filepath.Join(t.TempDir(), "w.duckdb"))
	var resident []int64
	for p.lines.Scan() {
		n, err := strconv.ParseInt(p.lines.Text(), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		resident = append(resident, n)
	}
	p.stop(t)
	if len(resident) != measuredBatches {
		t.Fatalf("%d of %d batches", len(resident), measuredBatches)
	}
	peak := int64(0)
	for _, n := range resident {
		peak = max(peak, n)
	}
	t.Logf("resident after 1, %d, %d batches: %d, %d, %d MB; peak %d MB with a limit of %d MB",
		measuredBatches/2, measuredBatches, resident[0]>>20, resident[measuredBatches/2]>>20,
		resident[measuredBatches-1]>>20, peak>>20, measuredLimit>>20)
	const beside = 400 << 20 // Go's heap, DuckDB's code and its allocator's slack
	if peak > measuredLimit+beside {
		t.Errorf("peak of %d MB", peak>>20)
	}
}
