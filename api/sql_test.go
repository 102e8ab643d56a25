package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/goodhour/goodhour/warehouse"
)

func (b *bundle) sql(token string, body map[string]any) reply {
	b.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.call(http.MethodPost, "/v1/sql", token, string(text), "Content-Type", mediaJSON)
}

func TestSQLInEveryFormat(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.key("read")
	query := "select external_id, $1 as number, $2 as word from marts.customers where value_segment = 'high' order by 1 -- end"
	body := map[string]any{"sql": query + "\n; -- the end", "parameters": []any{7, "=x"}}
	if got := b.sql(token, body).is(200, "").json(); fmt.Sprint(got["rows"]) != "[[c-1 7 =x] [c-6 7 =x]]" {
		t.Errorf("%v", got["rows"])
	}
	body["format"] = "csv"
	records, err := csv.NewReader(bytes.NewReader(b.sql(token, body).is(200, "").body)).ReadAll()
	if err != nil || fmt.Sprint(records) != "[[external_id number word] [c-1 7 =x] [c-6 7 =x]]" {
		t.Errorf("%v %v", records, err)
	}
	body["format"] = "parquet"
	names, rows := readParquet(t, b.sql(token, body).is(200, "").body)
	if fmt.Sprint(names, rows) != "[external_id number word] [[c-1 7 =x] [c-6 7 =x]]" {
		t.Errorf("%v %v", names, rows)
	}
	body["format"] = "arrow"
	if got := b.sql(token, body); arrowBuilt {
		names, rows = readArrow(t, got.is(200, "").body)
		if fmt.Sprint(names, rows) != "[external_id number word] [[c-1 7 =x] [c-6 7 =x]]" {
			t.Errorf("%v %v", names, rows)
		}
	} else {
		got.is(501, "format-unavailable")
	}
	body = map[string]any{"sql": "from range(10) order by 1 desc", "format": "csv", "max_rows": 3}
	if got := b.sql(token, body).is(200, ""); string(got.body) != "range\r\n9\r\n8\r\n7\r\n" {
		t.Errorf("%q", got.body)
	}
	for _, statement := range []string{"select 1; select 2", "drop table marts.customers", "select 1) union (select 2", "set variable x = 1", "copy (select 1) to 'x'"} {
		got := b.sql(token, map[string]any{"sql": statement, "format": "csv"})
		if got.status != 400 && got.status != 403 {
			t.Errorf("%s: %d %s", statement, got.status, got.body)
		}
	}
}

func TestSQLValuesOfEveryType(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.sql(b.key("read"), map[string]any{
		"sql": `select null, true, 42, 170141183460469231731687303715884105727::hugeint, 1.10::decimal(4,2), 'NaN'::double,
			'ü"', date '2026-02-03', timestamp '2026-02-03 04:05:06.789', [1, null], {'a': 1, 'b': 'x'}, map {'k': 1},
			'{"j": [1]}'::json, uuid '00000000-0000-8000-8000-000000000001', '\xFF'::blob, $1, $2, $3, $4`,
		"parameters": []any{nil, false, 1.5, "text"},
	}).is(200, "")
	want := `[null,true,42,170141183460469231731687303715884105727,1.10,null,"ü\"","2026-02-03","2026-02-03T04:05:06.789Z",[1,null],` +
		`{"a":1,"b":"x"},{"k":1},{"j": [1]},"00000000-0000-8000-8000-000000000001","/w==",null,false,1.5,"text"]`
	var answer struct{ Rows []json.RawMessage }
	if err := json.Unmarshal(got.body, &answer); err != nil {
		t.Fatal(err)
	}
	if string(answer.Rows[0]) != want {
		t.Errorf("got  %s\nwant %s", answer.Rows[0], want)
	}
}

