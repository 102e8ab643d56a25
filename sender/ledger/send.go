package ledger

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/plan"
)

// decisionRow is a row of decisions.
type decisionRow struct {
	seq      int64 // 0: not an event
	message  int32
	attempts int32
	verdict  plan.Verdict
	rule     string
	until    time.Time
	inputs   []byte
	at       time.Time
}

func writeDecisions(tx *transaction, rows []decisionRow) error {
	return appendAll(tx, schemaMain, "decisions", rows, func(r *decisionRow) []driver.Value {
		var seq driver.Value
		if r.seq != 0 {
			seq = r.seq
		}
		return []driver.Value{
			seq, r.message, r.attempts, string(r.verdict), r.rule, timestamp(r.until), orNull(r.inputs), timestamp(r.at),
		}
	})
}

// stateOf is the state that a verdict leaves a message in.
func stateOf(v plan.Verdict) (stateCode, bool) {
	switch v {
	case plan.Allow, plan.Delay:
		return waiting, true
	case plan.Suppress:
		return suppressed, true
	case plan.HoldOut:
		return heldOut, true
	case plan.Expire:
		return expired, true
	case plan.Cancel:
		return cancelled, true
	default:
		return 0, false
	}
}

// decide moves a message on a verdict of the policy.
func (m *message) decide(v plan.Verdict, rule uint16, until int64) {
	m.state, _ = stateOf(v)
	m.rule, m.notBefore = rule, until
}

func (s *state) applyDecisions(rows []decisionRow) {
	for _, r := range rows {
		rule := s.texts.numbers[r.rule]
		s.alter(r.message, func(m *message) {
			if r.verdict != plan.Allow { // the claim that an Allow belongs to follows
				due := m.dueAt()
				m.decide(r.verdict, rule, micros(r.until))
				// Brought forward: the place in the queue is too late for it.
				m.queued = m.queued && m.dueAt() >= due
			}
		})
		if m := &s.messages[r.message]; m.state == waiting && !m.queued && s.plans[m.plan].active() {
			s.enqueue(r.message)
		}
		if r.seq != 0 {
			s.nextSeq++
		}
	}
}

// Record stores the policy's verdicts at the claim, but Allow: a delay moves a
// waiting message's time, the others end it. A claimed message that was not
// handed to the provider may be suppressed, held out or expired too: its claim
// is withdrawn. A *MessageError says which message does not stand so; then
// nothing is stored.
func (db *DB) Record(ctx context.Context, decisions []plan.Decision) error {
	if len(decisions) == 0 {
		return nil
	}
	db.writing.Lock()
	defer db.writing.Unlock()
	rows, err := db.decisionRows(decisions)
	if err != nil {
		return fmt.Errorf("record %d decisions: %w", len(decisions), err)
	}
	err = db.change(ctx, func(tx *transaction) error { return writeDecisions(tx, rows) },
		func(s *state) { s.applyDecisions(rows) })
	if err != nil {
		return fmt.Errorf("record %d decisions: %w", len(decisions), err)
	}
	return nil
}

