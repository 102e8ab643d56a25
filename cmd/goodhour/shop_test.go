package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/sandbox"
)

// shopAccount is the name of a shop's account.
const shopAccount = "shop"

// shop is an installation that sends through a sandbox. All that is between
// them is real: HTTP on loopback, signed webhooks, the embedded broker.
type shop struct {
	t    *testing.T
	home *installation
	// What a start uses; a test may change it before open.
	clock     sender.Clock
	retention Size
	batchAge  Duration
	rules     string // file
	keysDir   string // of the account's secrets
	account   sandbox.Account
	boxURL    string
	world     sandbox.WorldConfig
	box       *sandbox.Sandbox
	log       *transcript

	app     *app
	address string // of the API
	stop    func()
}

// newShop makes a shop with its sandbox, and does not open it yet.
func newShop(t *testing.T, clock sender.Clock, customers int) *shop {
	t.Helper()
	s := &shop{
		t: t, home: newInstallation(t, nil), clock: clock, retention: defaultConfig().Kafka.EmbeddedRetention, batchAge: defaultConfig().Load.BatchAge,
		rules: withoutHoldout(t), log: newTranscript(),
	}
	dir := filepath.Join(t.TempDir(), "sandbox")
	s.keysDir = dir
	var err error
	if s.account, err = openSandboxAccount(dir); err != nil {
		t.Fatal(err)
	}
	now := clock.Now()
	s.world = sandbox.WorldConfig{
		Seed: 3, Customers: customers, Start: now.AddDate(0, 0, -40), End: now, NumberID: sandboxNumber, Provider: "meta",
	}
	s.box, err = sandbox.Open(sandbox.Config{
		Dir: dir, Account: s.account, Clock: clock, WebhookURL: "http://" + s.reserve() + "/webhooks/meta",
		World: s.world, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	listener := listenLoopback(t, "127.0.0.1:0")
	stopBox := serveHTTP(&http.Server{Handler: s.box.Handler(), ReadHeaderTimeout: 10 * time.Second}, listener)
	s.boxURL = "http://" + listener.Addr().String()
	t.Cleanup(func() {
		if err := errors.Join(stopBox(), s.box.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// reserve chooses the API's address, which the sandbox calls after every start.
func (s *shop) reserve() string {
	s.t.Helper()
	listener := listenLoopback(s.t, "127.0.0.1:0")
	s.address = listener.Addr().String()
	if err := listener.Close(); err != nil {
		s.t.Fatal(err)
	}
	return s.address
}

func listenLoopback(t *testing.T, address string) net.Listener {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// withoutHoldout writes the policy's rules without holdout and control, so that
// a test knows whom a plan writes to.
func withoutHoldout(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../sender/policy/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(b), "global_percent: 5 ", "global_percent: 0 ", 1)
	text = strings.Replace(text, "control_percent: 10 ", "control_percent: 0 ", 1)
	name := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// accountConfig is the sandbox's account as the configuration has it.
func (s *shop) accountConfig() AccountConfig {
	return AccountConfig{
		Name: shopAccount, Provider: "meta", Mode: string(plan.Sandbox), BaseURL: s.boxURL,
		AccountID: s.account.WABAID, Numbers: []string{s.account.NumberID}, CampaignPerMinute: 3000, PerSecond: 50,
		secrets: accountSecrets{token: s.account.AccessToken, appSecret: s.account.AppSecret, verifyToken: s.account.VerifyToken},
	}
}

// open opens everything that serve has, but for the loops that publish models
// and send: the test does those itself, at the instants that it means.
func (s *shop) open(ctx context.Context) {
	s.t.Helper()
	c := s.home.cli()
	c.cfg.Accounts = []AccountConfig{s.accountConfig()}
	c.cfg.Kafka.EmbeddedRetention = s.retention
	c.cfg.Load.BatchAge = s.batchAge
	c.cfg.Sender.RulesFile = s.rules
	c.cfg.API.Listen = s.address
	c.log = slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a, err := openAppAt(ctx, c, s.clock)
	if err != nil {
		s.t.Fatal(err)
	}
	server, err := a.api()
	if err != nil {
		s.t.Fatal(errors.Join(err, a.Close()))
	}
	stopAPI := serveHTTP(server.HTTPServer(server.Handler()), listenLoopback(s.t, s.address))
	stopControl, err := startControl(s.home.data, server.HTTPServer(controlHandler(a, server.SocketHandler())))
	if err != nil {
		s.t.Fatal(errors.Join(err, stopAPI(), a.Close()))
	}
	s.app = a
	a.loop("sandbox", s.box.Run)
	s.stop = func() {
		s.stop = func() {}
		if err := errors.Join(stopControl(), stopAPI(), a.Close()); err != nil {
			s.t.Error(err)
		}
	}
	s.t.Cleanup(func() { s.stop() })
	if _, err := a.sending.sender.SyncTemplates(ctx, shopAccount); err != nil {
		s.t.Fatal(err)
	}
}

// restart closes everything in good order, and opens it again.
func (s *shop) restart(ctx context.Context) {
	s.t.Helper()
	s.stop()
	s.open(ctx)
}

// publishEvents puts events on the topics and waits until both projections have them.
func (s *shop) publishEvents(ctx context.Context, events ...event.Event) {
	s.t.Helper()
	err := s.app.producer.Publish(ctx, events)
	if err = errors.Join(err, s.app.waitForEnd(ctx)); err != nil {
		s.t.Fatal(err)
	}
}

// publish runs the models.
func (s *shop) publish(ctx context.Context) {
	s.t.Helper()
	err := s.app.waitForEnd(ctx)
	if err == nil {
		_, err = s.app.publish(ctx, asOfNow)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// plan creates a campaign by the command, plans and approves it.
func (s *shop) plan(ctx context.Context, file string) string {
	s.t.Helper()
	report := s.planOnly(ctx, file)
	s.home.run(ctx, s.t, "campaign", "approve", report.ID, "--hash", report.Hash)
	return report.ID
}

type planned struct {
	ID   string `json:"plan_id"`
	Hash string `json:"hash"`
}

func (s *shop) planOnly(ctx context.Context, file string) (report planned) {
	s.t.Helper()
	name := filepath.Join(s.t.TempDir(), "campaign.yaml")
	if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
		s.t.Fatal(err)
	}
	var stored struct{ ID string }
	s.decode(s.home.run(ctx, s.t, "campaign", "create", name, "--json"), &stored)
	s.decode(s.home.run(ctx, s.t, "campaign", "plan", stored.ID, "--json"), &report)
	return report
}

func (s *shop) decode(text string, out any) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(text), out); err != nil {
		s.t.Fatalf("%v\n%s", err, text)
	}
}

// drive lets virtual time pass up to an instant, by way of everything that is
// due: what the sender sends, and what its customers answer. It is for a shop on
// a virtual clock.
func (s *shop) drive(ctx context.Context, until time.Time) {
	s.t.Helper()
	clock := s.clock.(*sandbox.VirtualClock) //nolint:forcetypeassert // see above
	for {
		s.pass(ctx)
		now, next := clock.Now(), until
		if at, due := s.app.sending.sender.NextDue(); due && at.Before(next) {
			next = later(at, now.Add(time.Second))
		}
		if at, due := s.box.NextDue(); due {
			if at = at.Truncate(time.Hour).Add(time.Hour); at.Before(next) {
				next = at
			}
		}
		if !now.Before(until) {
			return
		}
		if _, err := clock.Advance(next); err != nil {
			s.t.Fatal(err)
		}
	}
}

// pass does everything that is due at this instant of the clock.
func (s *shop) pass(ctx context.Context) {
	s.t.Helper()
	err := s.app.waitForEnd(ctx)
	if err == nil {
		_, _, err = s.app.sending.sender.Step(ctx)
	}
	if err == nil {
		_, err = s.app.sending.sender.PublishPending(ctx)
	}
	if err = errors.Join(err, s.box.WaitQuiet(ctx), s.app.waitForEnd(ctx)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) status(ctx context.Context, planID string) ledger.PlanStatus {
	s.t.Helper()
	status, err := s.app.sending.ledger.Plan(ctx, planID)
	if err != nil {
		s.t.Fatal(err)
	}
	return status
}

// message is the plan's one message to a customer.
func (s *shop) message(ctx context.Context, planID, key string) ledger.MessageDetail {
	s.t.Helper()
	list, err := s.app.sending.campaigns.Explain(ctx, planID, key)
	if err != nil || len(list) != 1 {
		s.t.Fatalf("explain %s: %d messages, %v", key, len(list), err)
	}
	return list[0]
}

// want compares where a plan's message to a customer stands, and asks the
// sandbox, in its own words over HTTP, whether it ever saw it.
func (s *shop) want(ctx context.Context, planID, key string, state plan.State, rule string) {
	s.t.Helper()
	m := s.message(ctx, planID, key)
	if m.StateNow != state || m.RuleNow != rule {
		s.t.Errorf("the message to %s is %s (%s), want %s (%s)", key, m.StateNow, m.RuleNow, state, rule)
	}
	var seen struct{ Submissions []sandbox.Submission }
	status, body := s.get(ctx, s.boxURL+"/_sandbox/submissions?message_id="+m.ID)
	if status != http.StatusOK {
		s.t.Fatalf("the sandbox answers %d: %s", status, body)
	}
	s.decode(body, &seen)
	want := 0
	if state == plan.Accepted {
		want = 1
	}
	if len(seen.Submissions) != want {
		s.t.Errorf("the message to %s was submitted %d times, want %d", key, len(seen.Submissions), want)
	}
}

func (s *shop) get(ctx context.Context, address string) (status int, body string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do(req)
}

func (s *shop) do(req *http.Request) (status int, body string) {
	s.t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// object is a JSON object of a webhook.
type object = map[string]any

// inbound is a customer's message as Meta's webhook has it: from is a phone
// without +, or empty; userID a BSUID, or empty. what adds the rest.
func inbound(id, from, userID string, at time.Time, what object) object {
	m := object{"id": id, "timestamp": strconv.FormatInt(at.Unix(), 10)}
	if from != "" {
		m["from"] = from
	}
	if userID != "" {
		m["from_user_id"] = userID
	}
	maps.Copy(m, what)
	return m
}

func typed(text string) object { return object{"type": "text", "text": object{"body": text}} }

func pressed(label, payload string) object {
	return object{"type": "button", "button": object{"text": label, "payload": payload}}
}

// webhookOf is a webhook with messages of customers.
func (s *shop) webhookOf(messages ...object) []byte {
	return s.webhook("messages", object{"messages": messages})
}

func (s *shop) webhook(field string, value object) []byte {
	s.t.Helper()
	value["messaging_product"] = "whatsapp"
	value["metadata"] = object{"display_phone_number": "15550783881", "phone_number_id": s.account.NumberID}
	b, err := json.Marshal(object{"object": "whatsapp_business_account", "entry": []object{{
		"id": s.account.WABAID, "changes": []object{{"field": field, "value": value}},
	}}})
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// signed is the signature of a webhook's bytes.
func (s *shop) signed(body []byte) string {
	mac := hmac.New(sha256.New, []byte(s.account.AppSecret.Reveal()))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// post sends a webhook with a signature, and returns the answer.
func (s *shop) post(ctx context.Context, body []byte, signature string) (status int, answer string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.address+"/webhooks/meta", bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if signature != "" {
		req.Header.Set("X-Hub-Signature-256", signature)
	}
	return s.do(req)
}

// accept posts a webhook as Meta does, and wants it accepted.
func (s *shop) accept(ctx context.Context, body []byte) {
	s.t.Helper()
	if status, answer := s.post(ctx, body, s.signed(body)); status != http.StatusOK {
		s.t.Fatalf("the webhook is answered with %d: %s", status, answer)
	}
}

// joined are the events by which a shop tells of a customer who agreed to
// marketing.
func (p person) joined(t testing.TB, zone string) []event.Event {
	t.Helper()
	who := event.Person{Phone: p.phone, BSUID: p.bsuid, Email: p.email, ExternalIDs: map[string]string{"customer": p.key}}
	return []event.Event{
		shopEvent(t, "joined:"+p.key, p.key, storyBegins, event.CustomerUpdatedData{Person: who, Name: p.name, TimeZone: zone}),
		shopEvent(t, "consent:"+p.key, p.key, storyBegins, event.ConsentChangedData{
			Person: who, Category: "marketing", State: "opted_in", Source: "form",
		}),
	}
}

func shopEvent(t testing.TB, id, subject string, at time.Time, data event.Data) event.Event {
	t.Helper()
	e, err := event.New(id, "shop", subject, at, data)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// everyone is a campaign to all customers at a time of each one's own clock.
func everyone(id, at string) string {
	return fmt.Sprintf(`
id: %s
audience: {sql: "select customer_id from marts.customers"}
template: {name: new_arrivals, language: pt_BR, parameters: {"1": {field: name, default: cliente}}}
account: %s
schedule: {send: at, at: %q}
`, id, shopAccount, at)
}
