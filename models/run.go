package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Options are how a run is made.
type Options struct {
	// RunID names the run; empty: the instant at which it started.
	RunID string
	// AsOf is the time that the models take for now. Required.
	AsOf time.Time
	// OffsetCeiling says up to where the topics were copied, in the caller's
	// form. It is kept, not read.
	OffsetCeiling string
	// Settings override those of settings.yaml, by name.
	Settings map[string]any
	// Own is the analyst's folder; nil: none. See [Project].
	Own fs.FS
	// Select builds these relations and what they need; empty: all.
	Select []Relation
	// Deadline limits the building and checking of one of goodhour's own
	// models, OwnDeadline that of an analyst's. Zero: no limit.
	Deadline, OwnDeadline time.Duration
	// Logger gets a line for each model. Nil: none.
	Logger *slog.Logger
	// Now is the clock that measures. Required.
	Now func() time.Time
}

// Run builds the models on a connection to the new file, whose schemas raw and
// ops hold the copied facts. The connection is the run's alone while it lasts;
// afterwards its session keeps the variable as_of and the time zone UTC.
//
// An error means that the file must not be published; the result, nil only if
// nothing was begun, says how far it came. An analyst's models that failed are
// no error: see [Result.LeftOut].
func Run(ctx context.Context, conn *sql.Conn, options Options) (*Result, error) {
	return run(ctx, conn, options, shipped)
}

func run(ctx context.Context, conn *sql.Conn, options Options, models fs.FS) (*Result, error) {
	graph, err := Load(ctx, conn, Project{Own: options.Own, Settings: options.Settings, shipped: models})
	if err != nil {
		return nil, err
	}
	nodes, err := graph.closure(options.Select, true)
	if err != nil {
		return nil, err
	}
	if err := prepareSession(ctx, conn, options.AsOf); err != nil {
		return nil, err
	}
	r := &runner{conn: conn, options: options, states: make(map[Relation]State)}
	if r.options.Logger == nil {
		r.options.Logger = slog.New(slog.DiscardHandler)
	}
	started := options.Now()
	result := &Result{
		RunID:      options.RunID,
		Provenance: Provenance{options.AsOf.UTC(), options.OffsetCeiling, graph.Version(), graph.ConfigHash()},
		StartedAt:  started,
	}
	if result.RunID == "" {
		result.RunID = started.UTC().Format("20060102T150405.000000Z")
	}
	defer func() { result.FinishedAt = options.Now() }()
	for _, node := range nodes {
		done := r.node(ctx, node)
		result.Nodes = append(result.Nodes, done)
		switch {
		case ctx.Err() != nil:
			return result, fmt.Errorf("build %s: %w", node.Relation, ctx.Err())
		case r.broken != nil:
			return result, r.broken
		case done.State != Built && !node.Own:
			return result, fmt.Errorf("build %s (%s): %s", node.Relation, node.File, done.Error)
		}
	}
	if len(options.Select) == 0 {
		for _, node := range graph.refused {
			result.Nodes = append(result.Nodes, r.refuse(node))
		}
	}
	return result, nil
}

// prepareSession sets what the models' results depend on.
func prepareSession(ctx context.Context, db database, asOf time.Time) error {
	if asOf.IsZero() {
		return errors.New("a run needs an as-of time")
	}
	// A TIMESTAMP of DuckDB has no zone: the models' are all UTC.
	if _, err := db.ExecContext(ctx, "set variable as_of = ?::timestamp", asOf.UTC()); err != nil {
		return fmt.Errorf("set as_of: %w", err)
	}
	// Where the configuration is locked it can only be read.
	var zone string
	if err := db.QueryRowContext(ctx, "select current_setting('TimeZone')").Scan(&zone); err != nil {
		return fmt.Errorf("read the session's time zone: %w", err)
	}
	if zone == "UTC" || zone == "Etc/UTC" {
		return nil
	}
	if _, err := db.ExecContext(ctx, "set TimeZone = 'UTC'"); err != nil {
		return fmt.Errorf("set the time zone to UTC, which the models need: %w", err)
	}
	return nil
}

// runner builds node after node. DuckDB itself uses all its threads for each.
type runner struct {
	conn    *sql.Conn
	options Options
	states  map[Relation]State
	// broken: a relation that failed could not be taken away again.
	broken error
}

// node builds and checks a node, and takes an analyst's away again that fails.
func (r *runner) node(ctx context.Context, node *Node) NodeResult {
	if len(node.Problems) > 0 {
		return r.refuse(node)
	}
	result := NodeResult{Relation: node.Relation, File: node.File, Own: node.Own, State: Built}
	for _, input := range slices.Concat(node.Inputs, node.checkInputs()) {
		if state, ran := r.states[input]; ran && state != Built {
			result.State, result.Error = Skipped, fmt.Sprintf("it reads %s, which was left out", input)
			return r.done(result)
		}
	}
	limit := r.options.Deadline
	if node.Own {
		limit = r.options.OwnDeadline
	}
	bounded, cancel := ctx, context.CancelFunc(func() {})
	if limit > 0 {
		bounded, cancel = context.WithTimeout(ctx, limit)
	}
	defer cancel()

	failure := r.build(bounded, node, &result)
	switch {
	case failure == "":
		return r.done(result)
	case ctx.Err() != nil:
		failure = ctx.Err().Error()
	case bounded.Err() != nil:
		failure = fmt.Sprintf("it was stopped at its deadline of %s: let it read less (filter early, "+
			"aggregate before joining), or raise the deadline", limit)
	case strings.Contains(failure, outOfMemory):
		failure = fmt.Sprintf("it ran out of memory (limit %s): let it keep less (filter early, aggregate before joining), "+
			"or raise the limit (%s)", r.memoryLimit(ctx), failure)
	}
	result.State, result.Rows, result.Error = Failed, 0, failure
	return r.done(result)
}

