//go:build chromium

package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"golang.org/x/text/language"

	"github.com/goodhour/goodhour/api/web/report"
	"github.com/goodhour/goodhour/api/web/texts"
)

// screenshots is where the pictures go, for someone to look at.
const screenshots = "GOODHOUR_SCREENSHOTS"

// look is how a reader sees the pages.
type look struct {
	name  string
	width int64
	dark  bool
	still bool     // without scripts
	lang  string   // of the browser; empty: English
	only  []string // the pages that are looked at; nil: all
}

// TestChromium opens every page in real Chromium: no error in the console, no
// violation of the policy, no request off the host, every chart drawn, nothing
// wider than the screen. Debian's chromium, or the program that CHROMIUM names.
func TestChromium(t *testing.T) {
	w := testWorlds(t)
	pictures := os.Getenv(screenshots)
	if pictures == "" {
		pictures = t.TempDir()
	}
	filled := serve(t, testPages(t, w.filled, func(c *Config) {
		c.Demo, c.Accounts = true, []Account{{Name: "shop", Provider: "meta", Mode: "sandbox"}}
	}))
	if _, ok := testPages(t, w.empty).assets.files[chartLibrary]; !ok {
		t.Fatal("the chart library is not there: run make web")
	}
	bare := serve(t, testPages(t, w.unpublished))
	empty := serve(t, testPages(t, w.empty))
	k := newKept(t)
	live := serve(t, testPages(t, k.data, func(c *Config) {
		c.Campaigns, c.Accounts = k.service, []Account{{Name: "shop", Provider: "meta", Mode: "test"}}
	}))
	runCampaign(t, k)
	addresses := map[string]string{
		"overview": filled + "/", "segments": filled + "/segments",
		"segment": filled + "/segments?value=high&frequency=monthly&heat=hot",
		"hours":   filled + "/hours", "campaigns": filled + "/campaigns", "campaign": filled + "/campaigns/new-products-february",
		"hostile": filled + "/campaigns/" + url.PathEscape(hostile), "customers": filled + "/customers",
		"customer": filled + "/customers?q=shop-0001", "sql": filled + "/sql",
		"sql-lines": filled + "/sql?q=" + url.QueryEscape(examples()[1].SQL), "sql-error": filled + "/sql?q=selec",
		"sql-bars":    filled + "/sql?q=" + url.QueryEscape("select value_segment, count(*) as customers, sum(order_count) as orders from marts.customers group by all order by all"),
		"missing":     filled + "/nowhere",
		"unpublished": bare + "/", "empty-overview": empty + "/", "empty-segments": empty + "/segments",
		"empty-hours": empty + "/hours", "empty-campaigns": empty + "/campaigns", "empty-customers": empty + "/customers",
		"live-campaigns": live + "/campaigns", "live-campaign": live + "/campaigns/spring?still=1", // axe is slower than its refresh may be
	}
	for _, tag := range texts.Tags() {
		addresses["report-"+tag.String()] = writeReport(t, w.filled, tag.String()+".html", tag)
	}
	addresses["report-empty"] = writeReport(t, w.empty, "empty.html", language.English)
	axe, err := os.ReadFile("testdata/axe/axe.min.js")
	if err != nil {
		t.Fatalf("%v; api/web/fetch.sh axe gets it", err)
	}
	main := []string{"overview", "segments", "hours", "live-campaign", "report-en", "report-zh-Hans"}
	browser := startChromium(t)
	for _, l := range []look{
		{name: "light-1280", width: 1280},
		{name: "dark-360", width: 360, dark: true},
		{name: "light-360", width: 360, only: main},
		{name: "dark-1280", width: 1280, dark: true, only: main},
		{name: "light-1920", width: 1920, only: main},
		{name: "still-1280", width: 1280, still: true, only: main},
		{name: "zh-light-1280", width: 1280, lang: "zh-CN"},
		{name: "zh-dark-360", width: 360, dark: true, lang: "zh-CN", only: main},
		{name: "zh-light-1920", width: 1920, lang: "zh-CN", only: main},
	} {
		t.Run(l.name, func(t *testing.T) {
			for name, address := range addresses {
				if l.only == nil || slices.Contains(l.only, name) {
					visit(browser, t, l, address, filepath.Join(pictures, l.name+"-"+name+".png"), string(axe))
				}
			}
		})
	}
}

// runCampaign plans a campaign, approves it and sends its first message.
func runCampaign(t *testing.T, k kept) {
	t.Helper()
	if _, err := k.service.Create(t.Context(), []byte(campaignFile), "ana"); err != nil {
		t.Fatal(err)
	}
	report, err := k.service.Plan(t.Context(), "spring", "ana")
	if err != nil {
		t.Fatal(err)
	}
	if err := k.service.Approve(t.Context(), report.PlanID, report.Hash, "ben"); err != nil {
		t.Fatal(err)
	}
	sendOne(t, k.ledger)
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func startChromium(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WSURLReadTimeout(time.Minute))
	if program := os.Getenv("CHROMIUM"); program != "" {
		options = append(options, chromedp.ExecPath(program))
	}
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	browser, closeBrowser := chromedp.NewContext(allocator)
	t.Cleanup(closeBrowser)
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return browser
}

