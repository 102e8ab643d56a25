package ledger

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/template"
)

// The queries of restore, each in the order in which the rows were appended
// where that matters. Times come as microseconds since the Unix epoch.
const (
	selectIdentities = `select number, identity_id, namespace from identities order by rowid`
	selectLinks      = `select a, b from links`
	selectUnlinks    = `select a, b from unlinks`
	selectConsents   = `select number, category, state, source, epoch_us(max(occurred_at)) from consents group by all`
	selectWordEvents = `select event_id from consents where event_id is not null`
	selectInbound    = `select number, number_id, epoch_us(max(occurred_at)) from inbound group by all`
	selectArms       = `select number, quarter, arm from arms`
	selectTemplates  = `select account, epoch_us(synced_at), templates from templates order by rowid`
	selectPlans      = `
select
    id, hash, campaign_id, campaign, created_at, author, audience, as_of, published_at, model_version,
    template_name, template_language, template_category, template_body_hash, provider, account, mode,
    rules_version, report, first_message, messages, first_seq
from plans
order by number`
	selectPlanActions = `select plan, action, actor, acted_at from plan_actions order by rowid`
	selectMessages    = `
select
    id, customer, recipient, category, number_id, arm, state, rule, epoch_us(send_at), epoch_us(deadline),
    send_hour_local, time_zone, hour_reason, propensity, heat_class, delivered_since_engagement, priority
from messages
order by number`
	selectClaims      = `select message, max(ordinal), epoch_us(arg_max(claimed_at, ordinal)) from claims group by message`
	selectSettlements = `select message, ordinal, outcome, epoch_us(not_before) from settlements`
	selectDecisions   = `select message, attempts, verdict, rule, epoch_us(delay_until) from decisions order by rowid`
	selectStatuses    = `select distinct message, status from statuses`
	selectCursor      = `select cursor from published`
	selectNextSeq     = `
select 1 + greatest(
    0,
    (select max(seq) from consents), (select max(seq) from decisions), (select max(seq) from settlements),
    (select max(seq) from resolutions),
    (select max(first_seq + messages - 1) from plans)
)`
)

// restore derives the state of now from the tables.
func (db *DB) restore(ctx context.Context) error {
	s := &db.state
	*s = state{
		people:     people{numbers: make(map[string]uint32), arms: make(map[string]*armSet)},
		byID:       make(map[messageID]int32),
		planByID:   make(map[string]int32),
		texts:      newDictionary(),
		queues:     make(queues),
		wordEvents: make(map[string]struct{}),
		templates:  make(map[string]syncedTemplates),
	}
	for _, part := range []struct {
		query string
		use   func([]driver.Value) error
	}{
		{selectIdentities, s.restoreIdentity},
		{selectLinks, func(row []driver.Value) error { s.people.graph.Link(row[0].(int32), row[1].(int32)); return nil }},
		{selectUnlinks, func(row []driver.Value) error { s.people.graph.Unlink(row[0].(int32), row[1].(int32)); return nil }},
		{selectConsents, s.restoreConsent},
		{selectWordEvents, func(row []driver.Value) error { s.wordEvents[row[0].(string)] = struct{}{}; return nil }},
		{selectInbound, func(row []driver.Value) error {
			s.people.mergeInbound(row[0].(int32), row[1].(string), row[2].(int64))
			return nil
		}},
		{selectArms, func(row []driver.Value) error {
			s.people.assign(row[0].(int32), row[1].(string), plan.Arm(row[2].(string)))
			return nil
		}},
		{selectTemplates, s.restoreTemplates},
		{selectPlans, s.restorePlan},
		{selectMessages, s.restoreMessage},
		{selectClaims, func(row []driver.Value) error {
			n := row[0].(int32)
			s.claim(n, row[2].(int64))
			s.messages[n].attempts = row[1].(int32)
			return nil
		}},
		{selectSettlements, s.restoreSettlement},
		{selectResolutions, func(row []driver.Value) error {
			return s.restoreSettlement([]driver.Value{row[0], row[1], row[2], nil})
		}},
		{selectDecisions, s.restoreDecision},
		{selectPlanActions, func(row []driver.Value) error {
			s.act(act{row[0].(int32), row[1].(string), row[2].(string), row[3].(time.Time)})
			return nil
		}},
		{selectStatuses, s.restoreStatus},
		{selectCursor, func(row []driver.Value) error { s.published = row[0].(int64); return nil }},
		{selectNextSeq, func(row []driver.Value) error { s.nextSeq = row[0].(int64); return nil }},
	} {
		if err := each(ctx, db.conn, part.query, part.use); err != nil {
			return fmt.Errorf("%.60s: %w", part.query, err)
		}
	}
	for _, p := range s.plans {
		if p.active() {
			s.enqueuePlan(p)
		}
	}
	return nil
}

