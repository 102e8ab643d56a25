package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/provider"
)

// What comes by webhook is what the world says, each thing once and in order.
func TestWebhooksTellTheReactions(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), nil)
	at := b.clock.Now()
	if codes := b.send(t, 190); len(codes) != 0 {
		t.Fatalf("refused: %v", codes)
	}
	b.advance(t, 72*time.Hour)
	want := make(map[string]int)
	stopped := b.World().known().stopped
	for i := range 190 {
		is := b.World().React(i, Message{ID: messageID(i), AcceptedAt: at, Category: plan.Marketing, StopButton: "Stop promotions"})
		if _, before := stopped[i]; before { // failed with 131050, which is an opt-out too
			want["whatsapp.message.failed.v1"]++
			want["customer.consent.changed.v1"]++
			continue
		}
		expect(want, &is)
	}
	got := b.receiver.all()
	if diff := cmp.Diff(want, kinds(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want["whatsapp.message.read.v1"] < 30 || want["whatsapp.message.received.v1"] < 2 {
		t.Errorf("little happened: %v", want)
	}
	if !slices.IsSortedFunc(got, func(a, b event.Event) int { return a.Time.Compare(b.Time) }) {
		t.Error("webhooks are out of order")
	}
	seen := make(map[string]bool)
	for i := range got {
		if seen[got[i].ID] {
			t.Errorf("%s came twice", got[i].ID)
		}
		seen[got[i].ID] = true
	}
	checkLinks(t, b, got)
}

func expect(want map[string]int, is *Reaction) {
	for kind, at := range map[string]time.Time{
		"whatsapp.message.failed.v1": is.FailedAt, "whatsapp.message.sent.v1": is.SentAt, "whatsapp.message.delivered.v1": is.DeliveredAt,
		"whatsapp.message.read.v1": is.ReadAt, "whatsapp.message.received.v1": is.Reply.At, "customer.consent.changed.v1": is.StoppedAt,
	} {
		if !at.IsZero() {
			want[kind]++
		}
	}
}

// checkLinks holds that every status carries our message id, every reply what it
// answers, and that all are about customers of the world.
func checkLinks(t *testing.T, b *bundle, events []event.Event) {
	t.Helper()
	ours := make(map[string]bool)
	for _, one := range b.Submissions() {
		ours[one.MessageID], ours[one.ProviderMessageID] = true, true
	}
	for i := range events {
		var data struct {
			MessageID string `json:"message_id"`
			InReplyTo string `json:"in_reply_to"`
			Phone     string `json:"phone"`
			BSUID     string `json:"bsuid"`
		}
		if err := json.Unmarshal(events[i].Data, &data); err != nil {
			t.Fatal(err)
		}
		switch events[i].Kind {
		case event.MessageSent, event.MessageDelivered, event.MessageRead, event.MessageFailed:
			if !ours[data.MessageID] {
				t.Errorf("%s carries no message id of ours", events[i].Kind)
			}
		case event.MessageReceived:
			if !ours[data.InReplyTo] {
				t.Error("a reply answers nothing of ours")
			}
		default: // a preference is about no message
		}
		if _, found := b.World().Find(data.Phone, data.BSUID); !found {
			t.Errorf("%s is about nobody", events[i].Kind)
		}
	}
}

func TestTheAdapterListsTheTemplatesPageByPage(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), nil)
	got, err := b.adapter.Templates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Templates(), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(got) <= templatesPerPage {
		t.Error("all fit on one page: nothing was turned")
	}
}

