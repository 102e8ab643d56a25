package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
)

func readAudit(t testing.TB, b *bundle) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.data, "audit.log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// auditTrail is the log's lines in short: stage, actor, action, target, result, status, count.
func auditTrail(t testing.TB, b *bundle) []string {
	t.Helper()
	var out []string
	for _, line := range jsonLines(t, readAudit(t, b)) {
		text := fmt.Sprint(line["stage"], " ", line["actor"], " ", line["action"])
		for _, name := range []string{"target", "personal", "result", "status", "count"} {
			if line[name] != nil {
				text += fmt.Sprint(" ", name, "=", line[name])
			}
		}
		out = append(out, text)
	}
	return out
}

func TestTheAuditLogSaysWhoDidWhat(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.key("read,export,pii,write")
	keys, err := b.keys.List()
	if err != nil {
		t.Fatal(err)
	}
	who := keys[0].ID
	b.get("/v1/audiences", token).is(200, "") // not audited
	b.get("/v1/audiences/win_back/customers?format=csv", token).is(200, "")
	b.get("/v1/audiences/%2B5511999990001/customers", token).is(404, "not-found")
	b.get("/v1/customers/phone:+5511999990001", token).is(200, "") // not audited: no personal data in the answer
	b.get("/v1/customers/phone:+5511999990001?include=personal", token).is(200, "")
	b.call(http.MethodPost, "/v1/customers", token, `[{"external_id":"c-1"},{"phone":"x"}]`, "Content-Type", mediaJSON).is(422, "rejected-items")
	b.call(http.MethodPost, "/v1/customers?invalid=skip", token, `[{"external_id":"c-1"},{"phone":"x"}]`, "Content-Type", mediaJSON).is(202, "")
	b.call(http.MethodPost, "/v1/keys", token, `{}`, "Content-Type", mediaJSON).is(403, "forbidden") // refused at the door
	want := []string{
		"begin " + who + " GET /v1/audiences/{name}/customers target=win_back",
		"end " + who + " GET /v1/audiences/{name}/customers target=win_back result=done status=200 count=1",
		"begin " + who + " GET /v1/audiences/{name}/customers",
		"end " + who + " GET /v1/audiences/{name}/customers result=refused status=404",
		"begin " + who + " GET /v1/customers/{id} target=" + customerID("c-1") + " personal=true",
		"end " + who + " GET /v1/customers/{id} target=" + customerID("c-1") + " personal=true result=done status=200",
		"begin " + who + " POST /v1/customers",
		"end " + who + " POST /v1/customers result=refused status=422",
		"begin " + who + " POST /v1/customers",
		"end " + who + " POST /v1/customers result=done status=202 count=1",
	}
	if diff := cmp.Diff(want, auditTrail(t, b)); diff != "" {
		t.Error(diff)
	}
	stat, err := os.Stat(filepath.Join(b.data, "audit.log"))
	if err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", stat.Mode(), err)
	}
}

