package sender_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/limit"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/sender/provider"
	"github.com/goodhour/goodhour/sender/provider/meta"
	"github.com/goodhour/goodhour/sender/sandbox"
	"github.com/goodhour/goodhour/sender/template"
)

const (
	accountName = "shop"
	zone        = "America/Sao_Paulo"
)

// noon is the virtual clock's start: 12:00 of a Tuesday in the customers' zone.
func noon() time.Time { return time.Date(2026, 10, 6, 15, 0, 0, 0, time.UTC) }

// fast is a rate that gives a virtual clock no trouble: 20 messages at once.
func fast() limit.NumberRate {
	return limit.NumberRate{CampaignPerMinute: 60_000, PerSecond: 1000, ProviderPerSecond: 1000}
}

// person is a customer of a test.
type person struct {
	key, phone, bsuid, name string
}

// people makes customers in Brazil.
func people(n int) []person {
	out := make([]person, n)
	for i := range out {
		out[i] = person{key: fmt.Sprintf("c-%04d", i), phone: fmt.Sprintf("+55119%08d", 10_000_000+i), name: "Ana"}
	}
	return out
}

// bench is everything a sender needs, real but for the log, which is in memory.
type bench struct {
	t      testing.TB
	path   string
	keyer  *identity.Keyer
	rules  *policy.Rules
	clock  clock
	logs   *output
	topics *topics
	ledger *ledger.DB
	people []person
	// What a sender is made with; change it before start.
	account sender.Account
	hook    func(sender.KillPoint)
	barrier sender.Barrier
	publish sender.Publisher
	sender  *sender.Sender
}

// clock is a sender's, which a test moves.
type clock interface {
	sender.Clock
	Advance(to time.Time) (time.Time, error)
}

