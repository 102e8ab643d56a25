package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

func bodyAnswer(status int, body string) *answer {
	a := newAnswer()
	a.WriteHeader(status)
	_, _ = a.Write([]byte(body))
	return a
}

func kindOf(err error) string {
	if p, ok := errors.AsType[*problem](err); ok {
		return p.kind.name
	}
	return ""
}

func TestAnAnswerIsKeptForItsKey(t *testing.T) {
	t.Parallel()
	s, now := newIdempotency(), time.Unix(0, 0)
	one, two := fingerprint{1}, fingerprint{2}
	begin := func(of fingerprint, at time.Time, wantBody, wantProblem string) {
		t.Helper()
		kept, err := s.begin("k", of, at)
		body := ""
		if kept != nil {
			body = kept.body.String()
		}
		if body != wantBody || kindOf(err) != wantProblem {
			t.Errorf("answer %q, problem %q; want %q, %q", body, kindOf(err), wantBody, wantProblem)
		}
	}
	begin(one, now, "", "")
	begin(one, now, "", "idempotency-in-flight")
	begin(two, now, "", "idempotency-mismatch")
	s.end("k", bodyAnswer(http.StatusAccepted, "done"))
	begin(one, now.Add(idempotencyTTL-1), "done", "")
	begin(two, now.Add(idempotencyTTL-1), "", "idempotency-mismatch")
	begin(two, now.Add(idempotencyTTL), "", "") // forgotten: a new request
	s.end("k", bodyAnswer(http.StatusServiceUnavailable, "down"))
	begin(one, now.Add(idempotencyTTL), "", "") // our fault: tried again
	s.end("k", nil)                             // a panic
	begin(one, now.Add(idempotencyTTL), "", "")
	begin(one, now.Add(9*idempotencyTTL), "", "idempotency-in-flight") // work outlives the TTL
	if s.bytes != 0 {
		t.Errorf("%d bytes counted, none kept", s.bytes)
	}
}

func TestKeptAnswersAreBounded(t *testing.T) {
	t.Parallel()
	s, now := newIdempotency(), time.Unix(0, 0)
	half := strings.Repeat("x", idempotencyBytesMax/2)
	for i := range 3 {
		key := strconv.Itoa(i)
		if _, err := s.begin(key, fingerprint{}, now); err != nil {
			t.Fatal(err)
		}
		s.end(key, bodyAnswer(http.StatusOK, half))
	}
	if s.bytes > idempotencyBytesMax || len(s.entries) != 2 || s.entries["0"] != nil {
		t.Errorf("%d bytes in %d answers, want the two newest", s.bytes, len(s.entries))
	}
	s = newIdempotency()
	for i := range idempotencyEntriesMax {
		if _, err := s.begin(strconv.Itoa(i), fingerprint{}, now); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.begin("one more", fingerprint{}, now); kindOf(err) != "unavailable" {
		t.Errorf("all in flight, one more: %v", err)
	}
	s.end("5", bodyAnswer(http.StatusOK, "x"))
	if _, err := s.begin("one more", fingerprint{}, now); err != nil {
		t.Errorf("one is done, one more: %v", err)
	}
	if len(s.entries) != idempotencyEntriesMax || s.order.Len() != idempotencyEntriesMax {
		t.Errorf("%d entries, want %d", len(s.entries), idempotencyEntriesMax)
	}
}

func TestIdempotencyKeyHeader(t *testing.T) {
	t.Parallel()
	f := func(want string, values ...string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header["Idempotency-Key"] = values
		got, err := idempotencyKeyOf(r, &principal{id: "p"})
		if want == "refused" {
			if kindOf(err) != "invalid-parameter" {
				t.Errorf("key %q, error %v; want it refused", got, err)
			}
			return
		}
		if err != nil || got != want {
			t.Errorf("key %q, error %v; want %q", got, err, want)
		}
	}
	f("")
	f("p\x00a-1", "a-1")
	f("p\x00a-1", `"a-1"`)
	f("refused", "")
	f("refused", `""`)
	f("refused", "a b")
	f("refused", "ä")
	f("refused", "a", "b")
	f("refused", strings.Repeat("x", idempotencyKeyMax+1))
}
