package providertest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/provider"
	"github.com/goodhour/goodhour/sender/template"
)

// What must never be printed: the suite sends with these.
const (
	Phone = "+5511987654321"
	Name  = "Guilhermina"
)

// MessageID is ours in all requests of the suite.
const MessageID = "0123456789abcdef0123456789abcdef"

// NumberID sends all requests of the suite.
const NumberID = "106540352242922"

// Answer is what the server says.
type Answer struct {
	Name   string
	Status int
	Header http.Header
	Body   string
	// Want is the class that it has to become, and RetryAfterMin the least wait.
	Want          provider.Class
	RetryAfterMin time.Duration
	OptedOut      bool
}

// Harness is an adapter and its provider's wire forms.
type Harness struct {
	// New returns an adapter that speaks to baseURL.
	New func(t *testing.T, baseURL string, client *http.Client, logger *slog.Logger) provider.Provider
	// Secrets may stand in requests, never in errors and logs.
	Secrets []string
	// Accepted answers a request; ProviderMessageID is the id in it.
	Accepted          Answer
	ProviderMessageID string
	// Refusals has at least one answer for each class.
	Refusals []Answer
	// Echo returns the message id that a request asks to be echoed.
	Echo func(t *testing.T, body []byte) string
	// Authorized says whether a request carries the credentials.
	Authorized func(r *http.Request, body []byte) bool
	// Sign returns a webhook as the provider would send it.
	Sign func(body []byte) provider.Webhook
	// Delivered is the body of a webhook: MessageID was delivered.
	Delivered []byte
}

// bundle is an adapter at a server that records what it gets.
type bundle struct {
	provider provider.Provider
	server   *httptest.Server
	logs     *output

	mu     sync.Mutex
	bodies [][]byte
}

// output is a log that several goroutines may write.
type output struct {
	mu   sync.Mutex
	text strings.Builder
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

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Parallel()
	t.Run("accepted once, with our id and credentials", h.accepted)
	t.Run("each refusal has its class", h.refusals)
	t.Run("an answer that never comes is ambiguous", h.timeout)
	t.Run("a connection that breaks after the request is ambiguous", h.broken)
	t.Run("an answer that breaks off is ambiguous", h.cut)
	t.Run("no server is retry-safe", h.nobody)
	t.Run("cancelled before the call is retry-safe", h.cancelled)
	t.Run("an endless answer ends", h.endless)
	t.Run("a redirect is not followed", h.redirect)
	t.Run("a request that is not whole is not sent", h.unsent)
	t.Run("a webhook is verified over its raw bytes", h.webhook)
}

func (h *Harness) setup(t *testing.T, handle http.HandlerFunc) *bundle {
	t.Helper()
	b := &bundle{logs: &output{}}
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("request: %v", err)
		}
		if !h.Authorized(r, body) {
			t.Error("a request without the credentials")
		}
		b.mu.Lock()
		b.bodies = append(b.bodies, body)
		b.mu.Unlock()
		handle(w, r)
	}))
	t.Cleanup(b.server.Close)
	b.provider = h.New(t, b.server.URL, b.server.Client(), slog.New(slog.NewTextHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug})))
	return b
}

// send sends and checks what holds for all answers: one request at most, an
// *Error if any, and nothing personal or secret in it or in the logs.
func (h *Harness) send(ctx context.Context, t *testing.T, b *bundle, r provider.Request) (provider.Response, *provider.Error) {
	t.Helper()
	response, err := b.provider.Send(ctx, r)
	b.mu.Lock()
	if len(b.bodies) > 1 {
		t.Errorf("sent %d times", len(b.bodies))
	}
	b.mu.Unlock()
	if err == nil {
		h.clean(t, b.logs.String())
		return response, nil
	}
	h.clean(t, b.logs.String()+err.Error())
	var refusal *provider.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("%T is no *provider.Error: %v", err, err)
	}
	if refusal.Detail == "" {
		t.Error("an error without detail")
	}
	return response, refusal
}

func (h *Harness) clean(t *testing.T, text string) {
	t.Helper()
	for _, hidden := range append([]string{Phone, strings.TrimPrefix(Phone, "+"), Name}, h.Secrets...) {
		if strings.Contains(text, hidden) {
			t.Errorf("a secret or something personal (%d characters) stands in an error or a log", len(hidden))
		}
	}
}

func request(t *testing.T) provider.Request {
	t.Helper()
	m, err := provider.NewTemplateMessage(&template.Template{
		Name: "order_update", Language: "pt_BR",
		Components: []template.Component{{Part: template.Body, Text: "Olá {{1}}"}},
	}, map[string]string{"1": Name})
	if err != nil {
		t.Fatal(err)
	}
	return provider.Request{MessageID: MessageID, NumberID: NumberID, To: provider.Address{Phone: Phone}, Category: plan.Utility, Template: m}
}

func (a *Answer) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.Header)
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body) // the client may be gone
}

func (h *Harness) accepted(t *testing.T) {
	t.Parallel()
	text := request(t)
	text.Template, text.Text = nil, "Oi "+Name
	toBSUID := request(t)
	toBSUID.To = provider.Address{BSUID: "BR.13491208655302741918"}
	for _, r := range []provider.Request{request(t), text, toBSUID} {
		b := h.setup(t, func(w http.ResponseWriter, _ *http.Request) { h.Accepted.write(w) })
		response, err := h.send(t.Context(), t, b, r)
		if err != nil || response.ProviderMessageID != h.ProviderMessageID || response.Held {
			t.Fatalf("got %+v, %v", response, err)
		}
		if echo := h.Echo(t, b.bodies[0]); echo != MessageID {
			t.Errorf("asks to echo %q", echo)
		}
	}
}

