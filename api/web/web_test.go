package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// get asks for a page and returns it with its body.
func get(t *testing.T, pages *Pages, address string, header ...string) (*httptest.ResponseRecorder, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	pages.ServeHTTP(w, r)
	return w, w.Body.String()
}

// addresses are of every page in its every kind.
func addresses() []string {
	return []string{
		"/", "/segments", "/segments?value=high", "/segments?value=high&frequency=monthly&heat=hot", "/hours", "/hours?segment=value_segment:high",
		"/hours?segment=" + url.QueryEscape(hostile), "/campaigns", "/customers", "/customers?q=shop-0001", "/customers?q=" + url.QueryEscape(hostile),
		"/customers?q=nobody", "/sql", "/sql?q=" + url.QueryEscape("select '"+strings.ReplaceAll(hostile, "'", "''")+"' as \""+strings.ReplaceAll(hostile, `"`, `""`)+"\", 1 as n"),
		"/sql?q=" + url.QueryEscape("select "+hostile), "/sql?q=" + url.QueryEscape("select null, 1.5, [1, 2], {a: 1}, timestamp '2026-01-01', 'x'::blob"),
	}
}

// filledAddresses are of pages that only a filled file has.
func filledAddresses() []string {
	return []string{"/campaigns/new-products-february", "/campaigns/" + url.PathEscape(hostile)}
}

func TestEveryPageInEveryState(t *testing.T) {
	t.Parallel()
	w := testWorlds(t)
	for _, state := range []struct {
		name, data string
		addresses  []string
	}{
		{"unpublished", w.unpublished, addresses()},
		{"empty", w.empty, addresses()},
		{"filled", w.filled, append(addresses(), filledAddresses()...)},
	} {
		pages := testPages(t, state.data, func(c *Config) {
			c.Accounts = []Account{{Name: hostile, Provider: "meta", Mode: "sandbox"}}
			c.Demo = true
			c.Status = func(context.Context) Status { return Status{RecordsBehind: 1234, Problems: []string{hostile}} }
		})
		for _, address := range state.addresses {
			t.Run(state.name+address, func(t *testing.T) {
				t.Parallel()
				res, body := get(t, pages, address)
				if res.Code != http.StatusOK {
					t.Fatalf("status %d", res.Code)
				}
				checkPage(t, res, body)
				for _, want := range []string{"DEMO", "1,234 events wait to be loaded"} {
					if !strings.Contains(body, want) {
						t.Errorf("the page does not say %q", want)
					}
				}
				if says := strings.Contains(body, "1 Mar 2026, 09:00 UTC"); says != (state.name != "unpublished") {
					t.Errorf("the page says as of when: %t", says)
				}
			})
		}
	}
}

// badFormat is what fmt leaves behind where a text and its values do not fit.
var badFormat = regexp.MustCompile(`%![a-zA-Z(]`)

// checkPage holds a page to what all of them promise.
func checkPage(t *testing.T, res *httptest.ResponseRecorder, body string) {
	t.Helper()
	if got := res.Header().Get("Content-Security-Policy"); got != contentPolicy || strings.Contains(got, "unsafe") {
		t.Errorf("content security policy %q", got)
	}
	if got := res.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	if strings.Contains(body, "<script>") || strings.Contains(body, "ZgotmplZ") || strings.Contains(body, "<no value>") || badFormat.MatchString(body) {
		t.Error("text came out unescaped, was refused by the template, or is missing")
	}
	checkNesting(t, body)
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	heads := 0
	ids := make(map[string]bool)
	for node := range root.Descendants() {
		if node.Type != html.ElementNode {
			continue
		}
		if node.Data == "h1" {
			heads++
		}
		checkElement(t, node, ids)
	}
	if heads != 1 {
		t.Errorf("%d elements h1, want 1", heads)
	}
}

