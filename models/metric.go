package models

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MetricValue is a row of ops.metric_snapshots. A value that comes out
// otherwise when a day is computed again is a new row with another TakenAt and
// Hash, the restatement; rows are never changed.
type MetricValue struct {
	Metric    string `json:"metric"`
	Dimension string `json:"dimension"`
	// Value is null where there is nothing to divide by.
	Value *float64 `json:"value"`
	// N is what the value rests on: the denominator of a rate, else the number
	// of things counted or summed.
	N       int64     `json:"n"`
	TakenAt time.Time `json:"taken_at"`
	Provenance
	// Hash is of all the metric's values of this as-of time together.
	Hash string `json:"hash"`
}

// Metrics evaluates the five metrics, the files of sql/metrics, on a file that
// a run built, whose provenance the caller knows. The connection's session has
// the variable as_of afterwards.
func Metrics(ctx context.Context, conn *sql.Conn, of Provenance, takenAt time.Time) ([]MetricValue, error) {
	return evaluateMetrics(ctx, conn, Project{}, of, takenAt)
}

func evaluateMetrics(ctx context.Context, conn *sql.Conn, project Project, of Provenance, takenAt time.Time) ([]MetricValue, error) {
	graph, err := Load(ctx, conn, project)
	if err != nil {
		return nil, err
	}
	if err := prepareSession(ctx, conn, of.AsOf); err != nil {
		return nil, err
	}
	var out []MetricValue
	for _, metric := range graph.metrics {
		values, err := evaluateMetric(ctx, conn, metric)
		if err != nil {
			return nil, fmt.Errorf("evaluate the metric %s: %w", metric.Relation.Name, err)
		}
		hash := hashValues(values)
		for i := range values {
			values[i].TakenAt, values[i].Provenance, values[i].Hash = takenAt.UTC(), of, hash
		}
		out = append(out, values...)
	}
	return out, nil
}

func evaluateMetric(ctx context.Context, conn *sql.Conn, metric *Node) ([]MetricValue, error) {
	text := strings.TrimSuffix(strings.TrimSpace(metric.builder.definition()), ";")
	var out []MetricValue
	err := eachRow(ctx, conn, func(rows *sql.Rows) error {
		value := MetricValue{Metric: metric.Relation.Name}
		if err := rows.Scan(&value.Dimension, &value.Value, &value.N); err != nil {
			return err
		}
		if last := len(out) - 1; last >= 0 && out[last].Dimension == value.Dimension {
			return fmt.Errorf("it has two values for the dimension %q", value.Dimension)
		}
		out = append(out, value)
		return nil
	}, "select dimension, value::double, n from (\n"+text+"\n) order by dimension")
	return out, err
}

func hashValues(values []MetricValue) string {
	var all strings.Builder
	for _, value := range values {
		text := "null"
		if value.Value != nil {
			text = strconv.FormatFloat(*value.Value, 'g', 15, 64)
		}
		fmt.Fprintf(&all, "%q %q %s %d\n", value.Metric, value.Dimension, text, value.N)
	}
	return shortHash(all.String())
}
