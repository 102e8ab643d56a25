package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/plan"
)

// EventSource is the source of the ledger's events.
const EventSource = "goodhour/ledger"

const (
	// The planned messages of one plan, by number.
	selectPlannedOut = `
select number, state, rule, inputs
from messages
where number >= ? and number < ?
order by number`
	selectDecisionsOut = `
select seq, message, verdict, rule, delay_until, inputs, decided_at
from decisions
where seq >= ? and seq < ?`
	selectSettlementsOut = `
select
    seq, message, ordinal, settled_at, outcome, provider_message_id, error_code, error_class, request_ms,
    chars, opens_with_name, has_call_to_action, has_link, media_kind
from settlements
where seq >= ? and seq < ?`
	selectConsentsOut = `
select seq, number, category, state, source, occurred_at, event_id, coalesce(evidence, '')
from consents
where seq >= ? and seq < ?`
	updateCursor = `update published set cursor = ? where cursor < ?`
)

// outgoing is a row that is to become an event.
type outgoing struct {
	seq  int64
	id   string
	at   time.Time
	data event.Data
	// whom are identities that it is about, the best for a subject first.
	whom []int32
}

// Unpublished returns the events that are owed to the topics, in the order of
// their rows, at most limit. Their ids are derived from the rows, so that a crash
// before MarkPublished repeats them and never doubles them. An empty answer means
// that nothing is owed.
//
// Of a person whose every identifier is gone (erased), or who was never seen,
// nothing is published.
func (db *DB) Unpublished(ctx context.Context, limit int) ([]Outgoing, error) {
	limit = max(limit, 1)
	db.mu.RLock()
	from, end := db.state.published+1, db.state.nextSeq
	db.mu.RUnlock()
	for page := int64(limit); from < end; page = min(2*page, skippedPageMax) {
		to := min(from+page, end)
		rows, err := db.outgoingRows(ctx, from, to)
		if err != nil {
			return nil, fmt.Errorf("read what is not published: %w", err)
		}
		out, err := db.events(ctx, rows)
		if err != nil {
			return nil, fmt.Errorf("make events of what is not published: %w", err)
		}
		if len(out) > 0 {
			return out[:min(limit, len(out))], nil
		}
		from = to // all of nobody
	}
	return nil, nil
}

// skippedPageMax bounds how many rows are read at once after pages that gave no
// event.
const skippedPageMax = 10_000

// MarkPublished notes that all events up to a cursor are in the topics. A
// cursor that is behind changes nothing.
func (db *DB) MarkPublished(ctx context.Context, cursor int64) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	if cursor >= db.state.nextSeq {
		return fmt.Errorf("mark %d as published: the newest row is %d", cursor, db.state.nextSeq-1)
	}
	if cursor <= db.state.published {
		return nil
	}
	err := db.change(ctx, func(tx *transaction) error { return tx.exec(updateCursor, cursor, cursor) },
		func(s *state) { s.published = cursor })
	if err != nil {
		return fmt.Errorf("mark %d as published: %w", cursor, err)
	}
	return nil
}

// outgoingRows reads the rows with a seq from one up to another.
func (db *DB) outgoingRows(ctx context.Context, from, to int64) (rows []outgoing, err error) {
	add := func(row outgoing) { rows = append(rows, row) }
	if err := db.plannedOut(ctx, from, to, add); err != nil {
		return nil, err
	}
	if err := db.decisionsOut(ctx, from, to, add); err != nil {
		return nil, err
	}
	if err := db.settlementsOut(ctx, from, to, add); err != nil {
		return nil, err
	}
	if err := db.resolutionsOut(ctx, from, to, add); err != nil {
		return nil, err
	}
	if err := db.consentsOut(ctx, from, to, add); err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(a, b outgoing) int { return cmp.Compare(a.seq, b.seq) })
	return rows, nil
}

// scanRange runs a query over a range and reads its rows into dest.
func (db *DB) scanRange(ctx context.Context, query string, from, to any, use func(), dest ...any) error {
	rows, err := db.sql.QueryContext(ctx, query, from, to)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		use()
	}
	return rows.Err()
}

