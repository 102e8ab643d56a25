package meta

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/provider"
)

type status struct {
	ID              string          `json:"id"`
	Status          string          `json:"status"`
	Timestamp       flexible        `json:"timestamp"`
	RecipientID     flexible        `json:"recipient_id"`
	RecipientUserID flexible        `json:"recipient_user_id"`
	RecipientType   string          `json:"recipient_type"`
	Callback        flexible        `json:"biz_opaque_callback_data"`
	Pricing         json.RawMessage `json:"pricing"`
	Errors          json.RawMessage `json:"errors"`
	// Meta's pages have the parent's id under two names.
	RecipientParentID flexible `json:"recipient_parent_user_id"`
	ParentRecipientID flexible `json:"parent_recipient_user_id"`
}

type statusError struct {
	Code flexible `json:"code"`
}

// verdictOf judges a code in a status, which is definite: where it is not
// known, or would leave a call in doubt, the message is what failed.
func verdictOf(code flexible) verdict {
	n, _ := strconv.Atoi(string(code))
	v, known := byCode(n, 0)
	if !known || v.class == provider.Ambiguous {
		v.class = provider.Message
	}
	return v
}

// code is that of the first error; empty if there is none.
func (s *status) code() flexible {
	var list []statusError
	if json.Unmarshal(s.Errors, &list) != nil || len(list) == 0 {
		return ""
	}
	if _, err := strconv.Atoi(string(list[0].Code)); err != nil {
		return ""
	}
	return list[0].Code
}

// status reads what happened to a message of ours. Those to groups and states
// that say nothing to us (deleted, warning, unknown ones) are read over.
func (r *reader) status(raw json.RawMessage) error {
	var s status
	if json.Unmarshal(raw, &s) != nil {
		return errShape
	}
	if s.RecipientType == "group" {
		return nil
	}
	at, ok := instant(s.Timestamp)
	if !ok {
		return errInstant
	}
	if !isMessageID(s.ID) {
		return errID
	}
	to := person(string(s.RecipientID), string(s.RecipientUserID), string(s.RecipientParentID+s.ParentRecipientID))
	if to = r.complete(to); nobody(to) {
		return errNobody
	}
	data := s.data(to, r.messageOf(&s))
	if data == nil {
		r.meta.logger.Debug("message status read over")
		return nil
	}
	if err := r.add("status:"+s.ID+":"+s.Status, to, at, data); err != nil {
		return err
	}
	if s.optedOut() {
		return r.consent("optout:"+s.ID, to, at, "opted_out", "error 131050 on a message")
	}
	return nil
}

// messageOf says which message a status is about. Another system's callback
// data says nothing to us, and may be personal.
func (r *reader) messageOf(s *status) event.Message {
	m := event.Message{ProviderMessageID: s.ID, Provider: r.meta.config.Name, NumberID: r.numberID}
	if id := string(s.Callback); len(id) == 32 && strings.Trim(id, "0123456789abcdef") == "" {
		m.MessageID = id
	}
	return m
}

func (s *status) data(to event.Person, m event.Message) event.Data {
	switch s.Status {
	case "sent":
		return event.MessageSentData{Person: to, Message: m, Pricing: s.pricing()}
	case "delivered":
		return event.MessageDeliveredData{Person: to, Message: m, Pricing: s.pricing()}
	case "read", "played": // a voice message that was played was read
		return event.MessageReadData{Person: to, Message: m}
	case "failed":
		d := event.MessageFailedData{Person: to, Message: m}
		if code := s.code(); code != "" {
			d.ErrorCode, d.ErrorClass = string(code), string(verdictOf(code).class)
		}
		return d
	}
	return nil
}

func (s *status) optedOut() bool { return s.Status == "failed" && verdictOf(s.code()).optedOut }

func (s *status) pricing() *event.Pricing {
	var p struct {
		Billable *bool  `json:"billable"`
		Category string `json:"category"`
		Type     string `json:"type"`
	}
	if json.Unmarshal(s.Pricing, &p) != nil || p.Billable == nil && p.Category == "" && p.Type == "" {
		return nil
	}
	// Both spellings are seen: authentication-international and with _.
	return &event.Pricing{Billable: p.Billable, Category: strings.ReplaceAll(p.Category, "-", "_"), Type: p.Type}
}

type preference struct {
	contact
	Category  string   `json:"category"`
	Value     string   `json:"value"`
	Timestamp flexible `json:"timestamp"`
}

// preference reads a customer's choice in WhatsApp itself, to stop or resume
// marketing of this business.
func (r *reader) preference(raw json.RawMessage) error {
	var p preference
	if json.Unmarshal(raw, &p) != nil {
		return errShape
	}
	at, ok := instant(p.Timestamp)
	if !ok {
		return errInstant
	}
	who := r.complete(p.person())
	if nobody(who) {
		return errNobody
	}
	state := map[string]string{"stop": "opted_out", "resume": "opted_in"}[p.Value]
	if p.Category != "marketing_messages" || state == "" {
		return errCategory
	}
	id := r.meta.pseudonym("preference", r.numberID, string(p.WhatsAppID), string(p.UserID), p.Category, p.Value, string(p.Timestamp))
	return r.consent("preference:"+id, who, at, state, "WhatsApp's marketing preference: "+p.Value)
}

func (r *reader) consent(id string, who event.Person, at time.Time, state, evidence string) error {
	return r.add(id, who, at, event.ConsentChangedData{
		Person: who, Category: "marketing", State: state, Source: "provider_preference", Evidence: evidence,
	})
}