func (db *DB) decisionRows(decisions []plan.Decision) ([]decisionRow, error) {
	s := &db.state
	rows := make([]decisionRow, 0, len(decisions))
	seen := make(map[int32]struct{}, len(decisions))
	seq := s.nextSeq
	for i := range decisions {
		d := &decisions[i]
		n, known := s.find(d.MessageID)
		if !known {
			return nil, fmt.Errorf("message %.40s: %w", d.MessageID, ErrNoMessage)
		}
		m := &s.messages[n]
		to, ok := stateOf(d.Verdict)
		_, again := seen[n]
		seen[n] = struct{}{}
		switch {
		case !ok || d.Verdict == plan.Allow || d.Verdict == plan.Cancel:
			return nil, &MessageError{d.MessageID, m.state.name(), fmt.Sprintf("the verdict %q is not one to record", d.Verdict)}
		case again:
			return nil, &MessageError{d.MessageID, m.state.name(), "two decisions on it at once"}
		case d.Verdict == plan.Delay && m.state != waiting,
			d.Verdict != plan.Delay && !plan.CanMove(m.state.name(), to.name(), plan.ByRule):
			return nil, &MessageError{d.MessageID, m.state.name(), fmt.Sprintf("the verdict %s no longer concerns it", d.Verdict)}
		}
		rule, err := db.intern(d.Rule)
		if err != nil {
			return nil, err
		}
		row := decisionRow{
			message: n, attempts: m.attempts, verdict: d.Verdict, rule: d.Rule, until: d.Until, inputs: d.Inputs, at: d.At,
		}
		// A delay by the same rule that only moves is no new decision.
		if d.Verdict != plan.Delay || m.rule != rule {
			row.seq = seq
			seq++
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// intern numbers a text. The dictionary only grows, so it may grow before the
// commit.
func (db *DB) intern(text string) (uint16, error) {
	if n, known := db.state.texts.numbers[text]; known {
		return n, nil
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.state.texts.number(text)
}

// NextAttempt is the id that a message's next claim must carry; empty for a
// message that the ledger does not know.
func (db *DB) NextAttempt(id string) string {
	db.mu.RLock()
	defer db.mu.RUnlock()
	n, known := db.state.find(id)
	if !known {
		return ""
	}
	m := &db.state.messages[n]
	return attemptID(m.id, m.attempts+1)
}

// Claim records, in one commit, that messages are about to be handed to the
// provider. Each must be waiting, its plan approved and not paused; of one
// person's messages only one may be in a call, and none whose plan has written
// to the person already. A *MessageError names the first that is not so; then
// nothing is claimed.
func (db *DB) Claim(ctx context.Context, claims []Claim) error {
	if len(claims) == 0 {
		return nil
	}
	db.writing.Lock()
	defer db.writing.Unlock()
	s := &db.state
	numbers := make([]int32, len(claims))
	persons := make(map[int32]struct{}, len(claims))
	var allowed []decisionRow
	for i := range claims {
		c := &claims[i]
		n, known := s.find(c.MessageID)
		if !known {
			return fmt.Errorf("claim %d messages: message %.40s: %w", len(claims), c.MessageID, ErrNoMessage)
		}
		if problem := s.claimProblem(n, c, persons); problem != "" {
			return fmt.Errorf("claim %d messages: %w", len(claims), &MessageError{c.MessageID, s.messages[n].state.name(), problem})
		}
		numbers[i] = n
		if m := &s.messages[n]; m.rule != 0 {
			allowed = append(allowed, decisionRow{
				seq: s.nextSeq + int64(len(allowed)), message: n, attempts: m.attempts, verdict: plan.Allow,
				inputs: c.Decision.Inputs, at: c.At,
			})
		}
	}
	err := db.change(ctx, func(tx *transaction) error {
		if err := tx.appendRows(schemaMain, "claims", len(claims), func(i int) []driver.Value {
			return []driver.Value{numbers[i], s.messages[numbers[i]].attempts + 1, timestamp(claims[i].At)}
		}); err != nil {
			return err
		}
		return writeDecisions(tx, allowed)
	}, func(s *state) {
		s.applyDecisions(allowed)
		for i, n := range numbers {
			s.claim(n, micros(claims[i].At))
		}
	})
	if err != nil {
		return fmt.Errorf("claim %d messages: %w", len(claims), err)
	}
	return nil
}

// claimProblem says why a message cannot be claimed; empty if it can. persons
// are those of the claims before it.
func (s *state) claimProblem(n int32, c *Claim, persons map[int32]struct{}) string {
	m := &s.messages[n]
	p := s.plans[m.plan]
	person := s.person(m)
	_, again := persons[person]
	persons[person] = struct{}{}
	switch {
	case !plan.CanMove(m.state.name(), plan.Claimed, plan.ByClaim):
		return "only a waiting message can be claimed"
	case !p.active():
		return fmt.Sprintf("its plan is %s", p.status())
	case c.AttemptID != attemptID(m.id, m.attempts+1):
		return "the attempt is not its next one"
	case again:
		return "another message to the same person is in this claim: the next must be judged after it"
	case s.messagedByPlan(m):
		return "its plan has written to the same person already"
	}
	return ""
}

// messagedByPlan says whether the plan has another message that went to the
// person.
func (s *state) messagedByPlan(m *message) bool {
	for member := range s.people.graph.Members(s.person(m)) {
		for at := s.people.messageOf[member]; at != 0; at = s.messages[at-1].next {
			other := &s.messages[at-1]
			if other.plan == m.plan && other != m && (other.state == claimed || other.state == accepted || other.state == unknown) {
				return true
			}
		}
	}
	return false
}

func (s *state) claim(n int32, at int64) {
	s.alter(n, func(m *message) {
		m.state, m.rule, m.notBefore, m.claimedAt = claimed, 0, 0, at
		m.attempts++
	})
	s.plans[s.messages[n].plan].begun = true
}

// settlementRow is a row of settlements.
type settlementRow struct {
	Settlement
	seq     int64
	message int32
	ordinal int32
}

// Settle records the outcomes of attempts, in one commit. A message that was
// refused waits again, or is cancelled with its plan. A *MessageError names the
// first settlement that is not of its message's open attempt; then nothing is
// stored.
func (db *DB) Settle(ctx context.Context, settlements []Settlement) error {
	if len(settlements) == 0 {
		return nil
	}
	db.writing.Lock()
	defer db.writing.Unlock()
	if err := db.settle(ctx, settlements); err != nil {
		return fmt.Errorf("settle %d attempts: %w", len(settlements), err)
	}
	if slices.ContainsFunc(settlements, func(s Settlement) bool { return s.Outcome == Refused }) {
		db.signal()
	}
	return nil
}

func (db *DB) settle(ctx context.Context, settlements []Settlement) error {
	s := &db.state
	rows := make([]settlementRow, len(settlements))
	var cancels []decisionRow
	var consents []consentRow
	seq := s.nextSeq
	seen := make(map[int32]struct{}, len(settlements))
	for i, one := range settlements {
		n, known := s.find(one.MessageID)
		if !known {
			return fmt.Errorf("message %.40s: %w", one.MessageID, ErrNoMessage)
		}
		m := &s.messages[n]
		_, again := seen[n]
		seen[n] = struct{}{}
		switch {
		case m.state != claimed || again || one.AttemptID != attemptID(m.id, m.attempts):
			return &MessageError{one.MessageID, m.state.name(), "the settlement is not of its open attempt"}
		case one.Outcome != Accepted && one.Outcome != Failed && one.Outcome != Unknown && one.Outcome != Refused:
			return &MessageError{one.MessageID, m.state.name(), fmt.Sprintf("there is no outcome %q", one.Outcome)}
		}
		rows[i] = settlementRow{Settlement: one, seq: seq, message: n, ordinal: m.attempts}
		seq++
		after := *m
		after.settle(one.Outcome, micros(one.NotBefore), s.plans[m.plan].cancelled)
		if after.state == cancelled {
			cancels = append(cancels, decisionRow{seq: seq, message: n, attempts: m.attempts, verdict: plan.Cancel, at: one.At})
			seq++
		}
		if one.OptedOut {
			consents = append(consents, s.platformOptOut(m, &one, seq))
			seq++
		}
	}
	return db.change(ctx, func(tx *transaction) error {
		if err := appendAll(tx, schemaMain, "settlements", rows, settlementValues); err != nil {
			return err
		}
		if err := writeDecisions(tx, cancels); err != nil {
			return err
		}
		return writeConsents(tx, consents)
	}, func(s *state) {
		for _, r := range rows {
			s.settle(r.message, r.Outcome, micros(r.NotBefore))
		}
		for _, c := range consents {
			s.people.mergeConsent(c.number, c.category, timesOf(c.state, c.source, c.at))
			s.wordEvents[c.eventID] = struct{}{}
		}
		s.nextSeq = seq
	})
}

// platformOptOut is what a refusal says of a customer who stopped marketing at
// the provider.
func (s *state) platformOptOut(m *message, one *Settlement, seq int64) consentRow {
	whose := m.recipient
	if whose == nobody {
		whose = m.customer
	}
	return consentRow{
		seq: seq, number: whose, category: consentMarketing, state: optedOut, source: SourceProvider,
		at: positive(micros(one.At)), eventID: "consent:" + one.AttemptID,
		evidence: "the provider refused a message, error " + one.ErrorCode,
	}
}

func (s *state) settle(n int32, outcome Outcome, notBefore int64) {
	s.alter(n, func(m *message) { m.settle(outcome, notBefore, s.plans[m.plan].cancelled) })
	if m := &s.messages[n]; m.state == waiting && s.plans[m.plan].active() && !m.queued {
		s.enqueue(n)
	}
}

func settlementValues(r *settlementRow) []driver.Value {
	content := r.Content
	if content == nil {
		content = &event.Content{}
	}
	var ms driver.Value
	if r.RequestTime > 0 {
		ms = r.RequestTime.Milliseconds()
	}
	return []driver.Value{
		r.seq, r.message, r.ordinal, timestamp(r.At), string(r.Outcome), event.StoredMessageID(r.ProviderMessageID), r.ErrorCode, r.ErrorClass,
		timestamp(r.NotBefore), ms, pointer(content.Chars), pointer(content.OpensWithName),
		pointer(content.HasCallToAction), pointer(content.HasLink), orNull(content.MediaKind),
	}
}

// recover settles as unknown what was claimed when the process ended: whether
// the provider was called is not known.
func (db *DB) recover(ctx context.Context) (int, error) {
	db.writing.Lock()
	defer db.writing.Unlock()
	var lost []Settlement
	for n := range db.state.messages {
		if m := &db.state.messages[n]; m.state == claimed {
			lost = append(lost, Settlement{
				MessageID: m.id.String(), AttemptID: attemptID(m.id, m.attempts), At: db.now(), Outcome: Unknown,
			})
		}
	}
	if len(lost) == 0 {
		return 0, nil
	}
	return len(lost), db.settle(ctx, lost)
}