func TestNothingIsDoneThatCannotBeAudited(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := os.Mkdir(filepath.Join(b.data, "audit.log"), 0o700); err != nil { // a folder in its place
		t.Fatal(err)
	}
	token := b.key("export,admin")
	b.get("/v1/audiences/win_back/customers", token).is(500, "internal")
	b.call(http.MethodPost, "/v1/keys", token, `{"name":"x","scopes":["read"]}`, "Content-Type", mediaJSON).is(500, "internal")
	if keys, err := b.keys.List(); err != nil || len(keys) != 1 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

// knownPeople is the writer's personal data, as far as a test needs it.
type knownPeople map[identity.ID]Personal

func (k knownPeople) Personal(_ context.Context, ids []identity.ID) (map[identity.ID]Personal, error) {
	out := make(map[identity.ID]Personal)
	for _, id := range ids {
		if p, ok := k[id]; ok {
			out[id] = p
		}
	}
	return out, nil
}

func TestPersonalDataNeedsItsScopeAndStaysOutOfTheLogs(t *testing.T) {
	t.Parallel()
	id, err := identity.ParseID(customerID("c-1"))
	if err != nil {
		t.Fatal(err)
	}
	b := setup(t, func(cfg *Config) {
		cfg.Personal = knownPeople{id: {Name: "Ana Souza", Phones: []string{"+5511999990001"}}}
	})
	reader, private := b.key("read"), b.key("read,pii")
	b.get("/v1/customers/c-1?include=personal", reader).is(403, "forbidden")
	if got := b.get("/v1/customers/c-1", private).is(200, "").json(); got["personal"] != nil {
		t.Error("personal data that nobody asked for")
	}
	got := b.get("/v1/customers/c-1?include=personal", private).is(200, "").json()
	if at(t, got, "personal", "name") != "Ana Souza" || at(t, got, "personal", "phones", 0) != "+5511999990001" {
		t.Errorf("%v", got["personal"])
	}
	if got := b.get("/v1/customers/c-2?include=personal", private).is(200, "").json(); got["personal"] != nil {
		t.Errorf("%v", got["personal"])
	}
	b.get("/v1/customers/phone:+5511999990001?include=personal", private).is(200, "")
	b.get("/v1/customers/email:ana@example.com", private).is(200, "")
	for _, personal := range []string{"Ana", "5511999990001", "ana@example", "example.com", "127.0.0.1"} {
		if strings.Contains(b.log.String()+readAudit(t, b), personal) {
			t.Errorf("%q is in the logs", personal)
		}
	}
	for _, line := range jsonLines(t, b.log.String()) {
		if line["msg"] == "http request" && (line["route"] == "" || line["request_id"] == "" || line["actor"] == "") {
			t.Errorf("%v", line)
		}
	}
}

func TestTheSameIdempotencyKeyGetsTheSameAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token, other := b.key("admin"), b.key("admin")
	post := func(token, body, key string) reply {
		t.Helper()
		return b.call(http.MethodPost, "/v1/keys", token, body, "Content-Type", mediaJSON, "Idempotency-Key", key)
	}
	one := `{"name":"one","scopes":["read"]}`
	first := post(token, one, "k1").is(201, "")
	again := post(token, one, `"k1"`).is(201, "")
	if !bytes.Equal(first.body, again.body) || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%s\n%s", first.body, again.body)
	}
	post(token, `{"name":"two","scopes":["read"]}`, "k1").is(422, "idempotency-mismatch")
	post(other, one, "k1").is(201, "") // another caller's key is another key
	refused := post(token, `{}`, "k2").is(400, "invalid-body")
	if got := post(token, `{}`, "k2").is(400, "invalid-body"); !bytes.Equal(refused.body, got.body) {
		t.Errorf("%s\n%s", refused.body, got.body)
	}
	post(token, one, "").is(400, "invalid-parameter")
	b.clock.advance(idempotencyTTL)
	post(token, one, "k1").is(201, "")
	keys, err := b.keys.List()
	if err != nil || len(keys) != 5 {
		t.Errorf("%d keys, %v; want the two of the test and three", len(keys), err)
	}
}

// heldLog lets a test hold a publication in the middle.
type heldLog struct{ entered, leave chan struct{} }

func (h heldLog) Publish(context.Context, []event.Event) error {
	h.entered <- struct{}{}
	<-h.leave
	return nil
}

func TestARepeatWhileTheFirstIsInWorkIsAConflict(t *testing.T) {
	t.Parallel()
	log := heldLog{make(chan struct{}), make(chan struct{})}
	b := setup(t, func(cfg *Config) { cfg.Publisher = log })
	token := b.key("write")
	post := func() reply {
		return b.call(http.MethodPost, "/v1/events", token, cloudEventText(t, "o1", nil), "Content-Type", mediaEvent, "Idempotency-Key", "k")
	}
	first := make(chan reply)
	go func() { first <- post() }()
	<-log.entered
	if got := post().is(409, "idempotency-in-flight"); got.header.Get("Retry-After") != "1" {
		t.Errorf("%v", got.header)
	}
	close(log.leave)
	(<-first).is(202, "")
	post().is(202, "")
}

func TestAKeyThatAsksTooOftenWaits(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *Config) { cfg.Limits = Limits{RequestsPerSecond: 0.25, Burst: 2} })
	one, two := b.key("read"), b.key("read")
	b.get("/v1/lag", one).is(200, "")
	b.get("/v1/audiences?x=1", one).is(400, "invalid-parameter")
	if got := b.get("/v1/lag", one).is(429, "rate-limited"); got.header.Get("Retry-After") != "4" {
		t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
	}
	b.get("/v1/lag", two).is(200, "")
	b.get("/livez", one).is(200, "")
	b.clock.advance(4 * time.Second)
	b.get("/v1/lag", one).is(200, "")
}

func TestAPanicIsAProblemAndTheServerGoesOn(t *testing.T) {
	t.Parallel()
	panics := true
	b := setup(t, func(cfg *Config) {
		cfg.Status = func(context.Context) Status {
			if panics {
				panic("a secret +5511999990001")
			}
			return Status{}
		}
	})
	token := b.key("read")
	got := b.get("/v1/lag", token).is(500, "internal")
	if strings.Contains(string(got.body), "secret") || !strings.Contains(b.log.String(), got.json()["request_id"].(string)) {
		t.Errorf("%s", got.body)
	}
	panics = false
	b.get("/v1/lag", token).is(200, "")
}

