package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sample is a request that a route accepts, but for what a key may do.
func sample(rt *route) (path, body string) {
	path = strings.NewReplacer("{type}", "busy", "{metric}", "delivery_rate", "{provider}", "meta").Replace(rt.path)
	path = strings.Replace(path, "/v1/segments/{name}", "/v1/segments/value:high", 1)
	path = strings.Replace(path, "/v1/audiences/{name}", "/v1/audiences/win_back", 1)
	path = strings.Replace(path, "/v1/customers/{id}", "/v1/customers/c-1", 1)
	path = strings.Replace(path, "/v1/keys/{id}", "/v1/keys/key_nobody", 1)
	path = strings.Replace(path, "/v1/campaigns/{id}", "/v1/campaigns/spring", 1)
	switch path {
	case "/v1/customers":
		return path, "[]"
	case "/v1/campaigns":
		return path, testCampaign
	case "/v1/campaigns/spring/approve":
		return path, approval("0")
	case "/v1/campaigns/spring/resolve":
		return path, `{"message_id":"0","state":"failed"}`
	case "/v1/campaigns/spring/explain":
		return path + "?customer=c-1", ""
	case "/v1/templates/sync":
		return path, `{"account":"shop"}`
	case "/v1/events":
		return path, "[]"
	case "/v1/sql":
		return path, `{"sql":"select 1"}`
	case "/v1/keys":
		return path, `{"name":"x","scopes":["read"]}`
	}
	return path, ""
}

func send(b *bundle, base string, rt *route, token string, headers ...string) reply {
	b.t.Helper()
	path, body := sample(rt)
	if rt.path == "/webhooks/{provider}" { // the provider is known by what it knows
		path += "?hub.mode=subscribe&hub.verify_token=our-token&hub.challenge=1"
		headers = append(headers, "X-Hub-Signature-256", signature(webhookSecret, body))
	}
	if rt.consumes != nil {
		headers = append(headers, "Content-Type", rt.consumes[0])
	}
	return b.callAt(base, rt.method, path, token, body, headers...)
}

// Every route, with every kind of caller: what a route needs is what the table
// says, no scope includes another, and the socket may do everything.
func TestEveryRouteNeedsItsScope(t *testing.T) {
	t.Parallel()
	b := setupSending(t).bundle
	keyless := setup(t)
	with, without := make(map[Scope]string), make(map[Scope]string)
	for _, scope := range Scopes() {
		with[scope] = b.key(string(scope))
		var others []string
		for _, other := range Scopes() {
			if other != scope {
				others = append(others, string(other))
			}
		}
		without[scope] = b.key(strings.Join(others, ","))
	}
	admitted := func(rt *route, got reply) {
		t.Helper()
		if got.status == http.StatusUnauthorized || got.status == http.StatusForbidden || got.status >= 500 {
			t.Errorf("%s %s: %d %s", rt.method, rt.path, got.status, got.body)
		}
	}
	table := routes()
	for i := range table {
		rt := &table[i]
		admitted(rt, send(b, b.socket, rt, ""))
		if rt.scope == "" {
			admitted(rt, send(b, b.url, rt, ""))
			admitted(rt, send(b, b.url, rt, "gh_nonsense"))
			continue
		}
		if got := send(b, b.url, rt, "").is(http.StatusUnauthorized, "unauthenticated"); got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no WWW-Authenticate", rt.path)
		}
		send(b, b.url, rt, "gh_"+strings.Repeat("A", 43)).is(http.StatusUnauthorized, "unauthenticated")
		send(b, b.url, rt, without[rt.scope]).is(http.StatusForbidden, "forbidden")
		admitted(rt, send(b, b.url, rt, with[rt.scope]))

		// Before the first key, this machine may read and export.
		got := send(keyless, keyless.url, rt, "")
		if rt.scope == ScopeRead || rt.scope == ScopeExport {
			admitted(rt, got)
		} else {
			got.is(http.StatusUnauthorized, "unauthenticated")
		}
	}
}

