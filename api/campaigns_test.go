package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/sender/provider"
)

func approval(hash string) string { return fmt.Sprintf(`{"hash":%q}`, hash) }

// A campaign's life: created, planned, approved by its hash, held and ended, by
// a campaign's id or a plan's; who did it is in the audit log.
func TestACampaignsLife(t *testing.T) {
	t.Parallel()
	s := setupSending(t)
	author, approver := s.namedKey("marketing", "read,send,approve"), s.namedKey("head", "read,approve")
	if got := s.get("/v1/campaigns", author).is(200, "").json(); len(got["campaigns"].([]any)) != 0 {
		t.Errorf("%v", got)
	}
	stored := s.call(http.MethodPost, "/v1/campaigns", author, testCampaign, "Content-Type", mediaYAML).is(201, "")
	if got := stored.json(); got["id"] != "spring" || got["author"] != "marketing" || stored.header.Get("Location") != "/v1/campaigns/spring" {
		t.Errorf("%v %v", got, stored.header)
	}
	s.get("/v1/campaigns/spring", author).is(404, "not-found") // nothing is planned
	report := s.call(http.MethodPost, "/v1/campaigns/spring/plan", author, "", "Idempotency-Key", "one").is(201, "").json()
	planID, hash := report["plan_id"].(string), report["hash"].(string)
	again := s.call(http.MethodPost, "/v1/campaigns/spring/plan", author, "", "Idempotency-Key", "one").is(201, "").json()
	if diff := cmp.Diff(report, again); diff != "" {
		t.Errorf("the same request, another plan: %s", diff)
	}
	s.call(http.MethodPost, "/v1/campaigns/spring/plan", author, "").is(409, "conflict") // one is unfinished
	if report["audience"] != json.Number("4") || report["campaign_id"] != "spring" || report["mode"] != "sandbox" || report["predicted_cost"] != "unknown" {
		t.Errorf("%v", report)
	}
	for _, id := range []string{"spring", planID} {
		if diff := cmp.Diff(report, s.get("/v1/campaigns/"+id+"/report", approver).is(200, "").json()); diff != "" {
			t.Errorf("%s: %s", id, diff)
		}
		if got := s.get("/v1/campaigns/"+id, approver).is(200, "").json(); got["id"] != planID || got["status"] != "planned" || got["messages"] != json.Number("4") {
			t.Errorf("%s: %v", id, got)
		}
	}

	post := func(path, token, body string, status int, problem string) map[string]any {
		t.Helper()
		headers := []string{}
		if body != "" {
			headers = []string{"Content-Type", mediaJSON}
		}
		return s.call(http.MethodPost, path, token, body, headers...).is(status, problem).json()
	}
	post("/v1/campaigns/spring/approve", approver, `{}`, 400, "invalid-body")
	post("/v1/campaigns/spring/approve", approver, approval(strings.Repeat("0", 64)), 409, "conflict")
	post("/v1/campaigns/spring/approve", author, approval(hash), 409, "conflict") // the author's own
	post("/v1/campaigns/spring/pause", author, "", 409, "conflict")               // not approved yet
	if got := post("/v1/campaigns/spring/approve", approver, approval(hash), 200, ""); got["approved_by"] != "head" || got["id"] != planID {
		t.Errorf("%v", got)
	}
	if got := post("/v1/campaigns/"+planID+"/pause", author, "", 200, ""); got["status"] != "paused" {
		t.Errorf("%v", got["status"])
	}
	post("/v1/campaigns/spring/resume", author, "", 200, "")
	if got := post("/v1/campaigns/pause-all", author, "", 200, ""); got["paused"] != json.Number("1") {
		t.Errorf("%v", got)
	}
	if got := post("/v1/campaigns/spring/cancel", author, "", 200, ""); got["status"] != "cancelled" {
		t.Errorf("%v", got["status"])
	}
	post("/v1/campaigns/spring/resume", author, "", 409, "conflict")
	list := s.get("/v1/campaigns", approver).is(200, "").json()
	if at(t, list, "campaigns", 0, "id") != "spring" || at(t, list, "campaigns", 0, "plans", 0, "status") != "cancelled" {
		t.Errorf("%v", list)
	}

	keys, err := s.keys.List()
	if err != nil {
		t.Fatal(err)
	}
	trail := strings.Join(auditTrail(t, s.bundle), "\n")
	for _, line := range []string{
		"end " + keys[0].ID + " POST /v1/campaigns target=spring result=done status=201 count=1",
		"end " + keys[0].ID + " POST /v1/campaigns/{id}/plan target=" + planID + " result=done status=201 count=4",
		"end " + keys[0].ID + " POST /v1/campaigns/{id}/approve target=" + planID + " result=refused status=409",
		"end " + keys[1].ID + " POST /v1/campaigns/{id}/approve target=" + planID + " result=done status=200 count=1",
		"end " + keys[0].ID + " POST /v1/campaigns/pause-all result=done status=200 count=1",
	} {
		if !strings.Contains(trail, line) {
			t.Errorf("no line %q in\n%s", line, trail)
		}
	}
}