// post sends a body of our own and returns HTTP status and Meta's code.
func (b *bundle) post(t *testing.T, token, path, body string) (status, code int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Error struct {
			Code  int    `json:"code"`
			Type  string `json:"type"`
			Trace string `json:"fbtrace_id"`
		} `json:"error"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK && (answer.Error.Type == "" || answer.Error.Trace == "") {
		t.Errorf("%s: an error not in Meta's form", path)
	}
	return response.StatusCode, answer.Error.Code
}

func TestBadRequestsGetMetasCodes(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), nil)
	const messages = "/v25.0/" + DefaultNumberID + "/messages"
	to := `"messaging_product":"whatsapp","to":"` + b.to(2).Phone[1:] + `"`
	body := func(t string) string { return `{` + to + `,"type":"template","template":` + t + `}` }
	f := func(status, code int, token, path, body string) {
		t.Helper()
		if gotStatus, gotCode := b.post(t, token, path, body); gotStatus != status || gotCode != code {
			t.Errorf("answered %d with code %d, want %d with %d", gotStatus, gotCode, status, code)
		}
	}
	f(401, 190, "another", messages, `{}`)
	f(401, 0, "", messages, `{}`)
	f(400, 100, testToken, "/v25.0/1/messages", `{}`)
	f(400, 2500, testToken, "/v25.0/nothing", `{}`)
	f(400, 100, testToken, messages, `not json`)
	f(400, 100, testToken, messages, `{"to":"5511999990000"}`)
	f(400, 100, testToken, messages, `{"messaging_product":"whatsapp"}`)
	f(400, 100, testToken, messages, `{"messaging_product":"whatsapp","to":"nobody","type":"text","text":{"body":"x"}}`)
	f(400, 131008, testToken, messages, `{`+to+`,"type":"text"}`)
	f(400, 100, testToken, messages, `{`+to+`,"type":"text","text":{"body":"`+strings.Repeat("x", 4097)+`"}}`)
	f(400, 131051, testToken, messages, `{`+to+`,"type":"hologram"}`)
	f(400, 131008, testToken, messages, `{`+to+`,"type":"template"}`)
	f(404, 132001, testToken, messages, body(`{"name":"new_arrivals","language":{"code":"fr"}}`))
	f(404, 132001, testToken, messages, body(`{"name":"flash_deal","language":{"code":"en_US"}}`))
	f(400, 132015, testToken, messages, body(`{"name":"spring_sale","language":{"code":"en_US"}}`))
	f(400, 132016, testToken, messages, body(`{"name":"old_offer","language":{"code":"en_US"}}`))
	components := func(name, c string) string {
		return body(`{"name":"` + name + `","language":{"code":"en_US"},"components":[` + c + `]}`)
	}
	f(400, 132000, testToken, messages, components("new_arrivals", ``))
	f(400, 132000, testToken, messages, components("new_arrivals", `{"type":"body","parameters":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`))
	f(400, 132012, testToken, messages, components("new_arrivals", `{"type":"body","parameters":[{"type":"image","image":{"link":"https://x.example/a"}}]}`))
	f(400, 132012, testToken, messages, components("new_arrivals", `{"type":"body","parameters":[{"type":"text","text":"a\nb"}]}`))
	f(400, 131008, testToken, messages, components("new_arrivals", `{"type":"body","parameters":[{"type":"text","text":""}]}`))
	f(400, 132005, testToken, messages, components("new_arrivals", `{"type":"body","parameters":[{"type":"text","text":"`+strings.Repeat("x", 1020)+`"}]}`))
	f(400, 132012, testToken, messages, components("order_shipped",
		`{"type":"header","parameters":[{"type":"text","parameter_name":"order","text":"A"}]},{"type":"body","parameters":[{"type":"text","parameter_name":"nobody","text":"A"}]},{"type":"button","sub_type":"url","index":"0","parameters":[{"type":"text","text":"A"}]}`))
	f(200, 0, testToken, messages, components("order_shipped",
		`{"type":"header","parameters":[{"type":"text","parameter_name":"order","text":"A"}]},{"type":"body","parameters":[{"type":"text","parameter_name":"customer","text":"A"}]},{"type":"button","sub_type":"url","index":0,"parameters":[{"type":"text","text":"A"}]}`))
	if got := b.Counts(); got.Messages[""][Accepted] != 1 {
		t.Errorf("accepted %d, want 1", got.Messages[""][Accepted])
	}
}

func TestEverySendableTemplateGoesThroughTheAdapter(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), nil)
	for i, list := range Templates() {
		if list.Status != "APPROVED" || list.Unsupported() != "" {
			continue
		}
		message, err := provider.NewTemplateMessage(&list, valuesFor(&list))
		if err != nil {
			t.Fatal(err)
		}
		r := provider.Request{MessageID: messageID(i), NumberID: DefaultNumberID, To: b.to(7), Category: list.Category, Template: message}
		if _, err := b.adapter.Send(t.Context(), r); err != nil {
			t.Errorf("%s (%s): %v", list.Name, list.Language, err)
		}
	}
}

// failures are the codes of failed statuses, by message.
func failures(t *testing.T, events []event.Event) map[string]string {
	t.Helper()
	codes := make(map[string]string)
	for i := range events {
		var data event.MessageFailedData
		if events[i].Kind == event.MessageFailed {
			if err := json.Unmarshal(events[i].Data, &data); err != nil {
				t.Fatal(err)
			}
			codes[data.MessageID] = data.ErrorCode
		}
	}
	return codes
}

func TestThePlatformsRefusals(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), func(c *Config) { c.Limits.MarketingPerDay = 1 })
	text := func(to provider.Address, nth int) {
		t.Helper()
		r := provider.Request{MessageID: messageID(nth), NumberID: DefaultNumberID, To: to, Category: plan.Service, Text: "hello"}
		if _, err := b.adapter.Send(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	text(b.to(7), 1)                                   // the customer did not write
	text(provider.Address{Phone: "+5511999990000"}, 2) // a stranger
	text(provider.Address{BSUID: "BR.1"}, 3)           // a stranger too
	american := b.customer(func(c *Customer) bool { return c.truth.MarketingBlocked && c.truth.Reachable })
	stopped := b.customer(func(c *Customer) bool {
		return b.people[c.Index] != nil && !b.people[c.Index].stoppedAt.IsZero() && c.truth.Reachable
	})
	quiet := b.customer(func(c *Customer) bool {
		return c.truth.Reachable && !c.truth.MarketingBlocked && b.people[c.Index] == nil
	})
	for nth, i := range map[int]int{4: american, 5: stopped, 6: quiet} {
		if _, err := b.adapter.Send(t.Context(), request(t, b.to(i), nth)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.adapter.Send(t.Context(), request(t, b.to(quiet), 7)); err != nil { // over the cap
		t.Fatal(err)
	}
	b.advance(t, 30*time.Second)
	got := failures(t, b.receiver.all())
	for nth, code := range map[int]string{1: "131047", 2: "131026", 3: "131026", 4: "131049", 5: "131050", 7: "131049"} {
		if got[messageID(nth)] != code {
			t.Errorf("message %d: code %q, want %s", nth, got[messageID(nth)], code)
		}
	}
	if kinds(b.receiver.all())["customer.consent.changed.v1"] != 1 {
		t.Error("131050 did not become an opt-out")
	}
}

// customer is the first customer of a kind.
func (b *bundle) customer(is func(*Customer) bool) int {
	for i := range b.world.customers {
		if is(&b.world.customers[i]) {
			return i
		}
	}
	return 0
}

func TestAReplyOpensTheWindow(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), func(c *Config) { c.Limits.WindowAtOnce = true })
	b.send(t, 70)
	b.advance(t, 20*time.Hour)
	replied := -1
	for i := range b.receiver.all() {
		if e := &b.receiver.all()[i]; e.Kind == event.MessageReceived && e.Time.After(b.clock.Now().Add(-20*time.Hour)) {
			replied = b.index(t, e)
		}
	}
	text := func(i int) string {
		_, err := b.adapter.Send(t.Context(), provider.Request{MessageID: messageID(1000 + i), NumberID: DefaultNumberID, To: b.to(i), Category: plan.Service, Text: "hello"})
		if refused, ok := errors.AsType[*provider.Error](err); ok {
			return refused.Code
		}
		return ""
	}
	if replied < 0 || text(replied) != "" {
		t.Errorf("a text to customer %d, who replied, was refused", replied)
	}
	if code := text(199); code != "131047" {
		t.Errorf("a text to who did not write: code %q, want 131047", code)
	}
	b.advance(t, 48*time.Hour)
	if code := text(replied); code != "131047" {
		t.Errorf("two days later: code %q, want 131047", code)
	}
}

func (b *bundle) index(t *testing.T, e *event.Event) int {
	t.Helper()
	namespace, value, err := identity.ParseSubject(e.Subject, "")
	if err != nil {
		t.Fatal(err)
	}
	phone, bsuid := value, ""
	if namespace == identity.NamespaceBSUID {
		phone, bsuid = "", value
	}
	i, found := b.World().Find(phone, bsuid)
	if !found {
		t.Fatal("nobody of the world")
	}
	return i
}

func TestTheRateLimits(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), func(c *Config) { c.Limits.PerSecond = 60 })
	refused := func(n int, nth int, to func(int) provider.Address) map[string]int {
		codes := make(map[string]int)
		for i := range n {
			_, err := b.adapter.Send(t.Context(), request(t, to(i), nth+i))
			if e, ok := errors.AsType[*provider.Error](err); ok {
				codes[e.Code]++
			}
		}
		return codes
	}
	same := func(int) provider.Address { return b.to(7) }
	if diff := cmp.Diff(map[string]int{"131056": 3}, refused(48, 0, same)); diff != "" {
		t.Errorf("48 to one customer (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"130429": 4}, refused(16, 100, func(i int) provider.Address { return b.to(100 + i) })); diff != "" {
		t.Errorf("16 more at once (-want +got):\n%s", diff)
	}
	b.advance(t, 6*time.Second)
	if diff := cmp.Diff(map[string]int{"131056": 1}, refused(2, 200, same)); diff != "" {
		t.Errorf("6 s later (-want +got):\n%s", diff)
	}
	b.stop()
	again := open(t, b.config.Dir, func(c *Config) { c.Limits.PerSecond = 60 })
	if _, err := again.adapter.Send(t.Context(), request(t, again.to(7), 300)); err == nil {
		t.Error("a restart forgot the pair's limit")
	}
}

func TestTheShopTellsItsOrdersEachHour(t *testing.T) {
	t.Parallel()
	orders := &shop{err: errors.New("the broker is away")}
	b := open(t, t.TempDir(), func(c *Config) { c.Shop = orders })
	b.send(t, 60)
	b.advance(t, 8*24*time.Hour)
	b.stop()
	organic := make(map[string]bool)
	for at := worldEnds; at.Before(worldEnds.AddDate(0, 0, 8)); at = at.Add(time.Hour) {
		for _, e := range b.World().orders(at, at.Add(time.Hour)) {
			organic[e.ID] = true
		}
	}
	caused := 0
	for i := range 60 {
		if is := b.reaction(&b.Submissions()[i]); !is.OrderedAt.IsZero() {
			caused++
		}
	}
	seen := make(map[string]bool)
	got := orders.all()
	for i := range got {
		if seen[got[i].ID] || !got[i].Time.After(worldEnds) || got[i].Source != ShopSource {
			t.Errorf("order %s of %s: twice, of the past, or not the shop's", got[i].ID, got[i].Time)
		}
		seen[got[i].ID] = true
	}
	if len(got) != len(organic)+caused || len(organic) < 10 || caused == 0 {
		t.Errorf("%d orders, want %d made anyway and %d caused", len(got), len(organic), caused)
	}
}

// After a stop at any moment what was accepted goes on, and nothing is lost.
func TestARestartGoesOnWhereItStood(t *testing.T) {
	t.Parallel()
	undisturbed, disturbed := &shop{}, &shop{}
	whole := open(t, t.TempDir(), func(c *Config) { c.Shop = undisturbed })
	whole.send(t, 70)
	whole.advance(t, 60*time.Hour)

	dir := t.TempDir()
	var events []event.Event
	for n := range 4 {
		b := open(t, dir, func(c *Config) { c.Shop = disturbed })
		if n == 0 {
			b.send(t, 70)
		}
		b.advance(t, []time.Duration{3 * time.Second, 17 * time.Minute, 8 * time.Hour, 60 * time.Hour}[n])
		b.stop()
		events = append(events, b.receiver.all()...)
		cutLog(t, dir, n)
	}
	unique := func(events []event.Event) map[string]string {
		of := make(map[string]string)
		for i := range events {
			of[events[i].ID] = events[i].Time.String() + string(events[i].Data)
		}
		return of
	}
	want, got := unique(whole.receiver.all()), unique(events)
	for id := range got {
		if _, known := want[id]; !known {
			delete(got, id) // of the hours beyond: the restarted one ran longer
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-undisturbed +restarted):\n%s", diff)
	}
	wantOrders, gotOrders := unique(undisturbed.all()), unique(disturbed.all())
	for id, order := range wantOrders {
		if gotOrders[id] != order {
			t.Errorf("order %s is lost", id)
		}
	}
}

// cutLog adds the beginning of a line, as a crash leaves it.
func cutLog(t *testing.T, dir string, n int) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, logName), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"seq":71,"at":"2026`[:n*5]); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestABrokenLogIsSaid(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), nil)
	b.send(t, 3)
	b.stop()
	path := filepath.Join(b.config.Dir, logName)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	if err := os.WriteFile(path, slices.Concat(lines[0], lines[2]), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(b.config); err == nil || !strings.Contains(err.Error(), "line 2 is not submission 2") {
		t.Errorf("a missing line: %v", err)
	}
}

