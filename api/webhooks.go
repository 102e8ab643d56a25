package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/goodhour/goodhour/sender/provider"
)

const (
	// bodyWebhook is above the 3 MB that Meta's batches may have (Meta, webhooks
	// "Overview", checked 2026-11-23).
	bodyWebhook = 4 << 20
	// webhookFreeBytes of a body are not counted in the budget of webhook
	// bodies: whoever fills it, for anybody may send here, an ordinary webhook
	// of a few KB is still read.
	webhookFreeBytes = 64 << 10
	// webhookBodiesMax is that budget, apart from the one of callers with keys.
	webhookBodiesMax = 64 << 20
	// webhooksAtOnce are parsed and published at once; signed ones only.
	webhooksAtOnce = 256
	// webhookPublishTimeout is how long the log may take: providers hang up
	// after 5 to 15 seconds and send the webhook again.
	webhookPublishTimeout = 10 * time.Second
	// deadLetterBytesMax bounds one dead letter, so that it fits a record of the
	// log; a larger body is kept in parts.
	deadLetterBytesMax = 900_000
	// webhookReasonsMax of a body's reasons are kept with it.
	webhookReasonsMax = 10
)

// webhooks is what receives the providers' webhooks.
type webhooks struct {
	providers  map[string][]provider.Provider
	publicURL  string
	deadLetter func(ctx context.Context, source string, body []byte, reason string) error
	bodies     *budget
	slots      chan struct{}
}

func newWebhooks(cfg *Config) *webhooks {
	return &webhooks{
		providers: cfg.Webhooks, publicURL: strings.TrimRight(cfg.PublicURL, "/"), deadLetter: cfg.DeadLetter,
		bodies: &budget{most: webhookBodiesMax}, slots: make(chan struct{}, webhooksAtOnce),
	}
}

// accounts are those of the provider that the path names.
func (h *webhooks) accounts(r *http.Request) (name string, accounts []provider.Provider, err error) {
	if name, err = pathSegment(r, "provider"); err != nil {
		return "", nil, err
	}
	if accounts = h.providers[name]; len(accounts) == 0 {
		return "", nil, problemf(problemNotFound, "No account of a provider of this name is configured.")
	}
	return name, accounts, nil
}

// getWebhook answers the provider's question whether the address is ours.
func (s *Server) getWebhook(w http.ResponseWriter, r *http.Request) error {
	_, accounts, err := s.webhooks.accounts(r)
	if err != nil {
		return err
	}
	for _, account := range accounts {
		if answer, err := account.ChallengeWebhook(r.URL.Query()); err == nil {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = w.Write([]byte(answer))
			return nil
		}
	}
	return problemf(problemWebhookChallenge, "No configured account has this verify token.")
}

// postWebhook takes a webhook in: verified over its raw bytes before anything
// is read of it, and answered with 200 once all its events are in the log.
// Whatever else happens is an error, after which the provider sends it again,
// with the same event ids.
func (s *Server) postWebhook(w http.ResponseWriter, r *http.Request) error {
	name, accounts, err := s.webhooks.accounts(r)
	if err != nil {
		return err
	}
	began, outcome := s.now(), problemInternal.name
	defer func() { s.metrics.webhook(name, outcome, s.now().Sub(began)) }() // also after a panic
	events, whole, err := s.takeWebhook(w, r, name, accounts)
	if err != nil {
		outcome = asProblem(err).kind.name
		return err
	}
	outcome = webhookAccepted
	if !whole {
		outcome = webhookInPart
	}
	s.metrics.webhookEvents.WithLabelValues(name).Add(float64(events))
	w.WriteHeader(http.StatusOK)
	return nil
}

// takeWebhook returns how many events it published, and whether the webhook
// could be read as a whole.
func (s *Server) takeWebhook(w http.ResponseWriter, r *http.Request, name string, accounts []provider.Provider) (events int, whole bool, err error) {
	body, release, err := s.webhookBody(w, r)
	if err != nil {
		return 0, false, err
	}
	defer release()
	hook := provider.Webhook{URL: s.webhooks.url(r), Header: r.Header, Body: body}
	account := signer(accounts, hook)
	if account == nil {
		return 0, false, problemf(problemWebhookSignature, "No configured account of this provider signs like this.")
	}
	requestOf(r.Context()).principal.id = "provider:" + name
	select {
	case s.webhooks.slots <- struct{}{}:
		defer func() { <-s.webhooks.slots }()
	default:
		p := problemf(problemUnavailable, "Too many webhooks are being worked on.")
		p.retryAfter = time.Second
		return 0, false, p
	}
	return s.storeWebhook(r.Context(), name, account, hook)
}