func TestBeforeTheFirstKeyStrangersAreHeldOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := func(status int, problem string, headers ...string) {
		t.Helper()
		b.get("/v1/audiences", "", headers...).is(status, problem)
	}
	f(200, "")
	f(200, "", "Sec-Fetch-Site", "none")
	f(401, "unauthenticated", "Host", "rebind.example")
	f(401, "unauthenticated", "X-Forwarded-For", "127.0.0.1")
	f(403, "cross-site", "Sec-Fetch-Site", "cross-site")
	f(403, "cross-site", "Origin", "http://evil.example")
	f(401, "unauthenticated", "Authorization", "Basic eDp5")
	f(401, "unauthenticated", "Authorization", "Bearer ")
	token := b.key("read")
	f(401, "unauthenticated")
	b.get("/v1/audiences", token, "Sec-Fetch-Site", "cross-site").is(200, "") // a key is proof enough
	b.get("/v1/audiences", token, "Authorization", "Bearer x").is(401, "unauthenticated")
	// Taking the last key back does not open the door again.
	keys, err := b.keys.List()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.keys.Revoke(keys[0].ID); err != nil {
		t.Fatal(err)
	}
	f(401, "unauthenticated")

	strict := setup(t, func(cfg *Config) { cfg.RequireKey = true })
	strict.get("/v1/audiences", "").is(401, "unauthenticated")
	strict.get("/livez", "").is(200, "")
}

func TestAKeysLifeOverTheAPI(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.callAt(b.socket, http.MethodPost, "/v1/keys", "", `{"name":"root","scopes":["admin"]}`, "Content-Type", mediaJSON).is(201, "").json()
	admin := made["token"].(string)
	expires := b.clock.now().Add(time.Hour).UTC().Format(time.RFC3339)
	shop := b.call(http.MethodPost, "/v1/keys", admin, `{"name":"shop","scopes":["write","read"],"expires_at":"`+expires+`"}`, "Content-Type", mediaJSON).is(201, "").json()
	token := shop["token"].(string)
	if shop["created_by"] != made["id"] || shop["expires_at"] != expires || made["created_by"] != principalLocal {
		t.Errorf("%v", shop)
	}
	b.get("/v1/audiences", token).is(200, "")
	b.get("/v1/keys", token).is(403, "forbidden")
	list := b.get("/v1/keys", admin).is(200, "")
	if n := len(list.json()["keys"].([]any)); n != 2 || strings.Contains(string(list.body), token) || strings.Contains(string(list.body), "sha256") {
		t.Errorf("%s", list.body)
	}
	revoked := b.call(http.MethodDelete, "/v1/keys/"+shop["id"].(string), admin, "").is(200, "").json()
	if revoked["revoked_at"] == nil {
		t.Errorf("%v", revoked)
	}
	b.get("/v1/audiences", token).is(401, "unauthenticated")
	b.clock.advance(2 * time.Hour)
	b.call(http.MethodDelete, "/v1/keys/"+made["id"].(string), admin, "").is(200, "")
	b.get("/v1/keys", admin).is(401, "unauthenticated")
	root, second := made["id"].(string), shop["id"].(string)
	want := []string{
		"begin local POST /v1/keys", "end local POST /v1/keys target=" + root + " result=done status=201 count=1",
		"begin " + root + " POST /v1/keys", "end " + root + " POST /v1/keys target=" + second + " result=done status=201 count=1",
		"begin " + root + " DELETE /v1/keys/{id} target=" + second,
		"end " + root + " DELETE /v1/keys/{id} target=" + second + " result=done status=200 count=1",
		"begin " + root + " DELETE /v1/keys/{id} target=" + root,
		"end " + root + " DELETE /v1/keys/{id} target=" + root + " result=done status=200 count=1",
	}
	if diff := cmp.Diff(want, auditTrail(t, b)); diff != "" {
		t.Error(diff)
	}
	for _, secret := range []string{token, admin} {
		if strings.Contains(b.log.String()+readAudit(t, b), secret) {
			t.Error("a token is in the logs")
		}
	}
}
