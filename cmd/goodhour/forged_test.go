package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what Meta's older header was made with
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/provider"
	"github.com/goodhour/goodhour/sender/provider/meta"
	"github.com/goodhour/goodhour/warehouse"
)

// startServe runs the shop as a serve in a process of its own, with everything
// that it logs, and waits until it answers.
func (s *shop) startServe(ctx context.Context) *process {
	s.t.Helper()
	secret := func(name string) string { return filepath.Join(s.keysDir, name) }
	config := writeTemp(s.t, "goodhour.yaml", fmt.Sprintf(`
accounts:
  - name: %s
    provider: meta
    mode: sandbox
    base_url: %s
    account_id: %q
    numbers: [%q]
    token_file: %s
    app_secret_file: %s
    verify_token_file: %s
`, shopAccount, s.boxURL, s.account.WABAID, s.account.NumberID,
		secret(sandboxTokenFile), secret(sandboxSecretFile), secret(sandboxVerifyFile)))
	serve := s.home.serve(s.t, "--config", config, "--set", "api.listen="+s.address,
		"--set", "log.level=debug", "--set", "sender.rules_file="+s.rules, "--set", "models.every=1h")
	serve.await(ctx, s.t, "API: http://", " ")
	return serve
}

// TestServeTakesSignedWebhooksOnly posts to a serve in a process of its own what
// nobody signed, and one stop that Meta did; then kills it at once. The stop is
// in force in the next process, whose loops send the rest of the plan.
func TestServeTakesSignedWebhooksOnly(t *testing.T) {
	t.Parallel()
	ctx := deadline(t, 2*time.Minute)
	s := newShop(t, wallClock{}, 1)
	serve := s.startServe(ctx)
	client, err := dialControl(ctx, s.home.data)
	if err != nil {
		t.Fatal(err)
	}
	info, err := client.Log(ctx)
	if err != nil {
		t.Fatal(err)
	}
	stays := person{key: "stays", phone: "+5511987654321", name: "Zelda Hidden1"}
	stops := person{key: "stops", phone: "+5511987654322", bsuid: "BR.13491208655302741918", name: "Zelda Hidden2"}
	joined := append(stays.joined(t, ""), stops.joined(t, "")...)
	if err := (&installation{brokers: info.Brokers, prefix: s.home.prefix}).connect(t).Publish(ctx, joined); err != nil {
		t.Fatal(err)
	}
	s.home.run(ctx, t, "publish")
	s.home.run(ctx, t, "template", "sync", shopAccount)
	report := s.planOnly(ctx, fmt.Sprintf(`
id: news
audience: {sql: "select customer_id from marts.customers"}
template: {name: new_arrivals, language: pt_BR, parameters: {"1": {field: name, default: cliente}}}
account: shop
schedule: {send: now, time_zone: %s}
`, noonZone(time.Now())))

	before := s.records(ctx)
	body := s.webhookOf(inbound("wamid.forged", stays.phone[1:], "", time.Now(), typed("STOP")))
	good := s.signed(body)
	old := hmac.New(sha1.New, []byte(s.account.AppSecret.Reveal()))
	old.Write(body)
	for name, signature := range map[string]string{
		"nothing": "", "no digits": "sha256=", "no hex": "sha256=zz", "no scheme": strings.TrimPrefix(good, "sha256="),
		"another scheme": "sha1=" + hex.EncodeToString(old.Sum(nil)), "a part": good[:len(good)-2], "more": good + "00",
		"another body's": s.signed([]byte("{}")), "the verify token's": forge(s.account.VerifyToken.Reveal(), body),
		"no secret's": forge("", body), "an injection": "sha256=' or '1'='1", "too much": "sha256=" + strings.Repeat("ab", 1<<14),
	} {
		if status, answer := s.post(ctx, body, signature); status != http.StatusUnauthorized || !strings.Contains(answer, "signature") {
			t.Errorf("signed with %s: answered with %d: %s", name, status, answer)
		}
	}
	for _, forged := range [][]byte{append(body, '\n'), []byte(strings.Replace(string(body), "STOP", "stop", 1))} {
		if status, _ := s.post(ctx, forged, good); status != http.StatusUnauthorized {
			t.Errorf("another body with a good signature is answered with %d", status)
		}
	}
	s.checkChallenge(ctx)
	if after := s.records(ctx); after != before {
		t.Errorf("the topics have %d records after forged webhooks, %d before", after, before)
	}

	stop := s.webhookOf(inbound("wamid.stop", "", stops.bsuid, time.Now(), typed("退订")))
	s.accept(ctx, stop)
	s.accept(ctx, s.webhook("other_field", object{"from": stays.phone[1:]})) // kept as a dead letter
	readOver := func() []byte {                                              // with a line in the log
		return s.webhook("messages", object{"statuses": []object{{
			"id": "wamid.gone", "status": "deleted", "timestamp": strconv.FormatInt(time.Now().Unix(), 10), "recipient_id": stays.phone[1:],
		}}})
	}
	s.accept(ctx, readOver())
	serve.kill(t)
	s.rejectPersonal(serve.output(), stays, stops)

	serve = s.startServe(ctx)
	s.home.run(ctx, t, "campaign", "approve", report.ID, "--hash", report.Hash)
	var status struct {
		Status plan.Status
		States map[plan.State]int
		Rules  map[string]int
	}
	s.await(ctx, func() bool {
		s.decode(s.home.run(ctx, t, "campaign", "status", report.ID, "--json"), &status)
		return status.Status == plan.Done
	})
	if status.States[plan.Accepted] != 1 || status.States[plan.Suppressed] != 1 || status.Rules["opted_out"] != 1 {
		t.Errorf("the plan ends with %v, %v; want one accepted, one opted out", status.States, status.Rules)
	}
	if counts := s.box.Counts(); counts.Submissions != 1 {
		t.Errorf("the sandbox got %d messages, want 1", counts.Submissions)
	}
	s.accept(ctx, readOver())
	serve.stop(t)
	s.rejectPersonal(serve.output(), stays, stops)
}

