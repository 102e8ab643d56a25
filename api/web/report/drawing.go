package report

import (
	"math"
)

// chart is standing bars by time, each of parts that add up, drawn as SVG
// without any text in it: the words stand around it, so that they keep their
// size on a narrow screen.
type chart struct {
	Label  string // what a screen reader says
	Legend []legend
	Bars   []bar
	// Top is what the highest gridline stands for, Middle half of it.
	Top, Middle string
	// First, Centre and Last name bars below the axis.
	First, Centre, Last string
}

type legend struct{ Name, Class string }

// bar is one instant's parts, in the chart's coordinates of 1000 × 100.
type bar struct {
	Title string
	// Faint marks an instant that is not over.
	Faint bool
	Parts []rect
}

type rect struct {
	X, Y, W, H float64
	Class      string
}

// column is what a bar is drawn of.
type column struct {
	name, title string
	faint       bool
	values      []float64
}

const (
	chartWidth  = 1000.0
	chartHeight = 100.0
)

// newChart lays the columns out. legend names their parts from below;
// format writes a number of the axis.
func newChart(label string, legend []legend, columns []column, format func(float64) string) *chart {
	most := 0.0
	for _, c := range columns {
		sum := 0.0
		for _, v := range c.values {
			sum += max(v, 0)
		}
		most = max(most, sum)
	}
	if most == 0 || len(columns) == 0 {
		return nil
	}
	top := roundUp(most)
	out := &chart{
		Label: label, Legend: legend, Top: format(top), Middle: format(top / 2),
		First: columns[0].name, Last: columns[len(columns)-1].name,
	}
	if len(columns) > 4 {
		out.Centre = columns[(len(columns)-1)/2].name
	}
	if len(columns) == 1 {
		out.Last = ""
	}
	step := chartWidth / float64(len(columns))
	gap := min(step*0.22, 12)
	for i, c := range columns {
		b := bar{Title: c.title, Faint: c.faint}
		y := chartHeight
		for part, v := range c.values {
			h := max(v, 0) / top * chartHeight
			y -= h
			if h > 0 {
				b.Parts = append(b.Parts, rect{round(float64(i)*step + gap/2), round(y), round(step - gap), round(h), legend[part].Class})
			}
		}
		out.Bars = append(out.Bars, b)
	}
	return out
}

// roundUp is the next number of the form 1, 2, 4, 5 or 8 times a power of ten:
// an axis' end, whose half is a plain number too.
func roundUp(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, step := range []float64{1, 2, 4, 5, 8, 10} {
		if v <= step*power*(1+1e-9) {
			return step * power
		}
	}
	return 10 * power
}

func round(v float64) float64 { return math.Round(v*100) / 100 }

// table is figures in rows.
type table struct {
	Caption string
	Head    []head
	Rows    [][]cell
	// Heat shades cells by their Level.
	Heat bool
	// Fold shows the rows only when they are asked for: a chart tells them too.
	Fold string
}

type head struct {
	Text, Help string
	Number     bool
	// Minor is left out on a narrow screen.
	Minor bool
}

type cell struct {
	Text, Sub string
	// Level shades the cell, 1 to 8; 0 not at all.
	Level int
	// Bar is the length of a bar below the text, 0 to 100; drawn where HasBar.
	Bar    float64
	HasBar bool
	Faint  bool
}

// levels is the number of shades.
const levels = 8

// level shades a share of the largest, 0 to 1.
func level(share float64) int {
	if share <= 0 || math.IsNaN(share) {
		return 0
	}
	return min(levels, int(math.Ceil(share*levels)))
}

// stack is one lying bar of parts that add up.
type stack struct {
	Label string
	Parts []stackPart
}

type stackPart struct {
	Name, Count, Share, Help, Class string
	X, W                            float64 // of 1000
	n                               int64
}

// newStack lays the parts out beside each other.
func (m *maker) newStack(label string, parts []stackPart) *stack {
	var total int64
	for _, p := range parts {
		total += p.n
	}
	x := 0.0
	for i := range parts {
		p := &parts[i]
		p.Count, p.Share = m.Num(p.n), m.percent(p.n, total)
		if total > 0 {
			p.X, p.W = round(x), round(chartWidth*float64(p.n)/float64(total))
			x += chartWidth * float64(p.n) / float64(total)
		}
	}
	return &stack{label, parts}
}
