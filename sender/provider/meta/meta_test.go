package meta

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/provider"
	"github.com/goodhour/goodhour/sender/provider/providertest"
	"github.com/goodhour/goodhour/sender/template"
)

const (
	testToken  = "EAAJBtestTokenNeverPrinted"
	testSecret = "test-app-secret"
)

func testConfig() Config {
	return Config{
		AccountID: "102290129340398", Token: provider.NewSecret(testToken), VerifyToken: provider.NewSecret("verify-me"),
		AppSecrets: []provider.Secret{provider.NewSecret("new-secret"), provider.NewSecret(testSecret)},
	}
}

func newMeta(t testing.TB, baseURL string, client *http.Client) *Meta {
	t.Helper()
	config := testConfig()
	config.BaseURL = baseURL
	m, err := New(config, client, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func signed(body []byte) provider.Webhook {
	header := http.Header{}
	header.Set(signatureHeader, "sha256="+hex.EncodeToString(sign(provider.NewSecret(testSecret), body)))
	return provider.Webhook{Header: header, Body: body}
}

// refusal is an error as Meta words it, with what must not leak.
func refusal(code, status int, want provider.Class) providertest.Answer {
	body := `{"error":{"message":"(#` + strconv.Itoa(code) + `) to ` + providertest.Phone + `","type":"OAuthException","code":` + strconv.Itoa(code) +
		`,"error_data":{"details":"` + providertest.Name + `"},"fbtrace_id":"Az8or2yhqkZ"}}`
	return providertest.Answer{Name: strconv.Itoa(code), Status: status, Body: body, Want: want}
}

func refusals() []providertest.Answer {
	var all []providertest.Answer
	for class, codes := range map[provider.Class][]int{
		provider.RetrySafe: {4, 80007, 130429, 131056, 131057, 134101},
		provider.Ambiguous: {1, 2, 131000, 131016, 133004},
		provider.Recipient: {130472, 131021, 131026, 131030},
		provider.Message:   {100, 131008, 131009, 131047, 131051, 132005, 999999},
		provider.Template:  {132000, 132001, 132007, 132012, 132015, 132016},
		provider.Number:    {33, 131037, 131045, 131048, 133010},
		provider.Account:   {3, 10, 190, 200, 368, 131005, 131031, 131042, 130497},
	} {
		for _, code := range codes {
			all = append(all, refusal(code, http.StatusBadRequest, class))
		}
	}
	cap24 := refusal(131049, http.StatusBadRequest, provider.Recipient)
	cap24.RetryAfterMin = 24 * time.Hour
	stopped := refusal(131050, http.StatusBadRequest, provider.Recipient)
	stopped.OptedOut = true
	// The status is not what counts: 130429 came with 429 and with 403.
	odd := refusal(130429, http.StatusForbidden, provider.RetrySafe)
	odd.Name = "130429 as HTTP 403"
	unknown5xx := refusal(888888, http.StatusInternalServerError, provider.Ambiguous)
	return append(all, cap24, stopped, odd, unknown5xx,
		providertest.Answer{Name: "code 0", Status: 401, Body: `{"error":{"code":0}}`, Want: provider.Account},
		providertest.Answer{Name: "no such number", Status: 400, Body: `{"error":{"code":100,"error_subcode":33}}`, Want: provider.Number},
		providertest.Answer{Name: "HTTP 429 without a code", Status: 429, Header: http.Header{"Retry-After": {"7"}}, Body: "slow down", Want: provider.RetrySafe, RetryAfterMin: 7 * time.Second},
		providertest.Answer{Name: "a gateway's page", Status: 502, Body: "<html>Bad Gateway " + providertest.Phone, Want: provider.Ambiguous},
		providertest.Answer{Name: "a proxy's page", Status: 403, Body: "<html>Forbidden", Want: provider.Account},
		providertest.Answer{Name: "400 without JSON", Status: 400, Body: "?", Want: provider.Message},
		providertest.Answer{Name: "408", Status: 408, Want: provider.Ambiguous},
		providertest.Answer{Name: "200 without JSON", Status: 200, Body: "OK", Want: provider.Ambiguous},
		providertest.Answer{Name: "200 without an id", Status: 200, Body: `{"messages":[]}`, Want: provider.Ambiguous},
		providertest.Answer{Name: "200, paused", Status: 200, Body: `{"messages":[{"id":"wamid.1","message_status":"paused"}]}`, Want: provider.Template},
		providertest.Answer{Name: "a trace that is a phone", Status: 400, Body: `{"error":{"code":131026,"fbtrace_id":"5511987654321"}}`, Want: provider.Recipient},
	)
}

func TestConformance(t *testing.T) {
	providertest.Run(t, providertest.Harness{
		New: func(t *testing.T, baseURL string, client *http.Client, logger *slog.Logger) provider.Provider {
			config := testConfig()
			config.BaseURL = baseURL
			m, err := New(config, client, logger)
			if err != nil {
				t.Fatal(err)
			}
			return m
		},
		Secrets:           []string{testToken, testSecret, "new-secret", "verify-me"},
		Accepted:          providertest.Answer{Status: 200, Body: `{"messaging_product":"whatsapp","contacts":[{"input":"5511987654321","wa_id":"5511987654321"}],"messages":[{"id":"wamid.OUT1","message_status":"accepted"}]}`},
		ProviderMessageID: "wamid.OUT1",
		Refusals:          refusals(),
		Echo: func(t *testing.T, body []byte) string {
			var sent struct {
				Callback string `json:"biz_opaque_callback_data"`
			}
			if err := json.Unmarshal(body, &sent); err != nil {
				t.Error(err)
			}
			return sent.Callback
		},
		Authorized: func(r *http.Request, _ []byte) bool { return r.Header.Get("Authorization") == "Bearer "+testToken },
		Sign:       signed,
		Delivered: []byte(`{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"` +
			providertest.NumberID + `"},"statuses":[{"id":"wamid.OUT1","status":"delivered","timestamp":"1750263773","recipient_id":"5511987654321","biz_opaque_callback_data":"` +
			providertest.MessageID + `"}]}}]}]}`),
	})
}

func TestATemplateIsSentInMetasForm(t *testing.T) {
	t.Parallel()
	tpl := &template.Template{Name: "order_update", Language: "pt_BR", Components: []template.Component{
		{Part: template.Header, Format: template.Image},
		{Part: template.Body, Text: "{{customer}}: {{order}}"},
		{Part: template.Buttons, Buttons: []template.Button{
			{Action: template.QuickReply}, {Action: template.OpenURL, URL: "https://x.example/{{1}}"}, {Action: template.CopyCode},
		}},
	}}
	message, err := provider.NewTemplateMessage(tpl, map[string]string{
		"header.image": "https://cdn.example/a.jpg", "customer": "Ana", "order": "A-991", "button.1": "A-991", "button.2": "CAFE10",
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(wireRequest(&provider.Request{MessageID: "m1", To: provider.Address{BSUID: "BR.1"}, Template: message}))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"messaging_product":"whatsapp","recipient_type":"individual","recipient":"BR.1","type":"template","biz_opaque_callback_data":"m1",` +
		`"template":{"name":"order_update","language":{"code":"pt_BR"},"components":[` +
		`{"type":"header","parameters":[{"type":"image","image":{"link":"https://cdn.example/a.jpg"}}]},` +
		`{"type":"body","parameters":[{"type":"text","parameter_name":"customer","text":"Ana"},{"type":"text","parameter_name":"order","text":"A-991"}]},` +
		`{"type":"button","sub_type":"url","index":"1","parameters":[{"type":"text","text":"A-991"}]},` +
		`{"type":"button","sub_type":"copy_code","index":"2","parameters":[{"type":"coupon_code","coupon_code":"CAFE10"}]}]}}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	got, err = json.Marshal(wireRequest(&provider.Request{MessageID: "m1", To: provider.Address{Phone: "+1", BSUID: "BR.1"}, Category: plan.Service, Text: "hi"}))
	want = `{"messaging_product":"whatsapp","recipient_type":"individual","to":"+1","type":"text","biz_opaque_callback_data":"m1","text":{"preview_url":false,"body":"hi"}}`
	if string(got) != want || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

func TestAHeldMessageIsAcceptedAndTheAnswerNamesItsRecipient(t *testing.T) {
	t.Parallel()
	m := newMeta(t, "", &http.Client{})
	// Brazil's old form without the ninth digit becomes the form of a person.
	got, err := m.accepted([]byte(`{"contacts":[{"wa_id":"553199990000","user_id":"BR.1349"}],"messages":[{"id":"wamid.1","message_status":"held_for_quality_assessment"}]}`))
	want := provider.Response{ProviderMessageID: "wamid.1", Held: true, Recipient: provider.Address{Phone: "+5531999990000", BSUID: "BR.1349"}}
	if err != nil || got != want {
		t.Errorf("held %t, id %q, recipient right: %t, %v", got.Held, got.ProviderMessageID, got.Recipient == want.Recipient, err)
	}
}

func TestTemplatesAreListedPageByPage(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v25.0/102290129340398/message_templates" {
			t.Errorf("path %s", r.URL.Path)
		}
		page := `{"data":[{"id":"1","name":"a","language":"en_US","status":"APPROVED","category":"MARKETING","components":[{"type":"HEADER","format":"TEXT","text":"Hi {{1}}"},{"type":"BODY","text":"{{1}}"},{"type":"BUTTONS","buttons":[{"type":"URL","text":"Go","url":"https://x.example/{{1}}"}]}]}],"paging":{"cursors":{"after":"A"},"next":"https://elsewhere.example/"}}`
		if r.URL.Query().Get("after") == "A" {
			page = `{"data":[{"id":"2","name":"b","language":"pt_BR","status":"PAUSED","category":"UTILITY","components":[{"type":"BODY","text":"x"},{"type":"CAROUSEL"}]}],"paging":{"cursors":{"after":"B"}}}`
		}
		_, _ = w.Write([]byte(page))
	}))
	t.Cleanup(server.Close)
	got, err := newMeta(t, server.URL, server.Client()).Templates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []template.Template{
		{ID: "1", Name: "a", Language: "en_US", Status: "APPROVED", Category: plan.Marketing, Components: []template.Component{
			{Part: template.Header, Format: template.Text, Text: "Hi {{1}}"},
			{Part: template.Body, Text: "{{1}}"},
			{Part: template.Buttons, Buttons: []template.Button{{Action: template.OpenURL, Text: "Go", URL: "https://x.example/{{1}}"}}},
		}},
		{ID: "2", Name: "b", Language: "pt_BR", Status: "PAUSED", Category: plan.Utility, Components: []template.Component{{Part: template.Body, Text: "x"}, {Part: "carousel"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got[0].Unsupported() != "" || got[1].Unsupported() != "a component of type carousel" {
		t.Errorf("%q, %q", got[0].Unsupported(), got[1].Unsupported())
	}
}

func TestAListThatDoesNotEndEnds(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"data":[],"paging":{"cursors":{"after":"A"},"next":"x"}}`))
	}))
	t.Cleanup(server.Close)
	_, err := newMeta(t, server.URL, server.Client()).Templates(t.Context())
	var refusal *provider.Error
	if !errors.As(err, &refusal) || refusal.Class != provider.Ambiguous {
		t.Error(err)
	}
}

func TestTheSignatureIsMetas(t *testing.T) {
	t.Parallel()
	m := newMeta(t, "", &http.Client{})
	f := func(signature string, want error) {
		t.Helper()
		header := http.Header{}
		header.Set(signatureHeader, signature)
		err := m.VerifyWebhook(provider.Webhook{Header: header, Body: []byte(`{"object":"whatsapp_business_account","entry":[]}`)})
		if !errors.Is(err, want) {
			t.Errorf("%q: %v", signature, err)
		}
	}
	// The known answer, by the second of two secrets.
	const known = "c84a394cc475525991e78ff16e430b02e47f953877d2af0ade26956ce6f384dc"
	f("sha256="+known, nil)
	f("sha256="+strings.ToUpper(known), nil)
	f("sha256=d"+known[1:], provider.ErrSignature)
	f("sha256="+known[:62], provider.ErrSignature)
	f("sha1="+known, provider.ErrSignature)
	f(known, provider.ErrSignature)
	f("sha256=", provider.ErrSignature)
	f("", provider.ErrSignature)
}

func TestTheChallengeIsAnsweredToWhoKnowsTheToken(t *testing.T) {
	t.Parallel()
	m := newMeta(t, "", &http.Client{})
	f := func(query, want string) {
		t.Helper()
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.ChallengeWebhook(values)
		if got != want || (want == "") != errors.Is(err, provider.ErrChallenge) {
			t.Errorf("%s: %q, %v", query, got, err)
		}
	}
	f("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=verify-me", "1158201444")
	f("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=verify", "")
	f("hub.mode=subscribe&hub.challenge=1158201444", "")
	f("hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=verify-me", "")
	f("hub.mode=subscribe&hub.verify_token=verify-me", "")
}

func TestAConfigurationIsRefusedWithEverythingWrong(t *testing.T) {
	t.Parallel()
	_, err := New(Config{BaseURL: "graph.facebook.com", Version: "25", AccountID: "a/b", Timeout: -1}, &http.Client{}, slog.New(slog.DiscardHandler))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"base_url", "version", "account_id", "token", "verify_token", "app_secrets", "timeout"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in: %v", want, err)
		}
	}
}