// signer is the first account whose signature the webhook bears; nil: none.
func signer(accounts []provider.Provider, hook provider.Webhook) provider.Provider {
	for _, account := range accounts {
		if account.VerifyWebhook(hook) == nil {
			return account
		}
	}
	return nil
}

// webhookBody reads the body as it came. The caller releases its memory.
func (s *Server) webhookBody(w http.ResponseWriter, r *http.Request) (body []byte, release func(), err error) {
	size := r.ContentLength
	if size > bodyWebhook {
		return nil, nil, problemf(problemTooLarge, "A webhook may have %d bytes.", bodyWebhook)
	}
	if size < 0 {
		size = bodyWebhook
	}
	claim := max(0, size-webhookFreeBytes)
	if !s.webhooks.bodies.take(claim) {
		p := problemf(problemUnavailable, "Too many large bodies are being read.")
		p.retryAfter = time.Second
		return nil, nil, p
	}
	release = func() { s.webhooks.bodies.give(claim) }
	if body, err = s.readRaw(w, r, bodyWebhook); err != nil {
		release()
		return nil, nil, err
	}
	return body, release, nil
}

// url is the address that the provider called. Without a configured one it is
// the address that the request names, which is right where no proxy stands between.
func (h *webhooks) url(r *http.Request) string {
	base := h.publicURL
	if base == "" {
		base = "http://" + r.Host
	}
	return base + r.URL.RequestURI()
}

// storeWebhook puts all that could be read into the log. Where that is not
// everything, the body as it came becomes a dead letter, so that nothing is lost.
func (s *Server) storeWebhook(ctx context.Context, name string, account provider.Provider, hook provider.Webhook) (events int, whole bool, err error) {
	parsed, err := account.ParseWebhook(hook)
	var reasons []string
	if err != nil {
		unread, ok := errors.AsType[*provider.PayloadError](err)
		if !ok {
			return 0, false, fmt.Errorf("parse a webhook of provider %s: %w", name, err)
		}
		if reasons = unread.Reasons; len(reasons) == 0 {
			reasons = []string{unread.Error()}
		}
	}
	// What the decoder of the log would refuse, or the log for its size, is
	// refused at every repeat: it must not make the provider repeat.
	in := s.newIntake()
	for i := range parsed {
		if err := in.add(parsed[i]); err != nil {
			reasons = append(reasons, "an event: "+err.Error())
		}
	}
	if len(in.events) > 0 {
		if err := s.append(ctx, in.events, webhookPublishTimeout); err != nil {
			return 0, false, err
		}
	}
	if len(reasons) > 0 {
		if err := s.storeDeadWebhook(ctx, name, hook.Body, reasons); err != nil {
			return 0, false, err
		}
	}
	return len(in.events), len(reasons) == 0, nil
}

func (s *Server) storeDeadWebhook(ctx context.Context, name string, body []byte, reasons []string) error {
	reason := strings.Join(reasons[:min(len(reasons), webhookReasonsMax)], "; ")
	if more := len(reasons) - webhookReasonsMax; more > 0 {
		reason = fmt.Sprintf("%s; and %d more", reason, more)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), webhookPublishTimeout)
	defer cancel()
	parts := slices.Collect(slices.Chunk(body, deadLetterBytesMax))
	if len(parts) == 0 {
		parts = [][]byte{nil} // an empty body is a letter too
	}
	for i, part := range parts {
		why := reason
		if len(parts) > 1 {
			why = fmt.Sprintf("part %d of %d: %s", i+1, len(parts), reason)
		}
		if err := s.webhooks.deadLetter(ctx, "webhook:"+name, part, why); err != nil {
			return &problem{
				kind: problemUnavailable, detail: "What could not be read could not be kept either.",
				retryAfter: 5 * time.Second, cause: fmt.Errorf("keep a webhook of provider %s as a dead letter: %w", name, err),
			}
		}
	}
	return nil
}