// forge signs as somebody who has another secret.
func forge(secret string, body []byte) string {
	other := shop{}
	other.account.AppSecret = provider.NewSecret(secret)
	return other.signed(body)
}

// records is how many records the topics hold that a webhook can write to; what
// the sender decides comes to another, when it comes.
func (s *shop) records(ctx context.Context) (total int64) {
	s.t.Helper()
	var list []partitionInfo
	s.decode(s.home.run(ctx, s.t, "offsets", "list", "--json"), &list)
	for _, p := range list {
		if p.Topic != s.home.prefix+"send" {
			total += p.NextOffset + p.Lag
		}
	}
	return total
}

func (s *shop) checkChallenge(ctx context.Context) {
	s.t.Helper()
	for token, want := range map[string]int{s.account.VerifyToken.Reveal(): http.StatusOK, "a guess": http.StatusForbidden, "": http.StatusForbidden} {
		query := url.Values{"hub.mode": {"subscribe"}, "hub.challenge": {"1158201444"}, "hub.verify_token": {token}}
		status, answer := s.get(ctx, "http://"+s.address+"/webhooks/meta?"+query.Encode())
		if status != want || (want == http.StatusOK) != (answer == "1158201444") {
			s.t.Errorf("the challenge is answered with %d: %s", status, answer)
		}
	}
}

func (s *shop) rejectPersonal(output string, people ...person) {
	s.t.Helper()
	for _, p := range people {
		for _, word := range []string{p.phone[1:], p.name, "BR.1349"} {
			if strings.Contains(output, word) {
				s.t.Errorf("serve's log shows %s", word)
			}
		}
	}
	if !strings.Contains(output, "level=DEBUG") {
		s.t.Error("serve's log has no line of level debug: the search shows little")
	}
}

// nasty is what breaks whoever pastes values into SQL, a template or a format.
// It has no blank, so that it can also be an id.
const nasty = `';drop/**/table/**/raw.message_received;--"$1{{1}}%s\u0027<img/src=x>`

