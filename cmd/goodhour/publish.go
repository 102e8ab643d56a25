package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/models"
	"github.com/goodhour/goodhour/warehouse"
)

// publication is what a model run that was published did.
type publication struct {
	RunID       string    `json:"run_id"`
	AsOf        time.Time `json:"as_of"`
	PublishedAt time.Time `json:"published_at"`
	Relations   int       `json:"relations"`
	Rows        int64     `json:"rows"`
	// LeftOut are the analyst's models that are not there, with the reason.
	LeftOut map[string]string `json:"left_out,omitempty"`
	// Slowest names the relation that took longest.
	Slowest string        `json:"slowest"`
	Took    time.Duration `json:"took_ns"`
	// LastEventAt is the time of the newest event; nil without events.
	LastEventAt *time.Time `json:"last_event_at,omitempty"`
	// Snapshots counts the metric values that are new or restated.
	Snapshots int64 `json:"snapshots"`
	// copyTook is how long the warehouse was copied.
	copyTook time.Duration
}

// publish runs the models and publishes the file that they make: the warehouse
// is copied in one transaction, the models build in an instance of their own,
// and then the link moves. Whatever fails, the file published before stays.
// One run at a time; a second caller waits for its turn.
func (a *app) publish(ctx context.Context, asOfText string) (_ *publication, err error) {
	select {
	case a.publishing <- struct{}{}:
		defer func() { <-a.publishing }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	own, err := ownModels(&a.cfg)
	if err != nil {
		return nil, err
	}
	own, unsafeModels, err := withoutUnsafe(own)
	if err != nil {
		return nil, err
	}
	asOf, err := a.asOf(ctx, asOfText)
	if err != nil {
		return nil, err
	}
	started := a.now()
	place, err := a.library.New(started)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, place.Abort())
		}
	}()
	copied, err := a.warehouse.Copy(ctx, place.Path())
	if err != nil {
		return nil, err
	}
	ceiling, err := offsetCeiling(copied.Offsets)
	if err != nil {
		return nil, err
	}
	built, err := a.build(ctx, place.Path(), models.Options{
		AsOf:          asOf,
		OffsetCeiling: ceiling,
		Settings:      a.cfg.Models.Settings,
		Own:           own,
		Deadline:      time.Duration(a.cfg.Models.Deadline),
		OwnDeadline:   time.Duration(a.cfg.Models.OwnDeadline),
		Now:           a.now,
	})
	if err != nil {
		if built.result != nil {
			err = errors.Join(err, a.recordRun(context.WithoutCancel(ctx), built.result, copied, err))
		}
		return nil, fmt.Errorf("run the models: %w", err)
	}
	info, err := place.Commit(ctx)
	if err != nil {
		return nil, err
	}
	// The file is out: a crash before the record loses the record, not the file.
	if err := a.recordRun(ctx, built.result, copied, nil); err != nil {
		return nil, err
	}
	stored, err := a.warehouse.RecordSnapshots(ctx, snapshots(built.metrics))
	if err != nil {
		return nil, err
	}
	record := built.result.Record()
	out := &publication{
		RunID: record.RunID, AsOf: info.AsOf, PublishedAt: info.PublishedAt, Relations: record.Built, Rows: record.Rows,
		LeftOut: unsafeModels, Took: a.now().Sub(started), Snapshots: stored, copyTook: copied.Took,
	}
	last, err := a.warehouse.LastEventTime(ctx)
	if err != nil {
		return nil, err
	}
	if !last.IsZero() {
		out.LastEventAt = &last
	}
	for _, node := range built.result.LeftOut() {
		out.LeftOut[node.Relation.String()] = node.Error
	}
	slowest := time.Duration(-1)
	for _, node := range built.result.Nodes {
		if node.Duration > slowest {
			slowest, out.Slowest = node.Duration, node.Relation.String()
		}
	}
	return out, nil
}

// built is what came of a run in its own file.
type built struct {
	result  *models.Result
	metrics []models.MetricValue
}

// build runs the models, takes the metrics and describes the file. The
// instance is closed when it returns, as a publication must be.
func (a *app) build(ctx context.Context, path string, options models.Options) (out built, err error) {
	db, err := warehouse.OpenBuild(ctx, path, warehouse.BuildLimits{
		MemoryBytes: int64(a.cfg.Models.MemoryLimit), Threads: a.cfg.Models.Threads,
	})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return out, fmt.Errorf("open the copy for building: %w", err)
	}
	defer func() {
		if closeErr := conn.Close(); closeErr != nil && !errors.Is(closeErr, sql.ErrConnDone) {
			err = errors.Join(err, closeErr)
		}
	}()
	if out.result, err = models.Run(ctx, conn, options); err != nil {
		return out, err
	}
	of := out.result.Provenance
	if out.metrics, err = models.Metrics(ctx, conn, of, a.now()); err != nil {
		return out, err
	}
	if err := warehouse.AddSnapshots(ctx, db, snapshots(out.metrics)); err != nil {
		return out, err
	}
	return out, warehouse.Describe(ctx, db, warehouse.Info{
		AsOf: of.AsOf, PublishedAt: a.now(), ModelVersion: of.ModelVersion, ConfigHash: of.ConfigHash, Version: buildVersion(),
	})
}

