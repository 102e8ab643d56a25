package api

import (
	"bytes"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/google/go-cmp/cmp"
)

// listStatements makes a file with marts.customers and an audience of the
// customers whose ids the ranges name.
func listStatements(from, to int) []string {
	return []string{
		"create schema marts", "create schema audience",
		fmt.Sprintf(`create table marts.customers as select
			('00000000-0000-8000-8000-' || lpad(range::varchar, 12, '0'))::uuid as customer_id, 'key-' || range as external_id,
			'high' as value_segment, 'none' as frequency_segment, 'hot' as heat_class
			from range(%d, %d)`, from, to),
		`create table audience.everyone as select customer_id, external_id, 1.5 as score, 'é "q", =x' as reason from marts.customers`,
		`create view audience.keyless as select customer_id, 2 as score from marts.customers`,
		`create table audience.step as select 1 as n`,
		`comment on view audience.keyless is 'without a key'`,
	}
}

func externalIDs(page map[string]any) []string {
	var out []string
	for _, customer := range page["customers"].([]any) {
		out = append(out, customer.(map[string]any)["external_id"].(string))
	}
	return out
}

// Pages go on over a publication: who is in both files comes exactly once.
func TestPagesAreStableUnderASwap(t *testing.T) {
	t.Parallel()
	b := setupIn(t, t.TempDir())
	token := b.key("export,read")
	b.publish(worldAsOf, listStatements(0, 250)...)
	seen := make(map[string]int)
	path, swapped := "/v1/audiences/everyone/customers?limit=40", false
	for next := path; next != ""; {
		page := b.get(next, token).is(http.StatusOK, "").json()
		for _, id := range externalIDs(page) {
			seen[id]++
		}
		next = ""
		if cursor, ok := page["next_cursor"].(string); ok {
			next = path + "&cursor=" + cursor
		}
		if !swapped {
			// The first ten leave, ten come at the end.
			b.publish(worldAsOf.Add(time.Hour), listStatements(10, 260)...)
			swapped = true
		} else if page["as_of"] != "2026-03-01T01:00:00Z" {
			t.Errorf("a page after the swap is as of %v", page["as_of"])
		}
	}
	for i := range 260 {
		if n := seen[fmt.Sprintf("key-%d", i)]; n != 1 {
			t.Errorf("customer %d came %d times", i, n)
		}
	}
}

func TestAPageOfExactlyTheRestHasNoCursor(t *testing.T) {
	t.Parallel()
	b := setupIn(t, t.TempDir())
	token := b.key("export")
	b.publish(worldAsOf, listStatements(0, 4)...)
	first := b.get("/v1/segments/value:high/customers?limit=2", token).is(http.StatusOK, "").json()
	cursor, _ := first["next_cursor"].(string)
	last := b.get("/v1/segments/value:high/customers?limit=2&cursor="+cursor, token).is(http.StatusOK, "").json()
	if got := append(externalIDs(first), externalIDs(last)...); cursor == "" || last["next_cursor"] != nil || len(got) != 4 {
		t.Errorf("pages %v, cursors %v, %v", got, first["next_cursor"], last["next_cursor"])
	}
	// The names of an intersection in another order are the same list.
	swapped := b.get("/v1/segments/heat:hot,value:high/customers?limit=2", token).is(http.StatusOK, "").json()
	b.get("/v1/segments/value:high,heat:hot/customers?cursor="+swapped["next_cursor"].(string), token).is(http.StatusOK, "")
}

// The same rows come out of every format, in both lists.
func TestFormatsHaveTheSameRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.key("export")
	for _, list := range []string{"/v1/audiences/all_reachable/customers", "/v1/segments/frequency:none/customers", "/v1/segments/value:high,heat:hot/customers"} {
		page := b.get(list+"?limit=1000", token).is(http.StatusOK, "").json()
		want := externalIDs(page)
		slices.Sort(want)
		if len(want) == 0 {
			t.Fatalf("%s is empty", list)
		}
		columns := len(page["customers"].([]any)[0].(map[string]any))
		raw := b.get(list+"?format=csv&csv=raw", token).is(http.StatusOK, "")
		check := func(format string, names []string, rows [][]string) {
			t.Helper()
			at := slices.Index(names, "external_id")
			if at < 0 || len(names) != columns {
				t.Errorf("%s as %s: columns %v, want %d", list, format, names, columns)
				return
			}
			var got []string
			for _, row := range rows {
				got = append(got, row[at])
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s as %s:\n%s", list, format, diff)
			}
		}
		records, err := csv.NewReader(bytes.NewReader(raw.body)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		check("csv", records[0], records[1:])
		parquet := b.get(list+"?format=parquet", token).is(http.StatusOK, "")
		names, rows := readParquet(t, parquet.body)
		check("parquet", names, rows)
		arrow := b.get(list+"?format=arrow", token)
		if !arrowBuilt {
			arrow.is(http.StatusNotImplemented, "format-unavailable")
			continue
		}
		names, rows = readArrow(t, arrow.is(http.StatusOK, "").body)
		check("arrow", names, rows)
	}
}

// readParquet reads a file with a DuckDB of its own.
func readParquet(t *testing.T, content []byte) ([]string, [][]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list.parquet")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	found, err := db.QueryContext(t.Context(), "select coalesce(columns(*)::varchar, '') from read_parquet(?)", path)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	names, err := found.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for found.Next() {
		row, targets := make([]string, len(names)), make([]any, len(names))
		for i := range row {
			targets[i] = &row[i]
		}
		if err := found.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		out = append(out, row)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return names, out
}

