package web

import (
	"testing"
	"time"

	"github.com/goodhour/goodhour/api/web/texts"
)

func testEdition(t *testing.T) *edition {
	t.Helper()
	a, err := readAssets()
	if err != nil {
		t.Fatal(err)
	}
	editions, err := readEditions(a, "")
	if err != nil {
		t.Fatal(err)
	}
	return editions[0]
}

func TestNumbersForReaders(t *testing.T) {
	t.Parallel()
	e := testEdition(t)
	for got, want := range map[string]string{
		e.Num(int64(1234567)):                  "1,234,567",
		e.Percent(0.1234):                      "12.3%",
		e.Percent(0.00123):                     "0.12%",
		e.Percent(0):                           "0.0%",
		e.Percent(1):                           "100.0%",
		e.money(1234.5, "BRL"):                 "1,234.50 BRL",
		e.money(-25000.4, "USD"):               "-25,000 USD",
		e.Ago(time.Second):                     "1 second",
		e.Ago(90 * time.Second):                "90 seconds",
		e.Ago(61 * time.Minute):                "61 minutes",
		e.Ago(30 * time.Hour):                  "30 hours",
		e.Ago(49 * time.Hour):                  "2 days",
		e.When(worldAsOf):                      "1 Mar 2026, 09:00 UTC",
		e.When(time.Time{}):                    texts.Dash,
		e.Plural(1, "1 order", "%d orders"):    "1 order",
		e.Plural(1200, "1 order", "%d orders"): "1,200 orders",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A share's interval holds the share and stays within 0 and 1.
func TestIntervals(t *testing.T) {
	t.Parallel()
	// 15 of 50 by hand: centre (.3 + z²/100) / (1 + z²/50) = .3143, margin .1233.
	low, high := wilson(15, 50)
	if low < 0.190 || low > 0.192 || high < 0.437 || high > 0.439 {
		t.Errorf("15 of 50: %.4f to %.4f", low, high)
	}
	for _, n := range []int64{1, 7, 1_000_000} {
		for _, count := range []int64{0, n / 2, n} {
			low, high := wilson(count, n)
			share := float64(count) / float64(n)
			if low < 0 || high > 1 || low > share+1e-12 || high < share-1e-12 {
				t.Errorf("%d of %d: %g to %g", count, n, low, high)
			}
		}
	}
	if got := testEdition(t).share(0, 0); got.cell.Text != texts.Dash || got.interval != texts.Dash {
		t.Errorf("0 of 0 is shown as %q, %q", got.cell.Text, got.interval)
	}
}

func TestPartsAddUp(t *testing.T) {
	t.Parallel()
	s := newStack("all", []part{{Count: 1}, {Count: 0}, {Count: 3}})
	if s.Parts[0].W != 250 || s.Parts[1].W != 0 || s.Parts[2].X != 250 || s.Parts[2].W != 750 {
		t.Errorf("the parts lie at %+v", s.Parts)
	}
	for _, p := range newStack("none", []part{{}, {}}).Parts {
		if p.W != 0 || p.Share != 0 {
			t.Errorf("a part of nothing is %+v", p)
		}
	}
}

func TestShades(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n, most float64
		want    int
	}{{0, 10, 0}, {10, 10, levels}, {0.001, 10, 1}, {2.5, 10, levels / 2}, {1, 0, 0}} {
		if got := level(c.n, c.most); got != c.want {
			t.Errorf("level(%g, %g) = %d, want %d", c.n, c.most, got, c.want)
		}
	}
}

func TestCommandsNameTheDataDirectory(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		"":              "goodhour models run",
		"data-demo":     "goodhour models run --data data-demo",
		"/srv/my shop":  "goodhour models run --data '/srv/my shop'",
		"it's":          `goodhour models run --data 'it'\''s'`,
		"$(reboot)":     "goodhour models run --data '$(reboot)'",
		"~/data":        "goodhour models run --data '~/data'",
		"/srv/données":  "goodhour models run --data '/srv/données'",
		"/srv/a;b&c|`d": "goodhour models run --data '/srv/a;b&c|`d'",
	} {
		if got := onData("goodhour models run", data); got != want {
			t.Errorf("%q: %s, want %s", data, got, want)
		}
	}
}
