package campaign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/models"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/sender/template"
	"github.com/goodhour/goodhour/warehouse"
)

const (
	paulo  = "America/Sao_Paulo"
	berlin = "Europe/Berlin"
	number = "5511000"
	day    = 24 * time.Hour
)

// The models look from asOf; plans are made at planned, 09:10 in São Paulo.
var (
	asOf    = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	planned = asOf.Add(10 * time.Minute)
	quiet   = slog.New(slog.DiscardHandler)
)

// customer is someone in the world.
type customer struct {
	key, phone, name, zone string
	consent                []string      // states, in order
	orderedAgo             time.Duration // 0: never
	amount                 string
	delivered              int // messages, 100 days ago
}

// ordinary customers can be written to and are hot.
const ordinary = 200

// population is what the tests plan for: ordinary customers, and one or two of
// each kind that some rule keeps out.
func population() []customer {
	var all []customer
	for i := range ordinary {
		all = append(all, customer{
			key: fmt.Sprintf("c-%03d", i), phone: fmt.Sprintf("+55119%08d", 10_000_000+i), name: fmt.Sprintf("Nome%03d", i), zone: paulo,
			consent: []string{"opted_in"}, orderedAgo: 3 * day, amount: fmt.Sprint(10 + i),
		})
	}
	special := func(key, phone string, change func(*customer)) {
		c := customer{key: key, phone: phone, name: "Nome" + key, zone: paulo, consent: []string{"opted_in"}, orderedAgo: 20 * day, amount: "5"}
		change(&c)
		all = append(all, c)
	}
	special("x-noname", "+5511920000001", func(c *customer) { c.name = "" })
	special("x-noconsent", "+5511920000002", func(c *customer) { c.consent = nil })
	special("x-stopped", "+5511920000003", func(c *customer) { c.consent = []string{"opted_in", "opted_out"} })
	special("x-noaddress", "", func(*customer) {})
	special("x-nozone", "+4915120000004", func(c *customer) { c.zone = "" })
	special("x-cold", "+5511920000005", func(c *customer) { c.orderedAgo, c.delivered = 300*day, 2 })
	special("x-berlin", "+4915120000006", func(c *customer) { c.zone = berlin })
	special("x-twin-a", "+5511920000007", func(c *customer) { c.amount = "900" })
	special("x-twin-b", "+5511920000008", func(*customer) {})
	return all
}

func (c *customer) person() event.Person {
	return event.Person{Phone: c.phone, ExternalIDs: map[string]string{"customer": c.key}}
}

// events are the customer's past.
func (c *customer) events() []event.Event {
	at := asOf.AddDate(0, 0, -350)
	out := []event.Event{newEvent("joined-"+c.key, c.key, at, event.CustomerUpdatedData{Person: c.person(), TimeZone: c.zone, Name: c.name})}
	for i, state := range c.consent {
		out = append(out, newEvent(fmt.Sprint("consent-", c.key, i), c.key, at.Add(time.Duration(i)*time.Hour), event.ConsentChangedData{
			Person: c.person(), Category: "marketing", State: state, Source: "form",
		}))
	}
	if c.orderedAgo > 0 {
		amount, err := event.ParseAmount(c.amount)
		if err != nil {
			panic(err)
		}
		out = append(out, newEvent("order-"+c.key, c.key, asOf.Add(-c.orderedAgo), event.OrderCompletedData{
			Person: c.person(), OrderID: "o-" + c.key, Amount: amount, Currency: "BRL",
		}))
	}
	for i := range c.delivered {
		id := fmt.Sprint("delivered-", c.key, i)
		out = append(out, newEvent(id, c.key, asOf.AddDate(0, 0, -100-i), event.MessageDeliveredData{
			Person: c.person(), Message: event.Message{ProviderMessageID: id, Provider: "meta", NumberID: number},
		}))
	}
	return out
}

func newEvent(id, key string, at time.Time, data event.Data) event.Event {
	e, err := event.New(id, "test", key, at, data)
	if err != nil {
		panic(err)
	}
	return e
}

func newKeyer() *identity.Keyer {
	keyer, err := identity.NewKeyer(bytes.Repeat([]byte{7}, identity.MinKeyBytes))
	if err != nil {
		panic(err)
	}
	return keyer
}

// world is a warehouse and what its models published.
type world struct {
	dir       string
	keyer     *identity.Keyer
	warehouse *warehouse.DB
	library   *warehouse.Library
	batch     *event.Batch
	topics    topics
}

