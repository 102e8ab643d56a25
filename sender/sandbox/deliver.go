package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// stepsPerHook is the most that a webhook tells. Meta's own bound is 1,000
	// (webhooks overview; checked 2026-11-23).
	stepsPerHook = 100
	// A webhook that is not answered with 200 is sent again: first after
	// retryFirst of wall time, then ever later, up to retryLast. Virtual time
	// would stand still meanwhile.
	retryFirst = 50 * time.Millisecond
	retryLast  = 10 * time.Second
	// answerBytesMax of a webhook's answer is read.
	answerBytesMax = 64 << 10
)

// runWebhooks delivers webhooks in the order of their due times, one at a time.
func (s *Sandbox) runWebhooks(ctx context.Context) error {
	if err := s.persist(ctx, "webhook url not verified", s.verify); err != nil {
		return err
	}
	for ctx.Err() == nil {
		batch, next, changed := s.takeDue()
		if len(batch) == 0 {
			if err := s.await(ctx, next, changed); err != nil {
				return err
			}
			continue
		}
		if err := s.deliver(ctx, batch); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// takeDue takes what is due, or says when something will be; what changes that
// closes the channel. Nothing is taken that a call in progress could precede.
func (s *Sandbox) takeDue() (batch []told, next time.Time, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var before time.Time
	for _, at := range s.accepting {
		if before.IsZero() || at.Before(before) {
			before = at
		}
	}
	for _, one := range s.queue.pop(stepsPerHook, s.config.Clock.Now(), before) {
		submission := &s.submissions[one.submission]
		reaction := s.reaction(submission)
		batch = append(batch, told{
			step: s.steps(submission, &reaction)[one.nth], submission: submission, reaction: reaction,
		})
	}
	s.delivering = len(batch) > 0
	if next, pending := s.queue.next(); pending && (before.IsZero() || next.Before(before)) {
		return batch, next, s.changed
	}
	return batch, time.Time{}, s.changed
}

// deliver sends a webhook until it is taken, and then notes how far the world
// is told.
func (s *Sandbox) deliver(ctx context.Context, batch []told) error {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.delivering = false
		s.signal()
	}()
	body, err := s.hook(batch)
	if err != nil {
		return err
	}
	if err := s.persist(ctx, "webhook not taken", func(ctx context.Context) error { return s.post(ctx, body) }); err != nil {
		return err
	}
	until := batch[len(batch)-1].due
	return s.storeMarks(func(m *marks) { m.WebhooksUntil = until })
}

// persist tries until it works or the context ends.
func (s *Sandbox) persist(ctx context.Context, complaint string, try func(context.Context) error) error {
	told := ""
	for wait := retryFirst; ; wait = min(2*wait, retryLast) {
		err := try(ctx)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if told != err.Error() { // the same trouble is told once
			told = err.Error()
			s.config.Logger.Warn("sandbox tries again until it works", slog.String("what", complaint), slog.Any("error", err))
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

func (s *Sandbox) post(ctx context.Context, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.config.WebhookURL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("post webhook: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Hub-Signature-256", signature(s.config.Account.AppSecret.Reveal(), body))
	_, err = s.call(request)
	return err
}

// verify asks the URL whether it is the account's, as Meta does when it is
// entered.
func (s *Sandbox) verify(ctx context.Context) error {
	challenge := s.world.key.text("challenge").hex(16)
	query := url.Values{
		"hub.mode": {"subscribe"}, "hub.challenge": {challenge}, "hub.verify_token": {s.config.Account.VerifyToken.Reveal()},
	}
	separator := "?"
	if strings.Contains(s.config.WebhookURL, "?") {
		separator = "&"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.config.WebhookURL+separator+query.Encode(), http.NoBody)
	if err != nil {
		return errors.New("verify webhook url: it is no url")
	}
	answer, err := s.call(request)
	if err != nil {
		return err
	}
	if string(answer) != challenge {
		return errors.New("verify webhook url: it did not answer with the challenge")
	}
	return nil
}

// call returns the body of an answer of 200. Errors do not hold the URL, which
// may carry the verify token.
func (s *Sandbox) call(request *http.Request) ([]byte, error) {
	response, err := s.config.Client.Do(request)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err
		}
		return nil, fmt.Errorf("%s to the webhook's url: %w", request.Method, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	switch {
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s to the webhook's url: answered %d, want 200", request.Method, response.StatusCode)
	case err != nil:
		return nil, fmt.Errorf("%s to the webhook's url: read the answer: %w", request.Method, err)
	}
	return answer, nil
}
