package api

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/provider"
	"github.com/goodhour/goodhour/sender/provider/meta"
)

const (
	webhookSecret      = "the-app-secret"
	otherWebhookSecret = "the-secret-of-another-app"
)

func metaAccount(t testing.TB, secret, verifyToken string) provider.Provider {
	t.Helper()
	account, err := meta.New(meta.Config{
		AccountID: "102290129340398", Token: provider.NewSecret("token"), VerifyToken: provider.NewSecret(verifyToken),
		AppSecrets: []provider.Secret{provider.NewSecret(secret)},
	}, &http.Client{}, quietLogger)
	if err != nil {
		t.Fatal(err)
	}
	return account
}

// letters are the dead letters of a test.
type letters struct {
	mu   sync.Mutex
	all  []letter
	fail error
}

type letter struct{ Source, Body, Reason string }

func (l *letters) keep(_ context.Context, source string, body []byte, reason string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	l.all = append(l.all, letter{source, string(body), reason})
	return nil
}

// withMeta configures two accounts of two apps at Meta.
func withMeta(t testing.TB, dead *letters) option {
	t.Helper()
	accounts := []provider.Provider{metaAccount(t, otherWebhookSecret, "other-token"), metaAccount(t, webhookSecret, "our-token")}
	return func(cfg *Config) {
		cfg.Webhooks, cfg.DeadLetter = map[string][]provider.Provider{"meta": accounts}, dead.keep
		cfg.PublicURL = "https://hooks.example/"
	}
}

