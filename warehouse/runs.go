package warehouse

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/goodhour/goodhour/warehouse/internal/bulk"
)

// Provenance is what the tables of a run are a function of.
type Provenance struct {
	AsOf time.Time
	// OffsetCeiling as JSON: every event before it was in, none after.
	OffsetCeiling string
	ModelVersion  string
	ConfigHash    string
}

// RunState is how a model run ended.
type RunState string

// The states of a run.
const (
	// RunPublished: its file is, or was, the published one.
	RunPublished RunState = "published"
	// RunFailed: nothing of it was published.
	RunFailed RunState = "failed"
)

// ModelRun is a row of ops.model_runs.
type ModelRun struct {
	RunID string
	Provenance
	Version               string // of goodhour
	StartedAt, FinishedAt time.Time
	State                 RunState
	// Error is why it failed; empty otherwise.
	Error                  string
	Built, Failed, Skipped int64 // relations
	// Rows of all relations together.
	Rows int64
	// ChecksFailed counts those that only warn, too.
	ChecksFailed int64
	// RelationErrors is a JSON object: the error by relation.
	RelationErrors string
	// CopyTime, CopiedRows and FileBytes are of the copy and of the file.
	CopyTime   time.Duration
	CopiedRows int64
	FileBytes  int64
}

// ModelCheck is a row of ops.model_checks.
type ModelCheck struct {
	RunID, Relation, Check string
	// Warning: a failure changes nothing.
	Warning bool
	// Failed counts the rows, or the keys, that break it.
	Failed int64
	// Example is one of them, as JSON; Error is why the check could not be made.
	Example, Error string
	Took           time.Duration
}

// Snapshot is a row of ops.metric_snapshots: a metric's value at an as-of time.
type Snapshot struct {
	TakenAt           time.Time
	Metric, Dimension string
	Provenance
	// Value is nil where there is nothing to divide by.
	Value *float64
	// N is what the value rests on.
	N int64
	// Hash is of all the metric's values at this as-of time together.
	Hash string
	// Restates is the TakenAt of the row that this one replaces; zero for the
	// first. RecordSnapshots sets it.
	Restates time.Time
}

const (
	insertRun = `
insert into ops.model_runs
select $1, $2, $3, $4, $5, $6, $7, $8, $9, nullif($10, ''), $11, $12, $13, $14, $15, $16, $17, $18, $19`
	insertCheck = `
insert into ops.model_checks
select $1, $2, $3, $4 = 1, $5, nullif($6, ''), nullif($7, ''), $8`
	// insertSnapshot adds a value unless the last row says the same.
	insertSnapshot = `
insert into ops.metric_snapshots
with
given as (
    select
        $1::timestamp as taken_at, $2::varchar as metric, $3::varchar as dimension, $4::timestamp as as_of,
        nullif($5, '')::double as "value", $6::bigint as n,
        $7::json as offset_ceiling, $8::varchar as model_version, $9::varchar as config_hash, $10::varchar as result_hash
),
last_row as (
    select taken_at, "value", n
    from ops.metric_snapshots
    where metric = $2 and dimension = $3 and as_of = $4
    order by rowid desc
    limit 1
)
select given.*, last_row.taken_at
from given
left join last_row on true
where last_row.taken_at is null or last_row."value" is distinct from given."value" or last_row.n != given.n`
	// insertVanished takes back the values of a metric that no longer come out
	// at all: $5 is the JSON array of the dimensions that do.
	insertVanished = `
insert into ops.metric_snapshots
with
last_rows as (
    select *
    from ops.metric_snapshots
    where metric = $2 and as_of = $4
    qualify row_number() over (partition by dimension order by rowid desc) = 1
)
select $1::timestamp, metric, dimension, as_of, null, 0, $3::json, $6, $7, $8, taken_at
from last_rows
where ("value" is not null or n != 0) and not list_contains(from_json($5::json, '["varchar"]'), dimension)`
	selectRuns = `
select
    run_id, as_of, offset_ceiling::varchar, model_version, config_hash, goodhour_version, started_at, finished_at,
    state, coalesce(error, ''), relations_built, relations_failed, relations_skipped, row_count, checks_failed,
    relation_errors::varchar, copy_ms, copied_row_count, file_bytes
from ops.model_runs
order by started_at desc, run_id desc
limit ?`
	selectChecks = `
select run_id, relation, "check", is_warning, failed_count, coalesce(example, ''), coalesce(error, ''), duration_ms
from ops.model_checks
where run_id = ?
order by rowid`
	selectSnapshots = `
select
    taken_at, metric, dimension, as_of, offset_ceiling::varchar, model_version, config_hash, "value", n, result_hash,
    restates_taken_at
from ops.metric_snapshots
where ($1 = '' or metric = $1) and as_of >= $2 and as_of < $3
order by as_of desc, metric, dimension, rowid desc
limit $4`
)

