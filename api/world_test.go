package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/models"
	"github.com/goodhour/goodhour/warehouse"
)

// The instants of the small world: its models look from worldAsOf.
var (
	worldAsOf   = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	worldFile   = time.Date(2026, 3, 1, 0, 5, 0, 0, time.UTC)
	quietLogger = slog.New(slog.DiscardHandler)
)

func testKeyer() *identity.Keyer {
	keyer, err := identity.NewKeyer([]byte("the key of the tests, 32 bytes.."))
	if err != nil {
		panic(err)
	}
	return keyer
}

// buildWorld loads the world's events into a warehouse as ingest would, runs
// goodhour's own models, and returns the published file.
func buildWorld(dir string) (_ string, err error) {
	ctx := context.Background()
	db, err := warehouse.Open(ctx, warehouse.Options{
		Path: filepath.Join(dir, "live", "warehouse.duckdb"), Now: func() time.Time { return worldFile }, Logger: quietLogger,
	})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	batch, err := readWorld("testdata/world.ndjson")
	if err != nil {
		return "", err
	}
	if err := db.Load(ctx, batch); err != nil {
		return "", err
	}
	library, err := warehouse.OpenLibrary(ctx, dir, warehouse.Limits{}, quietLogger)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, library.Close()) }()
	if err := takeSnapshots(ctx, db); err != nil {
		return "", err
	}
	publication, err := library.New(worldFile)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, publication.Abort()) }()
	if err := buildModels(ctx, db, publication.Path()); err != nil {
		return "", err
	}
	if _, err := publication.Commit(ctx); err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(warehouse.PublishedLink(dir))
}

// readWorld decodes a file of CloudEvents, one a line.
func readWorld(path string) (*event.Batch, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	decoder, batch := event.NewDecoder(testKeyer()), &event.Batch{}
	next := make(map[string]int64)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var e event.Event
		if err := e.UnmarshalJSON(lines.Bytes()); err != nil {
			return nil, fmt.Errorf("%w: %s", err, lines.Text())
		}
		record, err := e.Record("")
		if err != nil {
			return nil, err
		}
		record.Time, record.Offset = worldFile, next[record.Topic]
		next[record.Topic]++
		decoder.Decode(&record, batch)
	}
	if len(batch.DeadLetters) > 0 {
		return nil, fmt.Errorf("a dead letter in the world: %s", batch.DeadLetters[0].Reason)
	}
	for topic, n := range next {
		batch.Moves = append(batch.Moves, event.Move{
			Partition: event.Partition{ClusterID: "test", Topic: topic}, From: -1, To: n,
		})
	}
	return batch, nil
}

// buildModels copies the warehouse and builds the models in the copy.
func buildModels(ctx context.Context, db *warehouse.DB, path string) (err error) {
	if _, err := db.Copy(ctx, path); err != nil {
		return err
	}
	build, err := warehouse.OpenBuild(ctx, path, warehouse.BuildLimits{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, build.Close()) }()
	conn, err := build.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	result, err := models.Run(ctx, conn, models.Options{AsOf: worldAsOf, Now: time.Now})
	if err != nil {
		return err
	}
	return warehouse.Describe(ctx, build, warehouse.Info{
		AsOf: worldAsOf, PublishedAt: worldFile, ModelVersion: result.ModelVersion, ConfigHash: result.ConfigHash, Version: "test",
	})
}

// takeSnapshots stores a metric of two dimensions on three days, and restates
// one value of the first day.
func takeSnapshots(ctx context.Context, db *warehouse.DB) error {
	var all []warehouse.Snapshot
	for day := range 3 {
		asOf := worldAsOf.AddDate(0, 0, day-3)
		value := 0.25 * float64(day+1)
		for _, dimension := range []string{"all", "country:BR"} {
			all = append(all, warehouse.Snapshot{
				TakenAt: asOf.Add(time.Hour), Metric: "answered", Dimension: dimension, Value: &value, N: int64(4 * (day + 1)),
				Hash: "h", Provenance: warehouse.Provenance{AsOf: asOf, ModelVersion: "m", ConfigHash: "c"},
			})
		}
	}
	if _, err := db.RecordSnapshots(ctx, all); err != nil {
		return err
	}
	restated := all[:2]
	for i := range restated {
		restated[i].TakenAt = restated[i].TakenAt.Add(48 * time.Hour)
	}
	restated[0].Value = nil
	_, err := db.RecordSnapshots(ctx, restated)
	return err
}

// worldData is a data directory of the test's own with the world published.
func worldData(t *testing.T) string {
	t.Helper()
	file, err := shared.world()
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	folder := filepath.Join(data, "published", filepath.Base(filepath.Dir(file)))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	from, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.Create(filepath.Join(folder, filepath.Base(file)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return data
}