// Whoever comes through the socket has no key, and is nobody's second pair of
// eyes; no key can claim to be him.
func TestTheCommandLineApprovesWhatItPlanned(t *testing.T) {
	t.Parallel()
	s := setupSending(t)
	socket := func(path, media, body string, status int) map[string]any {
		t.Helper()
		return s.callAt(s.socket, http.MethodPost, path, "", body, "Content-Type", media).is(status, "").json()
	}
	if got := socket("/v1/campaigns", mediaYAML, testCampaign, 201); got["author"] != "command line" {
		t.Errorf("%v", got["author"])
	}
	report := socket("/v1/campaigns/spring/plan", "", "", 201)
	if got := socket("/v1/campaigns/spring/approve", mediaJSON, approval(report["hash"].(string)), 200); got["approved_by"] != "command line" {
		t.Errorf("%v", got["approved_by"])
	}
	list, err := ParseScopes("send,approve")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.keys.Create("command line", list, sendingNow.AddDate(10, 0, 0), principalLocal); err == nil {
		t.Error("a key may be called command line")
	}
}

func TestWhatIsWrongWithACampaignIsToldAtOnce(t *testing.T) {
	t.Parallel()
	s := setupSending(t)
	token := s.key("read,send")
	f := func(body, media string, fields ...string) {
		t.Helper()
		got := s.call(http.MethodPost, "/v1/campaigns", token, body, "Content-Type", media).is(422, "invalid-campaign").json()
		var found []string
		for _, e := range got["errors"].([]any) {
			if field, ok := e.(map[string]any)["field"].(string); ok {
				found = append(found, field)
			}
		}
		for _, field := range fields {
			if !strings.Contains(" "+strings.Join(found, " ")+" ", " "+field+" ") {
				t.Errorf("%s is not named in %v", field, got["errors"])
			}
		}
	}
	f("", mediaYAML)
	f("]", mediaYAML)
	f("null", mediaJSON)
	f("{}", mediaJSON, "id", "audience", "template", "account", "schedule")
	f(strings.Replace(testCampaign, "id: spring", "id: Spring Sale", 1), mediaYAML, "id")
	f(testCampaign+"colour: red\n", mediaYAML, "colour")
	f(strings.Replace(testCampaign, "account: shop", "account: nobody", 1), mediaYAML, "account")
	f(testCampaign+"needs: [budget]\n", mediaYAML, "needs.0")
	f("a: &a [*a]", mediaYAML)
	f(strings.Repeat("[", 10_000), mediaYAML)
	s.call(http.MethodPost, "/v1/campaigns", token, testCampaign, "Content-Type", "text/plain").is(415, "unsupported-media-type")
	s.call(http.MethodPost, "/v1/campaigns", token, strings.Repeat("#", bodySmall+1), "Content-Type", mediaYAML).is(413, "body-too-large")
	s.call(http.MethodPost, "/v1/campaigns", token, "id: \xff", "Content-Type", mediaYAML).is(400, "invalid-body")
	if got := s.get("/v1/campaigns", token).is(200, "").json(); len(got["campaigns"].([]any)) != 0 {
		t.Errorf("stored all the same: %v", got)
	}
	// What only planning can know.
	for _, change := range []struct{ old, new string }{
		{"audience.all_reachable", "audience.nobody"},
		{"audience: audience.all_reachable", "audience: {sql: \"select customer_id from raw.identities; drop table marts.customers\"}"},
		{"audience: audience.all_reachable", "audience: {sql: \"select * from read_text('/etc/passwd')\"}"},
		{"name: hello", "name: goodbye"},
	} {
		s.call(http.MethodPost, "/v1/campaigns", token, strings.Replace(testCampaign, change.old, change.new, 1), "Content-Type", mediaYAML).is(201, "")
		s.call(http.MethodPost, "/v1/campaigns/spring/plan", token, "").is(422, "invalid-campaign")
	}
	s.call(http.MethodPost, "/v1/campaigns/nobody/plan", token, "").is(404, "not-found")
}

