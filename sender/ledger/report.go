package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
)

const (
	selectPlanned = `
select number, state, rule, inputs
from messages
where number in (select unnest(?::integer[]))`
	selectMadeDecisions = `
select message, verdict, rule, delay_until, inputs, decided_at
from decisions
where message in (select unnest(?::integer[]))
order by rowid`
	selectAttempts = `
select
    claims.message, claims.ordinal, claims.claimed_at, settlements.settled_at, settlements.outcome,
    settlements.provider_message_id, settlements.error_code, settlements.error_class,
    resolutions.outcome, resolutions.actor, resolutions.resolved_at
from claims
left join settlements on settlements.message = claims.message and settlements.ordinal = claims.ordinal
left join resolutions on resolutions.message = claims.message and resolutions.ordinal = claims.ordinal
where claims.message in (select unnest(?::integer[]))
order by claims.message, claims.ordinal`
)

// Plans returns all plans and where they stand, the newest first.
func (db *DB) Plans(ctx context.Context) ([]PlanStatus, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	db.mu.RLock()
	defer db.mu.RUnlock()
	out := make([]PlanStatus, 0, len(db.state.plans))
	for _, p := range slices.Backward(db.state.plans) {
		out = append(out, db.state.report(p))
	}
	return out, nil
}

// Plan returns a plan and where it stands, or ErrNoPlan.
func (db *DB) Plan(ctx context.Context, planID string) (PlanStatus, error) {
	if err := ctx.Err(); err != nil {
		return PlanStatus{}, err
	}
	db.mu.RLock()
	defer db.mu.RUnlock()
	n, known := db.state.planByID[planID]
	if !known {
		return PlanStatus{}, fmt.Errorf("plan %s: %w", planID, ErrNoPlan)
	}
	return db.state.report(db.state.plans[n]), nil
}

func (s *state) report(p *planState) PlanStatus {
	out := p.PlanStatus
	out.Status, out.Messages = p.status(), int(p.count)
	out.FirstSendAt, out.LastSendAt = instant(p.earliest), instant(p.newest)
	out.States = make(map[plan.State]int, numStates)
	for code, n := range p.states {
		out.States[stateCode(code).name()] = n
	}
	out.Rules = make(map[policy.Rule]int, len(p.rules))
	for rule, n := range p.rules {
		out.Rules[policy.Rule(s.texts.text(rule))] = n
	}
	out.Delivery = make(map[DeliveryStatus]int, numDeliveries)
	for code, n := range p.delivery {
		out.Delivery[deliveries[code]] = n
	}
	return out
}

// Messages returns a page of a plan's messages, in a state or in all (""), in
// the order of their ids, from the first after the given id. Decisions and
// attempts are left out; Explain has them. It returns ErrNoPlan.
func (db *DB) Messages(ctx context.Context, planID string, in plan.State, after string, limit int) ([]MessageDetail, error) {
	db.mu.RLock()
	n, known := db.state.planByID[planID]
	if !known {
		db.mu.RUnlock()
		return nil, fmt.Errorf("plan %s: %w", planID, ErrNoPlan)
	}
	s := &db.state
	p := s.plans[n]
	from := sort.Search(int(p.count), func(i int) bool { return s.messages[p.first+int32(i)].id.String() > after })
	var page []int32
	for i := p.first + int32(from); i < p.first+p.count && len(page) < limit; i++ {
		if in == "" || s.messages[i].state.name() == in {
			page = append(page, i)
		}
	}
	details := s.details(page)
	db.mu.RUnlock()
	if err := db.addPlanned(ctx, page, details); err != nil {
		return nil, fmt.Errorf("read %d messages of plan %s: %w", len(page), planID, err)
	}
	return details, nil
}

// Explain returns a plan's messages to a customer, named by any identity of
// theirs, with all decisions and attempts. There may be several after a merge,
// and none. It returns ErrNoPlan.
func (db *DB) Explain(ctx context.Context, planID string, customer identity.ID) ([]MessageDetail, error) {
	db.mu.RLock()
	n, known := db.state.planByID[planID]
	if !known {
		db.mu.RUnlock()
		return nil, fmt.Errorf("plan %s: %w", planID, ErrNoPlan)
	}
	s := &db.state
	p, graph := s.plans[n], &s.people.graph
	var found []int32
	if person, known := graph.Number(customer); known {
		person = graph.Customer(person)
		for i := p.first; i < p.first+p.count; i++ {
			m := &s.messages[i]
			if graph.Customer(m.customer) == person || m.recipient != nobody && graph.Customer(m.recipient) == person {
				found = append(found, i)
			}
		}
	}
	details := s.details(found)
	created := p.CreatedAt
	db.mu.RUnlock()
	for _, add := range []func(context.Context, []int32, []MessageDetail) error{db.addPlanned, db.addDecisions, db.addAttempts} {
		if err := add(ctx, found, details); err != nil {
			return nil, fmt.Errorf("explain plan %s: %w", planID, err)
		}
	}
	for i := range details {
		d := &details[i]
		first := plan.Decision{
			MessageID: d.ID, Stage: plan.AtPlanning, Verdict: plannedVerdict(d.State), Rule: d.Rule, Inputs: d.Inputs, At: created,
		}
		d.Decisions = append([]plan.Decision{first}, d.Decisions...)
	}
	return details, nil
}

