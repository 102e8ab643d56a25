package sender

import (
	"context"
	"errors"
	"time"

	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/sender/provider"
)

// call hands one claimed message to the provider and writes down the answer.
// Its slot is taken, and free again once the provider has answered.
func (s *Sender) call(ctx context.Context, m *sending) {
	answer, called := s.submit(ctx, m)
	if !called {
		s.withdraw(ctx, m)
		return
	}
	s.settle(ctx, answer)
}

// submit calls the provider, unless the customer has opted out since the claim.
func (s *Sender) submit(ctx context.Context, m *sending) (answer ledger.Settlement, called bool) {
	defer s.hungUp(m.number)
	s.pass(BeforeCall)
	if s.cfg.Ledger.OptedOut(&m.message) {
		return ledger.Settlement{}, false
	}
	started := s.cfg.Clock.Now()
	response, err := m.number.account.Provider.Send(ctx, m.request)
	s.pass(AfterResponse)
	now := s.cfg.Clock.Now()
	took := max(0, now.Sub(started))
	m.number.limit.Answered(now, took)
	answer = ledger.Settlement{
		MessageID: m.message.ID, AttemptID: m.attempt, At: now, Outcome: ledger.Accepted,
		ProviderMessageID: response.ProviderMessageID, RequestTime: took, Content: m.content,
	}
	if err != nil {
		s.failed(m, &answer, err)
	} else {
		s.succeeded(m, now)
	}
	return answer, true
}

// withdraw suppresses a message whose customer opted out between its claim and
// its call. It was never submitted.
func (s *Sender) withdraw(ctx context.Context, m *sending) {
	ctx, cancel := settling(ctx)
	defer cancel()
	err := s.cfg.Ledger.Record(ctx, []plan.Decision{{
		MessageID: m.message.ID, Stage: plan.AtClaim, Verdict: plan.Suppress, Rule: string(policy.OptedOut),
		Inputs: []byte(`{"after_claim":true}`), At: s.cfg.Clock.Now(),
	}})
	if err != nil {
		// It stays claimed, and a restart makes it unknown: it is not sent.
		s.told.trouble("withdrawing the message of a customer who opted out", err)
	}
	signal(s.unpublished)
}

// notSubmitted is the class of an attempt that ended before the call.
const notSubmitted = "not_submitted"

// putBack returns claims that were not called: they wait and are decided anew.
func (s *Sender) putBack(ctx context.Context, claims []*sending) {
	if len(claims) == 0 {
		return
	}
	now := s.cfg.Clock.Now()
	answers := make([]ledger.Settlement, len(claims))
	for i, m := range claims {
		answers[i] = ledger.Settlement{
			MessageID: m.message.ID, AttemptID: m.attempt, At: now, Outcome: ledger.Refused, ErrorClass: notSubmitted, NotBefore: now,
		}
	}
	s.settle(ctx, answers...)
}

// How long to wait after a refusal, at least and at most. 4 s, 16 s, 64 s for a
// pair is Meta's ("About the platform", pair rate limits; checked 2026-11-23);
// the others are ours.
const (
	pairFirst    = 4 * time.Second
	pairFactor   = 4
	refusalFirst = time.Second
	refusalMost  = time.Hour
	numberMost   = 10 * time.Minute
	accountMost  = 5 * time.Minute
	stopFirst    = time.Hour
	stopMost     = 24 * time.Hour
	templateMost = 6 * time.Hour
	// refusalsKept bounds the messages whose refusals are counted.
	refusalsKept = 100_000
)