func TestBeforeTheFirstPublicationTheServerSaysSo(t *testing.T) {
	t.Parallel()
	b := setupIn(t, t.TempDir())
	token := b.key("read,export")
	for _, path := range []string{
		"/v1/segments", "/v1/audiences", "/v1/audiences/x/customers", "/v1/segments/value:high/customers", "/v1/customers/c-1",
		"/v1/reports/funnel", "/v1/snapshots", "/v1/snapshots/x",
	} {
		if got := b.get(path, token).is(503, "not-ready"); got.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
	ready := b.get("/readyz", "")
	if ready.status != 503 || at(t, ready.json(), "checks", 0, "name") != "published_file" || at(t, ready.json(), "ready") != false {
		t.Errorf("%d %s", ready.status, ready.body)
	}
	b.get("/livez", "").is(200, "")
	b.get("/v1/lag", token).is(200, "")
	b.get("/metrics", token).is(200, "")
	b.publish(worldAsOf, listStatements(0, 1)...)
	b.get("/readyz", "").is(200, "")
}

func TestReadyNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *Config) {
		cfg.Status = func(ctx context.Context) Status {
			if _, bounded := ctx.Deadline(); !bounded {
				t.Error("the status is asked without a deadline")
			}
			return Status{Checks: []Check{{Name: "broker", OK: true}, {Name: "ingest", Detail: "Partition 0 of goodhour.read has a gap."}}}
		}
	})
	got := b.get("/readyz", "")
	want := map[string]any{"ready": false, "checks": []any{
		map[string]any{"name": "published_file", "ok": true},
		map[string]any{"name": "keys", "ok": true},
		map[string]any{"name": "broker", "ok": true},
		map[string]any{"name": "ingest", "ok": false, "detail": "Partition 0 of goodhour.read has a gap."},
	}}
	if diff := cmp.Diff(want, got.json()); got.status != 503 || diff != "" {
		t.Errorf("%d %s", got.status, diff)
	}
	if err := os.WriteFile(filepath.Join(b.data, "keys.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := b.get("/readyz", ""); at(t, got.json(), "checks", 1, "ok") != false {
		t.Errorf("%s", got.body)
	}
	b.get("/v1/audiences", "").is(500, "internal")
	b.get("/v1/audiences", "gh_x").is(500, "internal")
	if got := b.callAt(b.socket, http.MethodGet, "/v1/audiences", "", ""); got.status != 200 {
		t.Errorf("the socket needs the key file: %d", got.status)
	}
}

func lagStatus(context.Context) Status {
	return Status{Partitions: []Partition{
		{Topic: "goodhour.read", Partition: 0, NextOffset: 7, HighWatermark: 10, LastReceivedAt: worldAsOf},
		{Topic: "goodhour.read", Partition: 1, NextOffset: -1, HighWatermark: -1, Stopped: "gap", Error: "timeout"},
	}}
}

func TestLagSaysWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *Config) { cfg.Status = lagStatus })
	want := map[string]any{"records_behind": nil, "partitions": []any{
		map[string]any{
			"topic": "goodhour.read", "partition": 0., "next_offset": 7., "high_watermark": 10., "records_behind": 3.,
			"last_received_at": "2026-03-01T00:00:00Z", "stopped": nil, "error": nil,
		},
		map[string]any{
			"topic": "goodhour.read", "partition": 1., "next_offset": nil, "high_watermark": nil, "records_behind": nil,
			"last_received_at": nil, "stopped": "gap", "error": "timeout",
		},
	}}
	got := b.get("/v1/lag", b.key("read")).is(200, "")
	var value any
	if err := readJSON(got.body, &value); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(any(want), value); diff != "" {
		t.Error(diff)
	}
}

