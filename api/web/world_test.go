package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/models"
	"github.com/goodhour/goodhour/warehouse"
)

// The instants of the tests: the models look from worldAsOf, the file is
// published five minutes later, and pages are asked for at testNow.
var (
	worldAsOf   = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	worldFile   = worldAsOf.Add(5 * time.Minute)
	testNow     = worldFile.Add(3 * time.Minute)
	quietLogger = slog.New(slog.DiscardHandler)
)

// hostile is a name as an attacker would choose it. It must reach no page
// unescaped.
const hostile = `"><script>alert(1)</script><img src=x onerror='alert(2)'>{{.}}`

func testKeyer() *identity.Keyer {
	keyer, err := identity.NewKeyer([]byte("the key of the tests, 32 bytes.."))
	if err != nil {
		panic(err)
	}
	return keyer
}

// worldMaker makes the events of a small world, always the same ones.
type worldMaker struct {
	random *rand.Rand
	batch  *event.Batch
	decode *event.Decoder
	next   map[string]int64
	ids    int
	fault  error
}

func (w *worldMaker) add(subject string, at time.Time, data event.Data) {
	w.ids++
	e, err := event.New(fmt.Sprintf("e%d", w.ids), "test", subject, at.Truncate(time.Second), data)
	var record event.Record
	if err == nil {
		record, err = e.Record("")
	}
	if err != nil {
		w.fault = errors.Join(w.fault, err)
		return
	}
	record.Time, record.Offset = worldFile, w.next[record.Topic]
	w.next[record.Topic]++
	w.decode.Decode(&record, w.batch)
}

// chance is true so many times in a hundred.
func (w *worldMaker) chance(percent float64) bool { return w.random.Float64()*100 < percent }

// pull is how much a customer responds at a local hour: most before noon and in
// the evening.
func pull(hour int) float64 {
	peak := func(at, width float64) float64 { return math.Exp(-math.Pow((float64(hour)-at)/width, 2)) }
	return 0.25 + 0.55*peak(11, 2.4) + 0.75*peak(20.5, 2.2)
}

// story is one customer's life: orders, consent, messages of two campaigns and
// of another tool, reads and answers.
func (w *worldMaker) story(i int) {
	key := fmt.Sprintf("shop-%04d", i)
	if i == 7 {
		key = hostile
	}
	phone := fmt.Sprintf("+55119%08d", 10000000+i)
	joined := worldAsOf.AddDate(0, 0, -90+w.random.IntN(70))
	person := event.Person{Phone: phone}
	if w.chance(6) {
		person = event.Person{Email: fmt.Sprintf("c%d@example.com", i)}
	}
	zone, country := "America/Sao_Paulo", "BR"
	if w.chance(30) {
		zone, country = "Europe/Lisbon", "PT"
	}
	w.add(key, joined, event.CustomerUpdatedData{Person: person, TimeZone: zone, Country: country, Language: "pt", Tags: []string{"vip", hostile}})
	if !w.chance(12) {
		w.add(key, joined, event.ConsentChangedData{Person: person, Category: "marketing", State: "opted_in", Source: "form", Evidence: "checkout"})
	}
	if w.chance(5) {
		w.add(key, joined.AddDate(0, 0, 20), event.ConsentChangedData{Person: person, Category: "marketing", State: "opted_out", Source: "inbound_message", Evidence: "STOP"})
	}
	wealth := math.Exp(w.random.NormFloat64()*0.9 + 4.2)
	for n := w.random.IntN(5); n > 0; n-- {
		at := joined.Add(time.Duration(w.random.Int64N(int64(worldAsOf.Sub(joined)))))
		w.add(key, at, event.OrderCompletedData{
			Person: person, OrderID: fmt.Sprintf("o-%d-%d", i, n), Amount: event.Amount(wealth * (0.6 + w.random.Float64()) * 10_000), Currency: "BRL",
		})
	}
	if person.Phone == "" {
		return
	}
	warmth := w.random.Float64()
	for n := range 14 {
		at := worldAsOf.AddDate(0, 0, -66+4*n).Add(time.Duration(w.random.IntN(14)-1)*time.Hour + time.Duration(w.random.IntN(3600))*time.Second)
		w.message(key, person, at, fmt.Sprintf("other-%d-%d", i, n), "", warmth, zone)
	}
	w.campaign(i, key, person, "new-products-february", worldAsOf.AddDate(0, 0, -9), warmth, zone)
	w.campaign(i, key, person, hostile, worldAsOf.AddDate(0, 0, -1), warmth, zone)
}