func TestCSVIsSafeForSpreadsheetsUnlessRawIsAskedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.key("export")
	list := "/v1/segments/frequency:none/customers?format=csv"
	has := func(query, want string, bom bool) {
		t.Helper()
		got := b.get(list+query, token).is(http.StatusOK, "")
		body, cut := bytes.CutPrefix(got.body, []byte("\ufeff"))
		if cut != bom || !bytes.Contains(body, []byte(want)) {
			t.Errorf("%q: byte order mark %v, want %v; want %q in\n%s", query, cut, bom, want, body)
		}
	}
	has("", ",'=1+2,", false)
	has("&csv=safe", ",'=1+2,", false)
	has("&csv=excel", ",'=1+2,", true)
	has("&csv=raw", ",=1+2,", false)
	got := b.get(list, token)
	if disposition := got.header.Get("Content-Disposition"); disposition != `attachment; filename="segment-frequency-none_2026-03-01.csv"` {
		t.Errorf("Content-Disposition %s", disposition)
	}
}

func TestAnAudienceWithoutAKeyGetsTheCallersOwn(t *testing.T) {
	t.Parallel()
	b := setupIn(t, t.TempDir())
	token := b.key("export,read")
	b.publish(worldAsOf, listStatements(0, 3)...)
	audiences := b.get("/v1/audiences", token).is(http.StatusOK, "").json()
	want := map[string]any{"audiences": []any{
		map[string]any{"name": "everyone", "customer_count": json.Number("3"), "definition": ""},
		map[string]any{"name": "keyless", "customer_count": json.Number("3"), "definition": "without a key"},
	}}
	if diff := partOf(any(want), any(audiences), ""); diff != "" {
		t.Error(diff)
	}
	page := b.get("/v1/audiences/keyless/customers?limit=2", token).is(http.StatusOK, "").json()
	if diff := cmp.Diff([]string{"key-0", "key-1"}, externalIDs(page)); diff != "" {
		t.Error(diff)
	}
	whole := b.get("/v1/audiences/keyless/customers?format=csv", token).is(http.StatusOK, "")
	if text := string(whole.body); !strings.HasPrefix(text, "external_id,customer_id,score\r\n") || !strings.Contains(text, "key-2,00000000-0000-8000-8000-000000000002,2") {
		t.Errorf("%s", whole.body)
	}
	b.get("/v1/audiences/step/customers", token).is(http.StatusNotFound, "not-found")
}

func TestHEADAnswersLikeGETWithoutABody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.key("export,read")
	for _, path := range []string{"/v1/audiences", "/v1/audiences/win_back/customers?format=csv", "/v1/segments/value:high/customers"} {
		head := b.call(http.MethodHead, path, token, "")
		get := b.get(path, token).is(http.StatusOK, "")
		if head.status != http.StatusOK || len(head.body) != 0 || head.header.Get("Content-Type") != get.header.Get("Content-Type") {
			t.Errorf("%s: status %d, %d bytes, %v", path, head.status, len(head.body), head.header)
		}
	}
}

// An export of any size is streamed: its first bytes come long before its last
// row is made, and what is held of it is bounded.
func TestALargeExportIsStreamed(t *testing.T) {
	t.Parallel()
	b := setupIn(t, t.TempDir())
	token := b.key("export")
	b.publish(worldAsOf, listStatements(0, 300_000)...)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/v1/audiences/everyone/customers?format=csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.ContentLength != -1 {
		t.Errorf("the whole length was known beforehand: %d", res.ContentLength)
	}
	// A publication meanwhile does not touch it.
	b.publish(worldAsOf.Add(time.Hour), listStatements(0, 1)...)
	b.publish(worldAsOf.Add(2*time.Hour), listStatements(0, 1)...)
	lines, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(lines, []byte("\r\n")); n != 300_001 {
		t.Errorf("%d lines", n)
	}
}

// What broke off after its beginning must not look whole.
func TestAnErrorAfterTheBeginningCutsTheAnswerOff(t *testing.T) {
	t.Parallel()
	b := setupIn(t, t.TempDir())
	token := b.key("export")
	statements := append(listStatements(0, 200_000),
		// The last rows cannot be cast: by then the first have been sent.
		`create view audience.broken as select customer_id, external_id,
			case when external_id = 'key-199999' then external_id::integer else 1 end as score from marts.customers`)
	b.publish(worldAsOf, statements...)
	for _, format := range []string{"csv", "parquet"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/v1/audiences/broken/customers?format="+format, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err == nil && res.StatusCode == http.StatusOK {
			t.Errorf("%s: an answer that broke off looks whole", format)
		}
	}
}

func TestSnapshotsArePagedByTheirKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.key("read")
	whole := b.get("/v1/snapshots/answered", token).is(http.StatusOK, "").json()["snapshots"]
	var paged []any
	for path := "/v1/snapshots/answered?limit=2"; path != ""; {
		page := b.get(path, token).is(http.StatusOK, "").json()
		paged = append(paged, page["snapshots"].([]any)...)
		path = ""
		if cursor, ok := page["next_cursor"].(string); ok {
			path = "/v1/snapshots/answered?limit=2&cursor=" + cursor
		}
	}
	if diff := cmp.Diff(whole, any(paged)); diff != "" {
		t.Error(diff)
	}
}