// failed fills in what an error means for the message, and halts what it
// concerns beyond it.
func (s *Sender) failed(m *sending, answer *ledger.Settlement, err error) {
	e, ok := errors.AsType[*provider.Error](err)
	if !ok {
		e = &provider.Error{Class: provider.Ambiguous, Detail: "an error without a class"}
	}
	answer.Outcome, answer.ErrorCode, answer.ErrorClass, answer.OptedOut = ledger.Failed, e.Code, string(e.Class), e.OptedOut
	if e.Class != provider.Ambiguous {
		s.answered(m.number, answer.At)
	}
	switch e.Class {
	case provider.RetrySafe:
		answer.Outcome = ledger.Refused
		answer.NotBefore = s.retryAt(m, answer.At, e)
		return
	case provider.Ambiguous:
		answer.Outcome = ledger.Unknown
		s.lost(m.number, answer.At, e)
	case provider.Template:
		s.haltTemplate(m, answer.At, e)
	case provider.Number:
		s.halt(&m.number.halt, answer.At, numberStopped, stopFirst, stopMost, "number "+m.number.id, e)
	case provider.Account:
		if e.Scope == provider.ScopeCountry {
			s.told.trouble("a country of account "+m.number.account.Name, e) // the others go on
		} else {
			s.halt(&m.number.account.halt, answer.At, accountStopped, stopFirst, stopMost, "account "+m.number.account.Name, e)
		}
	case provider.Recipient, provider.Message:
	}
	s.forget(m)
}

// retryAt says when a message that was refused for now may go.
func (s *Sender) retryAt(m *sending, now time.Time, e *provider.Error) time.Time {
	tries := s.refused(m)
	wait := max(e.RetryAfter, refusalFirst)
	var at time.Time
	switch e.Scope {
	case provider.ScopePair:
		at = now.Add(grown(max(e.RetryAfter, pairFirst), pairFactor, tries, refusalMost))
	case provider.ScopeNumber:
		m.number.limit.Throttled(now)
		at = s.halt(&m.number.halt, now, policy.NumberRate, wait, max(wait, numberMost), "number "+m.number.id, e)
	case provider.ScopeAccount, provider.ScopeCountry:
		at = s.halt(&m.number.account.halt, now, accountStopped, wait, max(wait, accountMost), "account "+m.number.account.Name, e)
	default:
		at = now.Add(grown(wait, 2, tries, refusalMost))
	}
	if deadline := m.message.Deadline; !deadline.IsZero() && at.After(deadline) {
		return deadline // where it expires
	}
	return at
}

// halt begins a halt, tells of it once, and returns its end.
func (s *Sender) halt(h *halt, now time.Time, rule policy.Rule, wait, most time.Duration, what string, e *provider.Error) time.Time {
	s.mu.Lock()
	h.begin(now, rule, wait, most, e.Detail)
	until := h.until
	s.mu.Unlock()
	s.told.trouble(what, e)
	return until
}

// haltTemplate has the other messages of a template wait, and asks what became
// of it.
func (s *Sender) haltTemplate(m *sending, now time.Time, e *provider.Error) {
	a, key := m.number.account, m.templateKey()
	s.mu.Lock()
	h := a.templates[key]
	if h == nil {
		h = &halt{}
		a.templates[key] = h
	}
	s.mu.Unlock()
	s.halt(h, now, policy.TemplateReady, s.cfg.Rules.TemplateReady.Recheck, templateMost, "template "+key.name+" of account "+a.Name, e)
	s.askSync(a.Name)
}

// succeeded forgets what went before a success.
func (s *Sender) succeeded(m *sending, now time.Time) {
	s.answered(m.number, now)
	a, key := m.number.account, m.templateKey()
	s.mu.Lock()
	delete(s.refusals, m.message.ID)
	var over []string
	for what, h := range map[string]*halt{
		"number " + m.number.id:                          &m.number.halt,
		"account " + a.Name:                              &a.halt,
		"template " + key.name + " of account " + a.Name: a.templates[key],
	} {
		// A success that was on its way when the halt began proves nothing.
		if h != nil && h.tries > 0 && !h.on(now) {
			*h = halt{}
			over = append(over, what)
		}
	}
	s.mu.Unlock()
	for _, what := range over {
		s.told.over(what)
	}
}

// refused counts the refusals of a message and returns how many there were
// before. After a restart it begins anew.
func (s *Sender) refused(m *sending) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.refusals) >= refusalsKept {
		clear(s.refusals)
	}
	tries := s.refusals[m.message.ID]
	s.refusals[m.message.ID]++
	return tries
}

func (s *Sender) forget(m *sending) {
	s.mu.Lock()
	delete(s.refusals, m.message.ID)
	s.mu.Unlock()
}