// message is one that another tool sent, or the outcome of one of ours.
func (w *worldMaker) message(key string, person event.Person, at time.Time, id, campaign string, warmth float64, zone string) {
	m := event.Message{ProviderMessageID: id, Provider: "meta", NumberID: "5511", CampaignID: campaign}
	if campaign != "" {
		m.MessageID, m.ProviderMessageID = id, ""
	}
	after := func(seconds int) time.Time { return at.Add(time.Duration(seconds) * time.Second) }
	w.add(key, after(1), event.MessageSentData{Person: person, Message: m})
	if w.chance(3) {
		w.add(key, after(4), event.MessageFailedData{Person: person, Message: m, ErrorCode: "131026", ErrorClass: "recipient"})
		return
	}
	if w.chance(3) {
		return
	}
	w.add(key, after(5), event.MessageDeliveredData{Person: person, Message: m})
	location, err := time.LoadLocation(zone)
	if err != nil {
		w.fault = errors.Join(w.fault, err)
		return
	}
	if !w.chance(100 * warmth * pull(at.In(location).Hour())) {
		return
	}
	w.add(key, after(20+w.random.IntN(600)), event.MessageReadData{Person: person, Message: m})
	if w.chance(18) {
		w.add(key, after(700), event.MessageReceivedData{
			Person: person, ProviderMessageID: "in-" + id, Provider: "meta", NumberID: "5511", MessageKind: "text", Text: "quero saber mais",
		})
	}
}

// campaign is a decision about the customer, and what came of it.
func (w *worldMaker) campaign(i int, key string, person event.Person, id string, at time.Time, warmth float64, zone string) {
	plan, message := "plan-"+id[:3], fmt.Sprintf("m%d-%s", i, id[:3])
	hour, propensity := int64(8+w.random.IntN(14)), 0.9
	d := event.DecisionMadeData{
		PlanID: plan, CampaignID: id, MessageID: message, Stage: "planning", Verdict: "allow", Arm: "treatment", SendHourLocal: &hour,
		TimeZone: zone, HourReason: []string{"segment", "segment", "global", "explore"}[w.random.IntN(4)], Propensity: &propensity, PolicyID: "2026-11-25",
		Inputs: json.RawMessage(`{"heat_class":"warm"}`),
	}
	refuse := func(verdict, rule string) { d.Verdict, d.Rule = verdict, rule }
	switch n := w.random.IntN(100); {
	case n < 5:
		refuse("hold_out", "holdout")
		d.Arm = "holdout"
	case n < 12:
		refuse("suppress", "consent_required")
	case n < 16:
		refuse("suppress", "opted_out")
	case n < 22:
		refuse("suppress", "cold_excluded")
	case n < 24:
		refuse("suppress", "parameter_missing")
	case n < 26:
		refuse("expire", "max_lateness")
	}
	w.add(key, at, d)
	if d.Verdict != "allow" {
		return
	}
	if id == hostile && w.chance(55) { // this one is under way
		return
	}
	sent := at.Add(time.Duration(hour-8) * time.Hour)
	outcome := "accepted"
	if w.chance(2) {
		outcome = "failed"
	} else if w.chance(1) {
		outcome = "unknown"
	}
	attempt := event.MessageAttemptedData{
		MessageID: message, AttemptID: message + "-1", PlanID: plan, CampaignID: id, Template: "new_products/pt_BR", Category: "marketing", Provider: "meta",
		NumberID: "5511", Outcome: outcome, Arm: "treatment", SendHourLocal: &hour, TimeZone: zone, Propensity: &propensity, PolicyID: "2026-11-25",
	}
	if outcome == "accepted" {
		attempt.ProviderMessageID = "wamid-" + message
	} else {
		attempt.ErrorCode, attempt.ErrorClass = "131049", "recipient"
	}
	w.add(key, sent, attempt)
	if outcome == "accepted" {
		w.message(key, person, sent, message, id, warmth, zone)
	}
}