// setupWith starts a server whose reader has other limits.
func setupWith(t *testing.T, limits warehouse.Limits) *bundle {
	t.Helper()
	library, err := warehouse.OpenLibrary(t.Context(), worldData(t), limits, quietLogger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := library.Close(); err != nil {
			t.Error(err)
		}
	})
	return setup(t, func(cfg *Config) { cfg.Library = library })
}

const endless = "select count(*) from range(1000000) a, range(1000000) b where a.range * b.range % 7 = 3"

func TestAQueryOverItsLimitsIsRefused(t *testing.T) {
	t.Parallel()
	b := setupWith(t, warehouse.Limits{Timeout: 300 * time.Millisecond, MemoryBytes: 64 << 20, TempBytes: 1 << 20, Wait: patience})
	token := b.key("read")
	b.sql(token, map[string]any{"sql": endless}).is(408, "query-timeout")
	got := b.sql(token, map[string]any{"sql": "select count(*) from (select distinct repeat(range::varchar, 50) from range(5000000))"})
	if got.status != 413 && got.status != 408 { // on a busy machine the deadline may come first
		t.Errorf("%d %s", got.status, got.body)
	}
	b.sql(token, map[string]any{"sql": "select 1"}).is(200, "")
}

func TestQueriesOverThePlacesAreTurnedAway(t *testing.T) {
	t.Parallel()
	b := setupWith(t, warehouse.Limits{Queries: 1, Wait: 50 * time.Millisecond, Timeout: 2 * time.Second})
	token := b.key("read")
	first := make(chan reply)
	go func() {
		for { // until it is the one that has the place
			if got := b.sql(token, map[string]any{"sql": endless}); got.status != http.StatusServiceUnavailable {
				first <- got
				return
			}
		}
	}()
	deadline := time.Now().Add(patience)
	for {
		got := b.sql(token, map[string]any{"sql": "select 1"})
		if got.status == http.StatusServiceUnavailable {
			if got.is(503, "busy").header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the first query does not hold its place")
		}
	}
	(<-first).is(408, "query-timeout")
	b.sql(token, map[string]any{"sql": "select 1"}).is(200, "")
}

// An error after the first rows of a long answer must not look like its end.
func TestSQLThatFailsLateIsCutOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.key("read")
	late := "select case when range = 99999 then 'x'::integer else 1 end, repeat('y', 100) from range(100000)"
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/v1/sql", strings.NewReader(`{"sql":"`+late+`","max_rows":100000}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", mediaJSON)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body any
	if err := json.NewDecoder(res.Body).Decode(&body); err == nil && res.StatusCode == http.StatusOK {
		t.Error("an answer that broke off looks whole")
	}
	// One that fails before anything was sent is a problem.
	b.sql(token, map[string]any{"sql": "select 'x'::integer"}).is(400, "invalid-sql")
}

// injections are put wherever a caller's text goes.
var injections = []string{
	"'; drop table marts.customers; --", `"; drop table marts.customers; --`, "' or '1'='1", "1) or (1=1", "') union select * from raw.identities --",
	"$1", "?", "value:high' or 'a'='a", "../../etc/passwd", "%00", "\x01", "{}", "<script>alert(1)</script>", "💥", "nan", "-1", "1e400",
	strings.Repeat("x", 5000),
}