// TestNastyStringsAreOnlyStrings puts an injection into every string of a webhook,
// of events, of a campaign's file and of an import, and finds them unharmed.
func TestNastyStringsAreOnlyStrings(t *testing.T) {
	t.Parallel()
	ctx := deadline(t, 2*time.Minute)
	s := newShop(t, newVirtualClock(t), 1)
	s.open(ctx)
	zelda := person{key: nasty, phone: "+5511987654321", name: nasty}
	s.publishEvents(ctx, zelda.joined(t, saoPaulo)...)
	s.publishEvents(ctx, nastyEvents(t)...)
	s.importNasty(ctx)
	s.nastyWebhooks(ctx, zelda.phone[1:])
	s.publish(ctx)

	s.wantValue(ctx, `select count(*) from raw.identities where external_id = ?`, 2) // the shop's and the CRM's
	for _, where := range []string{
		"raw.message_sent where campaign_id", "raw.message_sent where provider_message_id",
		"raw.order_completed where order_id", "raw.order_completed where coupon", "raw.message_attempted where template",
		"raw.decision_made where hour_reason", "raw.message_received where in_reply_to", "pii.consent_changed where evidence",
		"pii.message_received where payload",
	} {
		s.wantSome(ctx, "select count(*) from "+where+" = ?")
	}
	s.wantValue(ctx, `select count(*) from pii.message_received where text = ? and ce_source = '`+meta.Source+`'`, 2)
	s.wantSome(ctx, `select count(*) from pii.customer_updated where name = ? and ce_source like 'import:%'`)
	s.nastyQuestions(ctx)
	s.nastyCampaigns(ctx)

	// As a name it goes out as it is.
	id := s.plan(ctx, everyone("fine", "2026-06-01T18:00"))
	m := s.message(ctx, id, nasty)
	parameters, err := s.app.sending.ledger.Parameters(ctx, []string{m.ID})
	if err != nil || parameters[m.ID]["1"] != nasty {
		t.Errorf("the parameter is %q, want %q: %v", parameters[m.ID]["1"], nasty, err)
	}
	s.drive(ctx, stopBegins.Add(7*time.Hour))
	s.want(ctx, id, nasty, plan.Accepted, "")
	s.wantValue(ctx, `select count(*) from raw.message_received where provider_message_id = ?`, 1)
	// A webhook's field of that name is nothing that is read, and is kept.
	if letters, err := s.app.warehouse.DeadLetters(ctx, warehouse.DeadLetterFilter{Limit: 10}); err != nil || len(letters) != 1 ||
		!strings.HasPrefix(letters[0].Reason, "webhook: field other: ") {
		t.Errorf("%d dead letters: %v, %v", len(letters), letters, err)
	}
}

