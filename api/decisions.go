package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/goodhour/goodhour/sender/campaign"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
)

// explained is one message with all that was decided and tried. What it says is
// personal, and is not in it.
type explained struct {
	ledger.MessageDetail
	Parameters *struct{} `json:"parameters,omitempty"` // hides the message's
}

// newExplained makes lists of what there is none of: a client should not have
// to tell null from empty.
func newExplained(m ledger.MessageDetail) explained {
	if m.Decisions == nil {
		m.Decisions = []plan.Decision{}
	}
	if m.Attempts == nil {
		m.Attempts = []ledger.Attempt{}
	}
	return explained{MessageDetail: m}
}

// decided is one message of a list: where it stands and why, without the past.
type decided struct {
	explained
	Decisions *struct{} `json:"decisions,omitempty"`
	Attempts  *struct{} `json:"attempts,omitempty"`
}

// decisionCursor names the last message of the page before. A message keeps its
// id whatever happens to it, so a page loses and repeats nobody; one that came
// into the state after its place was passed is not on a later page.
type decisionCursor struct {
	PlanID string     `json:"p"`
	State  plan.State `json:"s"`
	After  string     `json:"a"`
}

// decisionsPage is a page of a plan's messages in the order of their ids.
type decisionsPage struct {
	PlanID     string    `json:"plan_id"`
	Messages   []decided `json:"messages"`
	NextCursor *string   `json:"next_cursor"`
}

func (s *Server) getDecisions(w http.ResponseWriter, r *http.Request) error {
	states := []string{""}
	for _, state := range plan.States() {
		states = append(states, string(state))
	}
	state, err := choice(r, "state", states...)
	if err != nil {
		return err
	}
	limit, err := wholeNumber(r, "limit", pageStandard, pageMost)
	if err != nil {
		return err
	}
	return s.withPlan(r, func(service *campaign.Service, status ledger.PlanStatus) error {
		at := decisionCursor{PlanID: status.ID, State: plan.State(state)}
		if err := at.read(r.URL.Query().Get("cursor")); err != nil {
			return err
		}
		// One more than asked for tells whether another page follows.
		list, err := service.Decisions(r.Context(), status.ID, state, at.After, limit+1)
		if err != nil {
			return err
		}
		page := decisionsPage{PlanID: status.ID, Messages: []decided{}}
		for i := range list[:min(limit, len(list))] {
			page.Messages = append(page.Messages, decided{explained: explained{MessageDetail: list[i]}})
		}
		if len(list) > limit {
			at.After = list[limit-1].ID
			next := at.String()
			page.NextCursor = &next
		}
		requestOf(r.Context()).count = int64(len(page.Messages))
		return writeJSON(w, http.StatusOK, page)
	})
}

func (c *decisionCursor) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings always encode
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// read goes on after a cursor of the same list; empty is the beginning.
func (c *decisionCursor) read(text string) error {
	if text == "" {
		return nil
	}
	var got decisionCursor
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(b, &got)
	}
	if err != nil || got.PlanID != c.PlanID || got.State != c.State || got.After == "" {
		return problemf(problemInvalidParameter, "cursor: not one of this list; begin without, and then send next_cursor as it came.")
	}
	c.After = got.After
	return nil
}

// getExplain says why a customer did or did not get a plan's message.
func (s *Server) getExplain(w http.ResponseWriter, r *http.Request) error {
	customer := r.URL.Query().Get("customer")
	if customer == "" || len(customer) > 1024 {
		return problemf(problemInvalidParameter, "customer: name a customer_id, or your own key of the customer.")
	}
	if _, err := s.identitiesIn("customer", customer, &requestOf(r.Context()).principal); err != nil {
		return err
	}
	return s.withPlan(r, func(service *campaign.Service, status ledger.PlanStatus) error {
		list, err := service.Explain(r.Context(), status.ID, customer)
		if errors.Is(err, campaign.ErrNotFound) {
			return problemf(problemNotFound, "The plan has no message to this customer: nobody of this id or key was in its audience.")
		}
		if err != nil {
			return err
		}
		messages := make([]explained, len(list))
		for i := range list {
			messages[i] = newExplained(list[i])
		}
		return writeJSON(w, http.StatusOK, struct {
			PlanID   string      `json:"plan_id"`
			Messages []explained `json:"messages"`
		}{status.ID, messages})
	})
}
