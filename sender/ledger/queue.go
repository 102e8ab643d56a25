package ledger

import (
	"bytes"
	"context"
	"time"

	"github.com/goodhour/goodhour/sender/plan"
)

// queues hold the waiting messages of active plans, by the number that they go
// from. A message may still be in one after it was claimed, its plan paused or
// its time moved: that is seen when it comes out.
type queues map[uint16]*queue

type queue struct {
	later heap[timed] // by time: not due yet when last looked at
	ready heap[int32] // by the order of sending
	// lookedAt is the latest instant that Due was asked for.
	lookedAt int64
}

// timed is a message and the time it is to be looked at.
type timed struct {
	at int64
	n  int32
}

// candidate is the first message of a number.
type candidate struct {
	number uint16
	n      int32
}

// enqueue puts a message where Due finds it.
func (s *state) enqueue(n int32) {
	m := &s.messages[n]
	q := s.queues[m.number]
	if q == nil {
		q = &queue{
			later: heap[timed]{less: func(a, b timed) bool { return a.at < b.at }},
			ready: heap[int32]{less: s.sooner},
		}
		s.queues[m.number] = q
	}
	q.later.push(timed{m.dueAt(), n})
	m.queued = true
}

// enqueuePlan puts a plan's waiting messages where Due finds them.
func (s *state) enqueuePlan(p *planState) {
	for n := p.first; n < p.first+p.count; n++ {
		if m := &s.messages[n]; m.state == waiting && !m.queued {
			s.enqueue(n)
		}
	}
}

// sooner is the order in which messages that are due are sent.
func (s *state) sooner(a, b int32) bool {
	x, y := &s.messages[a], &s.messages[b]
	switch {
	case x.priority != y.priority:
		return x.priority > y.priority
	case x.sendAt != y.sendAt:
		return x.sendAt < y.sendAt
	default:
		return bytes.Compare(x.id[:], y.id[:]) < 0
	}
}

// sendable says whether a message may be claimed once it is due.
func (s *state) sendable(n int32) bool {
	m := &s.messages[n]
	return m.state == waiting && s.plans[m.plan].active()
}

// ripen moves what is due by now from later to ready.
func (s *state) ripen(q *queue, now int64) {
	q.lookedAt = max(q.lookedAt, now)
	for q.later.len() > 0 && q.later.top().at <= now {
		n := q.later.pop().n
		switch m := &s.messages[n]; {
		case !s.sendable(n):
			m.queued = false
		case m.dueAt() > now:
			q.later.push(timed{m.dueAt(), n})
		default:
			q.ready.push(n)
		}
	}
}

// next takes the message that is to be sent first out of ready.
func (s *state) next(q *queue, now int64) (int32, bool) {
	for q.ready.len() > 0 {
		n := q.ready.pop()
		switch m := &s.messages[n]; {
		case !s.sendable(n):
			m.queued = false
		case m.dueAt() > now:
			q.later.push(timed{m.dueAt(), n})
		default:
			return n, true
		}
	}
	return 0, false
}

