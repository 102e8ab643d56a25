package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// displayNumber of the sandbox's number, in Meta's documentation.
const displayNumber = "15550783881"

// told is a step with the submission it belongs to.
type told struct {
	step
	submission *Submission
	reaction   Reaction
}

// hook writes a webhook of steps in their order: neighbours of one sort share a
// change, as Meta batches them.
func (s *Sandbox) hook(steps []told) ([]byte, error) {
	entry := wireEntry{ID: s.config.Account.WABAID}
	var last stepSort
	for i := range steps {
		sort := sortOf(steps[i].is)
		if i == 0 || sort != last {
			entry.Changes = append(entry.Changes, s.newChange(sort))
		}
		last = sort
		s.tell(&entry.Changes[len(entry.Changes)-1].Value, &steps[i])
	}
	raw, err := json.Marshal(wireHook{Object: "whatsapp_business_account", Entry: []wireEntry{entry}})
	if err != nil {
		return nil, fmt.Errorf("write webhook: %w", err)
	}
	return escaped(raw), nil
}

// stepSort says which steps share a change.
type stepSort uint8

const (
	statuses stepSort = iota
	messages
	preferences
)

func sortOf(is stepKind) stepSort {
	switch {
	case is.isStatus():
		return statuses
	case is == stepReply:
		return messages
	}
	return preferences
}

func (s *Sandbox) newChange(sort stepSort) wireChange {
	field := "messages"
	if sort == preferences {
		field = "user_preferences"
	}
	return wireChange{Field: field, Value: wireValue{
		Product:  "whatsapp",
		Metadata: wireMetadata{Display: displayNumber, NumberID: s.config.Account.NumberID},
	}}
}

func (s *Sandbox) tell(v *wireValue, t *told) {
	if t.submission.Customer < 0 {
		v.Statuses = append(v.Statuses, strangerStatus(t))
		return
	}
	c := s.customer(t.submission.Customer)
	switch {
	case t.is.isStatus():
		v.Statuses = append(v.Statuses, s.status(c, t))
		if t.is != stepFailed { // documented as without contacts
			v.contact(c, "")
		}
	case t.is == stepReply:
		v.Messages = append(v.Messages, s.message(c, t))
		v.contact(c, c.Name)
	default:
		v.Preferences = append(v.Preferences, wirePreference{
			WhatsAppID: waID(c.Phone), UserID: c.BSUID, Detail: "User requested to stop marketing messages",
			Category: "marketing_messages", Value: "stop", Timestamp: t.at.Unix(),
		})
		v.contact(c, "")
	}
}

// contact adds a customer's contact once.
func (v *wireValue) contact(c *Customer, name string) {
	contact := wireContact{WhatsAppID: waID(c.Phone), UserID: c.BSUID}
	if name != "" {
		contact.Profile = &wireProfile{Name: name}
	}
	for i := range v.Contacts {
		if v.Contacts[i].WhatsAppID == contact.WhatsAppID && v.Contacts[i].UserID == contact.UserID {
			return
		}
	}
	v.Contacts = append(v.Contacts, contact)
}

func (s *Sandbox) status(c *Customer, t *told) wireStatus {
	status := bareStatus(t)
	status.RecipientID, status.RecipientUserID = waID(c.Phone), c.BSUID
	if t.is == stepSent || t.is == stepDelivered {
		status.Pricing = &wirePricing{Billable: true, Model: "PMP", Type: "regular", Category: string(t.submission.Category)}
		if t.submission.Template == "" {
			status.Pricing = &wirePricing{Model: "PMP", Type: "free_customer_service", Category: "service"}
		}
	}
	return status
}

// strangerStatus tells that nobody of the world has the address.
func strangerStatus(t *told) wireStatus {
	status := bareStatus(t)
	phone, bsuid := addressOf(t.submission.Stranger)
	status.RecipientID, status.RecipientUserID = strings.TrimPrefix(phone, "+"), bsuid
	return status
}

func bareStatus(t *told) wireStatus {
	status := wireStatus{
		ID: t.submission.ProviderMessageID, Status: t.is.status(), Timestamp: unixText(t.at), Callback: t.submission.MessageID,
	}
	if t.is == stepFailed {
		_, title := knownCode(t.reaction.FailedCode)
		fault := wireFault{Code: t.reaction.FailedCode, Title: title, Message: title, Href: "/documentation/business-messaging/whatsapp/support/error-codes"}
		fault.Data.Details = title
		status.Errors = []wireFault{fault}
	}
	return status
}

func (s *Sandbox) message(c *Customer, t *told) wireMessage {
	m := wireMessage{
		From: waID(c.Phone), FromUserID: c.BSUID, ID: s.inboundID(t.submission), Timestamp: unixText(t.at), Type: "text",
		Context: &wireContext{From: displayNumber, ID: t.submission.ProviderMessageID},
	}
	reply := &t.reaction.Reply
	if reply.Button {
		m.Type, m.Button = "button", &wireButtonReply{Payload: reply.Text, Text: reply.Text}
		return m
	}
	m.Text = &wireText{Body: reply.Text}
	return m
}

// inboundID is the id of the customer's reply to a submission.
func (s *Sandbox) inboundID(one *Submission) string {
	return s.world.key.with(inboundDraw).text(one.ProviderMessageID).messageID(s.phoneOf(one))
}

func unixText(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// escaped writes everything beyond ASCII as \uXXXX, as Meta does: who decodes
// before checking the signature finds it wrong.
func escaped(raw []byte) []byte {
	out := make([]byte, 0, len(raw)+len(raw)/8)
	for _, r := range string(raw) {
		switch {
		case r < 0x80:
			out = append(out, byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// signature is the value of X-Hub-Signature-256 (Meta, webhooks "Create an
// endpoint"; checked 2026-11-23).
func signature(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