func (a *app) recordRun(ctx context.Context, result *models.Result, copied warehouse.Copy, failure error) error {
	record := result.Record()
	run := warehouse.ModelRun{
		RunID: record.RunID, Provenance: warehouse.Provenance(record.Provenance), Version: buildVersion(),
		StartedAt: record.StartedAt, FinishedAt: record.FinishedAt, State: warehouse.RunPublished,
		Built: int64(record.Built), Failed: int64(record.Failed), Skipped: int64(record.Skipped), Rows: record.Rows,
		ChecksFailed: int64(record.ChecksFailed), RelationErrors: record.Errors,
		CopyTime: copied.Took, CopiedRows: copied.Rows, FileBytes: copied.Bytes,
	}
	if failure != nil {
		run.State, run.Error, run.FinishedAt = warehouse.RunFailed, failure.Error(), a.now()
	}
	var checks []warehouse.ModelCheck
	for _, node := range result.Nodes {
		for _, check := range node.Checks {
			checks = append(checks, warehouse.ModelCheck{
				RunID: record.RunID, Relation: node.Relation.String(), Check: check.Check, Warning: check.Warn,
				Failed: check.Failed, Example: check.Example, Error: check.Error, Took: check.Duration,
			})
		}
	}
	return a.warehouse.RecordRun(ctx, run, checks)
}

func snapshots(metrics []models.MetricValue) []warehouse.Snapshot {
	out := make([]warehouse.Snapshot, len(metrics))
	for i, m := range metrics {
		out[i] = warehouse.Snapshot{
			TakenAt: m.TakenAt, Metric: m.Metric, Dimension: m.Dimension,
			Provenance: warehouse.Provenance(m.Provenance), Value: m.Value, N: m.N, Hash: m.Hash,
		}
	}
	return out
}

// offsetCeiling writes positions as JSON, for the record of what a run saw.
func offsetCeiling(positions []event.Position) (string, error) {
	type offset struct {
		ClusterID  string `json:"cluster_id"`
		Topic      string `json:"topic"`
		TopicID    string `json:"topic_id,omitempty"`
		Partition  int32  `json:"partition"`
		NextOffset int64  `json:"next_offset"`
	}
	out := make([]offset, len(positions))
	for i, p := range positions {
		out[i] = offset{p.ClusterID, p.Topic, p.TopicID, p.Partition.Partition, p.NextOffset}
	}
	b, err := json.Marshal(out)
	if err != nil {
		return "", fmt.Errorf("write the offset ceiling: %w", err)
	}
	return string(b), nil
}

// publishOften keeps the published file fresh while events arrive, and takes
// the metric snapshots with each run. The next run begins no sooner than nine
// times what the last one's copy took, so that copying never takes more than a
// tenth of the time.
func (a *app) publishOften(ctx context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var loaded int64
	due := a.now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if a.now().Before(due) {
			continue
		}
		now := a.loadedOffsets()
		if now == loaded && a.publishedToday() {
			continue
		}
		p, err := a.publish(ctx, a.cfg.Models.AsOf)
		pause := time.Duration(a.cfg.Models.Every)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			a.log.Error("the models could not be published, the file before stays", "error", err)
		default:
			loaded = now
			pause = max(pause, 9*p.copyTook)
			a.log.Info("models published", "as_of", p.AsOf, "relations", p.Relations, "rows", p.Rows, "took", p.Took)
		}
		due = a.now().Add(pause)
	}
}

// publishedToday reports whether the newest file is of this day (UTC): heat and
// the snapshots move on from day to day also where no event arrives.
func (a *app) publishedToday() bool {
	reader, release, err := a.library.Acquire()
	if err != nil {
		return false
	}
	defer release()
	const day = 24 * time.Hour
	return reader.Info().PublishedAt.Truncate(day).Equal(a.now().UTC().Truncate(day))
}

// loadedOffsets sums the positions: it grows with every record loaded.
func (a *app) loadedOffsets() int64 {
	var sum int64
	for _, p := range a.consumer.Status().Partitions {
		sum += max(p.NextOffset, 0)
	}
	return sum
}

// asOf is the instant that a run looks from. The text is that of models.as_of,
// which Config.problems or the command has checked.
func (a *app) asOf(ctx context.Context, text string) (time.Time, error) {
	switch text {
	case asOfNow:
		return a.clock.Now(), nil
	case asOfLastEvent:
		last, err := a.warehouse.LastEventTime(ctx)
		if err == nil && last.IsZero() {
			last = a.clock.Now()
		}
		return last, err
	default:
		at, err := parseAsOf(text)
		if err == nil && at.After(a.now().Add(24*time.Hour)) {
			err = fmt.Errorf("as-of %s lies in the future, where nobody has engaged yet", text)
		}
		return at, err
	}
}

// The words that models.as_of knows beside a time.
const (
	asOfNow       = "now"
	asOfLastEvent = "last-event"
)

// parseAsOf reads an instant, or a day, which ends at its last instant that
// DuckDB can tell.
func parseAsOf(text string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC(), nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("want now, last-event, a day (2026-03-01) or an instant (2026-03-01T12:00:00Z), got %q", text)
	}
	return day.Add(24*time.Hour - time.Microsecond), nil
}