func (h *Harness) refusals(t *testing.T) {
	t.Parallel()
	seen := map[provider.Class]bool{}
	for _, a := range h.Refusals {
		seen[a.Want] = true
		t.Run(a.Name, func(t *testing.T) {
			t.Parallel()
			b := h.setup(t, func(w http.ResponseWriter, _ *http.Request) { a.write(w) })
			_, err := h.send(t.Context(), t, b, request(t))
			switch {
			case err == nil:
				t.Error("accepted")
			case err.Class != a.Want || err.RetryAfter < a.RetryAfterMin || err.OptedOut != a.OptedOut:
				t.Errorf("%v, again after %s, opted out %t", err, err.RetryAfter, err.OptedOut)
			}
		})
	}
	for _, class := range provider.Classes() {
		if !seen[class] {
			t.Errorf("no answer of class %s is tried", class)
		}
	}
}

func wantClass(t *testing.T, err *provider.Error, want provider.Class) {
	t.Helper()
	if err == nil || err.Class != want {
		t.Errorf("got %v, want class %s", err, want)
	}
}

func (h *Harness) timeout(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	b := h.setup(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel() // the message is taken; nobody waits for the answer
		<-r.Context().Done()
	})
	_, err := h.send(ctx, t, b, request(t))
	wantClass(t, err, provider.Ambiguous)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v does not say that it was cancelled", err)
	}
}

func (h *Harness) broken(t *testing.T) {
	t.Parallel()
	b := h.setup(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, err := h.send(t.Context(), t, b, request(t))
	wantClass(t, err, provider.Ambiguous)
}

func (h *Harness) cut(t *testing.T) {
	t.Parallel()
	b := h.setup(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		(&Answer{Status: http.StatusOK, Body: h.Accepted.Body[:len(h.Accepted.Body)/2]}).write(w)
	})
	_, err := h.send(t.Context(), t, b, request(t))
	wantClass(t, err, provider.Ambiguous)
}

func (h *Harness) nobody(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	logs := &output{}
	b := &bundle{logs: logs, provider: h.New(t, "http://"+address, &http.Client{}, slog.New(slog.NewTextHandler(logs, nil)))}
	_, refusal := h.send(t.Context(), t, b, request(t))
	wantClass(t, refusal, provider.RetrySafe)
}

func (h *Harness) cancelled(t *testing.T) {
	t.Parallel()
	b := h.setup(t, func(http.ResponseWriter, *http.Request) { t.Error("sent") })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := h.send(ctx, t, b, request(t))
	wantClass(t, err, provider.RetrySafe)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v does not say that it was cancelled", err)
	}
}

func (h *Harness) endless(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]provider.Class{http.StatusOK: provider.Ambiguous, http.StatusBadGateway: provider.Ambiguous} {
		b := h.setup(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			block := []byte(strings.Repeat(Phone+" ", 4096))
			for r.Context().Err() == nil {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		})
		_, err := h.send(t.Context(), t, b, request(t))
		wantClass(t, err, want)
	}
}

func (h *Harness) redirect(t *testing.T) {
	t.Parallel()
	b := h.setup(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	_, err := h.send(t.Context(), t, b, request(t)) // which fails if it is sent twice
	wantClass(t, err, provider.Account)
}

func (h *Harness) unsent(t *testing.T) {
	t.Parallel()
	b := h.setup(t, func(http.ResponseWriter, *http.Request) { t.Error("sent") })
	r := request(t)
	r.To = provider.Address{}
	_, err := h.send(t.Context(), t, b, r)
	wantClass(t, err, provider.Message)
	r = request(t)
	r.NumberID = "../messages?x="
	_, err = h.send(t.Context(), t, b, r)
	wantClass(t, err, provider.Number)
}

func (h *Harness) webhook(t *testing.T) {
	t.Parallel()
	b := h.setup(t, func(http.ResponseWriter, *http.Request) { t.Error("sent") })
	w := h.Sign(h.Delivered)
	if err := b.provider.VerifyWebhook(w); err != nil {
		t.Errorf("a good signature: %v", err)
	}
	tampered := w
	tampered.Body = append([]byte{}, w.Body...)
	tampered.Body[len(tampered.Body)/2] ^= 1
	if err := b.provider.VerifyWebhook(tampered); !errors.Is(err, provider.ErrSignature) {
		t.Errorf("a changed byte: %v", err)
	}
	tampered = w
	tampered.Header = http.Header{}
	if err := b.provider.VerifyWebhook(tampered); !errors.Is(err, provider.ErrSignature) {
		t.Errorf("no signature: %v", err)
	}
	events, err := b.provider.ParseWebhook(w)
	if err != nil || len(events) != 1 || events[0].Kind != event.MessageDelivered || !strings.Contains(string(events[0].Data), `"`+MessageID+`"`) {
		t.Errorf("got %d events, %v", len(events), err)
	}
	again, err := b.provider.ParseWebhook(w)
	if err != nil || len(again) != 1 || len(events) != 1 || again[0].ID != events[0].ID {
		t.Errorf("a retry is another event: %v", err)
	}
	h.clean(t, b.logs.String())
}
