package sender

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/limit"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/sender/provider"
)

// Account is an account at a provider that may send.
type Account struct {
	Name     string
	Mode     plan.Mode
	Provider provider.Provider
	// Numbers are the ids of its sending numbers.
	Numbers []string
	// NumberRate is each number's; the zero value means the rules' default.
	NumberRate limit.NumberRate
	// TestRecipients are who gets messages in mode test.
	TestRecipients []identity.ID
}

// account is an Account at work.
type account struct {
	Account
	halt      halt
	templates map[templateKey]*halt
	// slots bounds the calls in flight.
	slots chan struct{}
}

// number is a sending number at work.
type number struct {
	id      string
	account *account
	limit   *limit.Number
	halt    halt
	doubt   doubt
}

type templateKey struct{ name, language string }

// callsMax bounds an account's calls in flight: 1,000 messages a second at an
// answer time of 250 ms.
const callsMax = 256

func newAccount(a Account) *account {
	return &account{Account: a, templates: make(map[templateKey]*halt), slots: make(chan struct{}, callsMax)}
}

// The rules by which messages wait for a number or an account that the provider
// refuses. What provider webhooks say of them is not known here.
const (
	numberStopped  policy.Rule = "number_stopped"
	accountStopped policy.Rule = "account_stopped"
)

// halt is a pause or a stop: nothing is sent until it ends by itself, or an
// operator ends it. The zero value is none.
type halt struct {
	rule  policy.Rule
	until time.Time
	// tries is how many halts came after one another without a success.
	tries int
	why   string
}

// begin halts by a rule for wait, twice as long each time that nothing
// succeeded since, up to most. One that is under way is only made longer: the
// refusals of one overload come in a bunch.
func (h *halt) begin(now time.Time, rule policy.Rule, wait, most time.Duration, why string) {
	if h.on(now) && h.rule == rule {
		if until := now.Add(wait); until.After(h.until) {
			h.until = until
		}
		return
	}
	wait = grown(wait, 2, h.tries, most)
	*h = halt{rule: rule, until: now.Add(wait), tries: h.tries + 1, why: why}
}

func (h *halt) on(now time.Time) bool { return h.until.After(now) }

// grown is a wait times factor for each try before, at most most, and no
// shorter than the wait itself.
func grown(wait time.Duration, factor, tries int, most time.Duration) time.Duration {
	for range tries {
		if wait >= most {
			return wait
		}
		wait = min(wait*time.Duration(factor), most)
	}
	return wait
}

// halted says what stops a number at an instant: its account, or itself.
func (s *Sender) halted(n *number, now time.Time) (halt, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range []*halt{&n.account.halt, &n.halt} {
		if h.on(now) {
			return *h, true
		}
	}
	return halt{}, false
}

// templateHeld says whether a template waits after a refusal.
func (s *Sender) templateHeld(a *account, key templateKey, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := a.templates[key]
	return h != nil && h.on(now)
}

// Stop is an account or number that sends nothing for a while because the
// provider refuses it.
type Stop struct {
	Account string      `json:"account"`
	Number  string      `json:"number,omitempty"` // empty: the whole account
	Rule    policy.Rule `json:"rule"`
	Until   time.Time   `json:"until"`
	Why     string      `json:"why"`
}

// Stops returns what is stopped now.
func (s *Sender) Stops() []Stop {
	now := s.cfg.Clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	var stops []Stop
	add := func(h *halt, a *account, number string) {
		if h.on(now) {
			stops = append(stops, Stop{Account: a.Name, Number: number, Rule: h.rule, Until: h.until, Why: h.why})
		}
	}
	for _, a := range s.accounts {
		add(&a.halt, a, "")
		for _, id := range a.Numbers {
			add(&s.numbers[id].halt, a, id)
		}
	}
	return stops
}

// Resume ends the stops of an account and its numbers: an operator has mended
// what the provider objected to.
func (s *Sender) Resume(name string) error {
	a, known := s.byName[name]
	if !known {
		return fmt.Errorf("resume account %s: no such account is configured", name)
	}
	s.mu.Lock()
	a.halt = halt{}
	clear(a.templates)
	for _, id := range a.Numbers {
		s.numbers[id].halt, s.numbers[id].doubt.lost = halt{}, 0
	}
	s.mu.Unlock()
	s.nudge()
	return nil
}

// planned is what a pass needs of a message's plan. It never changes.
type planned struct {
	account  string
	template plan.Template
	rules    *policy.Rules
	// names are the template's parameters that hold the customer's name.
	names []string
}

// plansKept bounds the plans that are remembered.
const plansKept = 1000

// planOf returns what a pass needs of a plan.
func (s *Sender) planOf(ctx context.Context, id string) (*planned, error) {
	if p, known := s.plans[id]; known {
		return p, nil
	}
	status, err := s.cfg.Ledger.Plan(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read plan %s: %w", id, err)
	}
	return s.remember(&status)
}

func (s *Sender) remember(p *ledger.PlanStatus) (*planned, error) {
	var file campaignFile
	if err := json.Unmarshal(p.Campaign, &file); err != nil {
		return nil, fmt.Errorf("read the campaign of plan %s: %w", p.ID, err)
	}
	if len(s.plans) >= plansKept {
		clear(s.plans)
	}
	out := &planned{account: p.Account, template: p.Template, rules: s.cfg.Rules.With(file.Overrides), names: file.names()}
	s.plans[p.ID] = out
	return out, nil
}

// campaignFile is what the sender needs of a campaign's file, as a plan keeps it.
type campaignFile struct {
	Overrides policy.Overrides `json:"overrides"`
	Template  struct {
		Parameters map[string]struct {
			Field string `json:"field"`
		} `json:"parameters"`
	} `json:"template"`
}

// names are the template's parameters that hold the customer's name.
func (f *campaignFile) names() []string {
	var names []string
	for parameter, from := range f.Template.Parameters {
		if from.Field == "name" {
			names = append(names, parameter)
		}
	}
	return names
}