func checkElement(t *testing.T, node *html.Node, ids map[string]bool) {
	t.Helper()
	attribute := make(map[string]string)
	for _, a := range node.Attr {
		if _, twice := attribute[a.Key]; twice {
			t.Errorf("<%s> has %s twice", node.Data, a.Key)
		}
		attribute[a.Key] = a.Val
		if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
			t.Errorf("<%s> has the attribute %s", node.Data, a.Key)
		}
		if (a.Key == "src" || a.Key == "href" || a.Key == "action") && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") {
			t.Errorf("<%s> leads to %q", node.Data, a.Val)
		}
	}
	if id := attribute["id"]; id != "" {
		if ids[id] {
			t.Errorf("two elements have the id %q", id)
		}
		ids[id] = true
	}
	switch node.Data {
	case "script":
		if attribute["src"] == "" || node.FirstChild != nil {
			t.Error("a script stands in the page")
		}
	case "style":
		t.Error("a style stands in the page")
	case "img":
		if _, ok := attribute["alt"]; !ok {
			t.Error("an img has no alt")
		}
	}
}

// checkNesting holds every element to be closed where it must be, which
// html.Parse would mend silently.
func checkNesting(t *testing.T, body string) {
	t.Helper()
	void := []string{"meta", "link", "img", "input", "br", "hr"}
	var open []string
	for tokens := html.NewTokenizer(strings.NewReader(body)); ; {
		switch tokens.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("never closed: %q", open)
			}
			return
		case html.StartTagToken:
			if name, _ := tokens.TagName(); !slices.Contains(void, string(name)) {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := tokens.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				t.Errorf("</%s> closes %q", name, open)
				return
			}
			open = open[:len(open)-1]
		default: // nothing opens or closes
		}
	}
}

func TestUnknownAddresses(t *testing.T) {
	t.Parallel()
	pages := testPages(t, testWorlds(t).filled)
	for _, address := range []string{"/nowhere", "/campaigns/nobody", "/customers/nobody", "/customers/%00", "/segments?value=huge", "/customers/00000000-0000-0000-0000-000000000000"} {
		res, body := get(t, pages, address)
		if res.Code != http.StatusNotFound {
			t.Errorf("%s: %d", address, res.Code)
		}
		checkPage(t, res, body)
	}
	for _, address := range []string{"/assets/nothing.js", "/assets/..%2fweb.go"} {
		if res, _ := get(t, pages, address); res.Code != http.StatusNotFound {
			t.Errorf("%s: %d", address, res.Code)
		}
	}
}