// plannedVerdict is the decision that planning made of a message in a state.
func plannedVerdict(s plan.State) plan.Verdict {
	switch s {
	case plan.Suppressed:
		return plan.Suppress
	case plan.HeldOut:
		return plan.HoldOut
	case plan.Expired:
		return plan.Expire
	default:
		return plan.Allow
	}
}

// details are what memory has of messages.
func (s *state) details(numbers []int32) []MessageDetail {
	out := make([]MessageDetail, len(numbers))
	for i, n := range numbers {
		m := &s.messages[n]
		out[i] = MessageDetail{
			Message: s.frozen(n), CustomerNow: s.people.graph.ID(s.people.graph.Customer(m.customer)),
			StateNow: m.state.name(), RuleNow: s.texts.text(m.rule), NotBefore: instant(m.notBefore),
			Delivery: deliveries[m.delivery],
		}
	}
	return out
}

// scanEach runs a query about messages and reads its rows into dest, the first
// of which is the message's number.
func (db *DB) scanEach(ctx context.Context, query string, numbers []int32, use func(i int), dest ...any) error {
	if len(numbers) == 0 {
		return nil
	}
	position := make(map[int32]int, len(numbers))
	for i, n := range numbers {
		position[n] = i
	}
	rows, err := db.sql.QueryContext(ctx, query, numbers)
	if err != nil {
		return err
	}
	defer rows.Close()
	var number int32
	dest = append([]any{&number}, dest...)
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		use(position[number])
	}
	return rows.Err()
}

// addPlanned adds state, rule and inputs as they were planned.
func (db *DB) addPlanned(ctx context.Context, numbers []int32, details []MessageDetail) error {
	var state, rule string
	var inputs sql.NullString
	return db.scanEach(ctx, selectPlanned, numbers, func(i int) {
		d := &details[i]
		d.State, d.Rule = plan.State(state), rule
		if inputs.Valid {
			d.Inputs = json.RawMessage(inputs.String)
		}
	}, &state, &rule, &inputs)
}

func (db *DB) addDecisions(ctx context.Context, numbers []int32, details []MessageDetail) error {
	var verdict, rule string
	var until sql.NullTime
	var inputs sql.NullString
	var at time.Time
	return db.scanEach(ctx, selectMadeDecisions, numbers, func(i int) {
		made := plan.Decision{
			MessageID: details[i].ID, Stage: plan.AtClaim, Verdict: plan.Verdict(verdict), Rule: rule, Until: until.Time, At: at,
		}
		if inputs.Valid {
			made.Inputs = json.RawMessage(inputs.String)
		}
		details[i].Decisions = append(details[i].Decisions, made)
	}, &verdict, &rule, &until, &inputs, &at)
}

func (db *DB) addAttempts(ctx context.Context, numbers []int32, details []MessageDetail) error {
	var ordinal int32
	var claimedAt time.Time
	var settledAt, resolvedAt sql.NullTime
	var outcome, providerID, code, class, resolved, by sql.NullString
	return db.scanEach(ctx, selectAttempts, numbers, func(i int) {
		id, _ := parseMessageID(details[i].ID)
		attempt := Attempt{
			ID: attemptID(id, ordinal), ClaimedAt: claimedAt, SettledAt: settledAt.Time, Outcome: Outcome(outcome.String),
			ProviderMessageID: providerID.String, ErrorCode: code.String, ErrorClass: class.String,
		}
		if resolved.Valid {
			attempt.Resolution = &Resolution{Outcome: Outcome(resolved.String), By: by.String, At: resolvedAt.Time}
		}
		details[i].Attempts = append(details[i].Attempts, attempt)
	}, &ordinal, &claimedAt, &settledAt, &outcome, &providerID, &code, &class, &resolved, &by, &resolvedAt)
}