// nastyEvents have the string wherever an event takes any text.
func nastyEvents(t *testing.T) []event.Event {
	t.Helper()
	who := event.Person{ExternalIDs: map[string]string{"crm": nasty}}
	amount, err := event.ParseAmount("12.50")
	if err != nil {
		t.Fatal(err)
	}
	message := event.Message{MessageID: nasty, ProviderMessageID: nasty, Provider: nasty, NumberID: nasty, CampaignID: nasty}
	all := []event.Data{
		event.MessageSentData{Person: who, Message: message, Pricing: &event.Pricing{Category: nasty, Type: nasty}},
		event.MessageDeliveredData{Person: who, Message: message},
		event.MessageReadData{Person: who, Message: message},
		event.MessageFailedData{Person: who, Message: message, ErrorCode: nasty, ErrorClass: nasty},
		event.LinkClickedData{Person: who, MessageID: nasty, CampaignID: nasty, Token: nasty, URL: "https://shop.example/" + nasty},
		event.MessageReceivedData{
			Person: who, ProviderMessageID: nasty + "2", Provider: nasty, NumberID: nasty, InReplyTo: nasty, MessageKind: "text",
			Text: nasty, Payload: nasty, Referral: json.RawMessage(`{"a":"';drop table x;--"}`),
		},
		event.OrderCompletedData{
			Person: who, OrderID: nasty, Amount: amount, Currency: "BRL", Coupon: nasty,
			Items: []event.Item{{SKU: nasty, ID: nasty, Name: nasty, Category: nasty}},
		},
		event.OrderRefundedData{Person: who, OrderID: nasty, Amount: amount, Currency: "BRL"},
		event.CustomerUpdatedData{Person: who, Name: nasty, Tags: []string{nasty}},
		event.ConsentChangedData{Person: who, Category: "marketing", State: "opted_in", Source: "crm", Evidence: nasty},
		event.MessageAttemptedData{
			Person: who, MessageID: nasty, AttemptID: nasty, PlanID: nasty, CampaignID: nasty, Template: nasty, Category: "marketing",
			Provider: nasty, NumberID: nasty, ProviderMessageID: nasty, Outcome: "accepted", PolicyID: nasty,
		},
		event.DecisionMadeData{
			Person: who, PlanID: nasty, CampaignID: nasty, MessageID: nasty, Stage: "planning", Verdict: "allow", HourReason: nasty,
			PolicyID: nasty, Inputs: json.RawMessage(`{"a":"';drop table x;--"}`),
		},
	}
	out := make([]event.Event, len(all))
	for i, data := range all {
		if out[i], err = event.New(nasty+data.Kind().String(), "shop/"+nasty, nasty, storyBegins, data); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// nastyWebhooks have it in every string that a customer, or whoever can sign,
// chooses.
func (s *shop) nastyWebhooks(ctx context.Context, from string) {
	s.t.Helper()
	at := s.clock.Now()
	message := inbound(nasty, from, "", at, object{
		"type": "text", "text": object{"body": nasty}, "context": object{"id": nasty, "from": nasty},
		"referral": object{"source_url": nasty, "headline": nasty},
	})
	button := inbound("wamid.button", from, nasty, at, pressed(nasty, nasty))
	unknown := inbound("wamid.unknown", from, "", at, object{"type": nasty, nasty: nasty})
	status := object{
		"id": nasty, "status": "failed", "timestamp": fmt.Sprint(at.Unix()), "recipient_id": from, "biz_opaque_callback_data": nasty,
		"errors": []object{{"code": 131026, "title": nasty, "message": nasty}}, "pricing": object{"category": nasty, "type": nasty},
	}
	s.accept(ctx, s.webhook("messages", object{
		"contacts": []object{{"wa_id": from, "profile": object{"name": nasty}}}, "messages": []object{message, button, unknown}, "statuses": []object{status},
	}))
	s.accept(ctx, s.webhook(nasty, object{"messages": []object{message}}))
}

// importNasty imports files whose name, headings and values have it.
func (s *shop) importNasty(ctx context.Context) {
	s.t.Helper()
	quoted := `"` + strings.ReplaceAll(nasty, `"`, `""`) + `"`
	customers := "customer,phone,time," + quoted + "\n" + quoted + ",+5511987654321,2026-05-01," + quoted + "\n"
	s.home.run(ctx, s.t, "import", "customers", "--name", nasty, writeTemp(s.t, "it's; drop.csv", customers))
	orders := "customer,order_id,time,amount,currency,coupon\n" + quoted + "," + quoted + ",2026-05-01,7.00,BRL," + quoted + "\n"
	s.home.run(ctx, s.t, "import", "orders", writeTemp(s.t, `say "x".csv`, orders))
}

// nastyQuestions ask for it in every place of an address that takes a text.
func (s *shop) nastyQuestions(ctx context.Context) {
	s.t.Helper()
	text := url.PathEscape(nasty)
	value := url.QueryEscape(nasty)
	for path, want := range map[string]int{
		"/v1/customers/" + text:                     http.StatusOK,
		"/v1/segments/" + text + "/customers":       http.StatusNotFound,
		"/v1/audiences/" + text + "/customers":      http.StatusNotFound,
		"/v1/snapshots/" + text:                     http.StatusNotFound,
		"/v1/reports/funnel?campaign=" + value:      http.StatusOK,
		"/v1/campaigns/" + text:                     http.StatusNotFound,
		"/v1/campaigns/" + text + "/decisions":      http.StatusNotFound,
		"/v1/campaigns/x/explain?customer=" + value: http.StatusNotFound,
		"/v1/templates?account=" + value:            http.StatusNotFound,
		"/":                                         http.StatusOK, "/customers": http.StatusOK, "/segments": http.StatusOK, "/campaigns": http.StatusOK,
		"/customers/" + text: http.StatusNotFound,
		"/campaigns/" + text: http.StatusOK,
		"/webhooks/" + text:  http.StatusNotFound,
	} {
		status, answer := s.get(ctx, "http://"+s.address+path)
		if status != want {
			s.t.Errorf("GET %s is answered with %d, want %d: %.300s", path, status, want, answer)
		}
		if strings.HasPrefix(answer, "<!doctype html>") && strings.Contains(answer, "<img/src=x>") {
			s.t.Errorf("GET %s shows the string as a part of the page", path)
		}
	}
}

// nastyCampaigns are refused, or only strings.
func (s *shop) nastyCampaigns(ctx context.Context) {
	s.t.Helper()
	quoted, err := json.Marshal(nasty)
	if err != nil {
		s.t.Fatal(err)
	}
	good := everyone("nasty", "2026-06-01T18:00")
	for old, replaced := range map[string]string{
		"id: nasty": "id: " + string(quoted),
		`{sql: "select customer_id from marts.customers"}`: "{relation: " + string(quoted) + "}",
		"select customer_id from marts.customers":          "select customer_id from marts.customers; drop table marts.customers",
		"from marts.customers":                             "from marts.customers) as x; drop table marts.customers; --",
		"customer_id from":                                 "customer_id from raw.customers') from",
		"name: new_arrivals":                               "name: " + string(quoted),
		"language: pt_BR":                                  "language: " + string(quoted),
		"field: name":                                      "field: " + string(quoted),
		`{field: name, default: cliente}`:                  "{column: " + string(quoted) + ", default: x}",
		`"1":`:                                             string(quoted) + ":",
		"account: shop":                                    "account: " + string(quoted),
		"send: at,":                                        "send: at, time_zone: " + string(quoted) + ",",
		"schedule:":                                        string(quoted) + ": 1\nschedule:",
	} {
		if !strings.Contains(good, old) {
			s.t.Fatalf("the campaign has no %s", old)
		}
		file := strings.Replace(good, old, replaced, 1)
		_, talk, code := s.home.try(ctx, "campaign", "create", writeTemp(s.t, "campaign.yaml", file))
		if code == exitOK {
			_, talk, code = s.home.try(ctx, "campaign", "plan", "nasty")
		}
		if code == exitOK || talk == "" || strings.Contains(talk, "Internal") {
			s.t.Errorf("a campaign with %s is planned, or refused without a reason: %s", replaced, talk)
		}
	}
	// As a value for all it is a value.
	file := strings.Replace(good, `{field: name, default: cliente}`, "{value: "+string(quoted)+"}", 1)
	report := s.planOnly(ctx, file)
	s.home.run(ctx, s.t, "campaign", "cancel", report.ID)
}

// wantValue compares the count that a query about the string gives.
func (s *shop) wantValue(ctx context.Context, query string, want int) {
	s.t.Helper()
	if got := s.countNasty(ctx, query); got != want {
		s.t.Errorf("%s: %d, want %d", query, got, want)
	}
}

func (s *shop) wantSome(ctx context.Context, query string) {
	s.t.Helper()
	if s.countNasty(ctx, query) == 0 {
		s.t.Errorf("%s: none", query)
	}
}

func (s *shop) countNasty(ctx context.Context, query string) (n int) {
	s.t.Helper()
	err := s.app.warehouse.View(ctx, func(conn *sql.Conn) error {
		return conn.QueryRowContext(ctx, query, nasty).Scan(&n)
	})
	if err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	return n
}