func signature(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// deliver posts a webhook as Meta does.
func (b *bundle) deliver(body string) reply {
	b.t.Helper()
	return b.call(http.MethodPost, "/webhooks/meta", "", body, "Content-Type", mediaJSON, "X-Hub-Signature-256", signature(webhookSecret, body))
}

// inboundText is a webhook with messages of customers, as Meta writes it.
func inboundText(texts ...string) string {
	var messages []string
	for i, text := range texts {
		quoted, _ := json.Marshal(text)
		messages = append(messages, fmt.Sprintf(`{"from":"5511999990%03d","id":"wamid.%d","timestamp":"1767225600","type":"text","text":{"body":%s}}`, i, i, quoted))
	}
	return `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp",` +
		`"metadata":{"phone_number_id":"106540352242922"},"messages":[` + strings.Join(messages, ",") + `]}}]}]}`
}

func TestAWebhookIsInTheLogWhenItIsAnswered(t *testing.T) {
	t.Parallel()
	dead := &letters{}
	b := setupIn(t, t.TempDir(), withMeta(t, dead))
	b.key("read") // keys exist, and webhooks need none
	b.deliver(inboundText("hello", "STOP")).is(http.StatusOK, "")
	for i, r := range b.published(event.TopicReply, 2) {
		if header(r, "ce_type") != "whatsapp.message.received.v1" || header(r, "ce_id") != fmt.Sprintf("received:106540352242922:wamid.%d", i) {
			t.Errorf("%s %s", header(r, "ce_type"), header(r, "ce_id"))
		}
	}
	// The other app's account signs with its own secret.
	body := inboundText("from the other app")
	b.call(http.MethodPost, "/webhooks/meta?x=1&x=2&y=%zz", "", body, "X-Hub-Signature-256", signature(otherWebhookSecret, body)).is(http.StatusOK, "")
	b.published(event.TopicReply, 3)
	if len(dead.all) != 0 {
		t.Errorf("%v", dead.all)
	}
}

func TestARepeatedWebhookGivesTheSameEvents(t *testing.T) {
	t.Parallel()
	b := setupIn(t, t.TempDir(), withMeta(t, &letters{}))
	body := inboundText("one", "two")
	for range 3 {
		b.deliver(body).is(http.StatusOK, "")
	}
	records := b.published(event.TopicReply, 6)
	first := func(r *kgo.Record) string { return string(r.Key) + string(r.Value) + fmt.Sprint(r.Headers) }
	for i, r := range records[2:] {
		if diff := cmp.Diff(first(records[i%2]), first(r)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestWhatTheProviderHasNotSignedIsNotRead(t *testing.T) {
	t.Parallel()
	b := setupIn(t, t.TempDir(), withMeta(t, &letters{}), func(cfg *Config) { cfg.Publisher = refusing{t} })
	body := inboundText("a secret +5511999990001")
	good := signature(webhookSecret, body)
	f := func(body string, headers ...string) {
		t.Helper()
		got := b.call(http.MethodPost, "/webhooks/meta", "", body, headers...).is(http.StatusUnauthorized, "webhook-signature")
		if got.header.Get("WWW-Authenticate") == "" {
			t.Error("no WWW-Authenticate")
		}
	}
	const name = "X-Hub-Signature-256"
	f(body)
	f(body, name, "")
	f(body, name, "sha256=")
	f(body, name, "sha256=zz")
	f(body, name, strings.TrimPrefix(good, "sha256="))
	f(body, name, signature("a guess", body))
	f(body+" ", name, good)
	f(strings.Replace(body, "wamid.0", "wamid.1", 1), name, good)
	f(strings.Replace(body, "secret", `\u0073ecret`, 1), name, good) // the same JSON, other bytes
	f("", name, good)
	f(body, name, "sha1=x", name, good) // the first header counts, as HTTP libraries take it
	f(body, "X-Hub-Signature", good)
	f(body, "Authorization", "Bearer "+b.key("write,admin"))
	if strings.Contains(b.log.String(), "secret") || strings.Contains(b.log.String(), "5511999990001") {
		t.Error("the body is in the log")
	}
	if got := b.webhookCount("webhook-signature"); got != 13 {
		t.Errorf("%v refusals counted, want 13", got)
	}
}

// refusing is a log to which nothing may be written.
type refusing struct{ t *testing.T }

func (r refusing) Publish(_ context.Context, events []event.Event) error {
	r.t.Errorf("%d events published", len(events))
	return nil
}

// webhookCount reads a counter of /metrics.
func (b *bundle) webhookCount(outcome string) (count float64) {
	b.t.Helper()
	text := string(b.callAt(b.socket, http.MethodGet, "/metrics", "", "").is(http.StatusOK, "").body)
	prefix := fmt.Sprintf(`goodhour_webhooks_total{outcome=%q,provider="meta"} `, outcome)
	if _, rest, found := strings.Cut(text, prefix); found {
		if _, err := fmt.Sscan(rest, &count); err != nil {
			b.t.Fatal(err)
		}
	}
	return count
}

func TestTheChallengeIsAnsweredForWhoeverKnowsTheToken(t *testing.T) {
	t.Parallel()
	b := setupIn(t, t.TempDir(), withMeta(t, &letters{}))
	ask := func(mode, token, challenge string) reply {
		t.Helper()
		query := url.Values{"hub.mode": {mode}, "hub.verify_token": {token}, "hub.challenge": {challenge}}
		return b.get("/webhooks/meta?"+query.Encode(), "")
	}
	for _, token := range []string{"our-token", "other-token"} {
		got := ask("subscribe", token, "<b>1158201444").is(http.StatusOK, "")
		if string(got.body) != "<b>1158201444" || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s %s", got.header.Get("Content-Type"), got.body)
		}
	}
	ask("subscribe", "wrong", "1").is(http.StatusForbidden, "webhook-challenge")
	ask("subscribe", "", "1").is(http.StatusForbidden, "webhook-challenge")
	ask("unsubscribe", "our-token", "1").is(http.StatusForbidden, "webhook-challenge")
	ask("subscribe", "our-token", "").is(http.StatusForbidden, "webhook-challenge")
	ask("subscribe", "our-token", strings.Repeat("1", 2000)).is(http.StatusForbidden, "webhook-challenge")
	b.get("/webhooks/meta", "").is(http.StatusForbidden, "webhook-challenge")
	if strings.Contains(b.log.String(), "our-token") {
		t.Error("the token is in the log")
	}
}

func TestOnlyConfiguredProvidersHaveAnAddress(t *testing.T) {
	t.Parallel()
	b := setupIn(t, t.TempDir(), withMeta(t, &letters{}))
	none := setupIn(t, t.TempDir())
	body := inboundText("x")
	for _, name := range []string{"twilio", "Meta", "meta%2F..", "..%2Fmeta", "meta%27%20or%201=1--", "%00", "%ff"} {
		got := b.call(http.MethodPost, "/webhooks/"+name, "", body, "X-Hub-Signature-256", signature(webhookSecret, body))
		if got.status != http.StatusNotFound && got.status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	none.call(http.MethodPost, "/webhooks/meta", "", body, "X-Hub-Signature-256", signature("", body)).is(http.StatusNotFound, "not-found")
	b.call(http.MethodPut, "/webhooks/meta", "", body).is(http.StatusMethodNotAllowed, "method-not-allowed")
	if strings.Contains(string(b.callAt(b.socket, http.MethodGet, "/metrics", "", "").body), "twilio") {
		t.Error("a stranger's text became a label")
	}
}

func TestWhatOfAWebhookCannotBeReadIsKept(t *testing.T) {
	t.Parallel()
	dead := &letters{}
	b := setupIn(t, t.TempDir(), withMeta(t, dead))
	part := strings.Replace(inboundText("one", "two +5511999990001", "three"), `"id":"wamid.1",`, "", 1)
	b.deliver(part).is(http.StatusOK, "")
	records := b.published(event.TopicReply, 2)
	if header(records[0], "ce_id") != "received:106540352242922:wamid.0" || header(records[1], "ce_id") != "received:106540352242922:wamid.2" {
		t.Errorf("%s, %s", header(records[0], "ce_id"), header(records[1], "ce_id"))
	}
	broken := []string{"", "no JSON", "[1]", "{\"object\":\"whatsapp_business_account\",\"entry\":7}", "\xff\xfe", strings.Repeat("[", 100_000)}
	for _, body := range broken {
		b.deliver(body).is(http.StatusOK, "")
	}
	if len(dead.all) != 1+len(broken) || dead.all[0] != (letter{"webhook:meta", part, "message: no id"}) {
		t.Fatalf("%d letters, the first: %+v", len(dead.all), dead.all[0])
	}
	for i, body := range broken {
		if l := dead.all[i+1]; l.Body != body || l.Reason == "" {
			t.Errorf("%+v", l)
		}
	}
	// Reasons are bounded, whatever comes.
	many := strings.ReplaceAll(inboundText(make([]string, 1000)...), `"from":"5511`, `"from_nobody":"`)
	b.deliver(many).is(http.StatusOK, "")
	if l := dead.all[len(dead.all)-1]; len(l.Reason) > 1000 || !strings.HasSuffix(l.Reason, "and 990 more") {
		t.Errorf("%s", l.Reason)
	}
	// A body that no record of the log could hold is kept in parts.
	before := len(dead.all)
	large := "{" + strings.Repeat("x", 2_000_000)
	b.deliver(large).is(http.StatusOK, "")
	var joined string
	for i, l := range dead.all[before:] {
		joined += l.Body
		if len(l.Body) > deadLetterBytesMax || !strings.HasPrefix(l.Reason, fmt.Sprintf("part %d of 3: ", i+1)) {
			t.Errorf("%d bytes: %s", len(l.Body), l.Reason)
		}
	}
	if joined != large {
		t.Errorf("%d bytes kept of %d", len(joined), len(large))
	}
	if got := b.webhookCount(webhookInPart); got != float64(3+len(broken)) {
		t.Errorf("%v counted", got)
	}
	if strings.Contains(b.log.String(), "5511999990001") {
		t.Error("the body is in the log")
	}
}

func TestWhatTheLogWouldRefuseAtEveryRepeatIsKeptInstead(t *testing.T) {
	t.Parallel()
	dead := &letters{}
	b := setupIn(t, t.TempDir(), withMeta(t, dead))
	future := fmt.Sprint(time.Now().Add(48 * time.Hour).Unix())
	body := strings.Replace(inboundText("from the future", "now", "with a \x00"), "1767225600", future, 1)
	b.deliver(body).is(http.StatusOK, "")
	if got := header(b.published(event.TopicReply, 1)[0], "ce_id"); got != "received:106540352242922:wamid.1" {
		t.Error(got)
	}
	if len(dead.all) != 1 || dead.all[0].Body != body || !strings.Contains(dead.all[0].Reason, "24 hours") || !strings.Contains(dead.all[0].Reason, "NUL") {
		t.Errorf("%+v", dead.all)
	}
}

func TestAWebhookThatCannotBeStoredIsSentAgain(t *testing.T) {
	t.Parallel()
	log := deadLog{make(chan int, 2)}
	dead := &letters{fail: errors.New("disk full")}
	b := setupIn(t, t.TempDir(), withMeta(t, dead), func(cfg *Config) { cfg.Publisher = log })
	for range 2 {
		got := b.deliver(inboundText("a", "b")).is(http.StatusServiceUnavailable, "unavailable")
		if got.header.Get("Retry-After") == "" || strings.Contains(string(got.body), "192.0.2.1") {
			t.Errorf("%v %s", got.header, got.body)
		}
	}
	if len(log.calls) != 2 || <-log.calls != 2 {
		t.Error("the log was not asked twice for both events")
	}
	b.deliver("no JSON").is(http.StatusServiceUnavailable, "unavailable")
	if !strings.Contains(b.log.String(), "connection refused") || !strings.Contains(b.log.String(), "disk full") {
		t.Error("the causes are not in the log")
	}
	if got := b.webhookCount("unavailable"); got != 3 {
		t.Errorf("%v counted", got)
	}
}

func TestHugeAndUnfinishedBodiesAreRefused(t *testing.T) {
	t.Parallel()
	b := setupIn(t, t.TempDir(), withMeta(t, &letters{}))
	// 3 MB and what is behind it is read.
	body := inboundText("x") + strings.Repeat(" ", 3_000_000)
	b.deliver(body).is(http.StatusOK, "")
	conn := rawConnection(t, b)
	fmt.Fprintf(conn, "POST /webhooks/meta HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
	if status := readStatus(t, conn); status != http.StatusRequestEntityTooLarge {
		t.Errorf("1 GB announced: %d", status)
	}
	conn = rawConnection(t, b)
	fmt.Fprintf(conn, "POST /webhooks/meta HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 1<<20, strings.Repeat(" ", 1<<20))
	go func() {
		for range 6 { // the server hangs up in the middle
			if _, err := conn.Write([]byte(chunk)); err != nil {
				return
			}
		}
	}()
	if status := readStatus(t, conn); status != http.StatusRequestEntityTooLarge {
		t.Errorf("6 MiB in chunks: %d", status)
	}
	if used := b.server.webhooks.bodies.used.Load(); used != 0 {
		t.Errorf("%d bytes are still claimed", used)
	}
	if used := len(b.server.webhooks.slots); used != 0 {
		t.Errorf("%d slots are still taken", used)
	}
}

func readStatus(t *testing.T, conn interface{ Read([]byte) (int, error) }) int {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

func TestStrangersWithLargeBodiesDoNotKeepWebhooksOut(t *testing.T) {
	t.Parallel()
	b := setupIn(t, t.TempDir(), withMeta(t, &letters{}))
	b.server.webhooks.bodies.take(webhookBodiesMax) // as if held by slow strangers
	b.deliver(inboundText("x")).is(http.StatusOK, "")
	got := b.deliver(inboundText("x")+strings.Repeat(" ", webhookFreeBytes)).is(http.StatusServiceUnavailable, "unavailable")
	if got.header.Get("Retry-After") != "1" {
		t.Errorf("%v", got.header)
	}
}

func TestWebhooksAtOnceAreBounded(t *testing.T) {
	t.Parallel()
	log := heldLog{make(chan struct{}), make(chan struct{})}
	b := setupIn(t, t.TempDir(), withMeta(t, &letters{}), func(cfg *Config) { cfg.Publisher = log })
	b.server.webhooks.slots = make(chan struct{}, 1)
	first := make(chan reply)
	go func() { first <- b.deliver(inboundText("x")) }()
	<-log.entered
	b.deliver(inboundText("y")).is(http.StatusServiceUnavailable, "unavailable")
	// A stranger takes no place, and the API goes on beside a slow log.
	b.call(http.MethodPost, "/webhooks/meta", "", "x").is(http.StatusUnauthorized, "webhook-signature")
	b.get("/livez", "").is(http.StatusOK, "")
	close(log.leave)
	(<-first).is(http.StatusOK, "")
}

// A provider that hangs up before the log has answered stops nothing half-way.
func TestAProviderThatLeavesDoesNotStopThePublication(t *testing.T) {
	t.Parallel()
	log := contextLog{entered: make(chan struct{}), leave: make(chan struct{}), ended: make(chan error, 1)}
	b := setupIn(t, t.TempDir(), withMeta(t, &letters{}), func(cfg *Config) { cfg.Publisher = log })
	body := inboundText("x")
	conn := rawConnection(t, b)
	fmt.Fprintf(conn, "POST /webhooks/meta HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: %s\r\nContent-Length: %d\r\n\r\n%s", signature(webhookSecret, body), len(body), body)
	<-log.entered
	conn.Close()
	close(log.leave)
	if err := <-log.ended; err != nil {
		t.Error(err)
	}
}

type contextLog struct {
	entered, leave chan struct{}
	ended          chan error
}

func (l contextLog) Publish(ctx context.Context, _ []event.Event) error {
	close(l.entered)
	<-l.leave
	if _, bounded := ctx.Deadline(); !bounded {
		l.ended <- errors.New("the log is asked without a deadline")
		return nil
	}
	l.ended <- ctx.Err()
	return nil
}

// urlProvider signs the address, as Twilio does: the header has the address
// that was signed.
type urlProvider struct{ provider.Provider }

func (urlProvider) VerifyWebhook(w provider.Webhook) error {
	if w.Header.Get("Signed-Url") != w.URL {
		return provider.ErrSignature
	}
	return nil
}

func (urlProvider) ParseWebhook(provider.Webhook) ([]event.Event, error) { return nil, nil }

func TestTheSignedAddressIsThePublicOne(t *testing.T) {
	t.Parallel()
	f := func(publicURL, path, want string) {
		t.Helper()
		b := setupIn(t, t.TempDir(), func(cfg *Config) {
			cfg.Webhooks, cfg.DeadLetter = map[string][]provider.Provider{"twilio": {urlProvider{}}}, (&letters{}).keep
			cfg.PublicURL = publicURL
		})
		b.call(http.MethodPost, path, "", "a=b", "Host", "inside:8080", "Signed-Url", want).is(http.StatusOK, "")
		b.call(http.MethodPost, path, "", "a=b", "Host", "inside:8080", "Signed-Url", "https://elsewhere.example"+path).is(http.StatusUnauthorized, "webhook-signature")
	}
	f("https://hooks.example", "/webhooks/twilio?b=%7E&a=1", "https://hooks.example/webhooks/twilio?b=%7E&a=1")
	f("https://hooks.example/goodhour/", "/webhooks/twilio", "https://hooks.example/goodhour/webhooks/twilio")
	f("", "/webhooks/twilio", "http://inside:8080/webhooks/twilio")
}

func TestHostileTextInAWebhookIsData(t *testing.T) {
	t.Parallel()
	dead := &letters{}
	b := setupIn(t, t.TempDir(), withMeta(t, dead))
	hostile := []string{"'; drop table raw.messages; --", "😀\u202e", "{{1}}", strings.Repeat("x", 70_000), "<script>alert(1)</script>"}
	b.deliver(inboundText(hostile...)).is(http.StatusOK, "")
	if len(dead.all) != 0 {
		t.Fatalf("kept as unread: %s", dead.all[0].Reason)
	}
	for i, r := range b.published(event.TopicReply, len(hostile)) {
		var data struct{ Text string }
		if err := json.Unmarshal(r.Value, &data); err != nil {
			t.Fatal(err)
		}
		if want := hostile[i]; len(want) < 1000 && data.Text != want {
			t.Errorf("%q became %q", want, data.Text)
		}
	}
}
