package web

import (
	"math"
	"strconv"

	"github.com/goodhour/goodhour/api/web/texts"
)

// table is figures that a page shows, and what a chart may be drawn from: the
// script reads it out of the page.
type table struct {
	Caption string
	// Note is the definition of what the table shows.
	Note string
	// Chart is how it is drawn: bars (lying), columns (standing), stack (lying
	// bars of parts), lines, band (a line within an interval); "" not at all.
	Chart   string
	Columns []column
	Rows    [][]cell
	// Open shows the table beside its chart, which else stands in its place.
	Open bool
}

// column of a table. The first heads the rows.
type column struct {
	Name string
	// Help is its definition.
	Help   string
	Number bool
	// Draw makes it a series of the chart; Role is its part in a band.
	Draw    bool
	Role    string // value, low, high, mark
	Percent bool
	// Minor leaves it out on a narrow screen.
	Minor bool
}

func minor(c column) column {
	c.Minor = true
	return c
}

// cell of a table.
type cell struct {
	Text string
	// Raw is the number itself, for charts; "" for none.
	Raw  string
	Link string
	Help string
	// Sub stands small below the text.
	Sub string
	// Level shades the cell, 1 to 8; 0 not at all.
	Level int
	// Mark makes the cell stand out.
	Mark bool
}

func text(s string) cell { return cell{Text: s} }

func (e *edition) countCell(n int64) cell {
	return cell{Text: e.Num(n), Raw: strconv.FormatInt(n, 10)}
}

// shareCell is a share of n; not known where n is 0.
func (e *edition) shareCell(count, n int64) cell {
	if n == 0 {
		return text(texts.Dash)
	}
	return e.rateCell(float64(count)/float64(n), true)
}

func (e *edition) rateCell(share float64, known bool) cell {
	if !known {
		return text(texts.Dash)
	}
	return cell{Text: e.Percent(share), Raw: strconv.FormatFloat(share, 'g', 6, 64)}
}

func (e *edition) moneyCell(amount float64, known bool, currency string) cell {
	if !known {
		return text(texts.Dash)
	}
	return cell{Text: e.money(amount, currency), Raw: strconv.FormatFloat(amount, 'f', 2, 64)}
}

// levels is the number of shades.
const levels = 8

// level shades a number by its share of the largest, by the root, so that small
// ones can be told apart too.
func level(n, most float64) int {
	if n <= 0 || most <= 0 {
		return 0
	}
	return max(1, int(math.Ceil(math.Sqrt(n/most)*levels)))
}

// stack is a whole bar of parts that add up, drawn without a script.
type stack struct {
	Label string
	Parts []part
}

type part struct {
	Name   string
	Count  int64
	Share  float64
	X, W   float64 // of 1000
	Colour string  // a class of the style sheet
	Help   string
}

// newStack lays the parts out beside each other.
func newStack(label string, parts []part) stack {
	var total int64
	for _, p := range parts {
		total += p.Count
	}
	x := 0.0
	for i := range parts {
		if total == 0 {
			break
		}
		parts[i].Share = float64(parts[i].Count) / float64(total)
		parts[i].X, parts[i].W = x, 1000*parts[i].Share
		x += parts[i].W
	}
	return stack{label, parts}
}

// spark is a small line of a figure's last weeks, drawn without a script.
type spark struct {
	Points   string // of an SVG polyline, 120 by 32
	EndX     float64
	EndY     float64
	Label    string
	HasTrend bool
}

func newSpark(label string, values []float64) spark {
	if len(values) < 3 {
		return spark{}
	}
	low, high := values[0], values[0]
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	const width, height, margin = 120, 32, 3
	s := spark{Label: label, HasTrend: true}
	var points []byte
	for i, v := range values {
		s.EndX = margin + float64(width-2*margin)*float64(i)/float64(len(values)-1)
		s.EndY = height / 2
		if high > low {
			s.EndY = margin + (height-2*margin)*(1-(v-low)/(high-low))
		}
		points = strconv.AppendFloat(points, s.EndX, 'f', 1, 64)
		points = append(points, ',')
		points = strconv.AppendFloat(points, s.EndY, 'f', 1, 64)
		points = append(points, ' ')
	}
	s.Points = string(points)
	return s
}

// figure is a number that matters, with what it means and rests on.
type figure struct {
	Label, Value      string
	Basis, Definition string
	Trend             spark
}
