package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/ingest/loadertest"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
)

// start is when the tests' world begins.
var start = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

func TestLedgerIsALoader(t *testing.T) {
	t.Parallel()
	loadertest.Run(t, func(t *testing.T) ingest.Loader { return newWorld(t).db })
}

// world is a ledger and the log that it reads.
type world struct {
	t      testing.TB
	dir    string
	path   string
	lives  int // kills so far
	db     *ledger.DB
	keyer  *identity.Keyer
	now    time.Time
	offset int64
}

func newWorld(t testing.TB) *world {
	t.Helper()
	keyer, err := identity.NewKeyer(bytes.Repeat([]byte{3}, 32))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: t.TempDir(), keyer: keyer, now: start}
	w.path = filepath.Join(w.dir, "live", "ledger.duckdb")
	w.open()
	t.Cleanup(func() {
		if err := w.db.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) open() {
	w.t.Helper()
	db, err := ledger.Open(w.t.Context(), ledger.Options{
		Path: w.path, MemoryLimit: 256 << 20, Threads: 1, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return w.now },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.db = db
}

// reopen leaves the ledger as a kill at this instant would: it opens a copy of
// the file and its write-ahead log, taken while they are open.
func (w *world) reopen() {
	w.t.Helper()
	w.lives++
	killed := filepath.Join(w.dir, fmt.Sprint(w.lives), "ledger.duckdb")
	if err := os.MkdirAll(filepath.Dir(killed), 0o700); err != nil {
		w.t.Fatal(err)
	}
	for _, suffix := range []string{"", ".wal"} {
		content, err := os.ReadFile(w.path + suffix)
		if err == nil {
			err = os.WriteFile(killed+suffix, content, 0o600)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.t.Fatal(err)
		}
	}
	if err := w.db.Close(); err != nil {
		w.t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Dir(w.path)); err != nil {
		w.t.Fatal(err)
	}
	w.path = killed
	w.open()
}

// id is the identity of a subject.
func (w *world) id(subject string) identity.ID {
	w.t.Helper()
	namespace, value, err := identity.ParseSubject(subject, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return w.keyer.ID(namespace, value)
}

// happened is an event of the tests: its time is minutes after start, and its
// id what it says and when, so that the same again is the same event.
func (w *world) happened(minutes int, subject string, data event.Data) event.Event {
	w.t.Helper()
	at := start.Add(time.Duration(minutes) * time.Minute)
	e, err := event.New(fmt.Sprintf("%s-%d-%+v", subject, minutes, data), "test", subject, at, data)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(e.ID) > 200 {
		e.ID = e.ID[:200]
	}
	return e
}

// load loads events as one batch.
func (w *world) load(events ...event.Event) {
	w.t.Helper()
	decoder, batch := event.NewDecoder(w.keyer), new(event.Batch)
	partition := event.Partition{ClusterID: "cluster", Topic: "goodhour.all", TopicID: "id"}
	from := w.offset
	if from == 0 {
		from = -1
	}
	for i := range events {
		record, err := events[i].Record("goodhour.")
		if err != nil {
			w.t.Fatal(err)
		}
		record.Offset, record.Time = w.offset, events[i].Time
		w.offset++
		decoder.Decode(&record, batch)
	}
	if len(batch.DeadLetters) > 0 {
		w.t.Fatal(batch.DeadLetters[0].Reason)
	}
	batch.Moves = []event.Move{{Partition: partition, From: from, To: w.offset}}
	if err := w.db.Load(w.t.Context(), batch); err != nil {
		w.t.Fatal(err)
	}
}

// customer makes a customer known: a shop key, a phone, and a link between.
func (w *world) customer(n int) identity.ID {
	w.t.Helper()
	w.load(w.known(n))
	return w.id(shopKey(n))
}

func (w *world) known(n int) event.Event {
	return w.happened(0, shopKey(n), event.CustomerUpdatedData{Person: event.Person{Phone: phoneOf(n)}})
}

func shopKey(n int) string { return fmt.Sprintf("external:shop:%d", n) }
func phoneOf(n int) string { return fmt.Sprintf("+55119%08d", 10000000+n) }
func phone(n int) string   { return "phone:" + phoneOf(n) }

const number = "number-1"

// message is a message of a plan to a customer that is known.
func (w *world) message(n int) plan.Message {
	return plan.Message{
		CampaignID: "spring", CustomerID: w.id(shopKey(n)), To: w.id(phone(n)), Category: plan.Marketing, NumberID: number,
		Arm: plan.Treatment, State: plan.Waiting, SendAt: start, Deadline: start.Add(48 * time.Hour), SendHourLocal: 8,
		TimeZone: "America/Sao_Paulo", HourReason: "segment", Propensity: 0.25, HeatClass: "hot",
		Parameters: map[string]string{"1": fmt.Sprintf("Ana %d", n)},
	}
}

// plan adds a plan of messages, and approves it.
func (w *world) plan(campaign string, messages ...plan.Message) *plan.Plan {
	w.t.Helper()
	p := w.planned(campaign, messages...)
	if err := w.db.Approve(w.t.Context(), p.ID, p.Hash, "bea", w.now); err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) planned(campaign string, messages ...plan.Message) *plan.Plan {
	w.t.Helper()
	p := &plan.Plan{
		CampaignID: campaign, Campaign: []byte(`{"name":"` + campaign + `"}`), CreatedAt: w.now, Author: "ana",
		Audience: "audience.all_reachable", AsOf: w.now, PublishedAt: w.now, ModelVersion: "1",
		Template: plan.Template{Name: "hello", Language: "pt_BR", Category: plan.Marketing, BodyHash: "b"},
		Provider: "sandbox", Account: "main", Mode: plan.Sandbox, RulesVersion: "1+test", Messages: messages,
	}
	for i := range p.Messages {
		p.Messages[i].CampaignID = campaign
	}
	p.Seal()
	if err := w.db.AddPlan(w.t.Context(), p); err != nil {
		w.t.Fatal(err)
	}
	return p
}

// due are the ids of what is due.
func (w *world) due() (ids []string) {
	w.t.Helper()
	messages, err := w.db.Due(w.t.Context(), w.now, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range messages {
		ids = append(ids, messages[i].ID)
	}
	return ids
}

func (w *world) claim(ids ...string) {
	w.t.Helper()
	if err := w.tryClaim(ids...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) tryClaim(ids ...string) error {
	claims := make([]ledger.Claim, len(ids))
	for i, id := range ids {
		claims[i] = ledger.Claim{
			MessageID: id, AttemptID: w.db.NextAttempt(id), At: w.now,
			Decision: plan.Decision{MessageID: id, Stage: plan.AtClaim, Verdict: plan.Allow, At: w.now},
		}
	}
	return w.db.Claim(w.t.Context(), claims)
}

// attempt is the id of a message's open attempt.
func (w *world) attempt(id string) string {
	next := w.db.NextAttempt(id)
	var ordinal int
	_, rest, _ := strings.Cut(next, "-")
	if _, err := fmt.Sscan(rest, &ordinal); err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprintf("%s-%d", id, ordinal-1)
}

func (w *world) settle(id string, outcome ledger.Outcome) {
	w.t.Helper()
	if err := w.db.Settle(w.t.Context(), []ledger.Settlement{{
		MessageID: id, AttemptID: w.attempt(id), At: w.now, Outcome: outcome, NotBefore: w.now.Add(time.Minute),
	}}); err != nil {
		w.t.Fatal(err)
	}
}

// status is a plan's.
func (w *world) status(p *plan.Plan) ledger.PlanStatus {
	w.t.Helper()
	status, err := w.db.Plan(w.t.Context(), p.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return status
}

// stateOf is a message's state of now.
func (w *world) stateOf(m *plan.Message) plan.State {
	w.t.Helper()
	return w.detail(m).StateNow
}

func (w *world) detail(m *plan.Message) ledger.MessageDetail {
	w.t.Helper()
	details, err := w.db.Explain(w.t.Context(), m.PlanID, m.CustomerID)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, d := range details {
		if d.ID == m.ID {
			return d
		}
	}
	w.t.Fatalf("message %s is not explained", m.ID)
	return ledger.MessageDetail{}
}

func (w *world) statusEvent(minutes int, n int, m *plan.Message, status ledger.DeliveryStatus) event.Event {
	about := event.Message{MessageID: m.ID, ProviderMessageID: "wamid." + m.ID, Provider: "sandbox", NumberID: number}
	var data event.Data
	switch status {
	case ledger.Sent:
		data = event.MessageSentData{Message: about}
	case ledger.Delivered:
		data = event.MessageDeliveredData{Message: about}
	case ledger.Read:
		data = event.MessageReadData{Message: about}
	default:
		data = event.MessageFailedData{Message: about, ErrorCode: "131026"}
	}
	return w.happened(minutes, phone(n), data)
}