func TestMetricsAreValidAndTheirLabelsClosed(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *Config) { cfg.Status = lagStatus })
	token := b.key("read,export")
	for _, path := range []string{"/v1/audiences/win_back/customers", "/v1/audiences/nobody/customers", "/v1/customers/secret", "/secret", "/v1/customers/c-1?secret=1"} {
		b.get(path, token)
	}
	b.call("SECRET", "/v1/lag", token, "")
	text := b.get("/metrics", token).is(200, "").body
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(bytes.ToLower(text), []byte("secret")) {
		t.Error("a stranger's text became a label")
	}
	counts := make(map[string]float64)
	for _, m := range families["goodhour_http_requests_total"].GetMetric() {
		var labels []string
		for _, l := range m.GetLabel() {
			labels = append(labels, l.GetValue())
		}
		counts[strings.Join(labels, " ")] = m.GetCounter().GetValue()
	}
	for labels, want := range map[string]float64{
		"200 GET /v1/audiences/{name}/customers": 1, "404 GET /v1/audiences/{name}/customers": 1,
		"404 GET /v1/customers/{id}": 1, "400 GET /v1/customers/{id}": 1, "404 none none": 1, "405 none none": 1,
	} {
		if counts[labels] != want {
			t.Errorf("%s: %v, want %v of %v", labels, counts[labels], want, counts)
		}
	}
	for name, want := range map[string]float64{
		"goodhour_ingest_lag_records": 3, "goodhour_published_as_of_timestamp_seconds": float64(worldAsOf.Unix()),
		"goodhour_published_timestamp_seconds": float64(worldFile.Unix()), "goodhour_ready": 1,
	} {
		metrics := families[name].GetMetric()
		if len(metrics) == 0 || metrics[0].GetGauge().GetValue() != want {
			t.Errorf("%s: %v, want %v", name, metrics, want)
		}
	}
	if n := len(families["goodhour_ingest_stopped"].GetMetric()); n != 2 {
		t.Errorf("%d partitions in goodhour_ingest_stopped", n)
	}
}

func TestNewNamesEverythingThatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := New(Config{})
	if err == nil {
		t.Fatal("an empty configuration was taken")
	}
	for _, what := range []string{"library", "publisher", "keyer", "key file", "audit log", "status", "clock", "logger"} {
		if !strings.Contains(err.Error(), what) {
			t.Errorf("%q is not named in %v", what, err)
		}
	}
}

func TestEveryProblemIsDocumentedOnce(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, kind := range problemKinds() {
		if seen[kind.name] || kind.title == "" || kind.mend == "" || kind.status < 400 {
			t.Errorf("%+v", kind)
		}
		seen[kind.name] = true
	}
}

// rawConnection speaks to the server byte by byte.
func rawConnection(t *testing.T, b *bundle) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestASlowBodyIsRefusedAndTheConnectionClosed(t *testing.T) {
	t.Parallel()
	// The clock of the server runs 29.8 s behind its own deadlines, so that
	// what takes 30 s takes 0.2 s here.
	late := newClock()
	late.advance(-bodyTimeout + 200*time.Millisecond)
	b := setup(t, func(cfg *Config) { cfg.Now = late.now })
	token := b.key("write")
	conn := rawConnection(t, b)
	fmt.Fprintf(conn, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: 100\r\n\r\n[", token, mediaEventBatch)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestTimeout {
		t.Errorf("status %d", res.StatusCode)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the connection stays open: %v", err)
	}
	if used := b.server.bodies.used.Load(); used != 0 {
		t.Errorf("%d bytes are still claimed", used)
	}
}

func TestAClientThatStopsReadingIsCutOff(t *testing.T) {
	t.Parallel()
	late := newClock()
	late.advance(-stallTimeout + 500*time.Millisecond)
	b := setupIn(t, t.TempDir(), func(cfg *Config) { cfg.Now = late.now })
	token := b.key("export,read")
	b.publish(worldAsOf, listStatements(0, 400_000)...)
	conn := rawConnection(t, b)
	fmt.Fprintf(conn, "GET /v1/audiences/everyone/customers?format=csv HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", token)
	// Nothing is read. The metric of the cut answer comes when it is given up.
	deadline := time.Now().Add(patience)
	for {
		text := b.get("/metrics", token).is(200, "").body
		if bytes.Contains(text, []byte(`goodhour_http_requests_total{code="cut",method="GET",route="/v1/audiences/{name}/customers"} 1`)) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the answer is still held for a client that does not read")
		}
	}
	trail := auditTrail(t, b)
	if last := trail[len(trail)-1]; !strings.Contains(last, "result=failed") {
		t.Errorf("%s", last)
	}
}

func TestBodiesTogetherAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *Config) { cfg.Limits.BodyBytes = 1000 })
	token := b.key("read")
	body := `{"sql":"select 1"}`
	b.call(http.MethodPost, "/v1/sql", token, body, "Content-Type", mediaJSON).is(200, "")
	big := `{"sql":"select 1 ` + strings.Repeat(" ", 1000) + `"}`
	if got := b.call(http.MethodPost, "/v1/sql", token, big, "Content-Type", mediaJSON).is(503, "unavailable"); got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if used := b.server.bodies.used.Load(); used != 0 {
		t.Errorf("%d bytes are still claimed", used)
	}
}
