package sandbox

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/template"
)

const (
	bodyBytesMax     = 1 << 20
	callbackBytesMax = 512
)

// sendMessage answers POST /{version}/{number}/messages.
func (s *Sandbox) sendMessage(w http.ResponseWriter, r *http.Request) {
	if e := s.authorise(r); e != nil {
		s.refuse(w, e)
		return
	}
	if r.PathValue("id") != s.config.Account.NumberID {
		s.refuse(w, unknownObject(r.PathValue("id")))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyBytesMax))
	var sent sendRequest
	if err != nil || json.Unmarshal(body, &sent) != nil {
		s.refuse(w, refuseWith(100, "The body is not JSON of a message"))
		return
	}
	s.submit(w, &sent)
}

// submit decides on a submission, logs it, lets it take effect, and answers: in
// this order, so that what was answered is never lost.
func (s *Sandbox) submit(w http.ResponseWriter, sent *sendRequest) {
	one := Submission{MessageID: sent.Callback, Category: plan.Service}
	t, refused := s.read(sent, &one)
	refused, logged := s.decide(&one, t, refused)
	err := <-logged
	s.settle(&one, err == nil)
	if err != nil {
		s.config.Logger.Error("submission not logged", slog.Any("error", err))
		writeHTML(w, http.StatusServiceUnavailable)
		return
	}
	s.answer(w, sent, &one, refused)
}

// read checks what can be checked without the platform's state, and notes whom
// and what the submission is about.
func (s *Sandbox) read(sent *sendRequest, one *Submission) (*template.Template, *refusal) {
	one.Customer, one.Stranger = -1, sent.To
	if sent.To == "" {
		one.Stranger = sent.Recipient
	}
	switch {
	case sent.Product != "whatsapp":
		return nil, refuseWith(100, "The parameter messaging_product is required.")
	case len(sent.Callback) > callbackBytesMax:
		return nil, refuseWith(100, "biz_opaque_callback_data is over 512 characters.")
	case one.Stranger == "":
		return nil, refuseWith(100, "The parameter to is required.")
	case sent.To != "" && !isPhone(sent.To):
		return nil, refuseWith(100, "Recipient phone number is not valid.")
	}
	if i, found := s.find(sent.To, sent.Recipient); found {
		one.Customer = i
		if !s.isStranger(i) {
			one.Stranger = ""
		}
	}
	if sent.Type == "text" || sent.Type == "" {
		return nil, checkText(sent)
	}
	if sent.Type != "template" {
		return nil, refuseWith(131051, "Unsupported message type.")
	}
	if sent.Template == nil {
		return nil, refuseWith(131008, "template is required.")
	}
	one.Template, one.Language = sent.Template.Name, sent.Template.Language.Code
	t, refused := s.findTemplate(sent.Template)
	if refused != nil {
		return nil, refused
	}
	one.Category = t.Category
	if t.Category == plan.Authentication && sent.To == "" {
		return nil, &refusal{status: http.StatusBadRequest, code: 131062, title: "Business-scoped User ID (BSUID) recipients are not supported for this message."}
	}
	return t, checkParameters(t, sent.Template.Components)
}

func isPhone(s string) bool {
	number := strings.TrimPrefix(s, "+")
	return len(number) >= 7 && len(number) <= 15 && strings.Trim(number, "0123456789") == ""
}

func checkText(sent *sendRequest) *refusal {
	switch {
	case sent.Text == nil || sent.Text.Body == "":
		return refuseWith(131008, "text.body is required.")
	case utf8.RuneCountInString(sent.Text.Body) > textCharsMax:
		return refuseWith(100, "text.body is over 4096 characters.")
	}
	return nil
}

// decide gives a submission its place and its outcome, and hands it to the log.
func (s *Sandbox) decide(one *Submission, t *template.Template, refused *refusal) (*refusal, <-chan error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	one.Seq, one.At = s.seq, s.config.Clock.Now().UTC()
	if refused == nil {
		one.Trouble, one.HTML = s.config.Faults.trouble(one.MessageID, s.attempts[one.MessageID])
		refused = s.platform(one, t)
	}
	s.attempts[one.MessageID]++
	s.accepting[one.Seq] = one.At
	switch {
	case refused != nil:
		one.Outcome, one.Code = Refused, refused.code
	case one.Trouble == serverErrorBefore:
		one.Outcome = Broken
	default:
		one.Outcome = Accepted
		one.ProviderMessageID = s.world.key.with(wamidDraw).text(s.config.Account.NumberID).with(uint64(one.Seq)).messageID(s.phoneOf(one))
	}
	return refused, s.log.append(one)
}