func TestDecisionsArePagedAndHoldNothingPersonal(t *testing.T) {
	t.Parallel()
	s := setupSending(t)
	token := s.key("read,export,send")
	report := s.planned(token)
	planID := report["plan_id"].(string)
	var ids []string
	path, pages := "/v1/campaigns/spring/decisions?limit=1", 0
	for next := path; next != ""; pages++ {
		got := s.get(next, token).is(200, "")
		if strings.Contains(string(got.body), "Ana Souza") || strings.Contains(string(got.body), `"decisions"`) {
			t.Errorf("%s", got.body)
		}
		page := got.json()
		for _, m := range page["messages"].([]any) {
			ids = append(ids, at(t, m, "id").(string))
		}
		next = ""
		if cursor, ok := page["next_cursor"].(string); ok {
			next = path + "&cursor=" + cursor
		}
	}
	if len(ids) != 4 || pages != 4 {
		t.Errorf("%d messages in %d pages", len(ids), pages)
	}
	for i := 1; i < len(ids); i++ {
		if ids[i-1] >= ids[i] {
			t.Errorf("not in order, or twice: %v", ids)
		}
	}
	total := 0
	for state, count := range report["states"].(map[string]any) {
		n := len(s.get("/v1/campaigns/"+planID+"/decisions?state="+state, token).is(200, "").json()["messages"].([]any))
		if json.Number(fmt.Sprint(n)) != count {
			t.Errorf("%d messages are %s, the report says %v", n, state, count)
		}
		total += n
	}
	if total != 4 {
		t.Errorf("%d messages over all states", total)
	}
	cursor := s.get(path, token).is(200, "").json()["next_cursor"].(string)
	s.get("/v1/campaigns/spring/decisions?state=waiting&cursor="+cursor, token).is(400, "invalid-parameter")
	s.get("/v1/campaigns/spring/decisions?cursor=e30", token).is(400, "invalid-parameter")
	s.get("/v1/campaigns/spring/decisions?cursor=%27%20or%201=1", token).is(400, "invalid-parameter")
	s.get("/v1/campaigns/spring/decisions?state=nobody", token).is(400, "invalid-parameter")
	s.get("/v1/campaigns/spring/decisions?limit=1001", token).is(400, "invalid-parameter")
	s.get("/v1/campaigns/nobody/decisions", token).is(404, "not-found")
	if trail := strings.Join(auditTrail(t, s.bundle), "\n"); !strings.Contains(trail, "GET /v1/campaigns/{id}/decisions target=spring result=done status=200 count=1") {
		t.Errorf("a list of customers left without its line:\n%s", trail)
	}
}

func TestExplainAnswersForAnyOfACustomersKeys(t *testing.T) {
	t.Parallel()
	s := setupSending(t)
	token, private := s.key("read,send"), s.key("read,pii")
	s.planned(token)
	explain := func(token, customer string) reply {
		t.Helper()
		return s.get("/v1/campaigns/spring/explain?customer="+strings.NewReplacer("+", "%2B", " ", "%20", ";", "%3B").Replace(customer), token)
	}
	var first reply
	for i, customer := range []string{"c-1", customerID("c-1"), "external:customer:c-1"} {
		got := explain(token, customer).is(200, "")
		if i == 0 {
			first = got
		}
		if string(got.body) != string(first.body) {
			t.Errorf("%s: %s\n%s", customer, got.body, first.body)
		}
	}
	message := at(t, first.json(), "messages", 0)
	if at(t, message, "customer_id_now") != customerID("c-1") || at(t, message, "decisions", 0, "stage") != "planning" || len(at(t, message, "attempts").([]any)) != 0 {
		t.Errorf("%v", message)
	}
	if strings.Contains(string(first.body), "Ana Souza") || strings.Contains(string(first.body), "5511") {
		t.Errorf("personal: %s", first.body)
	}
	explain(token, "phone:+5511999990001").is(403, "forbidden")
	if got := explain(private, "phone:+5511999990001").is(200, ""); string(got.body) != string(first.body) {
		t.Errorf("%s", got.body)
	}
	explain(private, "phone:nobody").is(400, "invalid-parameter")
	explain(token, "c-4").is(404, "not-found") // opted out, and not in the audience
	explain(token, "'; drop table messages; --").is(404, "not-found")
	explain(token, "").is(400, "invalid-parameter")
	explain(token, strings.Repeat("x", 2000)).is(400, "invalid-parameter")
	s.get("/v1/campaigns/..%2F..%2Fetc/explain?customer=c-1", token).is(404, "not-found")
}

