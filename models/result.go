package models

import (
	"encoding/json"
	"fmt"
	"time"
)

// State is what became of a node.
type State string

// The states.
const (
	// Built: the relation stands, and no check that must hold fails.
	Built State = "built"
	// Failed: it could not be built, or a check fails. There is no relation.
	Failed State = "failed"
	// Skipped: it reads a relation that is not there.
	Skipped State = "skipped"
)

// NodeResult is what became of one node.
type NodeResult struct {
	Relation Relation `json:"relation"`
	File     string   `json:"file"`
	Own      bool     `json:"own,omitempty"`
	State    State    `json:"state"`
	// Rows of the relation; -1 for a view: its readers compute them.
	Rows int64 `json:"rows"`
	// Duration of the building, and of the checks after it.
	Duration      time.Duration `json:"duration_ns"`
	CheckDuration time.Duration `json:"check_duration_ns"`
	// Error is why it is not built; for people.
	Error  string        `json:"error,omitempty"`
	Checks []CheckResult `json:"checks,omitempty"`
}

// Provenance is what a run's relations are a function of, with the facts.
type Provenance struct {
	AsOf          time.Time `json:"as_of"`
	OffsetCeiling string    `json:"offset_ceiling"`
	// ModelVersion is [Graph.Version].
	ModelVersion string `json:"model_version"`
	// ConfigHash is [Graph.ConfigHash].
	ConfigHash string `json:"config_hash"`
}

// Result is what a run did.
type Result struct {
	RunID string `json:"run_id"`
	Provenance
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
	// Nodes in the order in which they were built; last an analyst's files
	// that have no place in the graph.
	Nodes []NodeResult `json:"nodes"`
}

// LeftOut are the analyst's models that are not there, with the reason.
func (r *Result) LeftOut() []NodeResult {
	var out []NodeResult
	for _, node := range r.Nodes {
		if node.Own && node.State != Built {
			out = append(out, node)
		}
	}
	return out
}

// Record is a row of ops.model_runs.
type Record struct {
	RunID string
	Provenance
	StartedAt, FinishedAt  time.Time
	Built, Failed, Skipped int
	// Rows of all tables together.
	Rows int64
	// ChecksFailed counts those that only warn, too.
	ChecksFailed int
	// Errors is a JSON object: the error by relation.
	Errors string
}

// Record sums the run up.
func (r *Result) Record() Record {
	out := Record{RunID: r.RunID, Provenance: r.Provenance, StartedAt: r.StartedAt, FinishedAt: r.FinishedAt}
	messages := make(map[string]string)
	for _, node := range r.Nodes {
		switch node.State {
		case Built:
			out.Built++
		case Failed:
			out.Failed++
		case Skipped:
			out.Skipped++
		}
		out.Rows += max(node.Rows, 0)
		for _, check := range node.Checks {
			if !check.OK() {
				out.ChecksFailed++
			}
		}
		if node.Error != "" {
			messages[node.Relation.String()] = node.Error
		}
	}
	encoded, err := json.Marshal(messages)
	if err != nil {
		panic(fmt.Sprintf("models: a map of strings cannot be encoded: %v", err))
	}
	out.Errors = string(encoded)
	return out
}