// topics counts records by topic.
type topics map[string]int64

// batch decodes events as a consumer would, going on where the topics stand.
func (l topics) batch(keyer *identity.Keyer, events []event.Event) (*event.Batch, error) {
	decoder, batch := event.NewDecoder(keyer), &event.Batch{}
	from := topics{}
	for i := range events {
		record, err := events[i].Record("")
		if err != nil {
			return nil, err
		}
		if _, seen := from[record.Topic]; !seen {
			from[record.Topic] = l[record.Topic]
		}
		record.Time, record.Offset = planned, l[record.Topic]
		l[record.Topic]++
		decoder.Decode(&record, batch)
	}
	if len(batch.DeadLetters) > 0 {
		return nil, fmt.Errorf("a dead letter: %s", batch.DeadLetters[0].Reason)
	}
	for topic, n := range from {
		if n == 0 {
			n = -1 // nothing is stored of it
		}
		batch.Moves = append(batch.Moves, event.Move{Partition: event.Partition{ClusterID: "test", Topic: topic}, From: n, To: l[topic]})
	}
	return batch, nil
}

// newWorld loads the customers' past into a warehouse, runs goodhour's own
// models on a copy, runs more SQL on it, and publishes it.
func newWorld(dir string, customers []customer, more string) (w *world, err error) {
	ctx := context.Background()
	w = &world{dir: dir, keyer: newKeyer(), topics: topics{}}
	var events []event.Event
	for i := range customers {
		events = append(events, customers[i].events()...)
	}
	if w.batch, err = w.topics.batch(w.keyer, events); err != nil {
		return nil, err
	}
	w.warehouse, err = warehouse.Open(ctx, warehouse.Options{
		Path: filepath.Join(dir, "live", "warehouse.duckdb"), Now: func() time.Time { return planned }, Logger: quiet,
	})
	if err != nil {
		return nil, err
	}
	if err := w.warehouse.Load(ctx, w.batch); err != nil {
		return nil, err
	}
	if w.library, err = warehouse.OpenLibrary(ctx, dir, warehouse.Limits{}, quiet); err != nil {
		return nil, err
	}
	publication, err := w.library.New(asOf)
	if err != nil {
		return nil, err
	}
	if err := w.build(ctx, publication.Path(), more); err != nil {
		return nil, err
	}
	_, err = publication.Commit(ctx)
	return w, err
}

func (w *world) build(ctx context.Context, path, more string) (err error) {
	if _, err := w.warehouse.Copy(ctx, path); err != nil {
		return err
	}
	build, err := warehouse.OpenBuild(ctx, path, warehouse.BuildLimits{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, build.Close()) }()
	conn, err := build.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	result, err := models.Run(ctx, conn, models.Options{AsOf: asOf, Now: time.Now})
	if err != nil {
		return err
	}
	if more != "" {
		if _, err := conn.ExecContext(ctx, more); err != nil {
			return err
		}
	}
	return warehouse.Describe(ctx, build, warehouse.Info{
		AsOf: asOf, PublishedAt: asOf.Add(time.Minute), ModelVersion: result.ModelVersion, ConfigHash: result.ConfigHash, Version: "test",
	})
}

func (w *world) close() error {
	return errors.Join(w.library.Close(), w.warehouse.Close())
}

// eveningPeople are those whose best hour is 20:00; all others have none of
// their own.
const eveningPeople = `
update marts.customer_send_hours
set send_hour_local = 20, hour_reason = 'segment', propensity = 0.9
where customer_id in (select customer_id from marts.customers where external_id < 'c-100')`

// shared is one world for all tests: nobody writes to it.
var shared = sync.OnceValues(func() (*world, error) {
	dir, err := os.MkdirTemp("", "campaign")
	if err != nil {
		return nil, err
	}
	return newWorld(dir, population(), eveningPeople)
})

func TestMain(m *testing.M) {
	code := m.Run()
	if w, err := shared(); err == nil {
		_ = w.close()
		_ = os.RemoveAll(w.dir)
	}
	os.Exit(code)
}

// bench is a service on the shared world, with a ledger of its own.
type bench struct {
	*Service
	t      testing.TB
	world  *world
	topics topics
	ledger *ledger.DB
	path   string
	now    time.Time
	// arriving are events that the barrier waits for.
	arriving []event.Event
	account  Account
}

func setup(t testing.TB) *bench {
	t.Helper()
	w, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return setupIn(t, w)
}

