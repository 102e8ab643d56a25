package web

import (
	"bytes"
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/goodhour/goodhour/api/web/report"
	"github.com/goodhour/goodhour/api/web/texts"
	"github.com/goodhour/goodhour/warehouse"
)

// reportOf is the report on a data directory's published file.
func reportOf(t *testing.T, data string, options report.Options) string {
	t.Helper()
	var b bytes.Buffer
	onFile(t, data, func(reader *warehouse.Reader) {
		if err := report.Write(t.Context(), &b, reader, options); err != nil {
			t.Fatal(err)
		}
	})
	return b.String()
}

func onFile(t *testing.T, data string, do func(*warehouse.Reader)) {
	t.Helper()
	path, err := filepath.EvalSymlinks(warehouse.PublishedLink(data))
	if err != nil {
		t.Fatal(err)
	}
	reader, err := warehouse.OpenReader(context.Background(), path, warehouse.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := reader.Close(); err != nil {
			t.Error(err)
		}
	}()
	do(reader)
}

// A report can be forwarded: nothing in it is run or fetched, and what customers
// are called is text.
func TestReportIsOneFile(t *testing.T) {
	w := testWorlds(t)
	for _, tag := range texts.Tags() {
		written := reportOf(t, w.filled, report.Options{
			Files: []string{hostile}, Again: []string{hostile, "--amount", "a b"}, Language: tag, Version: "test",
		})
		page, err := html.Parse(strings.NewReader(written))
		if err != nil {
			t.Fatal(err)
		}
		sections := 0
		for node := range page.Descendants() {
			switch node.Data {
			case "script", "img", "iframe", "object", "embed", "form", "a":
				if node.Type == html.ElementNode {
					t.Errorf("%v: there is a %s", tag, node.Data)
				}
			case "section":
				sections++
			}
			for _, a := range node.Attr {
				if a.Key == "src" || a.Key == "srcset" || strings.HasPrefix(a.Key, "on") || a.Key == "href" && !strings.HasPrefix(a.Val, "data:") {
					t.Errorf("%v: %s has %s=%q", tag, node.Data, a.Key, a.Val)
				}
			}
		}
		if sections != 7 {
			t.Errorf("%v: %d sections, want 7", tag, sections)
		}
		if found := regexp.MustCompile(`url\(|@import|%!`).FindString(written); found != "" {
			t.Errorf("%v: the report contains %s", tag, found)
		}
	}
}

// What the report says is what SQL says.
func TestReportTellsTheFile(t *testing.T) {
	w := testWorlds(t)
	written := reportOf(t, w.filled, report.Options{})
	onFile(t, w.filled, func(reader *warehouse.Reader) {
		for _, query := range []string{
			`select format('{:,} customers', count(*)) from marts.customers`,
			`select format('{:,} orders of {:,} buyers', sum(order_count)::bigint, count(*) filter (where order_count > 0)) from marts.customers`,
			`select format('{:,} of {:,} buyers came back on a later day', count(*) filter (where purchase_day_count > 1), count(*) filter (where order_count > 0)) from marts.customers`,
			`select format('{:,} of {:,} customers could get', count(*) filter (where is_reachable), count(*)) from marts.customers`,
			`select format('<td class="n">{:,}</td>', sum(spend_amount)::decimal(18, 0)::bigint) from marts.segments where value_segment = 'high' group by frequency_segment order by sum(spend_amount) desc limit 1`,
		} {
			found, err := reader.Table(t.Context(), query)
			if err != nil {
				t.Fatal(err)
			}
			if want, _ := found.Rows[0][0].(string); want == "" || !strings.Contains(written, want) {
				t.Errorf("the report does not say %q", want)
			}
		}
	})
}

// Without any order there is still a report, and it says what to do.
func TestReportOnNothing(t *testing.T) {
	written := reportOf(t, testWorlds(t).empty, report.Options{Data: "my data"})
	for _, want := range []string{"There are no orders yet.", "goodhour serve --data &#39;my data&#39;"} {
		if !strings.Contains(written, want) {
			t.Errorf("the report does not say %q", want)
		}
	}
	if strings.Contains(written, "NaN") || strings.Contains(written, "%!") {
		t.Error("the report shows a number that is none")
	}
}
