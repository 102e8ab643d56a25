package sandbox

import (
	"container/heap"
	"slices"
	"time"

	"github.com/goodhour/goodhour/sender/template"
)

// step is one thing that a webhook tells.
type step struct {
	due time.Time // when it is delivered
	at  time.Time // when it happened, as the webhook says
	is  stepKind
}

type stepKind uint8

const (
	stepSent stepKind = iota
	stepDelivered
	stepRead
	stepFailed
	stepReply
	stepStop
)

func (k stepKind) isStatus() bool { return k <= stepFailed }

// status is the word for it in a webhook.
func (k stepKind) status() string {
	return [...]string{"sent", "delivered", "read", "failed"}[k]
}

// reaction is what comes of an accepted submission: what the platform knew at
// once, else what the customer does.
func (s *Sandbox) reaction(one *Submission) Reaction {
	switch {
	case one.FailCode != 0:
		return failed(one.At.Add(2*time.Second), one.FailCode)
	case one.Customer < 0: // a stranger who was admitted, and is no longer
		return failed(one.At.Add(2*time.Second), codeUndeliverable)
	}
	m := Message{ID: one.reactedTo(), AcceptedAt: one.At, Category: one.Category, StopButton: s.stopButton(one)}
	if s.isStranger(one.Customer) {
		return s.world.react(s.customer(one.Customer), s.world.strangerKey(one.Stranger).text(m.ID), m)
	}
	return s.world.React(one.Customer, m)
}

// reactedTo names the message; a caller that gave no id gets another reaction
// each time.
func (one *Submission) reactedTo() string {
	if one.MessageID == "" {
		return one.ProviderMessageID
	}
	return one.MessageID
}

func (s *Sandbox) stopButton(one *Submission) string {
	i := slices.IndexFunc(s.config.Templates, func(t template.Template) bool {
		return t.Name == one.Template && t.Language == one.Language
	})
	if i < 0 {
		return ""
	}
	return stopButton(&s.config.Templates[i])
}

// steps are the webhooks of a submission: always the same ones for the same
// line of the log.
func (s *Sandbox) steps(one *Submission, is *Reaction) []step {
	var steps []step
	for _, one := range []step{
		{at: is.FailedAt, is: stepFailed},
		{at: is.SentAt, is: stepSent},
		{at: is.DeliveredAt, is: stepDelivered},
		{at: is.ReadAt, is: stepRead},
		{at: is.Reply.At, is: stepReply},
		{at: is.StoppedAt, is: stepStop},
	} {
		if !one.at.IsZero() {
			one.due = one.at
			steps = append(steps, one)
		}
	}
	return s.config.Faults.disturb(one.reactedTo(), steps)
}

// queued is a step that waits for its time. The step itself is made anew when
// it comes.
type queued struct {
	due        int64 // microseconds UTC
	submission int32 // index
	nth        int32 // step
}

// queue holds steps by due time. Those due at one instant come in the order of
// their submissions.
type queue struct{ steps dueHeap }

// add queues those steps that are not due before an instant.
func (q *queue) add(submission int, steps []step, from time.Time) {
	for n := range steps {
		if !steps[n].due.Before(from) {
			heap.Push(&q.steps, queued{due: steps[n].due.UnixMicro(), submission: int32(submission), nth: int32(n)})
		}
	}
}

func (q *queue) next() (time.Time, bool) {
	if len(q.steps) == 0 {
		return time.Time{}, false
	}
	return time.UnixMicro(q.steps[0].due).UTC(), true
}

// pop takes at most n steps that are due at an instant, and before another if
// that is not zero.
func (q *queue) pop(n int, now, before time.Time) []queued {
	var out []queued
	for len(out) < n {
		next, pending := q.next()
		if !pending || next.After(now) || !before.IsZero() && !next.Before(before) {
			break
		}
		out = append(out, heap.Pop(&q.steps).(queued))
	}
	return out
}

type dueHeap []queued

func (h dueHeap) Len() int      { return len(h) }
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h dueHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	switch {
	case a.due != b.due:
		return a.due < b.due
	case a.submission != b.submission:
		return a.submission < b.submission
	}
	return a.nth < b.nth
}

func (h *dueHeap) Push(x any) { *h = append(*h, x.(queued)) }

func (h *dueHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