func TestTheAdminPathsTellOfSubmissions(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), nil)
	b.send(t, 2)
	if _, err := b.adapter.Send(t.Context(), request(t, b.to(1), 1)); err != nil { // again
		t.Fatal(err)
	}
	get := func(path string, into any) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if err := json.NewDecoder(response.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	var counts Counts
	get("/_sandbox/submissions", &counts)
	want := Counts{
		Submissions: 3, Messages: map[string]map[Outcome]int{messageID(0): {Accepted: 1}, messageID(1): {Accepted: 2}},
		AcceptedTwice: []string{messageID(1)}, Resubmitted: []string{messageID(1)},
	}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var mine struct{ Submissions []Submission }
	get("/_sandbox/submissions?message_id="+messageID(1), &mine)
	if len(mine.Submissions) != 2 || mine.Submissions[0].ProviderMessageID == mine.Submissions[1].ProviderMessageID {
		t.Errorf("%d submissions of the message, or of one provider id", len(mine.Submissions))
	}
	var health Health
	get("/_sandbox/health", &health)
	if health.Submissions != 3 || health.Customers != 200 || health.Pending == 0 || !health.Quiet {
		t.Errorf("health %+v", health)
	}
}

func TestWhatIsConfiguredWrongIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Open(Config{Faults: Faults{LostResponse: 2}, Account: Account{NumberID: "x"}})
	if err == nil {
		t.Fatal("an empty configuration was taken")
	}
	for _, want := range []string{"webhook_url", "account: want ids", "access token", "clock", "customers", "lost_response"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not speak of %q: %v", want, err)
		}
	}
}