// RecordRun adds a run and its checks.
func (db *DB) RecordRun(ctx context.Context, run ModelRun, checks []ModelCheck) error {
	err := db.update(ctx, func() error {
		_, err := db.conn.Exec(ctx, insertRun,
			run.RunID, micros(run.AsOf), orJSON(run.OffsetCeiling, "[]"), run.ModelVersion, run.ConfigHash, run.Version,
			micros(run.StartedAt), micros(run.FinishedAt), string(run.State), run.Error,
			run.Built, run.Failed, run.Skipped, run.Rows, run.ChecksFailed, orJSON(run.RelationErrors, "{}"),
			run.CopyTime.Milliseconds(), run.CopiedRows, run.FileBytes)
		if err != nil {
			return err
		}
		for _, c := range checks {
			var warning int64
			if c.Warning {
				warning = 1
			}
			_, err := db.conn.Exec(ctx, insertCheck,
				run.RunID, c.Relation, c.Check, warning, c.Failed, c.Example, c.Error, c.Took.Milliseconds())
			if err != nil {
				return fmt.Errorf("check %s of %s: %w", c.Check, c.Relation, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("record the model run %s: %w", run.RunID, err)
	}
	return nil
}

// RecordSnapshots adds the values that are new, or differ from the last row of
// the same metric, dimension and as-of time: a restatement. It must be given
// every value of a metric at an as-of time together; a dimension that had a
// value and has none any more is restated as null. It returns how many rows
// were added.
func (db *DB) RecordSnapshots(ctx context.Context, snapshots []Snapshot) (added int64, err error) {
	err = db.update(ctx, func() (err error) {
		added, err = addSnapshots(ctx, db.conn.Exec, snapshots)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("record %d metric snapshots: %w", len(snapshots), err)
	}
	return added, nil
}

// AddSnapshots adds them to a file being built, as RecordSnapshots does to the
// warehouse, so that who reads the file finds the metrics of its own run.
func AddSnapshots(ctx context.Context, build *sql.DB, snapshots []Snapshot) error {
	add := func(ctx context.Context, query string, args ...any) (int64, error) {
		for i, arg := range args {
			if at, ok := arg.(bulk.Timestamp); ok {
				args[i] = time.UnixMicro(int64(at)).UTC()
			}
		}
		result, err := build.ExecContext(ctx, query, args...)
		if err != nil {
			return 0, err
		}
		return result.RowsAffected()
	}
	if _, err := addSnapshots(ctx, add, snapshots); err != nil {
		return fmt.Errorf("add %d metric snapshots to the file being built: %w", len(snapshots), err)
	}
	return nil
}

// adder runs one insert and returns how many rows it added.
type adder func(ctx context.Context, query string, args ...any) (int64, error)

func addSnapshots(ctx context.Context, add adder, snapshots []Snapshot) (int64, error) {
	var added int64
	for _, s := range snapshots {
		value := ""
		if s.Value != nil {
			value = strconv.FormatFloat(*s.Value, 'g', -1, 64)
		}
		n, err := add(ctx, insertSnapshot,
			micros(s.TakenAt), s.Metric, s.Dimension, micros(s.AsOf), value, s.N,
			orJSON(s.OffsetCeiling, "[]"), s.ModelVersion, s.ConfigHash, s.Hash)
		if err != nil {
			return added, fmt.Errorf("%s: %w", s.Metric, err)
		}
		added += n
	}
	n, err := addVanished(ctx, add, snapshots)
	return added + n, err
}

// addVanished takes back the values of dimensions that no longer come out.
func addVanished(ctx context.Context, add adder, snapshots []Snapshot) (int64, error) {
	type set struct {
		metric string
		asOf   int64
	}
	dimensions := make(map[set][]string)
	for _, s := range snapshots {
		key := set{s.Metric, s.AsOf.UnixMicro()}
		dimensions[key] = append(dimensions[key], s.Dimension)
	}
	var added int64
	for _, s := range snapshots {
		key := set{s.Metric, s.AsOf.UnixMicro()}
		present, ok := dimensions[key]
		if !ok {
			continue // done with its first snapshot
		}
		delete(dimensions, key)
		list, err := json.Marshal(present)
		if err != nil {
			return added, err
		}
		n, err := add(ctx, insertVanished,
			micros(s.TakenAt), s.Metric, orJSON(s.OffsetCeiling, "[]"), micros(s.AsOf), string(list),
			s.ModelVersion, s.ConfigHash, s.Hash)
		if err != nil {
			return added, fmt.Errorf("%s: %w", s.Metric, err)
		}
		added += n
	}
	return added, nil
}

// ModelRuns lists the last runs, newest first.
func (db *DB) ModelRuns(ctx context.Context, limit int) ([]ModelRun, error) {
	runs, err := list(ctx, db, func(rows *sql.Rows) (ModelRun, error) {
		var r ModelRun
		var copyMS int64
		err := rows.Scan(&r.RunID, &r.AsOf, &r.OffsetCeiling, &r.ModelVersion, &r.ConfigHash, &r.Version, &r.StartedAt, &r.FinishedAt,
			&r.State, &r.Error, &r.Built, &r.Failed, &r.Skipped, &r.Rows, &r.ChecksFailed,
			&r.RelationErrors, &copyMS, &r.CopiedRows, &r.FileBytes)
		r.CopyTime = time.Duration(copyMS) * time.Millisecond
		return r, err
	}, selectRuns, limit)
	if err != nil {
		return nil, fmt.Errorf("list the model runs: %w", err)
	}
	return runs, nil
}

// ModelChecks lists the checks of a run in the order in which they were made.
func (db *DB) ModelChecks(ctx context.Context, runID string) ([]ModelCheck, error) {
	checks, err := list(ctx, db, func(rows *sql.Rows) (ModelCheck, error) {
		var c ModelCheck
		var tookMS int64
		err := rows.Scan(&c.RunID, &c.Relation, &c.Check, &c.Warning, &c.Failed, &c.Example, &c.Error, &tookMS)
		c.Took = time.Duration(tookMS) * time.Millisecond
		return c, err
	}, selectChecks, runID)
	if err != nil {
		return nil, fmt.Errorf("list the checks of the model run %s: %w", runID, err)
	}
	return checks, nil
}

// SnapshotFilter chooses snapshots.
type SnapshotFilter struct {
	Metric string // empty: all
	// From and Until limit AsOf, Until excluded; zero: no limit.
	From, Until time.Time
	Limit       int // zero: 1,000
}

// Snapshots lists snapshots, restatements first where there are any, by as-of
// time, newest first.
func (db *DB) Snapshots(ctx context.Context, filter SnapshotFilter) ([]Snapshot, error) {
	setDefault(&filter.Limit, 1000)
	setDefault(&filter.From, time.UnixMicro(0).AddDate(-1900, 0, 0))
	setDefault(&filter.Until, time.UnixMicro(0).AddDate(8000, 0, 0))
	snapshots, err := list(ctx, db, func(rows *sql.Rows) (Snapshot, error) {
		var s Snapshot
		var value sql.NullFloat64
		var restates sql.NullTime
		err := rows.Scan(&s.TakenAt, &s.Metric, &s.Dimension, &s.AsOf, &s.OffsetCeiling, &s.ModelVersion, &s.ConfigHash,
			&value, &s.N, &s.Hash, &restates)
		if value.Valid {
			s.Value = &value.Float64
		}
		s.Restates = restates.Time
		return s, err
	}, selectSnapshots, filter.Metric, filter.From.UTC(), filter.Until.UTC(), filter.Limit)
	if err != nil {
		return nil, fmt.Errorf("list the metric snapshots: %w", err)
	}
	return snapshots, nil
}

// list reads the rows of a query on the live warehouse.
func list[T any](ctx context.Context, db *DB, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	var out []T
	err := db.View(ctx, func(conn *sql.Conn) error {
		rows, err := conn.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			item, err := scan(rows)
			if err != nil {
				return err
			}
			out = append(out, item)
		}
		return rows.Err()
	})
	return out, err
}

func micros(t time.Time) bulk.Timestamp { return bulk.Timestamp(t.UnixMicro()) }

func orJSON(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}
