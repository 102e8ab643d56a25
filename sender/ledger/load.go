package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/stopword"
	"github.com/goodhour/goodhour/warehouse/dbfile"
)

// Load commits a batch in one transaction: the moves of its partitions, and
// what its events say that was not known. It implements ingest.Loader.
//
// If a partition does not stand where its move begins, nothing is written and
// the error is an *event.FencedError. After any other error nothing is written
// either, except that an error of the commit itself leaves it open: then every
// further call fails, until the ledger is opened again.
//
// What is kept is the newest of each thing, or a set, so the order, repetition
// and lateness of events make no difference.
func (db *DB) Load(ctx context.Context, batch *event.Batch) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	p := project(&db.state, batch)
	return db.change(ctx, func(tx *transaction) error {
		if err := dbfile.Move(ctx, tx, batch.Moves, db.now()); err != nil {
			return err
		}
		return p.write(tx)
	}, p.apply)
}

// projection is what a batch changes.
type projection struct {
	state      *state
	newcomers  *newcomers
	links      []pair
	unlinks    []pair
	consents   map[consentKey]consentTimes
	consentRow []consentRow
	inbound    map[inboundKey]int64
	statuses   map[int32]*message // copies, as they will be
	statusRow  []statusRow
}

// pair is two identities by number.
type pair struct{ a, b int32 }

type consentKey struct {
	number   int32
	category consentCategory
}

type consentRow struct {
	seq      int64 // 0: not an event of ours
	number   int32
	category consentCategory
	state    string
	source   string
	at       int64
	eventID  string
	evidence string
}

type inboundKey struct {
	number   int32
	numberID string
}

type statusRow struct {
	message int32
	status  deliveryCode
	at      int64
}

// project says what a batch changes. It changes nothing itself.
func project(s *state, batch *event.Batch) *projection {
	p := &projection{
		state: s, newcomers: s.newcomers(),
		consents: make(map[consentKey]consentTimes),
		inbound:  make(map[inboundKey]int64),
		statuses: make(map[int32]*message),
	}
	for _, one := range batch.Identities {
		p.newcomers.see(one)
	}
	graph := &s.people.graph
	p.links = p.unknown(batch.Links, graph.Linked)
	p.unlinks = p.unknown(batch.Unlinks, graph.Unlinked)
	p.consentChanged(batch.Rows[event.ConsentChanged])
	p.received(batch.Rows[event.MessageReceived])
	for _, status := range []struct {
		kind event.Kind
		code deliveryCode
	}{{event.MessageSent, 1}, {event.MessageFailed, deliveryFailed}, {event.MessageDelivered, 3}, {event.MessageRead, 4}} {
		p.status(batch.Rows[status.kind], status.code)
	}
	return p
}

// unknown returns the links, or unlinks, that are not stored.
func (p *projection) unknown(links []event.SeenLink, stored func(a, b int32) bool) (out []pair) {
	for _, l := range links {
		a, b := p.newcomers.number(l.A), p.newcomers.number(l.B)
		if a != b && (p.newcomers.isNew(a) || p.newcomers.isNew(b) || !stored(a, b)) {
			out = append(out, pair{a, b})
		}
	}
	return out
}

func (p *projection) consentChanged(rows *event.Rows) {
	if rows == nil {
		return
	}
	columns := columnsOf(rows)
	category, state, source := columns("category"), columns("state"), columns("source")
	for i := range rows.Len() {
		code, known := consentCategoryOf(string(category.Text.At(i)))
		if !known {
			continue // the decoder knows no other
		}
		p.consent(consentRow{
			number: p.newcomers.number(rows.Identity[i]), category: code,
			state: string(state.Text.At(i)), source: string(source.Text.At(i)), at: positive(rows.Time[i]),
		})
	}
}

// consent notes what a consent event says. A row is written where it says
// something new, and always where it becomes an event of ours.
func (p *projection) consent(row consentRow) {
	key := consentKey{row.number, row.category}
	times, seen := p.consents[key]
	if !seen && !p.newcomers.isNew(row.number) {
		if stored := p.state.people.consent(row.number, row.category); stored != nil {
			times = stored.consentTimes
		}
	}
	if times.merge(timesOf(row.state, row.source, row.at)) || row.eventID != "" {
		p.consents[key] = times
		p.consentRow = append(p.consentRow, row)
	}
}

