package fileimport

import (
	"cmp"
	"fmt"
	"slices"
)

// Rejection is a row that did not become an event, or a value that was set
// aside.
type Rejection struct {
	File string `json:"file"`
	// Line is the number of the line in a text file, of the record in a JSON
	// file that is one value, of the row in a Parquet file or in what a select
	// gives. Unit says which: "line", "record" or "row".
	Line   int64  `json:"line"`
	Unit   string `json:"unit"`
	Reason Reason `json:"reason"`
}

// ReasonCount is how many rows have a reason, and the first of them.
type ReasonCount struct {
	Reason Reason    `json:"reason"`
	Rows   int64     `json:"rows"`
	First  Rejection `json:"first"`
}

// rejections counts what was rejected or set aside, and keeps the first few.
type rejections struct {
	inputs   []*input
	selected bool // the rows come from a select
	most     int  // of examples
	rejected map[Reason]*tally
	noted    map[Reason]*tally
	leftOut  map[Reason]*tally // orders of a shop's export
	examples []example
}

type tally struct {
	rows  int64
	first place
}

type example struct {
	place place
	why   Reason
}

func newRejections(o *Options, inputs []*input) *rejections {
	return &rejections{
		inputs: inputs, selected: o.Select != "", most: o.Limits.Examples,
		rejected: map[Reason]*tally{}, noted: map[Reason]*tally{}, leftOut: map[Reason]*tally{},
	}
}

func (r *rejections) reject(at place, why Reason) {
	count(r.rejected, at, why, 1)
	r.keep(at, why)
}

// keep remembers the first examples in the order of the files.
func (r *rejections) keep(at place, why Reason) {
	if len(r.examples) == r.most && comparePlaces(at, r.examples[r.most-1].place) >= 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(r.examples, at, func(e example, at place) int { return comparePlaces(e.place, at) })
	r.examples = slices.Insert(r.examples, i, example{at, why})
	r.examples = r.examples[:min(len(r.examples), r.most)]
}

func (r *rejections) note(at place, why Reason) { count(r.noted, at, why, 1) }

// maxReasons bounds the reasons that are counted apart: the codec's name places
// inside a value.
const maxReasons = 200

func count(tallies map[Reason]*tally, at place, why Reason, rows int64) {
	t := tallies[why]
	if t == nil && len(tallies) >= maxReasons {
		why = reasonOther
		t = tallies[why]
	}
	if t == nil {
		t = &tally{first: at}
		tallies[why] = t
	}
	t.rows += rows
	if comparePlaces(at, t.first) < 0 {
		t.first = at
	}
}

func comparePlaces(a, b place) int {
	return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.at, b.at))
}

func (r *rejections) total() int64 {
	var n int64
	for _, t := range r.rejected {
		n += t.rows
	}
	return n
}

// unit is what the number of a place counts.
func (r *rejections) unit(p place) string {
	if p.file < 0 {
		return "row"
	}
	return r.inputs[p.file].unit()
}

func (r *rejections) file(p place) string {
	if p.file < 0 {
		return "the select"
	}
	return r.inputs[p.file].name
}

// describe names a place in a message.
func (r *rejections) describe(p place) string {
	if len(r.inputs) == 1 && p.file >= 0 {
		return fmt.Sprintf("%s %d", r.unit(p), p.at)
	}
	return fmt.Sprintf("%s %d of %s", r.unit(p), p.at, r.file(p))
}

func (r *rejections) rejection(p place, why Reason) Rejection {
	return Rejection{File: r.file(p), Line: p.at, Unit: r.unit(p), Reason: why}
}

func (r *rejections) list() []Rejection {
	list := make([]Rejection, len(r.examples))
	for i, e := range r.examples {
		list[i] = r.rejection(e.place, e.why)
	}
	return list
}

// counts lists tallies, the most frequent first.
func (r *rejections) counts(tallies map[Reason]*tally) []ReasonCount {
	list := make([]ReasonCount, 0, len(tallies))
	for why, t := range tallies {
		list = append(list, ReasonCount{Reason: why, Rows: t.rows, First: r.rejection(t.first, why)})
	}
	slices.SortFunc(list, func(a, b ReasonCount) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Reason, b.Reason))
	})
	return list
}