func newClock(t testing.TB) *sandbox.VirtualClock {
	t.Helper()
	clock, err := sandbox.OpenVirtualClock(filepath.Join(t.TempDir(), "clock"), noon(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return clock
}

// setup opens a ledger that knows the people, who have all opted in. The
// provider answers at baseURL.
func setup(t testing.TB, clock clock, baseURL string, who []person) *bench {
	t.Helper()
	keyer, err := identity.NewKeyer(bytes.Repeat([]byte{7}, identity.MinKeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := policy.Default()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{
		t: t, path: filepath.Join(t.TempDir(), "ledger.duckdb"), keyer: keyer, rules: rules, clock: clock, people: who,
		logs: &output{}, topics: newTopics(keyer),
	}
	b.account = sender.Account{
		Name: accountName, Mode: plan.Sandbox, Provider: metaAt(t, baseURL, b.logs), Numbers: []string{sandbox.DefaultNumberID},
		NumberRate: fast(),
	}
	b.barrier, b.publish = b.topics, b.topics
	b.open()
	var events []event.Event
	for _, p := range who {
		events = append(events, p.joined(t)...)
	}
	if err := b.topics.Publish(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	b.load()
	b.start()
	return b
}

func (p *person) identifiers() event.Person {
	return event.Person{Phone: p.phone, BSUID: p.bsuid, ExternalIDs: map[string]string{"customer": p.key}}
}

func (p *person) joined(t testing.TB) []event.Event {
	t.Helper()
	at := noon().Add(-30 * 24 * time.Hour)
	return []event.Event{
		newEvent(t, "joined-"+p.key, p.key, at, event.CustomerUpdatedData{Person: p.identifiers(), TimeZone: zone, Name: p.name}),
		newEvent(t, "consent-"+p.key, p.key, at, event.ConsentChangedData{
			Person: p.identifiers(), Category: "marketing", State: "opted_in", Source: "form",
		}),
	}
}

func newEvent(t testing.TB, id, key string, at time.Time, data event.Data) event.Event {
	t.Helper()
	e, err := event.New(id, "test", key, at, data)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func metaAt(t testing.TB, baseURL string, logs *output) *meta.Meta {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	t.Cleanup(transport.CloseIdleConnections)
	m, err := meta.New(meta.Config{
		BaseURL: baseURL, AccountID: sandbox.DefaultWABAID, Token: credentials().AccessToken,
		AppSecrets: []provider.Secret{credentials().AppSecret}, VerifyToken: credentials().VerifyToken, Timeout: time.Minute,
	}, &http.Client{Transport: transport}, slog.New(slog.NewTextHandler(logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// credentials are those of the account.
func credentials() sandbox.Account {
	return sandbox.Account{
		AccessToken: provider.NewSecret("token"), AppSecret: provider.NewSecret("app secret"), VerifyToken: provider.NewSecret("verify"),
	}
}

// open opens the ledger, as a start of the process does.
func (b *bench) open() {
	b.t.Helper()
	db, err := ledger.Open(context.Background(), ledger.Options{
		Path: b.path, MemoryLimit: 512 << 20, Threads: 1, Rules: b.rules, Now: b.clock.Now, Logger: slog.New(slog.NewTextHandler(b.logs, nil)),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.ledger = db
	b.topics.into(db)
	b.t.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.t.Error(err)
		}
	})
}

// start makes a sender, as a start of the process does.
func (b *bench) start() {
	b.t.Helper()
	s, err := sender.New(sender.Config{
		Ledger: b.ledger, Accounts: []sender.Account{b.account}, Rules: b.rules, Barrier: b.barrier, Publisher: b.publish,
		Clock: b.clock, Hook: b.hook, Logger: slog.New(slog.NewTextHandler(b.logs, nil)),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.sender = s
	if _, err := s.SyncTemplates(b.t.Context(), accountName); err != nil {
		b.t.Fatal(err)
	}
}

// restart closes everything and opens it again.
func (b *bench) restart() {
	b.t.Helper()
	if err := b.ledger.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.open()
	b.start()
}

func (b *bench) load() {
	b.t.Helper()
	if err := b.topics.WaitForEnd(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// campaign plans and approves a message to each of some people, all due at an
// instant.
func (b *bench) campaign(id string, who []person, sendAt time.Time, change func(*plan.Message)) string {
	b.t.Helper()
	tpl := arrivals()
	p := &plan.Plan{
		CampaignID: id, Campaign: []byte(`{"id":"` + id + `","template":{"parameters":{"1":{"field":"name"}}}}`), CreatedAt: b.clock.Now(),
		Author: "ann", Audience: "audience.test", AsOf: noon(), PublishedAt: noon(), Template: tpl.Planned(),
		Provider: "meta", Account: accountName, Mode: plan.Sandbox, RulesVersion: b.rules.Version,
	}
	for i, w := range who {
		m := plan.Message{
			CampaignID: id, CustomerID: b.keyer.ID(identity.NamespaceCustomer, w.key), To: b.to(w), Category: plan.Marketing,
			NumberID: b.account.Numbers[i%len(b.account.Numbers)], Arm: plan.Treatment, State: plan.Waiting,
			SendAt: sendAt, Deadline: sendAt.Add(6 * time.Hour), SendHourLocal: 12, TimeZone: zone, HourReason: "at", Propensity: 1,
			Parameters: map[string]string{"1": w.name}, HeatClass: "hot", Priority: float64(i % 7),
		}
		if change != nil {
			change(&m)
		}
		p.Messages = append(p.Messages, m)
	}
	p.Seal()
	if err := b.ledger.AddPlan(b.t.Context(), p); err != nil {
		b.t.Fatal(err)
	}
	if err := b.ledger.Approve(b.t.Context(), p.ID, p.Hash, "bob", b.clock.Now()); err != nil {
		b.t.Fatal(err)
	}
	return p.ID
}

func (b *bench) to(p person) identity.ID {
	if p.phone != "" {
		return b.keyer.ID(identity.NamespacePhone, p.phone)
	}
	return b.keyer.ID(identity.NamespaceBSUID, p.bsuid)
}

func (b *bench) status(planID string) ledger.PlanStatus {
	b.t.Helper()
	status, err := b.ledger.Plan(b.t.Context(), planID)
	if err != nil {
		b.t.Fatal(err)
	}
	sum := 0
	for _, n := range status.States {
		sum += n
	}
	if sum != status.Messages {
		b.t.Errorf("the states %v add up to %d of %d messages", status.States, sum, status.Messages)
	}
	return status
}

// want compares a plan's states; those not named are 0.
func (b *bench) want(planID string, want map[plan.State]int) {
	b.t.Helper()
	got := b.status(planID).States
	for _, state := range plan.States() {
		if got[state] != want[state] {
			b.t.Errorf("%d messages are %s, want %d (all: %v)", got[state], state, want[state], got)
		}
	}
}

// message returns the plan's message to a person.
func (b *bench) message(planID string, p person) ledger.MessageDetail {
	b.t.Helper()
	list, err := b.ledger.Explain(b.t.Context(), planID, b.keyer.ID(identity.NamespaceCustomer, p.key))
	if err != nil || len(list) != 1 {
		b.t.Fatalf("explain: %d messages, %v", len(list), err)
	}
	return list[0]
}

// step makes a pass and publishes, and fails the test where either fails.
func (b *bench) step() (sent int) {
	b.t.Helper()
	sent, _, err := b.sender.Step(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.sender.PublishPending(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	b.load()
	return sent
}

// tick is the least that drive moves the clock.
const tick = time.Second

// drive steps and moves the clock to what is next, until an instant or until
// nothing is left to do.
func (b *bench) drive(until time.Time) {
	b.t.Helper()
	for range 100_000 {
		b.step()
		next, ok := b.sender.NextDue()
		if !ok || next.After(until) {
			b.advance(until)
			return
		}
		b.advance(later(next, b.clock.Now().Add(tick)))
	}
	b.t.Fatal("the sender does not come to an end")
}

func (b *bench) advance(to time.Time) {
	b.t.Helper()
	if _, err := b.clock.Advance(to); err != nil {
		b.t.Fatal(err)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// arrivals is the sandbox's template, with one parameter.
func arrivals() template.Template {
	all := sandbox.Templates()
	i := slices.IndexFunc(all, func(t template.Template) bool { return t.Name == "new_arrivals" && t.Language == "en_US" })
	return all[i]
}

// output is a log that several goroutines write.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// topics is the log, in memory: what is published is loaded by WaitForEnd.
type topics struct {
	keyer *identity.Keyer

	mu      sync.Mutex
	records map[string][]event.Record
	db      *ledger.DB
	trouble error // what Publish and WaitForEnd say
}

var errTrouble = errors.New("the brokers are away")

func newTopics(keyer *identity.Keyer) *topics {
	return &topics{keyer: keyer, records: make(map[string][]event.Record)}
}

func (l *topics) into(db *ledger.DB) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.db = db
}

func (l *topics) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trouble = err
}

// Publish implements sender.Publisher.
func (l *topics) Publish(_ context.Context, events []event.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.trouble != nil {
		return l.trouble
	}
	for i := range events {
		record, err := events[i].Record("goodhour.")
		if err != nil {
			return err
		}
		record.Offset, record.Time = int64(len(l.records[record.Topic])), time.Now()
		l.records[record.Topic] = append(l.records[record.Topic], record)
	}
	return nil
}

// WaitForEnd implements sender.Barrier: it loads what is not loaded yet.
func (l *topics) WaitForEnd(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.trouble != nil {
		return l.trouble
	}
	stored, err := l.db.Positions(ctx)
	if err != nil {
		return err
	}
	decoder, batch := event.NewDecoder(l.keyer), new(event.Batch)
	for topic, records := range l.records {
		from := int64(-1)
		for _, p := range stored {
			if p.Topic == topic {
				from = p.NextOffset
			}
		}
		for i := max(from, 0); i < int64(len(records)); i++ {
			record := records[i]
			decoder.Decode(&record, batch)
		}
		if end := int64(len(records)); end > max(from, 0) {
			batch.Moves = append(batch.Moves, event.Move{
				Partition: event.Partition{ClusterID: "memory", Topic: topic, TopicID: topic}, From: from, To: end,
			})
		}
	}
	if len(batch.DeadLetters) > 0 {
		return errors.New(batch.DeadLetters[0].Reason)
	}
	if len(batch.Moves) == 0 {
		return nil
	}
	return l.db.Load(ctx, batch)
}

// outcomes returns how often each attempt's event is in the log, by its id.
func (l *topics) outcomes() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[string]int)
	for _, record := range l.records["goodhour.send"] {
		var id, kind string
		for _, h := range record.Headers {
			switch h.Key {
			case "ce_id":
				id = string(h.Value)
			case "ce_type":
				kind = string(h.Value)
			}
		}
		if kind == event.MessageAttempted.String() {
			out[id]++
		}
	}
	return out
}