// makeWorld is the events of so many customers.
func makeWorld(customers int) (*event.Batch, error) {
	w := &worldMaker{
		random: rand.New(rand.NewPCG(20260301, 5)), batch: &event.Batch{}, decode: event.NewDecoder(testKeyer()), next: make(map[string]int64),
	}
	for i := range customers {
		w.story(i)
	}
	if w.fault != nil {
		return nil, w.fault
	}
	if n := len(w.batch.DeadLetters); n > 0 {
		return nil, fmt.Errorf("%d dead letters in the world, the first: %s", n, w.batch.DeadLetters[0].Reason)
	}
	for topic, n := range w.next {
		w.batch.Moves = append(w.batch.Moves, event.Move{Partition: event.Partition{ClusterID: "test", Topic: topic}, From: -1, To: n})
	}
	return w.batch, nil
}

// publish loads the events as ingest would, runs goodhour's own models, and
// publishes into the data directory.
func publish(ctx context.Context, data string, batch *event.Batch) (err error) {
	db, err := warehouse.Open(ctx, warehouse.Options{
		Path: filepath.Join(data, "live", "warehouse.duckdb"), Now: func() time.Time { return worldFile }, Logger: quietLogger,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if batch != nil {
		if err := db.Load(ctx, batch); err != nil {
			return err
		}
		if err := recordTrend(ctx, db); err != nil {
			return err
		}
	}
	library, err := warehouse.OpenLibrary(ctx, data, warehouse.Limits{}, quietLogger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, library.Close()) }()
	publication, err := library.New(worldFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, publication.Abort()) }()
	if _, err := db.Copy(ctx, publication.Path()); err != nil {
		return err
	}
	if err := build(ctx, publication.Path()); err != nil {
		return err
	}
	_, err = publication.Commit(ctx)
	return err
}

func build(ctx context.Context, path string) (err error) {
	db, err := warehouse.OpenBuild(ctx, path, warehouse.BuildLimits{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	result, err := models.Run(ctx, conn, models.Options{AsOf: worldAsOf, Now: time.Now})
	if err != nil {
		return err
	}
	return warehouse.Describe(ctx, db, warehouse.Info{
		AsOf: worldAsOf, PublishedAt: worldFile, ModelVersion: result.ModelVersion, ConfigHash: result.ConfigHash, Version: "test",
	})
}

// recordTrend stores two months of a daily metric.
func recordTrend(ctx context.Context, db *warehouse.DB) error {
	var all []warehouse.Snapshot
	for day := range 60 {
		asOf := worldAsOf.AddDate(0, 0, day-59)
		for i, metric := range []string{"customers_reachable", "customers_active_30d", "revenue_30d"} {
			value := 300 + 4*float64(day) + 30*math.Sin(float64(day)/float64(5+i))
			all = append(all, warehouse.Snapshot{
				TakenAt: asOf, Metric: metric, Dimension: "all", Value: &value, N: 100, Hash: "h",
				Provenance: warehouse.Provenance{AsOf: asOf, ModelVersion: "m", ConfigHash: "c"},
			})
		}
	}
	_, err := db.RecordSnapshots(ctx, all)
	return err
}

// worlds are the published files that tests share, each made once.
type worlds struct{ unpublished, empty, filled string }

// worldDir is where they are; TestMain removes it.
var worldDir string

var shared = sync.OnceValues(func() (worlds, error) {
	w := worlds{filepath.Join(worldDir, "unpublished"), filepath.Join(worldDir, "empty"), filepath.Join(worldDir, "filled")}
	batch, err := makeWorld(600)
	if err != nil {
		return w, err
	}
	return w, errors.Join(
		publish(context.Background(), w.empty, nil),
		publish(context.Background(), w.filled, batch))
})

func TestMain(m *testing.M) {
	var err error
	if worldDir, err = os.MkdirTemp("", "goodhour-web-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(worldDir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func testWorlds(t *testing.T) worlds {
	t.Helper()
	w, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// testPages are the pages of a data directory.
func testPages(t *testing.T, data string, with ...func(*Config)) *Pages {
	t.Helper()
	library, err := warehouse.OpenLibrary(t.Context(), data, warehouse.Limits{}, quietLogger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := library.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg := Config{
		Library: library, Status: func(context.Context) Status { return Status{} }, Version: "test",
		Now: func() time.Time { return testNow }, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	for _, change := range with {
		change(&cfg)
	}
	pages, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return pages
}