// platform asks the platform's state, and notes what will come of a message
// that it takes.
func (s *Sandbox) platform(one *Submission, t *template.Template) *refusal {
	switch one.Trouble {
	case rateLimited:
		return refuseWith(codeThroughput, tooFast)
	case tooMany:
		return &refusal{status: http.StatusTooManyRequests}
	case serverErrorBefore:
		return nil
	default: // it is answered like any other, or its answer goes wrong later
	}
	p := s.people[one.Customer]
	if p == nil {
		p = &person{}
	}
	closed := t == nil && !p.windowOpen(one.At)
	if closed && s.config.Limits.WindowAtOnce {
		one.Trouble = noTrouble
		return refuseWith(codeWindowClosed, windowClosed)
	}
	if code := s.limits.take(one.At, one.recipient()); code != 0 {
		one.Trouble = noTrouble // it was not taken: there is no answer to lose
		return refuseWith(code, tooFast)
	}
	one.FailCode = s.failCode(one, p, closed)
	return nil
}

const (
	tooFast      = "Message failed to send because there were too many messages sent in a short period of time."
	windowClosed = "Message failed to send because more than 24 hours have passed since the customer last replied to this number."
)

func (s *Sandbox) failCode(one *Submission, p *person, closed bool) int {
	stopped := !p.stoppedAt.IsZero() && !p.stoppedAt.After(one.At)
	switch {
	case one.Customer < 0:
		return codeUndeliverable
	case closed:
		return codeWindowClosed
	case one.Category == plan.Marketing && stopped:
		return codeStopped
	case one.Category == plan.Marketing && s.capped(one):
		return codeNotDelivered
	}
	return 0
}

// capped counts a marketing message against the customer's cap.
func (s *Sandbox) capped(one *Submission) bool {
	most := s.config.Limits.MarketingPerDay
	if most == 0 {
		return false
	}
	p := s.person(one.Customer)
	p.marketing = slices.DeleteFunc(p.marketing, func(at time.Time) bool { return !at.After(one.At.Add(-window)) })
	if len(p.marketing) >= most {
		return true
	}
	p.marketing = append(p.marketing, one.At)
	return false
}

// windowOpen says whether the customer wrote within 24 hours.
func (p *person) windowOpen(now time.Time) bool {
	for _, at := range p.inbound {
		if !at.After(now) && now.Before(at.Add(window)) {
			return true
		}
	}
	return false
}

// settle ends a submission: if it is on the disk, it takes effect.
func (s *Sandbox) settle(one *Submission, logged bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.accepting, one.Seq)
	if logged {
		s.register(*one)
	}
	s.signal()
}

// answer tells the caller, or does not.
func (s *Sandbox) answer(w http.ResponseWriter, sent *sendRequest, one *Submission, refused *refusal) {
	switch one.Trouble {
	case lostResponse:
		panic(http.ErrAbortHandler) // closes the connection without an answer
	case serverErrorBefore, serverErrorAfter:
		if one.HTML {
			writeHTML(w, http.StatusBadGateway)
			return
		}
		s.refuse(w, refuseWith(131000, "Message failed to send due to an unknown error."))
	case tooMany:
		w.Header().Set("Retry-After", "1")
		if one.HTML {
			writeHTML(w, http.StatusTooManyRequests)
			return
		}
		w.WriteHeader(http.StatusTooManyRequests)
	default:
		if refused != nil {
			s.refuse(w, refused)
			return
		}
		writeJSON(w, http.StatusOK, s.accepted(sent, one))
	}
}

func (s *Sandbox) accepted(sent *sendRequest, one *Submission) *sendAnswer {
	contact := answerContact{Input: sent.To, WhatsAppID: strings.TrimPrefix(sent.To, "+")}
	if one.Customer >= 0 {
		contact.WhatsAppID = waID(s.customer(one.Customer).Phone)
	}
	if sent.To == "" {
		contact = answerContact{Input: sent.Recipient, UserID: sent.Recipient}
	}
	message := answerMessage{ID: one.ProviderMessageID}
	if one.Template != "" {
		message.Status = "accepted"
	}
	return &sendAnswer{Product: "whatsapp", Contacts: []answerContact{contact}, Messages: []answerMessage{message}}
}
