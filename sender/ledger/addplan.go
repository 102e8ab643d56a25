package ledger

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
)

// AddPlan stores a sealed plan: its messages with their frozen parameters, the
// decision on each, and the quarter's holdout assignment of customers who have
// none yet, in one transaction. The same plan again changes nothing.
func (db *DB) AddPlan(ctx context.Context, p *plan.Plan) error {
	if !p.Sealed() {
		return fmt.Errorf("add plan %s: it is not what was sealed; plan it again", p.ID)
	}
	db.writing.Lock()
	defer db.writing.Unlock()
	if _, known := db.state.planByID[p.ID]; known {
		return nil
	}
	a, err := db.addition(p)
	if err != nil {
		return fmt.Errorf("add plan %s: %w", p.ID, err)
	}
	if err := db.change(ctx, a.write, a.apply); err != nil {
		return fmt.Errorf("add plan %s: %w", p.ID, err)
	}
	db.signal()
	return nil
}

// addition is what a plan adds.
type addition struct {
	plan      *plan.Plan
	number    int32
	order     []int32 // positions in plan.Messages, in the order of ids
	state     planState
	newcomers *newcomers
	messages  []message
	arms      []armRow
}

type armRow struct {
	number int32
	arm    plan.Arm
}

func (db *DB) addition(p *plan.Plan) (*addition, error) {
	s := &db.state
	if len(s.messages)+len(p.Messages) > math.MaxInt32 {
		return nil, fmt.Errorf("%d messages are more than one ledger numbers", len(s.messages)+len(p.Messages))
	}
	a := &addition{
		plan: p, number: int32(len(s.plans)), order: make([]int32, len(p.Messages)), newcomers: s.newcomers(),
		messages: make([]message, len(p.Messages)),
		state:    newPlanState(statusOf(p), int32(len(s.messages)), int32(len(p.Messages)), s.nextSeq),
	}
	for i := range a.order {
		a.order[i] = int32(i)
	}
	slices.SortFunc(a.order, func(x, y int32) int {
		return strings.Compare(p.Messages[x].ID, p.Messages[y].ID)
	})
	// The dictionary only grows, so it may grow before the commit; others read it.
	db.mu.Lock()
	defer db.mu.Unlock()
	for i, at := range a.order {
		if err := s.freeze(&p.Messages[at], a.newcomers, &a.messages[i]); err != nil {
			return nil, fmt.Errorf("message %d: %w", at, err)
		}
		m := &a.messages[i]
		m.plan = a.number
		if i > 0 && m.id == a.messages[i-1].id {
			return nil, fmt.Errorf("message %s is in it twice", m.id)
		}
		if _, known := s.byID[m.id]; known {
			return nil, fmt.Errorf("message %s is in another plan", m.id)
		}
	}
	a.assign(s)
	return a, nil
}

// assign notes the global holdout's assignments of those who have none in the
// quarter. Whoever is in no arm was not eligible, and is not assigned yet.
func (a *addition) assign(s *state) {
	seen := make(map[int32]struct{})
	for i, at := range a.order {
		planned, m := &a.plan.Messages[at], &a.messages[i]
		if planned.Arm == "" || !marketing(planned.Category) {
			continue
		}
		person := m.customer
		if !a.newcomers.isNew(person) {
			if s.people.arm(s.people.graph.Members(person), a.state.quarter) != "" {
				continue
			}
			person = s.people.graph.Customer(person)
		}
		if _, again := seen[person]; again {
			continue
		}
		seen[person] = struct{}{}
		arm := plan.Treatment
		if planned.Arm == plan.Holdout {
			arm = plan.Holdout
		}
		a.arms = append(a.arms, armRow{m.customer, arm})
	}
}

func statusOf(p *plan.Plan) PlanStatus {
	return PlanStatus{
		ID: p.ID, Hash: p.Hash, CampaignID: p.CampaignID, Campaign: p.Campaign, Audience: p.Audience,
		AsOf: p.AsOf, PublishedAt: p.PublishedAt, ModelVersion: p.ModelVersion, Template: p.Template, Provider: p.Provider,
		Account: p.Account, Mode: p.Mode, RulesVersion: p.RulesVersion, Report: p.Report, Author: p.Author,
		CreatedAt: p.CreatedAt,
	}
}

func newPlanState(status PlanStatus, first, count int32, firstSeq int64) planState {
	return planState{
		PlanStatus: status, first: first, count: count, firstSeq: firstSeq,
		quarter: policy.Quarter(status.CreatedAt), rules: make(map[uint16]int),
	}
}

