package api

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/campaign"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/sender/template"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

// sendingNow is when the campaigns of the tests are planned: at noon in São Paulo.
var sendingNow = time.Date(2026, 3, 1, 15, 0, 0, 0, time.UTC)

const testNumber = "106540352242922"

// sending is what stands behind the campaigns: a ledger that reads the topics.
type sending struct {
	*bundle
	ledger   *ledger.DB
	consumer *ingest.Consumer
	synced   []string // accounts whose templates were asked for
	syncFail error
}

// setupSending starts a server with an account, whose ledger has read the
// events of the world from the topics.
func setupSending(t *testing.T) *sending {
	t.Helper()
	s := &sending{}
	s.bundle = setupIn(t, worldData(t), func(cfg *Config) { s.start(t, cfg) }, withMeta(t, &letters{}))
	s.publishWorld(t)
	return s
}

func (s *sending) start(t *testing.T, cfg *Config) {
	t.Helper()
	rules, err := policy.Default()
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return sendingNow }
	s.ledger, err = ledger.Open(t.Context(), ledger.Options{
		Path: filepath.Join(t.TempDir(), "ledger.duckdb"), Rules: rules, Now: now, Logger: quietLogger,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.ledger.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.ledger.SaveTemplates(t.Context(), "shop", []template.Template{testTemplate()}, sendingNow); err != nil {
		t.Fatal(err)
	}
	cfg.Campaigns, err = campaign.NewService(campaign.Config{
		Ledger: s.ledger, Library: cfg.Library, Personal: warehousetest.New(t), Rules: rules, Now: now, Barrier: barrier{s}, Keyer: testKeyer(),
		Accounts: []campaign.Account{{Name: "shop", Provider: "meta", Mode: plan.Sandbox, Numbers: []string{testNumber}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Accounts, cfg.Templates = []string{"shop"}, s.ledger.Templates
	cfg.SyncTemplates = func(_ context.Context, account string) (int, error) {
		s.synced = append(s.synced, account)
		return 1, s.syncFail
	}
}

// barrier is the consumer, which is made after the service.
type barrier struct{ s *sending }

func (b barrier) WaitForEnd(ctx context.Context) error { return b.s.consumer.WaitForEnd(ctx) }

func testTemplate() template.Template {
	return template.Template{
		ID: "7", Name: "hello", Language: "pt_BR", Category: plan.Marketing, Status: policy.TemplateApproved,
		Components: []template.Component{{Part: template.Body, Text: "Olá {{1}}!"}},
	}
}

// publishWorld puts the world's events into the topics and reads them into the ledger.
func (s *sending) publishWorld(t *testing.T) {
	t.Helper()
	f, err := os.Open("testdata/world.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var events []event.Event
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var e event.Event
		if err := e.UnmarshalJSON(lines.Bytes()); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	if err := s.server.publisher.Publish(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	s.consumer, err = ingest.NewConsumer(ingest.ConsumerConfig{
		Kafka: s.kafka, Topics: s.kafka.EventTopics(), Loader: s.ledger,
		NewDecoder: func() *event.Decoder { return event.NewDecoder(testKeyer()) },
		Limits:     ingest.Limits{Records: 1000, Bytes: 1 << 20, Age: 5 * time.Millisecond},
		Logger:     quietLogger, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.consumer.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	s.caughtUp()
}

// caughtUp waits until the ledger has read all that is in the topics.
func (s *sending) caughtUp() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if err := s.consumer.WaitForEnd(ctx); err != nil {
		s.t.Fatal(err)
	}
}

// testCampaign goes to everyone of the world.
const testCampaign = `
id: spring
audience: audience.all_reachable
account: shop
template:
  name: hello
  language: pt_BR
  parameters:
    "1": {value: Ana Souza}
schedule: {send: now, time_zone: America/Sao_Paulo}
holdout: {control_percent: 0}
`

// planned stores the campaign and plans it, and returns the report.
func (s *sending) planned(token string) map[string]any {
	s.t.Helper()
	s.call(http.MethodPost, "/v1/campaigns", token, testCampaign, "Content-Type", mediaYAML).is(http.StatusCreated, "")
	return s.call(http.MethodPost, "/v1/campaigns/spring/plan", token, "").is(http.StatusCreated, "").json()
}

// namedKey makes a key of that name.
func (b *bundle) namedKey(name, scopes string) string {
	b.t.Helper()
	list, err := ParseScopes(scopes)
	if err != nil {
		b.t.Fatal(err)
	}
	_, token, err := b.keys.Create(name, list, time.Time{}, principalLocal)
	if err != nil {
		b.t.Fatal(err)
	}
	return token.Reveal()
}