func (s *state) restoreIdentity(row []driver.Value) error {
	namespace, _ := row[2].(string)
	if n := s.people.add(memberOf(idOf[identity.ID](row[1]), namespace)); n != row[0].(int32) {
		return fmt.Errorf("identity number %d is not where it should be: the file was changed by hand, restore a backup", row[0])
	}
	return nil
}

func (s *state) restoreConsent(row []driver.Value) error {
	category, known := consentCategoryOf(row[1].(string))
	if !known {
		return fmt.Errorf("a consent of category %v: a newer goodhour wrote this file", row[1])
	}
	s.people.mergeConsent(row[0].(int32), category, timesOf(row[2].(string), row[3].(string), row[4].(int64)))
	return nil
}

func (s *state) restoreTemplates(row []driver.Value) error {
	account := row[0].(string)
	at := instant(row[1].(int64))
	text, changed := row[2].(string)
	if !changed {
		s.templates[account] = s.templates[account].synced(at)
		return nil
	}
	var list []template.Template
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return fmt.Errorf("templates of account %s: %w", account, err)
	}
	s.templates[account] = s.templates[account].listed(list, at)
	return nil
}

func (s *state) restorePlan(row []driver.Value) error {
	text := func(i int) string { v, _ := row[i].(string); return v }
	at := func(i int) time.Time { v, _ := row[i].(time.Time); return v }
	p := newPlanState(PlanStatus{
		ID: text(0), Hash: text(1), CampaignID: text(2), Campaign: json.RawMessage(text(3)), CreatedAt: at(4),
		Author: text(5), Audience: text(6), AsOf: at(7), PublishedAt: at(8), ModelVersion: text(9),
		Template: plan.Template{
			Name: text(10), Language: text(11), Category: plan.Category(text(12)), BodyHash: text(13),
		},
		Provider: text(14), Account: text(15), Mode: plan.Mode(text(16)), RulesVersion: text(17),
	}, row[19].(int32), row[20].(int32), row[21].(int64))
	if report := text(18); report != "" {
		p.Report = json.RawMessage(report)
	}
	s.addPlan(&p)
	return nil
}

func (s *state) restoreMessage(row []driver.Value) error {
	text := func(i int) string { return row[i].(string) }
	at := func(i int) int64 { v, _ := row[i].(int64); return v }
	n := int32(len(s.messages))
	m := message{
		id: idOf[messageID](row[0]), customer: row[1].(int32), recipient: nobody,
		sendAt: at(8), deadline: at(9), hour: int8(row[10].(int32)), propensity: row[13].(float64),
		deliveredSince: row[15].(bool), priority: row[16].(float64), state: codeOf(plan.State(text(6))),
		plan: int32(s.planOf(n)),
	}
	if recipient, given := row[2].(int32); given {
		m.recipient = recipient
	}
	if err := s.intern(&m, text(3), text(4), text(5), text(11), text(12), text(14), text(7)); err != nil {
		return err
	}
	if n == 0 {
		s.messages = slices.Grow(s.messages, s.planned())
	}
	s.addMessage(m)
	return nil
}

// planOf is the number of the plan that a message belongs to.
func (s *state) planOf(n int32) int {
	at, found := slices.BinarySearchFunc(s.plans, n, func(p *planState, n int32) int { return int(p.first) - int(n) })
	if !found {
		return at - 1
	}
	// Of plans that begin at one number all but the last are empty.
	for at+1 < len(s.plans) && s.plans[at+1].first == n {
		at++
	}
	return at
}

// planned counts the messages of all plans.
func (s *state) planned() (n int) {
	for _, p := range s.plans {
		n += int(p.count)
	}
	return n
}

func (s *state) restoreSettlement(row []driver.Value) error {
	n := row[0].(int32)
	if s.messages[n].attempts == row[1].(int32) {
		notBefore, _ := row[3].(int64)
		s.alter(n, func(m *message) { m.settle(Outcome(row[2].(string)), notBefore, false) })
	}
	return nil
}

// restoreDecision applies a decision that no claim came after. Those of one
// message come in their order.
func (s *state) restoreDecision(row []driver.Value) error {
	n := row[0].(int32)
	if s.messages[n].attempts != row[1].(int32) || plan.Verdict(row[2].(string)) == plan.Allow {
		return nil
	}
	rule, err := s.texts.number(row[3].(string))
	if err != nil {
		return err
	}
	until, _ := row[4].(int64)
	s.alter(n, func(m *message) { m.decide(plan.Verdict(row[2].(string)), rule, until) })
	return nil
}

func (s *state) restoreStatus(row []driver.Value) error {
	for code, name := range deliveries {
		if string(name) == row[1].(string) {
			s.alter(row[0].(int32), func(m *message) { m.heard(deliveryCode(code)) })
		}
	}
	return nil
}