// Every link of every page leads somewhere, and what the pages load is there.
func TestLinksLead(t *testing.T) {
	t.Parallel()
	pages := testPages(t, testWorlds(t).filled)
	seen := map[string]bool{}
	queue := append(addresses(), filledAddresses()...)
	for len(queue) > 0 && len(seen) < 800 {
		address, _, _ := strings.Cut(queue[0], "#")
		queue = queue[1:]
		if address == "" || seen[address] || strings.HasPrefix(address, "/v1/") || address == "/openapi.json" {
			continue
		}
		seen[address] = true
		res, body := get(t, pages, address)
		if strings.Contains(address, "lang=") && res.Code == http.StatusSeeOther {
			queue = append(queue, res.Header().Get("Location")) // the same page, which is known
			continue
		}
		if res.Code != http.StatusOK {
			t.Errorf("%s: %d", address, res.Code)
		}
		if strings.HasPrefix(address, "/assets/") {
			if res.Header().Get("Cache-Control") != "private, max-age=31536000, immutable" {
				t.Errorf("%s: Cache-Control %q", address, res.Header().Get("Cache-Control"))
			}
			continue
		}
		root, err := html.Parse(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for node := range root.Descendants() {
			for _, a := range node.Attr {
				if a.Key == "href" || a.Key == "src" {
					queue = append(queue, a.Val)
				}
			}
		}
	}
	if len(seen) < 100 {
		t.Errorf("only %d addresses were found", len(seen))
	}
}

// Without the chart library, as after go install, pages are whole and load no
// script.
func TestWithoutTheChartLibrary(t *testing.T) {
	t.Parallel()
	pages := testPages(t, testWorlds(t).filled)
	delete(pages.assets.files, chartLibrary)
	res, body := get(t, pages, "/")
	checkPage(t, res, body)
	if strings.Contains(body, "<script") {
		t.Error("the page loads a script that has nothing to draw with")
	}
	for _, want := range []string{"How far messages got", "<td", "<polyline"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// SQL that a link of another site brings is shown, not run.
func TestSQLFromElsewhereIsNotRun(t *testing.T) {
	t.Parallel()
	pages := testPages(t, testWorlds(t).filled)
	address := "/sql?q=" + url.QueryEscape("select 40 + 2 as answer")
	for site, runs := range map[string]bool{"": true, "none": true, "same-origin": true, "same-site": false, "cross-site": false} {
		_, body := get(t, pages, address, "Sec-Fetch-Site", site)
		if got := strings.Contains(body, ">42<"); got != runs {
			t.Errorf("from %q: run %t, want %t", site, got, runs)
		}
	}
}

// What SQL may not do is said on the page, and nothing of it is done.
func TestSQLOnlyReads(t *testing.T) {
	t.Parallel()
	pages := testPages(t, testWorlds(t).filled)
	for _, sql := range []string{"create table t (a int)", "select * from read_csv('/etc/passwd')", "copy marts.customers to '/tmp/x'", "set memory_limit = '9GB'", "selec"} {
		res, body := get(t, pages, "/sql?q="+url.QueryEscape(sql))
		if res.Code != http.StatusOK || !strings.Contains(body, `class="notice bad"`) {
			t.Errorf("%s: %d, and no refusal on the page", sql, res.Code)
		}
	}
}

// The figures of the overview are those of the relations.
func TestOverviewAgreesWithTheFile(t *testing.T) {
	t.Parallel()
	pages := testPages(t, testWorlds(t).filled)
	reader, release, err := pages.cfg.Library.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	counted, err := reader.Table(t.Context(), `
select (select count(*) from marts.customers)::bigint, (select count(*) from marts.customers where is_reachable)::bigint,
    (select count(*) from marts.messages)::bigint, (select count(*) from marts.messages where is_read)::bigint`)
	if err != nil {
		t.Fatal(err)
	}
	_, overview := get(t, pages, "/")
	_, segments := get(t, pages, "/segments")
	e := pages.editions[0]
	for i, value := range counted.Rows[0] {
		if want := e.Num(value); !strings.Contains(overview, ">"+want+"<") || value == int64(0) {
			t.Errorf("the overview lacks figure %d, %s", i, want)
		}
	}
	if want := ">" + e.Num(counted.Rows[0][0]) + "<"; !strings.Contains(segments, want) {
		t.Errorf("the segments' page lacks the number of customers, %s", want)
	}
}

// A page without a published file fills by itself, and says what to do: in the
// demo, to wait.
func TestUnpublishedPages(t *testing.T) {
	t.Parallel()
	w := testWorlds(t)
	for _, demo := range []bool{false, true} {
		pages := testPages(t, w.unpublished, func(c *Config) { c.Demo, c.Data = demo, "data-demo" })
		for _, address := range []string{"/", "/segments", "/hours", "/customers", "/sql", "/campaigns/spring"} {
			res, body := get(t, pages, address)
			checkPage(t, res, body)
			if got := res.Header().Get("Refresh"); got != "10" {
				t.Errorf("%s: Refresh %q", address, got)
			}
			if got := strings.Contains(body, "The demo is bringing its world in"); got != demo {
				t.Errorf("%s: says that the demo is bringing its world in: %t", address, got)
			}
			if got := strings.Contains(body, "<code>goodhour models run --data data-demo</code>"); got == demo {
				t.Errorf("%s: shows commands: %t, the demo: %t", address, got, demo)
			}
		}
	}
	if res, _ := get(t, testPages(t, w.filled), "/"); res.Header().Get("Refresh") != "" {
		t.Error("a page of a published file comes anew by itself")
	}
}

func TestConfigNamesWhatItLacks(t *testing.T) {
	t.Parallel()
	_, err := New(Config{})
	for _, want := range []string{"library", "clock", "logger"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name the %s: %v", want, err)
		}
	}
}