// No text of a caller's becomes SQL, and none makes the server fail.
func TestHostileTextsAreOnlyTexts(t *testing.T) {
	t.Parallel()
	s := setupSending(t)
	b, token := s.bundle, s.key("read,export,write,admin,pii,send,approve")
	report := s.planned(token)
	before := b.sql(token, map[string]any{"sql": "select count(*) from marts.customers"}).is(200, "").json()["rows"]
	table := routes()
	for i := range table {
		rt := &table[i]
		if rt.consumes != nil {
			for _, text := range injections {
				quoted, err := json.Marshal(text)
				if err != nil {
					t.Fatal(err)
				}
				for _, media := range rt.consumes {
					for _, body := range []string{
						text, string(quoted), "[" + string(quoted) + "]", "[{" + string(quoted) + ":" + string(quoted) + "}]",
						`[{"external_id":` + string(quoted) + `}]`, `{"sql":` + string(quoted) + `}`, `{"sql":"select $1","parameters":[` + string(quoted) + `]}`,
						`{"name":` + string(quoted) + `,"scopes":[` + string(quoted) + `]}`,
						`{"hash":` + string(quoted) + `}`, `{"account":` + string(quoted) + `}`, hostileCampaign(string(quoted)),
					} {
						path, _ := sample(rt)
						calm(t, b.call(rt.method, path, token, body, "Content-Type", media, "X-Hub-Signature-256", signature(webhookSecret, body)))
					}
				}
			}
			continue
		}
		for _, text := range injections {
			path, _ := sample(rt)
			escaped := strings.NewReplacer("%", "%25", "/", "%2F", "?", "%3F", "#", "%23", " ", "%20", "\x01", "%01", `"`, "%22", "<", "%3C", ">", "%3E", ";", "%3B", "{", "%7B", "}", "%7D").Replace(text)
			if at := strings.Index(rt.path, "{"); at >= 0 {
				end := strings.Index(rt.path, "}")
				calm(t, b.call(rt.method, rt.path[:at]+escaped+rt.path[end+1:], token, ""))
			}
			for _, name := range append(rt.query, "other") {
				calm(t, b.call(rt.method, path+"?"+name+"="+escaped, token, ""))
			}
		}
	}
	if got := b.get("/v1/campaigns/spring", token).is(200, "").json(); got["id"] != report["plan_id"] || got["messages"] != report["audience"] {
		t.Errorf("the plan of before is another one: %v", got)
	}
	after := b.sql(token, map[string]any{"sql": "select count(*) from marts.customers"}).is(200, "").json()["rows"]
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("%v customers before, %v after", before, after)
	}
}

// hostileCampaign is a campaign with the text in each of its places.
func hostileCampaign(text string) string {
	return strings.ReplaceAll(`{"id":"x","audience":{"sql":T},"account":T,"template":{"name":T,"language":T,"parameters":{T:{"column":T,"missing":T}}},`+
		`"numbers":[T],"schedule":{"send":T,"at":T,"time_zone":T,"local_days":[T]},"needs":[T],T:T}`, "T", text)
}

func calm(t *testing.T, got reply) {
	t.Helper()
	if got.status >= 500 {
		t.Errorf("status %d: %s", got.status, got.body)
	}
}

// A client that leaves ends its query; that is nobody's error.
func TestAClientThatLeavesEndsItsQuery(t *testing.T) {
	t.Parallel()
	b := setupWith(t, warehouse.Limits{Queries: 1, Timeout: patience, Wait: patience})
	token := b.key("read")
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+"/v1/sql", strings.NewReader(`{"sql":"`+endless+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", mediaJSON)
	// It leaves once the server has its request whole.
	r = r.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { time.AfterFunc(100*time.Millisecond, leave) },
	}))
	if res, err := http.DefaultClient.Do(r); err == nil {
		res.Body.Close()
		t.Fatal("an endless query was answered")
	}
	// The only place is free again long before the query's own deadline.
	began := time.Now()
	b.sql(token, map[string]any{"sql": "select 1"}).is(http.StatusOK, "")
	if took := time.Since(began); took > patience/2 {
		t.Errorf("the place came free after %v", took)
	}
	// Its own line is logged when its handler has ended, which may be after the
	// next one's.
	for !strings.Contains(b.log.String(), `"cut":true`) && time.Since(began) < patience {
		b.sql(token, map[string]any{"sql": "select 1"}).is(http.StatusOK, "")
	}
	if log := b.log.String(); strings.Contains(log, "ERROR") || strings.Contains(log, "WARN") || !strings.Contains(log, `"cut":true`) {
		t.Errorf("%s", log)
	}
}