func setupIn(t testing.TB, w *world) *bench {
	t.Helper()
	b := &bench{
		t: t, world: w, topics: topics{}, path: filepath.Join(t.TempDir(), "ledger.duckdb"), now: planned,
		account: Account{Name: "shop", Provider: "meta", Mode: plan.Sandbox, Numbers: []string{number, number + "1"}},
	}
	maps.Copy(b.topics, w.topics)
	b.open()
	if err := b.ledger.Load(t.Context(), w.batch); err != nil {
		t.Fatal(err)
	}
	if err := b.ledger.SaveTemplates(t.Context(), "shop", templates(), planned); err != nil {
		t.Fatal(err)
	}
	return b
}

// templates of the account.
func templates() []template.Template {
	body := func(name string, category plan.Category, status policy.TemplateStatus, text string) template.Template {
		return template.Template{
			Name: name, Language: "pt_BR", Category: category, Status: status,
			Components: []template.Component{{Part: template.Body, Text: text}},
		}
	}
	return []template.Template{
		body("offer", plan.Marketing, policy.TemplateApproved, "Oi {{1}}, use {{2}}"),
		body("plain", plan.Marketing, policy.TemplateApproved, "Novidades na loja"),
		body("shipped", plan.Utility, policy.TemplateApproved, "Pedido {{1}} enviado"),
		body("in_review", plan.Marketing, policy.TemplatePending, "Novidades"),
		body("rejected", plan.Marketing, policy.TemplateRejected, "Novidades"),
	}
}

// open opens the ledger and a service on it, as a start of the process does.
func (b *bench) open() {
	b.t.Helper()
	db, err := ledger.Open(context.Background(), ledger.Options{
		Path: b.path, Threads: 1, Rules: defaultRules(b.t), Now: func() time.Time { return b.now }, Logger: quiet,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.ledger = db
	b.t.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.t.Error(err)
		}
	})
	b.start()
}

// start makes the service anew, with the account as it is by now.
func (b *bench) start() {
	b.t.Helper()
	var err error
	b.Service, err = NewService(Config{
		Ledger: b.ledger, Library: b.world.library, Personal: b.world.warehouse, Accounts: []Account{b.account},
		Rules: defaultRules(b.t), Now: func() time.Time { return b.now }, Barrier: b, Keyer: b.world.keyer,
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// WaitForEnd implements Barrier: it loads what is arriving.
func (b *bench) WaitForEnd(ctx context.Context) error {
	if len(b.arriving) == 0 {
		return ctx.Err()
	}
	batch, err := b.topics.batch(b.world.keyer, b.arriving)
	if err != nil {
		return err
	}
	b.arriving = nil
	return b.ledger.Load(ctx, batch)
}

// customer is the id of a key.
func (b *bench) customer(key string) identity.ID {
	return b.world.keyer.ID(identity.NamespaceCustomer, key)
}

// create stores a campaign's file.
func (b *bench) create(file string) string {
	b.t.Helper()
	stored, err := b.Create(b.t.Context(), []byte(file), "ana")
	if err != nil {
		b.t.Fatalf("%v\n%s", err, file)
	}
	return stored.ID
}

// plan stores a campaign and plans it.
func (b *bench) plan(file string) *Report {
	b.t.Helper()
	report, err := b.Plan(b.t.Context(), b.create(file), "ana")
	if err != nil {
		b.t.Fatalf("%v\n%s", err, file)
	}
	return report
}

// message is the plan's to a customer's key.
func (b *bench) message(planID, key string) ledger.MessageDetail {
	b.t.Helper()
	list, err := b.Explain(b.t.Context(), planID, key)
	if err != nil || len(list) != 1 {
		b.t.Fatalf("explain %s: %d messages, %v", key, len(list), err)
	}
	return list[0]
}

// messages are all of a plan's.
func (b *bench) messages(planID string) []ledger.MessageDetail {
	b.t.Helper()
	var all []ledger.MessageDetail
	for after := ""; ; {
		page, err := b.Decisions(b.t.Context(), planID, "", after, 100)
		if err != nil {
			b.t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		after = page[len(page)-1].ID
	}
}

// everyone is a campaign to every customer that there is, without parameters.
func everyone(id, template, more string) string {
	return fmt.Sprintf(`
id: %s
audience: {sql: "select customer_id, external_id, spend_amount as score from marts.customers"}
template: {name: %s, language: pt_BR}
account: shop
schedule: {send: best_time}
%s`, id, template, more)
}