// Due returns waiting messages of approved and running plans whose time has
// come, at most limit: of higher priority first, then the earlier SendAt, then
// by id; at most one of each person of now, so that a person's next is judged
// after the first was claimed. With numbers given, only messages from these.
// Inputs and Parameters are left out, and Rule is the one of now.
//
// It reads memory only. What it returned stays due until it is claimed or
// recorded otherwise.
func (db *DB) Due(ctx context.Context, now time.Time, limit int, numbers ...string) ([]plan.Message, error) {
	if err := ctx.Err(); err != nil || limit <= 0 {
		return nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	s := &db.state
	at := micros(now)
	// The first of each queue compete; all that were taken go back.
	first := heap[candidate]{less: func(a, b candidate) bool { return s.sooner(a.n, b.n) }}
	advance := func(number uint16) {
		if n, ok := s.next(s.queues[number], at); ok {
			first.push(candidate{number, n})
		}
	}
	for _, number := range s.queuesOf(numbers) {
		s.ripen(s.queues[number], at)
		advance(number)
	}
	var out []plan.Message
	var taken []int32
	persons := make(map[int32]struct{})
	for first.len() > 0 && len(out) < limit {
		top := first.pop()
		taken = append(taken, top.n)
		person := s.person(&s.messages[top.n])
		if _, again := persons[person]; !again {
			persons[person] = struct{}{}
			out = append(out, s.frozen(top.n))
		}
		advance(top.number)
	}
	for first.len() > 0 {
		taken = append(taken, first.pop().n)
	}
	for _, n := range taken {
		s.queues[s.messages[n].number].ready.push(n)
	}
	return out, nil
}

// queuesOf are the keys of the queues of the given numbers, or of all.
func (s *state) queuesOf(numbers []string) (keys []uint16) {
	if len(numbers) == 0 {
		for key := range s.queues {
			keys = append(keys, key)
		}
		return keys
	}
	for _, number := range numbers {
		key, known := s.texts.numbers[number]
		if known && s.queues[key] != nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// NextDue returns the earliest instant at which Due can return something; it is
// past where something is due already.
func (db *DB) NextDue() (time.Time, bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	s := &db.state
	var earliest int64
	found := false
	for _, q := range s.queues {
		if at, ok := s.nextDue(q); ok && (!found || at < earliest) {
			earliest, found = at, true
		}
	}
	if !found {
		return time.Time{}, false
	}
	return instant(earliest), true
}

// nextDue looks at ready with the instant of the last look: what has been put
// off since is not ready.
func (s *state) nextDue(q *queue) (at int64, found bool) {
	if n, ok := s.next(q, q.lookedAt); ok {
		q.ready.push(n)
		return s.messages[n].dueAt(), true
	}
	for q.later.len() > 0 {
		top := q.later.top()
		m := &s.messages[top.n]
		switch due := m.dueAt(); {
		case !s.sendable(top.n):
			q.later.pop()
			m.queued = false
		case due > top.at:
			q.later.pop()
			q.later.push(timed{due, top.n})
		default:
			return top.at, true
		}
	}
	return 0, false
}

// AlsoPlanned says whether another unfinished plan has a marketing message to
// the message's customer that waits or is under way, less than the marketing
// cap's window before or after this one: the cap lets only so many of them go.
// The message may be one that is being planned. From memory.
func (db *DB) AlsoPlanned(m *plan.Message) bool {
	db.mu.RLock()
	defer db.mu.RUnlock()
	s := &db.state
	at, window := micros(m.SendAt), db.capWindow.Microseconds()
	for n := range s.people.whom(m) {
		for next := s.people.messageOf[n]; next != 0; next = s.messages[next-1].next {
			other := &s.messages[next-1]
			p := s.plans[other.plan]
			if other.state != waiting && other.state != claimed || p.cancelled || p.ID == m.PlanID {
				continue
			}
			apart := other.dueAt() - at
			if max(apart, -apart) < window && marketing(plan.Category(s.texts.text(other.category))) {
				return true
			}
		}
	}
	return false
}

// heap is a binary heap whose top is the least.
type heap[T any] struct {
	items []T
	less  func(a, b T) bool
}

func (h *heap[T]) len() int { return len(h.items) }

func (h *heap[T]) top() T { return h.items[0] }

func (h *heap[T]) push(item T) {
	h.items = append(h.items, item)
	for i := len(h.items) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.less(h.items[i], h.items[up]) {
			return
		}
		h.items[i], h.items[up] = h.items[up], h.items[i]
		i = up
	}
}

func (h *heap[T]) pop() T {
	top := h.items[0]
	last := len(h.items) - 1
	h.items[0] = h.items[last]
	h.items = h.items[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if h.less(h.items[child], h.items[least]) {
				least = child
			}
		}
		if least == i {
			return top
		}
		h.items[i], h.items[least] = h.items[least], h.items[i]
		i = least
	}
}
