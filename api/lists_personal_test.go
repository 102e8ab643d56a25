package api

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

// setupPersonal serves the small world with the personal data of its events.
func setupPersonal(t *testing.T) *bundle {
	t.Helper()
	db := warehousetest.New(t)
	batch, err := readWorld("testdata/world.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Load(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	return setup(t, func(cfg *Config) { cfg.People = db })
}

// contacts are the personal columns of a list by the caller's own key.
func contacts(t *testing.T, names []string, rows [][]string) map[string][3]string {
	t.Helper()
	at := func(column string) int {
		i := slices.Index(names, column)
		if i < 0 {
			t.Fatalf("no column %s among %v", column, names)
		}
		return i
	}
	out := make(map[string][3]string)
	for _, row := range rows {
		out[row[at("external_id")]] = [3]string{row[at("name")], row[at("phone")], row[at("email")]}
	}
	return out
}

// Every list and format gives the same contacts, and they are those of the
// events: looked for in the log's own words.
func TestListsHavePersonalDataForWhoMayHaveIt(t *testing.T) {
	t.Parallel()
	b := setupPersonal(t)
	token := b.key("export,pii")
	for _, list := range []string{"/v1/customers", "/v1/segments/frequency:none/customers", "/v1/audiences/all_reachable/customers"} {
		raw := b.get(list+"?format=csv&csv=raw&include=personal", token).is(http.StatusOK, "")
		records, err := csv.NewReader(bytes.NewReader(raw.body)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		want := contacts(t, records[0], records[1:])
		if list == "/v1/customers" && want["c-1"][1] != "+5511999990001" {
			t.Errorf("c-1 is %v", want["c-1"])
		}
		plain := b.get(list+"?format=csv&csv=raw", token).is(http.StatusOK, "")
		if n := bytes.Count(plain.body, []byte("\r\n")); n != len(records) || bytes.Contains(plain.body, []byte("+55119")) {
			t.Errorf("%s: %d lines without personal data, %d with", list, n, len(records))
		}
		names, rows := readParquet(t, b.get(list+"?format=parquet&include=personal", token).is(http.StatusOK, "").body)
		if diff := cmp.Diff(want, contacts(t, names, rows)); diff != "" {
			t.Errorf("%s as Parquet: %s", list, diff)
		}
		var objects []map[string]any
		if err := json.Unmarshal(b.get(list+"?format=json-all&include=personal", token).is(http.StatusOK, "").body, &objects); err != nil {
			t.Fatal(err)
		}
		rows = nil
		for _, object := range objects {
			var row []string
			for _, column := range []string{"external_id", "name", "phone", "email"} {
				text, _ := object[column].(string)
				row = append(row, text)
			}
			rows = append(rows, row)
		}
		if diff := cmp.Diff(want, contacts(t, []string{"external_id", "name", "phone", "email"}, rows)); diff != "" {
			t.Errorf("%s as JSON: %s", list, diff)
		}
		if arrowBuilt {
			names, rows = readArrow(t, b.get(list+"?format=arrow&include=personal", token).is(http.StatusOK, "").body)
			for _, row := range rows {
				for i := range row {
					if row[i] == array.NullValueStr {
						row[i] = ""
					}
				}
			}
			if diff := cmp.Diff(want, contacts(t, names, rows)); diff != "" {
				t.Errorf("%s as Arrow: %s", list, diff)
			}
		}
	}
}

func TestPersonalListsNeedTheScopeAndAreAudited(t *testing.T) {
	t.Parallel()
	b := setupPersonal(t)
	list := "/v1/audiences/all_reachable/customers?format=csv&include=personal"
	export, pii := b.key("export"), b.key("pii")
	refused := b.get(list, export).is(http.StatusForbidden, "forbidden")
	if !bytes.Contains(refused.body, []byte("needs the scope pii")) {
		t.Errorf("%s", refused.body)
	}
	b.get(list, pii).is(http.StatusForbidden, "forbidden")
	both := b.key("export,pii")
	b.get(list, both).is(http.StatusOK, "")
	b.get("/v1/customers?include=everything&format=csv", both).is(http.StatusBadRequest, "invalid-parameter")
	b.get("/v1/customers?include=personal", both).is(http.StatusBadRequest, "invalid-parameter")
	var ends []string
	for _, line := range auditTrail(t, b) {
		if strings.Contains(line, "all_reachable") && strings.HasPrefix(line, "end ") {
			ends = append(ends, line)
		}
	}
	if len(ends) != 1 || !strings.Contains(ends[0], "personal=true result=done status=200") {
		t.Errorf("the audit log has %q", ends)
	}
	if strings.Contains(b.log.String(), "+55119") {
		t.Error("a phone is in the log")
	}
	// Each export gives its place back, more often than there are places, and
	// what they knew is for no query.
	for range 8 {
		b.get(list, both).is(http.StatusOK, "")
	}
	for _, format := range []string{"json", "csv"} {
		b.call(http.MethodPost, "/v1/sql", b.key("read"), `{"sql":"from memory.main.personal","format":"`+format+`"}`, "Content-Type", mediaJSON).
			is(http.StatusBadRequest, "invalid-sql")
	}
}

// A phone begins with +, which spreadsheets take for a formula.
func TestPhonesAreDisarmedForSpreadsheets(t *testing.T) {
	t.Parallel()
	b := setupPersonal(t)
	got := b.get("/v1/customers?format=csv&csv=excel&include=personal", b.key("export,pii")).is(http.StatusOK, "")
	if !bytes.Contains(got.body, []byte(",'+5511999990001,")) {
		t.Errorf("%s", got.body)
	}
}