// build fills in the result and returns why the node fails, "" if it does not.
func (r *runner) build(ctx context.Context, node *Node, result *NodeResult) (failure string) {
	started := r.options.Now()
	rows, err := buildNode(ctx, r.conn, node)
	built := r.options.Now()
	result.Rows, result.Duration = rows, built.Sub(started)
	if err != nil {
		return firstLine(err.Error())
	}
	result.Checks, err = runChecks(ctx, r.conn, node, r.options.Now)
	result.CheckDuration = r.options.Now().Sub(built)
	if err == nil {
		err = failedChecks(result.Checks)
	}
	if err == nil {
		return ""
	}
	if node.Own {
		// Even if ctx is over: nothing that fails may be published.
		r.drop(context.WithoutCancel(ctx), node)
	}
	return err.Error()
}

// outOfMemory begins DuckDB's message when memory, or the room for what it
// swaps out, has run out. The driver's error type is package warehouse's alone
// to know.
const outOfMemory = "Out of Memory Error"

func (r *runner) memoryLimit(ctx context.Context) string {
	var limit string
	if err := r.conn.QueryRowContext(ctx, "select current_setting('memory_limit')").Scan(&limit); err != nil {
		return "unknown"
	}
	return limit
}

func (r *runner) refuse(node *Node) NodeResult {
	return r.done(NodeResult{
		Relation: node.Relation, File: node.File, Own: node.Own, State: Failed, Error: asError(node.Problems).Error(),
	})
}

func (r *runner) done(result NodeResult) NodeResult {
	// A refused file may carry the name of a relation that stands.
	if _, ran := r.states[result.Relation]; !ran {
		r.states[result.Relation] = result.State
	}
	level := slog.LevelDebug
	if result.State != Built {
		level = slog.LevelWarn
	}
	r.options.Logger.Log(context.Background(), level, "model done",
		"relation", result.Relation.String(), "state", result.State, "rows", result.Rows, "duration", result.Duration,
		"check_duration", result.CheckDuration, "error", result.Error)
	return result
}

// uncounted is the number of rows of a view.
const uncounted = -1

// buildNode makes a relation and its comments in one transaction, so that a node
// that fails leaves nothing behind.
func buildNode(ctx context.Context, conn *sql.Conn, node *Node) (rows int64, err error) {
	// With ctx itself, database/sql would roll back by a goroutine of its own once
	// ctx ends, perhaps after the next node has asked for its transaction.
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			// The error that is returned says why.
			_ = tx.Rollback()
		}
	}()
	if err := createRelation(ctx, tx, node); err != nil {
		return 0, err
	}
	if err := comment(ctx, tx, node); err != nil {
		return 0, fmt.Errorf("comment on %s: %w", node.Relation, err)
	}
	rows = uncounted
	if !node.Header.View {
		if err := tx.QueryRowContext(ctx, "select count(*) from "+node.Relation.quoted()).Scan(&rows); err != nil {
			return 0, err
		}
	}
	return rows, tx.Commit()
}

func createRelation(ctx context.Context, db database, node *Node) error {
	if _, err := db.ExecContext(ctx, "create schema if not exists "+quote(node.Relation.Schema)); err != nil {
		return err
	}
	return node.builder.build(ctx, db, node.Relation)
}

// comment keeps the header's words in the file, where every tool shows them.
func comment(ctx context.Context, db database, node *Node) error {
	var statements []string
	if node.Header.Doc != "" {
		statements = append(statements, "comment on "+node.kind()+" "+node.Relation.quoted()+" is "+literal(node.Header.Doc))
	}
	columns, _, err := columnsOf(ctx, db, node.Relation)
	if err != nil {
		return err
	}
	for _, column := range node.Header.Columns {
		// What differs is told by the check of the columns.
		if len(without([]string{column.Name}, columns)) == 0 {
			statements = append(statements, "comment on column "+node.Relation.quoted()+"."+quote(column.Name)+" is "+literal(column.Doc))
		}
	}
	if len(statements) == 0 {
		return nil
	}
	_, err = db.ExecContext(ctx, strings.Join(statements, ";\n"))
	return err
}

// drop takes away an analyst's relation whose checks fail.
func (r *runner) drop(ctx context.Context, node *Node) {
	if _, err := r.conn.ExecContext(ctx, "drop "+node.kind()+" if exists "+node.Relation.quoted()); err != nil {
		r.broken = fmt.Errorf("take away %s (%s), whose checks fail: %w", node.Relation, node.File, err)
	}
}
