package api

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Idempotency-Key (IETF draft-ietf-httpapi-idempotency-key-header): the answer
// to a POST that changes something is kept for 24 hours in memory. The same
// key with the same request gets the same answer, with another request 422,
// while the first one is being worked on 409.
//
// A restart forgets the answers. What holds then: an event's id is its own, so
// POST /v1/events and, for rows with updated_at, POST /v1/customers publish
// the same events again and the warehouse keeps one of each.
const (
	idempotencyTTL        = 24 * time.Hour
	idempotencyEntriesMax = 10_000
	idempotencyBytesMax   = 32 << 20
	idempotencyKeyMax     = 255
)

// fingerprint is what makes two requests the same.
type fingerprint [sha256.Size]byte

func fingerprintOf(r *http.Request, body []byte) fingerprint {
	h := sha256.New()
	for _, part := range []string{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Content-Type")} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	h.Write(body)
	return fingerprint(h.Sum(nil))
}

// answer is a whole response, kept in memory.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func newAnswer() *answer { return &answer{header: make(http.Header)} }

func (a *answer) Header() http.Header { return a.header }

func (a *answer) written() int { return a.status }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

func (a *answer) copyTo(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes())
}

type idempotencyEntry struct {
	key     string
	of      fingerprint
	started time.Time
	// done is nil while the request is being worked on.
	done *answer
}

func (e *idempotencyEntry) bytes() int {
	if e.done == nil {
		return 0
	}
	return e.done.body.Len()
}

// idempotency keeps the answers. When it is full it forgets the oldest.
type idempotency struct {
	mu      sync.Mutex
	entries map[string]*list.Element
	order   *list.List // of *idempotencyEntry, oldest first
	bytes   int
}

func newIdempotency() *idempotency {
	return &idempotency{entries: make(map[string]*list.Element), order: list.New()}
}

// begin looks the key up. It returns the kept answer, or a problem, or neither:
// then the caller does the work and calls end.
func (s *idempotency) begin(key string, of fingerprint, now time.Time) (*answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	if el, ok := s.entries[key]; ok {
		e := el.Value.(*idempotencyEntry)
		switch {
		case e.of != of:
			return nil, problemf(problemKeyReused, "An earlier request with it had another body, query or address.")
		case e.done == nil:
			p := problemf(problemInFlight, "The first request with it has no answer yet.")
			p.retryAfter = time.Second
			return nil, p
		}
		return e.done, nil
	}
	if s.order.Len() >= idempotencyEntriesMax && !s.forgetOldest() {
		p := problemf(problemUnavailable, "Too many requests with an Idempotency-Key are being worked on.")
		p.retryAfter = time.Second
		return nil, p
	}
	s.entries[key] = s.order.PushBack(&idempotencyEntry{key: key, of: of, started: now})
	return nil, nil
}

// end keeps the answer; nil, or one of our own faults, is forgotten, so that a
// repeat tries again.
func (s *idempotency) end(key string, a *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	el, ok := s.entries[key]
	if !ok {
		return
	}
	if a == nil || a.status >= 500 || a.body.Len() > idempotencyBytesMax {
		s.remove(el)
		return
	}
	for s.bytes+a.body.Len() > idempotencyBytesMax && s.forgetOldest() {
	}
	el.Value.(*idempotencyEntry).done = a
	s.bytes += a.body.Len()
}

// expire removes what is older than the TTL. An entry in work stays.
func (s *idempotency) expire(now time.Time) {
	for el := s.order.Front(); el != nil; {
		e, next := el.Value.(*idempotencyEntry), el.Next()
		if now.Sub(e.started) < idempotencyTTL {
			return
		}
		if e.done != nil {
			s.remove(el)
		}
		el = next
	}
}

// forgetOldest removes the oldest entry that has its answer, if there is one.
func (s *idempotency) forgetOldest() bool {
	for el := s.order.Front(); el != nil; el = el.Next() {
		if el.Value.(*idempotencyEntry).done != nil {
			s.remove(el)
			return true
		}
	}
	return false
}

func (s *idempotency) remove(el *list.Element) {
	e := el.Value.(*idempotencyEntry)
	s.bytes -= e.bytes()
	delete(s.entries, e.key)
	s.order.Remove(el)
}

// idempotencyKeyOf returns the request's key within its principal, or "" if it
// has none. The draft's quoted form and the bare one are the same key.
func idempotencyKeyOf(r *http.Request, p *principal) (string, error) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	if len(key) >= 2 && strings.HasPrefix(key, `"`) && strings.HasSuffix(key, `"`) {
		key = key[1 : len(key)-1]
	}
	hidden := func(c rune) bool { return c < 0x21 || c > 0x7e }
	if len(values) > 1 || key == "" || len(key) > idempotencyKeyMax || strings.ContainsFunc(key, hidden) {
		return "", problemf(problemInvalidParameter,
			"Idempotency-Key: want one header of 1 to %d visible ASCII characters.", idempotencyKeyMax)
	}
	return p.id + "\x00" + key, nil
}
