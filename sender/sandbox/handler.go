package sandbox

import (
	"net/http"
	"strings"
	"time"
)

// Handler serves the account's part of the Cloud API, under any version:
//
//	POST /{version}/{number}/messages
//	GET  /{version}/{account}/message_templates
//
// and, for tests, without a token:
//
//	GET  /_sandbox/health
//	GET  /_sandbox/submissions            counts by message id
//	GET  /_sandbox/submissions?message_id=…  the submissions of one message
func (s *Sandbox) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{version}/{id}/messages", s.counted(s.sendMessage))
	mux.HandleFunc("GET /{version}/{id}/message_templates", s.counted(s.listTemplates))
	mux.HandleFunc("GET /_sandbox/health", s.health)
	mux.HandleFunc("GET /_sandbox/submissions", s.listSubmissions)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.refuse(w, &refusal{status: http.StatusBadRequest, code: 2500, title: "Unknown path components"})
	})
	return mux
}

// counted lets Quiet know of calls that may have an effect.
func (s *Sandbox) counted(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		s.inCalls.Add(1)
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.inCalls.Add(-1)
			s.signal()
		}()
		serve(w, r)
	}
}

// authorise checks the bearer token.
func (s *Sandbox) authorise(r *http.Request) *refusal {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !found:
		return refuseWith(0, "An access token is required to request this resource.")
	case token != s.config.Account.AccessToken.Reveal():
		return refuseWith(190, "Invalid OAuth access token.")
	}
	return nil
}

// Health is what GET /_sandbox/health answers.
type Health struct {
	Now         time.Time `json:"now"`
	Quiet       bool      `json:"quiet"`
	NextDue     time.Time `json:"next_due,omitzero"`
	Pending     int       `json:"pending"` // webhook items not delivered yet
	Submissions int       `json:"submissions"`
	Customers   int       `json:"customers"`
}

// Health tells how the sandbox is.
func (s *Sandbox) Health() Health {
	h := Health{Now: s.config.Clock.Now().UTC(), Quiet: s.Quiet(), Customers: s.world.Len()}
	s.mu.Lock()
	defer s.mu.Unlock()
	h.NextDue, _ = s.nextDue()
	h.Pending, h.Submissions = len(s.queue.steps), len(s.submissions)
	return h
}

func (s *Sandbox) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.Health())
}

func (s *Sandbox) listSubmissions(w http.ResponseWriter, r *http.Request) {
	list := s.Submissions()
	if !r.URL.Query().Has("message_id") {
		writeJSON(w, http.StatusOK, count(list))
		return
	}
	id := r.URL.Query().Get("message_id")
	mine := []Submission{}
	for i := range list {
		if list[i].MessageID == id {
			mine = append(mine, list[i])
		}
	}
	writeJSON(w, http.StatusOK, map[string][]Submission{"submissions": mine})
}
