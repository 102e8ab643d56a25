package sandbox

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/provider"
	"github.com/goodhour/goodhour/sender/provider/meta"
	"github.com/goodhour/goodhour/sender/template"
)

const (
	testToken  = "test-access-token"
	testSecret = "test-app-secret"
	testVerify = "test-verify-token"
)

// receiver is the business's end of the webhooks: it verifies and parses them
// as goodhour does.
type receiver struct {
	t       *testing.T
	adapter *meta.Meta

	mu     sync.Mutex
	events []event.Event
	hooks  int
	refuse int // so many webhooks are answered with 503
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Method == http.MethodGet {
		answer, err := r.adapter.ChallengeWebhook(request.URL.Query())
		if err != nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = io.WriteString(w, answer)
		return
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		r.t.Error(err)
	}
	hook := provider.Webhook{Header: request.Header, Body: body}
	if err := r.adapter.VerifyWebhook(hook); err != nil {
		r.t.Error(err)
	}
	if i := slices.IndexFunc(body, func(b byte) bool { return b >= 0x80 }); i >= 0 {
		r.t.Error("a webhook holds bytes beyond ASCII")
	}
	events, err := r.adapter.ParseWebhook(hook)
	if err != nil {
		r.t.Error(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hooks++
	if r.refuse > 0 {
		r.refuse--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	r.events = append(r.events, events...)
}

func (r *receiver) all() []event.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// shop collects the orders.
type shop struct {
	mu     sync.Mutex
	events []event.Event
	err    error
}

func (s *shop) Publish(_ context.Context, events []event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.err
	if s.err = nil; err == nil {
		s.events = append(s.events, events...)
	}
	return err
}

func (s *shop) all() []event.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

type bundle struct {
	*Sandbox
	clock    *VirtualClock
	config   Config
	receiver *receiver
	adapter  *meta.Meta
	server   *httptest.Server
	stop     func()
}

// testWorld ends before the wall of the tests' virtual clocks.
func testWorld(customers int) WorldConfig {
	return WorldConfig{Seed: 5, Customers: customers, Start: worldEnds.AddDate(0, 0, -20), End: worldEnds}
}

// open starts a sandbox in a directory, with a receiver of webhooks and the
// adapter that speaks to it.
func open(t *testing.T, dir string, change func(*Config)) *bundle {
	t.Helper()
	clock, err := OpenVirtualClock(filepath.Join(dir, "clock"), worldEnds, func() time.Time { return worldEnds.AddDate(0, 0, 30) })
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{clock: clock, receiver: &receiver{t: t}}
	hooks := httptest.NewServer(b.receiver)
	t.Cleanup(hooks.Close)
	b.config = Config{
		Dir: dir, World: testWorld(200), Clock: clock, WebhookURL: hooks.URL + "/webhooks/meta",
		Account: Account{AccessToken: provider.NewSecret(testToken), AppSecret: provider.NewSecret(testSecret), VerifyToken: provider.NewSecret(testVerify)},
		Limits:  Limits{PerSecond: 1000}, // virtual time stands while a test sends
		Logger:  slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&b.config)
	}
	if b.Sandbox, err = Open(b.config); err != nil {
		t.Fatal(err)
	}
	b.server = httptest.NewServer(b.Handler())
	t.Cleanup(b.server.Close)
	b.adapter, err = meta.New(meta.Config{
		Name: "sandbox", BaseURL: b.server.URL, AccountID: DefaultWABAID, Token: provider.NewSecret(testToken),
		AppSecrets: []provider.Secret{provider.NewSecret(testSecret)}, VerifyToken: provider.NewSecret(testVerify),
	}, &http.Client{Transport: &http.Transport{}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	b.receiver.adapter = b.adapter
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the sandbox ended: %v", err)
		}
		b.server.Close()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(b.stop)
	return b
}

// advance lets virtual time pass, as a driver does.
func (b *bundle) advance(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	end := b.clock.Now().Add(d)
	for {
		if err := b.WaitQuiet(ctx); err != nil {
			t.Fatalf("not quiet: %v; %+v", err, b.Health())
		}
		if !b.clock.Now().Before(end) {
			return
		}
		next, pending := b.NextDue()
		if !pending || next.After(end) {
			next = end
		}
		if _, err := b.clock.Advance(next); err != nil {
			t.Fatal(err)
		}
	}
}

// arrivals is the English template of the sandbox.
func arrivals() *template.Template {
	list := Templates()
	return &list[0]
}

func request(t *testing.T, to provider.Address, nth int) provider.Request {
	t.Helper()
	message, err := provider.NewTemplateMessage(arrivals(), map[string]string{"1": "Ana"})
	if err != nil {
		t.Fatal(err)
	}
	return provider.Request{MessageID: messageID(nth), NumberID: DefaultNumberID, To: to, Category: plan.Marketing, Template: message}
}

func messageID(nth int) string { return strings.ToLower(key(nth).hex(32)) }

func (b *bundle) to(i int) provider.Address {
	c := b.World().Customer(i)
	if c.Phone == "" {
		return provider.Address{BSUID: c.BSUID}
	}
	return provider.Address{Phone: c.Phone}
}

// send sends a template to each of the first n customers, and returns the
// errors by their code.
func (b *bundle) send(t *testing.T, n int) map[string]int {
	t.Helper()
	codes := make(map[string]int)
	for i := range n {
		response, err := b.adapter.Send(t.Context(), request(t, b.to(i), i))
		if refused, ok := errors.AsType[*provider.Error](err); ok {
			codes[string(refused.Class)+" "+refused.Code]++
			continue
		}
		if err != nil || response.ProviderMessageID == "" {
			t.Fatalf("answer without id: %v", err)
		}
	}
	return codes
}

func kinds(events []event.Event) map[string]int {
	counts := make(map[string]int)
	for i := range events {
		counts[events[i].Kind.String()]++
	}
	return counts
}
