package report

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/goodhour/goodhour/api/web/texts"
)

func testMaker(t *testing.T) *maker {
	t.Helper()
	languages, err := texts.Read()
	if err != nil {
		t.Fatal(err)
	}
	return &maker{Language: languages[0]}
}

func TestRoundUp(t *testing.T) {
	for _, c := range []struct{ value, want float64 }{
		{1, 1}, {1.01, 2}, {2.5, 4}, {4, 4}, {4.1, 5}, {7, 8}, {9, 10}, {10, 10}, {11, 20}, {387_000, 400_000}, {0.03, 0.04},
	} {
		if got := roundUp(c.value); math.Abs(got-c.want) > 1e-9*c.want {
			t.Errorf("roundUp(%v): got %v, want %v", c.value, got, c.want)
		}
	}
}

// Whatever is drawn lies within the chart, the parts of a bar stand on each
// other, and they are as high as their numbers are to each other.
func TestChartsAreToScale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.SliceOfN(rapid.Float64Range(0, 1e9), 2, 2), 1, 60).Draw(t, "columns")
		columns := make([]column, len(values))
		most := 0.0
		for i, v := range values {
			columns[i].values = v
			most = max(most, v[0]+v[1])
		}
		drawn := newChart("", []legend{{"a", "s1"}, {"b", "s2"}}, columns, func(float64) string { return "" })
		if most == 0 {
			if drawn != nil {
				t.Fatal("a chart of nothing is drawn")
			}
			return
		}
		top := roundUp(most)
		for i, b := range drawn.Bars {
			floor, sum := chartHeight, values[i][0]+values[i][1]
			for _, p := range b.Parts {
				if p.X < 0 || p.X+p.W > chartWidth+0.02 || p.W <= 0 || p.Y < -0.02 || math.Abs(p.Y+p.H-floor) > 0.02 {
					t.Fatalf("bar %d is out of place: %+v", i, p)
				}
				floor = p.Y
			}
			if want := chartHeight * (1 - sum/top); math.Abs(floor-want) > 0.05 {
				t.Fatalf("bar %d reaches up to %v, want %v", i, floor, want)
			}
		}
	})
}

func TestStacksAddUp(t *testing.T) {
	got := testMaker(t).newStack("", []stackPart{{n: 1}, {n: 0}, {n: 3}})
	if p := got.Parts; p[0].W != 250 || p[1].W != 0 || p[2].X != 250 || p[2].W != 750 || p[2].Share != "75.0%" {
		t.Errorf("got %+v", p)
	}
	if p := testMaker(t).newStack("", []stackPart{{n: 0}}).Parts[0]; p.W != 0 || p.Share != texts.Dash {
		t.Errorf("nobody at all is drawn as %+v", p)
	}
}

func TestLevels(t *testing.T) {
	for _, c := range []struct {
		share float64
		want  int
	}{{0, 0}, {-1, 0}, {math.NaN(), 0}, {1e-9, 1}, {0.5, 4}, {0.51, 5}, {1, 8}} {
		if got := level(c.share); got != c.want {
			t.Errorf("level(%v): got %d, want %d", c.share, got, c.want)
		}
	}
}

func TestNumbersAreForPeople(t *testing.T) {
	m := testMaker(t)
	for got, want := range map[string]string{
		m.Num(1234567): "1,234,567", m.percent(1, 3): "33.3%", m.percent(1, 1000): "0.10%", m.percent(1, 0): texts.Dash,
		m.money(12.5, "EUR"): "12.50 EUR", m.Shortest(0.5): "0.5", m.Shortest(400_000): "400,000",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	m.totals.spend = 2_500_000
	if got := m.money(1_087_553.6, "USD"); got != "1,087,554 USD" {
		t.Errorf("got %q", got)
	}
}