// A STOP that the webhook has accepted holds for the next plan, though the
// published file, which the audience comes from, knows nothing of it.
func TestAStopThatTheWebhookAcceptedIsInTheNextPlan(t *testing.T) {
	t.Parallel()
	s := setupSending(t)
	token := s.key("read,send")
	stop := strings.Replace(inboundText("STOP"), `"from":"5511999990000"`, `"from":"5511999990001"`, 1)
	s.deliver(stop).is(200, "")
	report := s.planned(token)
	if at(t, report, "rules", "opted_out") != json.Number("1") || report["audience"] != json.Number("4") {
		t.Errorf("%v", report["rules"])
	}
	got := s.get("/v1/campaigns/spring/explain?customer=c-1", token).is(200, "").json()
	if at(t, got, "messages", 0, "state_now") != "suppressed" || at(t, got, "messages", 0, "decisions", 0, "rule") != "opted_out" {
		t.Errorf("%v", got)
	}
}

func TestTemplatesAreThoseOfTheLastSync(t *testing.T) {
	t.Parallel()
	s := setupSending(t)
	token := s.key("read,send")
	got := s.get("/v1/templates?account=shop", token).is(200, "").json()
	want := map[string]any{"account": "shop", "synced_at": "2026-03-01T15:00:00Z", "templates": []any{map[string]any{
		"id": "7", "name": "hello", "language": "pt_BR", "category": "marketing", "status": "APPROVED",
		"components": []any{map[string]any{"part": "body", "text": "Olá {{1}}!"}},
		"parameters": []any{map[string]any{"name": "1", "part": "body", "kind": "text", "chars_max": json.Number("1024")}},
	}}}
	if diff := partOf(any(want), any(got), ""); diff != "" {
		t.Error(diff)
	}
	sync := func(body string, status int, problem string) reply {
		t.Helper()
		return s.call(http.MethodPost, "/v1/templates/sync", token, body, "Content-Type", mediaJSON).is(status, problem)
	}
	if got := sync(`{"account":"shop"}`, 200, "").json(); got["templates"] != json.Number("1") {
		t.Errorf("%v", got)
	}
	for _, account := range []string{"", "nobody", "'; drop table templates; --", "../shop"} {
		body, err := json.Marshal(map[string]string{"account": account})
		if err != nil {
			t.Fatal(err)
		}
		sync(string(body), 404, "not-found")
	}
	s.get("/v1/templates", token).is(404, "not-found")
	s.get("/v1/templates?account=nobody", token).is(404, "not-found")
	s.syncFail = &provider.Error{Provider: "meta", Class: provider.Account, Code: "190", Detail: "the access token is not valid: renew it"}
	if got := sync(`{"account":"shop"}`, 502, "provider").json(); !strings.Contains(got["detail"].(string), "190") {
		t.Errorf("%v", got)
	}
	s.syncFail = errors.New("a secret")
	if got := sync(`{"account":"shop"}`, 500, "internal"); strings.Contains(string(got.body), "secret") {
		t.Errorf("%s", got.body)
	}
	if len(s.synced) != 3 {
		t.Errorf("asked for %v", s.synced)
	}
}

func TestWithoutAnAccountThereAreNoCampaigns(t *testing.T) {
	t.Parallel()
	b := setupIn(t, t.TempDir())
	table := routes()
	for i := range table {
		rt := &table[i]
		if !strings.HasPrefix(rt.path, "/v1/campaigns") && !strings.HasPrefix(rt.path, "/v1/templates") {
			continue
		}
		got := send(b, b.socket, rt, "").is(404, "not-found")
		if !strings.Contains(string(got.body), "No account is configured") {
			t.Errorf("%s %s: %s", rt.method, rt.path, got.body)
		}
	}
}