// plannedOut reads the planned messages whose seqs are in the range.
func (db *DB) plannedOut(ctx context.Context, from, to int64, add func(outgoing)) error {
	db.mu.RLock()
	plans := slices.Clone(db.state.plans)
	db.mu.RUnlock()
	for _, p := range plans {
		first := int64(p.first) + max(from-p.firstSeq, 0)
		end := int64(p.first) + min(to-p.firstSeq, int64(p.count))
		if first >= end {
			continue
		}
		var n int32
		var state, rule string
		var inputs sql.NullString
		err := db.scanRange(ctx, selectPlannedOut, first, end, func() {
			data, whom, id := db.decided(n, plan.AtPlanning, plannedVerdict(plan.State(state)), rule, time.Time{}, inputs)
			add(outgoing{
				seq: p.firstSeq + int64(n-p.first), id: "decision:" + id + ":planning", at: p.CreatedAt, data: data, whom: whom,
			})
		}, &n, &state, &rule, &inputs)
		if err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) decisionsOut(ctx context.Context, from, to int64, add func(outgoing)) error {
	var seq int64
	var n int32
	var verdict, rule string
	var until sql.NullTime
	var inputs sql.NullString
	var at time.Time
	return db.scanRange(ctx, selectDecisionsOut, from, to, func() {
		data, whom, id := db.decided(n, plan.AtClaim, plan.Verdict(verdict), rule, until.Time, inputs)
		add(outgoing{seq: seq, id: fmt.Sprintf("decision:%s:%d", id, seq), at: at, data: data, whom: whom})
	}, &seq, &n, &verdict, &rule, &until, &inputs, &at)
}

// decided is a decision's event, whom it is about, and the message's id.
func (db *DB) decided(
	n int32, stage plan.Stage, verdict plan.Verdict, rule string, until time.Time, inputs sql.NullString,
) (event.DecisionMadeData, []int32, string) {
	m, p, whom := db.message(n)
	data := event.DecisionMadeData{
		PlanID: m.PlanID, CampaignID: m.CampaignID, MessageID: m.ID, Stage: string(stage), Verdict: string(verdict), Rule: rule,
		DelayUntil: until, Arm: string(m.Arm), SendHourLocal: hourOf(&m), TimeZone: m.TimeZone, HourReason: m.HourReason,
		Propensity: propensityOf(&m), PolicyID: p.RulesVersion,
	}
	if inputs.Valid {
		data.Inputs = json.RawMessage(inputs.String)
	}
	return data, whom, m.ID
}

func (db *DB) settlementsOut(ctx context.Context, from, to int64, add func(outgoing)) error {
	var seq int64
	var n, ordinal int32
	var at time.Time
	var outcome, providerID, code, class string
	var ms *int64
	var content event.Content
	var media sql.NullString
	return db.scanRange(ctx, selectSettlementsOut, from, to, func() {
		data, whom := db.attempted(n, ordinal)
		data.ProviderMessageID, data.Outcome, data.ErrorCode, data.ErrorClass, data.RequestMS = providerID, outcome, code, class, ms
		if Outcome(outcome) == Refused {
			// The message waits again; the attempt is over all the same.
			data.Outcome = string(Failed)
			data.ErrorClass = cmp.Or(class, "retry_safe")
		}
		if content.MediaKind = media.String; content != (event.Content{}) {
			own := content
			data.Content = &own
		}
		add(outgoing{seq: seq, id: "attempt:" + data.AttemptID, at: at, data: data, whom: whom})
		ms, content = nil, event.Content{} // the next row has its own
	}, &seq, &n, &ordinal, &at, &outcome, &providerID, &code, &class, &ms,
		&content.Chars, &content.OpensWithName, &content.HasCallToAction, &content.HasLink, &media)
}

func (db *DB) consentsOut(ctx context.Context, from, to int64, add func(outgoing)) error {
	var seq int64
	var n int32
	var at time.Time
	var id string
	var data event.ConsentChangedData
	return db.scanRange(ctx, selectConsentsOut, from, to, func() {
		add(outgoing{seq: seq, id: id, at: at, data: data, whom: []int32{n}})
	}, &seq, &n, &data.Category, &data.State, &data.Source, &at, &id, &data.Evidence)
}

// message is what memory has of a message, its plan, and whom it is to.
func (db *DB) message(n int32) (plan.Message, *planState, []int32) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	m := &db.state.messages[n]
	whom := []int32{m.customer}
	if m.recipient != nobody {
		whom = append(whom, m.recipient)
	}
	return db.state.frozen(n), db.state.plans[m.plan], whom
}

// hourOf is the local hour of a message that has a time.
func hourOf(m *plan.Message) *int64 {
	if m.SendAt.IsZero() {
		return nil
	}
	hour := int64(m.SendHourLocal)
	return &hour
}

func propensityOf(m *plan.Message) *float64 {
	if m.Propensity == 0 {
		return nil
	}
	return &m.Propensity
}

// events gives the rows their subjects.
func (db *DB) events(ctx context.Context, rows []outgoing) ([]Outgoing, error) {
	subjects, err := db.subjects(ctx, rows)
	if err != nil {
		return nil, err
	}
	out := make([]Outgoing, 0, len(rows))
	for i, row := range rows {
		if subjects[i] == "" {
			db.logger.Debug("event of nobody left out", "event_id", row.id)
			continue
		}
		e, err := event.New(row.id, EventSource, subjects[i], row.at, row.data)
		if err != nil {
			return nil, err
		}
		out = append(out, Outgoing{Cursor: row.seq, Event: e})
	}
	return out, nil
}

// subjects finds for each row the first identifier that is stored: of those
// whom it names, else of the person that they are now.
func (db *DB) subjects(ctx context.Context, rows []outgoing) ([]string, error) {
	var named []int32
	for _, row := range rows {
		named = append(named, row.whom...)
	}
	known, err := db.identifiers(ctx, named)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(rows))
	for i, row := range rows {
		if out[i] = first(known, row.whom); out[i] != "" {
			continue
		}
		var members []int32
		db.mu.RLock()
		for member := range db.state.people.graph.Members(row.whom[0]) {
			members = append(members, member)
		}
		db.mu.RUnlock()
		others, err := db.identifiers(ctx, members)
		if err != nil {
			return nil, err
		}
		out[i] = first(others, members)
	}
	return out, nil
}

func first(known map[int32]identifier, numbers []int32) string {
	for _, n := range numbers {
		if found, ok := known[n]; ok {
			return found.subject()
		}
	}
	return ""
}