// freeze makes what memory holds of a planned message.
func (s *state) freeze(planned *plan.Message, c *newcomers, m *message) error {
	id, ok := parseMessageID(planned.ID)
	switch {
	case !ok:
		return fmt.Errorf("its id %q is not 32 hex digits", planned.ID)
	case planned.CustomerID.IsZero():
		return errors.New("it has no customer")
	case !slices.Contains(plan.PlannedStates(), planned.State):
		return fmt.Errorf("it is planned as %q, not as one of %v", planned.State, plan.PlannedStates())
	case planned.SendHourLocal < 0 || planned.SendHourLocal > 23:
		return fmt.Errorf("its local hour is %d", planned.SendHourLocal)
	}
	*m = message{
		id: id, sendAt: micros(planned.SendAt), deadline: micros(planned.Deadline),
		priority: planned.Priority, propensity: planned.Propensity,
		customer: c.number(planned.CustomerID), recipient: nobody,
		hour: int8(planned.SendHourLocal), state: codeOf(planned.State), deliveredSince: planned.DeliveredSinceEngagement,
	}
	if !planned.To.IsZero() {
		m.recipient = c.number(planned.To)
	}
	return s.intern(m, string(planned.Category), planned.NumberID, string(planned.Arm), planned.TimeZone,
		planned.HourReason, planned.HeatClass, planned.Rule)
}

// intern sets a message's texts.
func (s *state) intern(m *message, category, number, arm, zone, reason, heat, rule string) (err error) {
	for _, text := range []struct {
		slot *uint16
		text string
	}{
		{&m.category, category},
		{&m.number, number},
		{&m.arm, arm},
		{&m.zone, zone},
		{&m.reason, reason},
		{&m.heat, heat},
		{&m.rule, rule},
	} {
		if *text.slot, err = s.texts.number(text.text); err != nil {
			return err
		}
	}
	return nil
}

func (a *addition) write(tx *transaction) error {
	if err := a.newcomers.write(tx); err != nil {
		return err
	}
	p := a.plan
	plans := [][]driver.Value{{
		a.number, p.ID, p.Hash, p.CampaignID, string(p.Campaign), timestamp(p.CreatedAt), p.Author, p.Audience,
		timestamp(p.AsOf), timestamp(p.PublishedAt), p.ModelVersion, p.Template.Name, p.Template.Language,
		string(p.Template.Category), p.Template.BodyHash, p.Provider, p.Account, string(p.Mode), p.RulesVersion,
		orNull(p.Report), a.state.first, a.state.count, a.state.firstSeq,
	}}
	if err := appendAll(tx, schemaMain, "plans", plans, func(row *[]driver.Value) []driver.Value { return *row }); err != nil {
		return err
	}
	// One slice for all rows: the appender keeps nothing of it.
	row := make([]driver.Value, 19)
	if err := tx.appendRows(schemaMain, "messages", len(a.order), func(i int) []driver.Value {
		planned, m := &p.Messages[a.order[i]], &a.messages[i]
		var recipient driver.Value
		if m.recipient != nobody {
			recipient = m.recipient
		}
		copy(row, []driver.Value{
			a.state.first + int32(i), duckdb.UUID(m.id), m.customer, recipient, string(planned.Category),
			planned.NumberID, string(planned.Arm), string(planned.State), planned.Rule, orNull(planned.Inputs),
			timestamp(planned.SendAt), timestamp(planned.Deadline), int32(planned.SendHourLocal), planned.TimeZone,
			planned.HourReason, planned.Propensity, planned.HeatClass, planned.DeliveredSinceEngagement, planned.Priority,
		})
		return row
	}); err != nil {
		return err
	}
	if err := a.writeParameters(tx); err != nil {
		return err
	}
	return appendAll(tx, schemaMain, "arms", a.arms, func(r *armRow) []driver.Value {
		return []driver.Value{r.number, a.state.quarter, string(r.arm)}
	})
}

// writeParameters stores the parameters of messages that may be sent.
func (a *addition) writeParameters(tx *transaction) error {
	var with []int32
	for i, at := range a.order {
		if m := &a.plan.Messages[at]; len(m.Parameters) > 0 && m.State == plan.Waiting {
			with = append(with, int32(i))
		}
	}
	return appendAll(tx, schemaPII, "parameters", with, func(i *int32) []driver.Value {
		text, _ := json.Marshal(a.plan.Messages[a.order[*i]].Parameters) // strings only: cannot go wrong
		return []driver.Value{a.state.first + *i, string(text)}
	})
}

func (a *addition) apply(s *state) {
	a.newcomers.apply(&s.people)
	state := a.state
	s.addPlan(&state)
	for i := range a.messages {
		s.addMessage(a.messages[i])
	}
	for _, r := range a.arms {
		s.people.assign(r.number, a.state.quarter, r.arm)
	}
	s.nextSeq += int64(len(a.messages))
}

func (s *state) addPlan(p *planState) {
	s.planByID[p.ID] = int32(len(s.plans))
	s.plans = append(s.plans, p)
}

// addMessage adds a message as it was planned.
func (s *state) addMessage(m message) {
	n := int32(len(s.messages))
	whose := m.recipient
	if whose == nobody {
		whose = m.customer
	}
	m.next = s.people.messageOf[whose]
	s.people.messageOf[whose] = n + 1
	s.messages = append(s.messages, m)
	s.byID[m.id] = n
	p := s.plans[m.plan]
	p.tally(&s.messages[n], 1)
	if m.state == waiting && m.sendAt != 0 {
		if p.earliest == 0 || m.sendAt < p.earliest {
			p.earliest = m.sendAt
		}
		p.newest = max(p.newest, m.sendAt)
	}
}
