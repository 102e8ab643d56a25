package warehouse

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTimeRangesLeaveTheWidestGapsOut(t *testing.T) {
	t.Parallel()
	const h = gapWorthAQuery
	f := func(times []int64, want ...timeRange) {
		t.Helper()
		candidates := make([]int32, len(times))
		for i := range candidates {
			candidates[i] = int32(i)
		}
		got := timeRanges(times, candidates)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(timeRange{})); diff != "" {
			t.Error(diff)
		}
	}
	f([]int64{5}, timeRange{5, 5})
	f([]int64{9, 5, 7}, timeRange{5, 9})
	f([]int64{0, h, 2 * h, 3 * h}, timeRange{0, 3 * h})
	f([]int64{100 * h, 5, 100*h - 3}, timeRange{5, 5}, timeRange{100*h - 3, 100 * h})
	f([]int64{-9 * h, 0, 3 * h, 9 * h, 14 * h, 20 * h},
		timeRange{-9 * h, -9 * h}, timeRange{0, 3 * h}, timeRange{9 * h, 14 * h}, timeRange{20 * h, 20 * h})
}

func TestTimeRangesHoldEveryTimeOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.Int64Range(-100*gapWorthAQuery, 100*gapWorthAQuery), 1, 50).Draw(t, "times")
		var candidates []int32
		for i := range times {
			if i == 0 || rapid.Bool().Draw(t, "candidate") {
				candidates = append(candidates, int32(i))
			}
		}
		ranges := timeRanges(times, candidates)
		if len(ranges) > maxRanges {
			t.Fatalf("%d ranges", len(ranges))
		}
		picked := 0
		for i, r := range ranges {
			if r.first > r.last || (i > 0 && r.first-ranges[i-1].last <= gapWorthAQuery) {
				t.Fatalf("ranges %v", ranges)
			}
			picked += len(r.pick(times, candidates))
		}
		if picked != len(candidates) {
			t.Fatalf("%d of %d candidates in %v", picked, len(candidates), ranges)
		}
	})
}