// complaints are what a browser says against a page.
type complaints struct {
	mu   sync.Mutex
	list []string
}

func (c *complaints) add(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, fmt.Sprintf(format, args...))
}

func (c *complaints) listen(host string) func(any) {
	return func(happened any) {
		switch e := happened.(type) {
		case *log.EventEntryAdded:
			if !strings.Contains(e.Entry.Text, "404 (Not Found)") { // the page of a wrong address is one
				c.add("log: %s %s", e.Entry.Level, e.Entry.Text)
			}
		case *runtime.EventConsoleAPICalled:
			c.add("console: %s, %d values", e.Type, len(e.Args))
		case *runtime.EventExceptionThrown:
			c.add("exception: %s", e.ExceptionDetails.Text)
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(e.Request.URL, host) && !strings.HasPrefix(e.Request.URL, "data:") {
				c.add("request off the host: %s", e.Request.URL)
			}
		}
	}
}

// seen is what the page's own view of itself is.
type seen struct {
	Drawn, Wanted, Canvases, Wide int
	Widest                        string
}

// The pointer goes over every chart, so that tooltips are drawn too.
const lookAround = `(() => {
  for (const canvas of document.querySelectorAll("figure[data-chart] canvas")) {
    const box = canvas.getBoundingClientRect();
    const at = { bubbles: true, clientX: box.left + box.width / 3, clientY: box.top + box.height / 2 };
    canvas.dispatchEvent(new MouseEvent("mousemove", at));
  }
  const width = document.documentElement.clientWidth;
  const outside = [...document.querySelectorAll("body *")].filter((e) =>
    !e.closest(".scroll, .skip, nav") && e.getBoundingClientRect().right > width + 1);
  return {
    Drawn: Number(document.documentElement.dataset.drawn ?? 0), Wanted: document.querySelectorAll("figure[data-chart]").length,
    Canvases: document.querySelectorAll("figure[data-chart] canvas").length,
    Wide: document.documentElement.scrollWidth - width, Widest: outside.slice(0, 3).map((e) => e.outerHTML.slice(0, 80)).join(" | "),
  };
})()`

// runAxe lists what axe holds to keep people out.
const runAxe = `;axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations.
  filter((v) => v.impact === "serious" || v.impact === "critical").
  map((v) => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 120) + " " + n.any.map((a) => a.message).join(" ")).join(" | ")))`

func visit(browser context.Context, t *testing.T, l look, address, picture, axe string) {
	t.Helper()
	tab, closeTab := chromedp.NewContext(browser)
	defer closeTab()
	tab, cancel := context.WithTimeout(tab, time.Minute)
	defer cancel()
	var against complaints
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	own := "http://" + target.Host
	if target.Scheme == "file" {
		own = address // a report loads nothing but itself
	}
	if err := chromedp.Listen(tab, against.listen(own)); err != nil {
		t.Fatal(err)
	}
	prepare(tab, t, l)
	if err := chromedp.Do(tab, chromedp.Navigate(address)); err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	call(tab, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: false})
	around, err := chromedp.Run(tab, chromedp.Evaluate[seen](lookAround))
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	barriers, err := chromedp.Run(tab, chromedp.Evaluate[[]string](axe+runAxe, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	for _, each := range barriers {
		against.add("axe: %s", each)
	}
	shot, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	if err := os.WriteFile(picture, shot, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, said := range against.list {
		t.Errorf("%s: %s", filepath.Base(picture), said)
	}
	if around.Wide > 0 {
		t.Errorf("%s: %d pixels wider than the screen: %s", filepath.Base(picture), around.Wide, around.Widest)
	}
	if wanted := around.Wanted; !l.still && (around.Drawn != wanted || around.Canvases != wanted) {
		t.Errorf("%s: %d charts of %d are drawn", filepath.Base(picture), around.Drawn, wanted)
	}
}

// prepare makes the tab the reader's.
func prepare(tab context.Context, t *testing.T, l look) {
	t.Helper()
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	call(tab, t, log.Enable, cdp.Empty{})
	call(tab, t, network.Enable, network.EnableParams{})
	if l.lang != "" {
		call(tab, t, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": l.lang}})
	}
	call(tab, t, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: l.width, Height: 800, DeviceScaleFactor: 1, Mobile: l.width < 600,
	})
	call(tab, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	call(tab, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: l.still})
}

func call[P, R any](tab context.Context, t *testing.T, command cdp.Command[P, R], params P) {
	t.Helper()
	if _, err := chromedp.Call(tab, command, params); err != nil {
		t.Fatalf("%s: %v", command.Method, err)
	}
}

// writeReport writes the report to a file, for a browser to open.
func writeReport(t *testing.T, data, name string, tag language.Tag) (address string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	written := reportOf(t, data, report.Options{Files: []string{"orders.csv"}, Again: []string{"orders.csv"}, Language: tag, Version: "test"})
	if err := os.WriteFile(file, []byte(written), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file://" + file
}
