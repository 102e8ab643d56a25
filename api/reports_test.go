package api

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"testing"
)

// The interval's ends as published by Newcombe (1998), Statistics in Medicine
// 17, 857–872, table I, method 3 (score without continuity correction).
func TestWilsonIsThePublishedInterval(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		count, n  int64
		low, high float64
	}{{81, 263, .2553, .3662}, {15, 148, .0624, .1605}, {0, 20, 0, .1611}, {1, 29, .0061, .1718}} {
		low, high := wilson(c.count, c.n)
		if math.Abs(low-c.low) > 5e-5 || math.Abs(high-c.high) > 5e-5 {
			t.Errorf("%d of %d: %.4f to %.4f, want %.4f to %.4f", c.count, c.n, low, high, c.low, c.high)
		}
	}
	if _, high := wilson(7, 7); high != 1 {
		t.Errorf("all of 7: up to %v", high)
	}
}

// The report counts what the models count: its bases are those of marts.funnel
// over everything, and of marts.campaigns for a campaign.
func TestTheFunnelAgreesWithTheModels(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.key("read")
	f := func(path, sql string) {
		t.Helper()
		report := b.get(path, token).is(http.StatusOK, "").json()
		got := []any{report["n"]}
		for _, step := range report["steps"].([]any)[1:] {
			got = append(got, step.(map[string]any)["count"])
		}
		for _, rate := range report["rates"].([]any) {
			got = append(got, rate.(map[string]any)["n"])
		}
		rows := b.sql(token, map[string]any{"sql": sql}).is(http.StatusOK, "").json()["rows"].([]any)
		if fmt.Sprint(rows[0]) != fmt.Sprint(got) || got[0] == json.Number("0") {
			t.Errorf("%s: %v, the models say %v", path, got, rows[0])
		}
	}
	f("/v1/reports/funnel", `select sum(message_count), sum(accepted_count), sum(delivered_count), sum(read_count), sum(replied_count),
		sum(ordered_count), sum(mature_accepted_count), sum(mature_readable_count), sum(mature_delivered_count), sum(conversion_base_count)
		from marts.funnel`)
	f("/v1/reports/funnel?campaign=spring", `select message_count, accepted_count, delivered_count, read_count, replied_count, ordered_count,
		delivery_rate_count, read_rate_count, reply_rate_count, conversion_rate_count
		from marts.campaigns where campaign_id = 'spring'`)
}

// Every query of ours runs on a file of goodhour's own models, a new
// installation's empty one included.
func TestAnEmptyWorldIsAnsweredToo(t *testing.T) {
	t.Parallel()
	b := setupIn(t, t.TempDir())
	b.publishModels(worldAsOf)
	token := b.key("read,export")
	zero := map[string]any{"n": json.Number("0")}
	if diff := partOf(any(zero), any(b.get("/v1/reports/funnel", token).is(http.StatusOK, "").json()), ""); diff != "" {
		t.Error(diff)
	}
	if cells := b.get("/v1/segments", token).is(http.StatusOK, "").json()["cells"].([]any); len(cells) != 0 {
		t.Errorf("%v", cells)
	}
	if audiences := b.get("/v1/audiences", token).is(http.StatusOK, "").json()["audiences"].([]any); len(audiences) < 3 {
		t.Errorf("%v", audiences)
	}
	b.get("/v1/audiences/win_back/customers", token).is(http.StatusOK, "")
	b.get("/v1/audiences/win_back/customers?format=csv", token).is(http.StatusOK, "")
	b.get("/v1/audiences/win_back/customers?format=parquet", token).is(http.StatusOK, "")
	b.get("/v1/segments/value:high/customers", token).is(http.StatusOK, "")
	b.get("/v1/customers/c-1", token).is(http.StatusNotFound, "not-found")
	b.get("/v1/reports/funnel?campaign=spring", token).is(http.StatusNotFound, "not-found")
	if metrics := b.get("/v1/snapshots", token).is(http.StatusOK, "").json()["metrics"].([]any); len(metrics) != 0 {
		t.Errorf("%v", metrics)
	}
	b.get("/v1/snapshots/answered", token).is(http.StatusNotFound, "not-found")
}
