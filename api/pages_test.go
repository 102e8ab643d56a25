package api

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// testPages answers with the path and what the asker may do.
func testPages(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "%s send=%t", r.URL.Path, Allowed(r.Context(), ScopeSend))
}

func withPages(cfg *Config) { cfg.Pages = http.HandlerFunc(testPages) }

// page asks for a page; openapi.yaml describes none.
func (b *bundle) page(method, path string, headers ...string) (status int, header http.Header, body string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, http.NoBody)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

func basic(password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte("anybody:"+password))
}

func TestPagesAreWhateverIsNoAddressOfTheAPI(t *testing.T) {
	t.Parallel()
	b := setupIn(t, t.TempDir(), withPages)
	for _, path := range []string{"/", "/segments", "/campaigns/x/y", "/static/a.css", "/v2", "/favicon.ico?x=1&x=2", "/V1/segments"} {
		status, header, body := b.page(http.MethodGet, path)
		path, _, _ = strings.Cut(path, "?")
		if status != 200 || body != path+" send=false" || header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
	for _, path := range []string{"/v1", "/v1/", "/v1/segment", "/webhooks", "/webhooks/meta/x", "/problems/", "/livez/", "/openapi.json/"} {
		b.get(path, "").is(http.StatusNotFound, "no-such-route")
	}
	b.call(http.MethodPost, "/segments", "", "").is(http.StatusNotFound, "no-such-route")
	b.call(http.MethodPost, "/v1/segments", "", "").is(http.StatusMethodNotAllowed, "method-not-allowed")
	setupIn(t, t.TempDir()).get("/", "").is(http.StatusNotFound, "no-such-route")
}

func TestPagesNeedTheScopeReadAndTakeAKeyAsAPassword(t *testing.T) {
	t.Parallel()
	b := setupIn(t, t.TempDir(), withPages)
	reader, sender, writer := b.key("read"), b.key("read,send"), b.key("write")
	f := func(status int, want string, headers ...string) http.Header {
		t.Helper()
		got, header, body := b.page(http.MethodGet, "/campaigns", headers...)
		if got != status || !strings.Contains(body, want) {
			t.Errorf("%v: %d %s, want %d %s", headers, got, body, status, want)
		}
		return header
	}
	if challenges := f(401, "unauthenticated").Values("WWW-Authenticate"); len(challenges) != 2 || !strings.HasPrefix(challenges[1], "Basic") {
		t.Errorf("a browser is not asked for the key: %v", challenges)
	}
	f(200, "/campaigns send=false", "Authorization", basic(reader))
	f(200, "/campaigns send=true", "Authorization", basic(sender))
	f(200, "/campaigns send=true", "Authorization", "Bearer "+sender, "Sec-Fetch-Site", "cross-site")
	f(403, "forbidden", "Authorization", basic(writer))
	f(401, "unauthenticated", "Authorization", basic(""))
	f(401, "unauthenticated", "Authorization", "Basic ???")
	// A browser sends a password by itself: a page of another site must not use it.
	f(403, "cross-site", "Authorization", basic(sender), "Sec-Fetch-Site", "cross-site")
	f(403, "cross-site", "Authorization", basic(sender), "Origin", "https://evil.example")
	b.get("/v1/lag", "", "Authorization", basic(reader)).is(200, "")
	text := string(b.get("/metrics", reader).is(200, "").body)
	if !strings.Contains(text, `goodhour_http_requests_total{code="200",method="GET",route="page"} 3`) {
		t.Error("pages are not counted")
	}
}