// received opens windows and obeys stop and start words.
func (p *projection) received(rows *event.Rows) {
	if rows == nil {
		return
	}
	columns := columnsOf(rows)
	numberID, kind, text, payload := columns("number_id"), columns("kind"), columns("text"), columns("payload")
	words := make(map[string]struct{})
	for i := range rows.Len() {
		switch string(kind.Text.At(i)) {
		case "system", "other", "unsupported":
			continue // not what the customer wrote
		}
		n, at := p.newcomers.number(rows.Identity[i]), positive(rows.Time[i])
		p.window(n, string(numberID.Text.At(i)), at)
		match := stopword.Classify(string(text.Text.At(i)), string(payload.Text.At(i)))
		imported := bytes.HasPrefix(rows.Source.At(i), []byte(event.ImportSource))
		if match.Action == stopword.None || match.Action == stopword.OptIn && imported {
			continue // no file undoes an opt-out, nor what it says that customers wrote
		}
		row := consentRow{
			number: n, category: consentMarketing, state: optedOut, source: SourceInbound, at: at,
			eventID:  wordEventID(rows.Source.At(i), rows.ID.At(i)),
			evidence: string(match.Action) + " word, language " + match.Language,
		}
		if match.Action == stopword.OptIn {
			row.state = optedIn
		}
		if _, again := p.state.wordEvents[row.eventID]; again {
			continue
		}
		if _, again := words[row.eventID]; again {
			continue
		}
		words[row.eventID] = struct{}{}
		row.seq = p.state.nextSeq + int64(len(words)) - 1
		p.consent(row)
	}
}

// wordEventID is the id of the consent event that an inbound message becomes:
// of its source and id only, so that a replay gives the same event.
func wordEventID(source, id []byte) string {
	hash := sha256.New()
	hash.Write(source)
	hash.Write([]byte{0})
	hash.Write(id)
	return "consent:" + hex.EncodeToString(hash.Sum(nil)[:16])
}

func (p *projection) window(n int32, numberID string, at int64) {
	key := inboundKey{n, numberID}
	last, seen := p.inbound[key]
	if !seen && !p.newcomers.isNew(n) {
		last = p.state.people.lastInbound(n, numberID)
	}
	if at > last {
		p.inbound[key] = at
	}
}

// status follows our messages by the id that the provider echoes.
func (p *projection) status(rows *event.Rows, code deliveryCode) {
	if rows == nil || len(p.state.messages) == 0 {
		return
	}
	ids := columnsOf(rows)("message_id")
	for i := range rows.Len() {
		if !ids.Valid[i] {
			continue
		}
		n, ours := p.state.find(string(ids.Text.At(i)))
		if !ours {
			continue
		}
		m := p.statuses[n]
		if m == nil {
			stored := p.state.messages[n]
			m = &stored
		}
		before := *m
		m.heard(code)
		if m.delivery == before.delivery && m.proved == before.proved {
			continue
		}
		p.statuses[n] = m
		p.statusRow = append(p.statusRow, statusRow{message: n, status: code, at: rows.Time[i]})
	}
}

// columnsOf finds the columns of a kind's rows by name.
func columnsOf(rows *event.Rows) func(name string) *event.ColumnData {
	spec := rows.Kind.Spec()
	return func(name string) *event.ColumnData { return &rows.Columns[spec.Column(name)] }
}

func (p *projection) write(tx *transaction) error {
	if err := p.newcomers.write(tx); err != nil {
		return err
	}
	for table, pairs := range map[string][]pair{"links": p.links, "unlinks": p.unlinks} {
		if err := appendAll(tx, schemaMain, table, pairs, func(l *pair) []driver.Value {
			return []driver.Value{l.a, l.b}
		}); err != nil {
			return err
		}
	}
	if err := writeConsents(tx, p.consentRow); err != nil {
		return err
	}
	windows := make([]inboundKey, 0, len(p.inbound))
	for key := range p.inbound {
		windows = append(windows, key)
	}
	if err := appendAll(tx, schemaMain, "inbound", windows, func(key *inboundKey) []driver.Value {
		return []driver.Value{key.number, key.numberID, instant(p.inbound[*key])}
	}); err != nil {
		return err
	}
	return appendAll(tx, schemaMain, "statuses", p.statusRow, func(r *statusRow) []driver.Value {
		return []driver.Value{r.message, string(deliveries[r.status]), instant(positive(r.at))}
	})
}

func writeConsents(tx *transaction, rows []consentRow) error {
	return appendAll(tx, schemaMain, "consents", rows, func(r *consentRow) []driver.Value {
		var seq driver.Value
		if r.seq != 0 {
			seq = r.seq
		}
		return []driver.Value{
			seq, r.number, consentNames[r.category], r.state, r.source, instant(r.at), orNull(r.eventID), orNull(r.evidence),
		}
	})
}

func (p *projection) apply(s *state) {
	p.newcomers.apply(&s.people)
	for _, l := range p.links {
		s.people.graph.Link(l.a, l.b)
	}
	for _, l := range p.unlinks {
		s.people.graph.Unlink(l.a, l.b)
	}
	for key, times := range p.consents {
		s.people.mergeConsent(key.number, key.category, times)
	}
	for _, row := range p.consentRow {
		if row.seq != 0 {
			s.wordEvents[row.eventID] = struct{}{}
			s.nextSeq++
		}
	}
	for key, at := range p.inbound {
		s.people.mergeInbound(key.number, key.numberID, at)
	}
	for n, m := range p.statuses {
		s.alter(n, func(stored *message) {
			stored.delivery, stored.proved, stored.state, stored.rule = m.delivery, m.proved, m.state, m.rule
		})
	}
}
