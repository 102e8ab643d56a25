package campaign

import (
	"slices"
	"time"

	"github.com/goodhour/goodhour/sender/plan"
)

// paced is how a plan's messages go out.
type paced struct {
	first, last time.Time
	numbers     int // that send any
	late        int // that reach their deadline in the queue
}

// estimate lets each number send its waiting messages in the order of their
// times, perMinute of them, and what comes to its deadline expires. Quiet hours,
// other plans and answers on the way are not looked at.
func estimate(messages []plan.Message, perMinute int) paced {
	var waiting []int32
	for i := range messages {
		if messages[i].State == plan.Waiting {
			waiting = append(waiting, int32(i))
		}
	}
	slices.SortStableFunc(waiting, func(a, b int32) int { return messages[a].SendAt.Compare(messages[b].SendAt) })
	var out paced
	gap := time.Minute / time.Duration(max(1, perMinute))
	free := map[string]time.Time{} // when each number can send the next
	for _, i := range waiting {
		m := &messages[i]
		at := m.SendAt
		if next := free[m.NumberID]; next.After(at) {
			at = next
		}
		if !m.Deadline.IsZero() && !at.Before(m.Deadline) {
			out.late++
			continue
		}
		free[m.NumberID] = at.Add(gap)
		if out.first.IsZero() {
			out.first = m.SendAt
		}
		if at.After(out.last) {
			out.last = at
		}
	}
	out.numbers = len(free)
	return out
}
