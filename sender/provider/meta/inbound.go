package meta

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/goodhour/goodhour/ingest/event"
)

type inbound struct {
	ID           string   `json:"id"`
	From         flexible `json:"from"`
	FromUserID   flexible `json:"from_user_id"`
	FromParentID flexible `json:"from_parent_user_id"`
	Timestamp    flexible `json:"timestamp"`
	Type         string   `json:"type"`
	GroupID      flexible `json:"group_id"`
	// The parts are raw: one of another shape must not cost the message.
	Context     json.RawMessage `json:"context"`
	Referral    json.RawMessage `json:"referral"`
	Text        json.RawMessage `json:"text"`
	Button      json.RawMessage `json:"button"`
	Interactive json.RawMessage `json:"interactive"`
	Image       json.RawMessage `json:"image"`
	Video       json.RawMessage `json:"video"`
	Document    json.RawMessage `json:"document"`
	Order       json.RawMessage `json:"order"`
	Reaction    json.RawMessage `json:"reaction"`
	System      json.RawMessage `json:"system"`
}

var (
	errShape    = errors.New("has another shape")
	errID       = errors.New("no id")
	errInstant  = errors.New("no time")
	errNobody   = errors.New("no phone and no user id")
	errCategory = errors.New("an unknown category or value")
)

// message reads an inbound message. Those of groups are read over.
func (r *reader) message(raw json.RawMessage) error {
	var in inbound
	if json.Unmarshal(raw, &in) != nil {
		return errShape
	}
	if in.GroupID != "" {
		return nil
	}
	at, ok := instant(in.Timestamp)
	if !ok {
		return errInstant
	}
	if !isMessageID(in.ID) {
		return errID
	}
	from := person(string(in.From), string(in.FromUserID), string(in.FromParentID))
	if in.Type == "system" {
		if changed := in.changedTo(); !nobody(changed) {
			// The old identifier is the subject, the new one the data: a link.
			// A contact beside it may be either, so none is asked.
			if nobody(from) {
				return errNobody
			}
			return r.add("changed:"+r.numberID+":"+in.ID, from, at, event.CustomerUpdatedData{Person: changed})
		}
	}
	if from = r.complete(from); nobody(from) {
		return errNobody
	}
	data := in.data()
	data.Person, data.Provider, data.NumberID, data.ProviderMessageID = from, r.meta.config.Name, r.numberID, in.ID
	return r.add("received:"+r.numberID+":"+in.ID, from, at, data)
}

// changedTo returns the new identifier of user_changed_number and
// user_changed_user_id.
func (in *inbound) changedTo() event.Person {
	var s struct {
		Type string `json:"type"`
		contact
	}
	if json.Unmarshal(in.System, &s) != nil {
		return event.Person{}
	}
	switch s.Type {
	case "user_changed_number", "user_changed_user_id":
		return s.person()
	}
	return event.Person{}
}

// data is what the message says.
func (in *inbound) data() event.MessageReceivedData {
	d := event.MessageReceivedData{MessageKind: in.kind()}
	var context struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(in.Context, &context) == nil && isMessageID(context.ID) {
		d.InReplyTo = context.ID
	}
	if isObject(in.Referral) {
		d.Referral = in.Referral
	}
	switch d.MessageKind {
	case "text":
		d.Text = member(in.Text, "body")
	case "button":
		d.Text, d.Payload = member(in.Button, "text"), member(in.Button, "payload")
		if in.Type == "interactive" {
			reply := part(in.Interactive, "button_reply")
			d.Text, d.Payload = member(reply, "title"), member(reply, "id")
		}
	case "list":
		reply := part(in.Interactive, "list_reply")
		d.Text, d.Payload = member(reply, "title"), member(reply, "id")
	case "image":
		d.Text = member(in.Image, "caption")
	case "video":
		d.Text = member(in.Video, "caption")
	case "document":
		d.Text = member(in.Document, "caption")
	case "order":
		d.Text = member(in.Order, "text")
	case "reaction":
		if id := member(in.Reaction, "message_id"); isMessageID(id) {
			d.InReplyTo = id
		}
	}
	return d
}

// kind is the message's type in the words of event.MessageReceived.
func (in *inbound) kind() string {
	switch in.Type {
	case "text", "button", "image", "video", "audio", "document", "sticker", "location", "contacts", "order", "reaction", "system", "unsupported":
		return in.Type
	case "voice": // of old payloads
		return "audio"
	case "interactive":
		switch member(in.Interactive, "type") {
		case "button_reply":
			return "button"
		case "list_reply":
			return "list"
		case "nfm_reply":
			return "flow"
		}
	}
	return "other" // edit, revoke, and what Meta will think of
}

// part returns an object's member, nil if it has none or is no object.
func part(object json.RawMessage, name string) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return nil
	}
	return members[name]
}

// textCharsKept is far over what WhatsApp lets a customer write, and what an
// event may hold.
const textCharsKept = event.MaxTextChars

// member returns an object's member as text, cut to what an event may hold;
// empty if it is none.
func member(object json.RawMessage, name string) string {
	var s string
	if json.Unmarshal(part(object, name), &s) != nil {
		return ""
	}
	if runes := []rune(s); len(runes) > textCharsKept {
		s = string(runes[:textCharsKept])
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
