package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
)

// lose claims a message of a plan that may still be sent, and loses the answer.
func (s *sending) lose(planID string) ledger.MessageDetail {
	s.t.Helper()
	waiting, err := s.ledger.Messages(s.t.Context(), planID, plan.Waiting, "", 1)
	if err != nil || len(waiting) != 1 {
		s.t.Fatalf("%d messages wait, %v", len(waiting), err)
	}
	id, attempt := waiting[0].ID, s.ledger.NextAttempt(waiting[0].ID)
	if err := s.ledger.Claim(s.t.Context(), []ledger.Claim{{
		MessageID: id, AttemptID: attempt, At: sendingNow,
		Decision: plan.Decision{MessageID: id, Stage: plan.AtClaim, Verdict: plan.Allow, At: sendingNow},
	}}); err != nil {
		s.t.Fatal(err)
	}
	if err := s.ledger.Settle(s.t.Context(), []ledger.Settlement{{
		MessageID: id, AttemptID: attempt, At: sendingNow, Outcome: ledger.Unknown,
	}}); err != nil {
		s.t.Fatal(err)
	}
	return waiting[0]
}

// A message whose answer was lost is resolved by a person, once, who is kept.
func TestACampaignsUnknownMessageIsResolved(t *testing.T) {
	t.Parallel()
	s := setupSending(t)
	author, approver := s.namedKey("marketing", "read,send"), s.namedKey("head", "read,approve")
	s.call(http.MethodPost, "/v1/campaigns", author, testCampaign, "Content-Type", mediaYAML).is(201, "")
	report := s.call(http.MethodPost, "/v1/campaigns/spring/plan", author, "").is(201, "").json()
	planID := report["plan_id"].(string)
	post := func(verb, token, body string, status int, problem string) map[string]any {
		t.Helper()
		return s.call(http.MethodPost, "/v1/campaigns/spring/"+verb, token, body, "Content-Type", mediaJSON).is(status, problem).json()
	}
	post("approve", approver, approval(report["hash"].(string)), 200, "")
	lost := s.lose(planID)
	word := func(id, state string) string { return fmt.Sprintf(`{"message_id":%q,"state":%q}`, id, state) }

	post("resolve", author, word(lost.ID, "failed"), 403, "forbidden")
	post("resolve", approver, word(lost.ID, "cancelled"), 400, "invalid-body")
	post("resolve", approver, word("", "failed"), 400, "invalid-body")
	post("resolve", approver, word(strings.Repeat("0", 32), "failed"), 404, "not-found")
	after := post("resolve", approver, word(lost.ID, "accepted"), 200, "")
	if at(t, after, "states", "accepted").(fmt.Stringer).String() != "1" || at(t, after, "states", "unknown").(fmt.Stringer).String() != "0" {
		t.Errorf("%v", after["states"])
	}
	post("resolve", approver, word(lost.ID, "failed"), 409, "conflict")

	explained, err := s.ledger.Explain(t.Context(), planID, lost.CustomerID)
	if err != nil || len(explained) != 1 {
		t.Fatalf("%d messages, %v", len(explained), err)
	}
	if got := explained[0].Attempts[0].Resolution; got == nil || *got != (ledger.Resolution{Outcome: ledger.Accepted, By: "head", At: sendingNow}) {
		t.Errorf("resolved by %+v", got)
	}
	trail := strings.Join(auditTrail(t, s.bundle), "\n")
	if line := "POST /v1/campaigns/{id}/resolve target=" + planID + " result=done status=200 count=1"; !strings.Contains(trail, line) {
		t.Errorf("no line %q in\n%s", line, trail)
	}
}
