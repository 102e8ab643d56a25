package warehouse

import (
	"cmp"
	"slices"
	"time"
)

const (
	// gapWorthAQuery is the time without an event, in microseconds, that makes
	// it worth to look for duplicates before and after it separately.
	gapWorthAQuery = int64(time.Hour / time.Microsecond)
	// maxRanges bounds the queries for one kind of a batch.
	maxRanges = 4
)

// timeRange is a range of event times, in microseconds, both ends in it.
type timeRange struct{ first, last int64 }

// pick returns the candidates whose time lies in the range.
func (r timeRange) pick(times []int64, candidates []int32) []int32 {
	var out []int32
	for _, row := range candidates {
		if r.first <= times[row] && times[row] <= r.last {
			out = append(out, row)
		}
	}
	return out
}

// timeRanges returns a few disjoint ranges that hold the times of the
// candidates, of which there is at least one. Most batches lie within seconds.
// One late event among them must not make DuckDB read all that is stored
// between its time and theirs: so the widest gaps are left out.
func timeRanges(times []int64, candidates []int32) []timeRange {
	whole := timeRange{times[candidates[0]], times[candidates[0]]}
	for _, row := range candidates {
		whole.first, whole.last = min(whole.first, times[row]), max(whole.last, times[row])
	}
	if whole.last-whole.first <= gapWorthAQuery {
		return []timeRange{whole}
	}

	sorted := make([]int64, len(candidates))
	for i, row := range candidates {
		sorted[i] = times[row]
	}
	slices.Sort(sorted)
	var gaps []timeRange // the last event before the gap, the first after it
	for i := 1; i < len(sorted); i++ {
		if sorted[i]-sorted[i-1] > gapWorthAQuery {
			gaps = append(gaps, timeRange{sorted[i-1], sorted[i]})
		}
	}
	slices.SortFunc(gaps, func(a, b timeRange) int { return cmp.Compare(b.last-b.first, a.last-a.first) })
	gaps = gaps[:min(len(gaps), maxRanges-1)]
	slices.SortFunc(gaps, func(a, b timeRange) int { return cmp.Compare(a.first, b.first) })

	var out []timeRange
	first := whole.first
	for _, gap := range gaps {
		out = append(out, timeRange{first, gap.first})
		first = gap.last
	}
	return append(out, timeRange{first, whole.last})
}
