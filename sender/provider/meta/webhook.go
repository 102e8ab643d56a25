package meta

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/provider"
)

// flexible is a string that may come as a number: Meta writes timestamps and
// ids both ways. Anything else is empty.
type flexible string

// UnmarshalJSON implements json.Unmarshaler. It never fails: one odd field
// must not cost the payload.
func (f *flexible) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		*f = flexible(s)
		return nil
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		*f = flexible(n)
	}
	return nil
}

// The envelope. What repeats is kept raw, so that one item that has another
// shape costs itself only.
type envelope struct {
	Object string            `json:"object"`
	Entry  []json.RawMessage `json:"entry"`
}

type entry struct {
	Changes []json.RawMessage `json:"changes"`
}

type change struct {
	Field string          `json:"field"`
	Value json.RawMessage `json:"value"`
}

type value struct {
	Metadata struct {
		NumberID flexible `json:"phone_number_id"`
	} `json:"metadata"`
	Contacts    []json.RawMessage `json:"contacts"`
	Messages    []json.RawMessage `json:"messages"`
	Statuses    []json.RawMessage `json:"statuses"`
	Errors      []json.RawMessage `json:"errors"`
	Preferences []json.RawMessage `json:"user_preferences"`
}

// reader collects what a payload gives.
type reader struct {
	meta     *Meta
	numberID string
	contacts []contact
	alone    bool // the value has one item, so that a lone contact is its person
	events   []event.Event
	faults   []string
}

// ParseWebhook implements provider.Provider. What is not about messages or
// preferences counts as unread, so that its body is kept: a later version may
// know it, and who subscribed to it wanted it.
func (m *Meta) ParseWebhook(w provider.Webhook) ([]event.Event, error) {
	var e envelope
	if err := json.Unmarshal(w.Body, &e); err != nil {
		return nil, &provider.PayloadError{Reasons: []string{"no JSON object with entries"}}
	}
	if e.Object != "whatsapp_business_account" {
		// A page or Instagram at the same address.
		return nil, &provider.PayloadError{Reasons: []string{"object: want whatsapp_business_account"}}
	}
	r := &reader{meta: m}
	for _, raw := range e.Entry {
		var one entry
		if json.Unmarshal(raw, &one) != nil {
			r.fault("entry", "has another shape")
			continue
		}
		for _, raw := range one.Changes {
			r.change(raw)
		}
	}
	if len(r.faults) > 0 {
		return r.events, &provider.PayloadError{Reasons: r.faults}
	}
	return r.events, nil
}

func (r *reader) fault(what, why string) { r.faults = append(r.faults, what+": "+why) }

func (r *reader) change(raw json.RawMessage) {
	var c change
	if json.Unmarshal(raw, &c) != nil {
		r.fault("change", "has another shape")
		return
	}
	if c.Field != "messages" && c.Field != "user_preferences" {
		r.fault("field "+fieldName(c.Field), "this version does not read it; unsubscribe from it at the provider, or keep it for a later one")
		return
	}
	var v value
	if json.Unmarshal(c.Value, &v) != nil {
		r.fault("value", "has another shape")
		return
	}
	r.value(&v)
}

// fieldName is fit for a reason, whatever the payload says.
func fieldName(s string) string {
	if len(s) > 64 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "other"
	}
	return s
}

func (r *reader) value(v *value) {
	r.numberID = string(v.Metadata.NumberID)
	r.contacts = r.contacts[:0]
	for _, raw := range v.Contacts {
		var c contact
		if json.Unmarshal(raw, &c) == nil {
			r.contacts = append(r.contacts, c)
		}
	}
	items := len(v.Messages) + len(v.Statuses) + len(v.Preferences)
	r.alone = items == 1
	if items == 0 && len(v.Errors) == 0 {
		r.fault("value", "no messages, statuses, preferences or errors in it")
		return
	}
	if items > 0 && !isID(r.numberID) {
		r.fault("value", "no phone_number_id")
		return
	}
	r.each("message", v.Messages, r.message)
	r.each("status", v.Statuses, r.status)
	r.each("user preference", v.Preferences, r.preference)
	for _, raw := range v.Errors {
		var fault statusError
		_ = json.Unmarshal(raw, &fault) // a code of 0 says enough
		code, _ := strconv.Atoi(string(fault.Code))
		r.meta.logger.Warn("provider reports an error", "code", code, "class", string(verdictOf(fault.Code).class))
	}
}

// each reads items and notes what is wrong with one.
func (r *reader) each(what string, items []json.RawMessage, read func(json.RawMessage) error) {
	for _, raw := range items {
		if err := read(raw); err != nil {
			r.fault(what, err.Error())
		}
	}
}

// add makes an event. The subject is whom it is about, or was before a change.
func (r *reader) add(id string, subject event.Person, at time.Time, data event.Data) error {
	ev, err := event.New(id, Source, subjectOf(subject), at, data)
	if err != nil {
		return fmt.Errorf("no event: %w", err)
	}
	if _, err := ev.Record(""); err != nil {
		return fmt.Errorf("no event: %w", err)
	}
	r.events = append(r.events, ev)
	return nil
}

// maxUnixSeconds is the year 9999, the last that RFC 3339 can write.
const maxUnixSeconds = 253402300799

// instant reads unix seconds, or milliseconds, which come now and then: as
// seconds they would lie after the year 33000.
func instant(f flexible) (time.Time, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(string(f)), 10, 64)
	switch {
	case err != nil || n <= 0:
		return time.Time{}, false
	case n >= 1e12 && n/1000 <= maxUnixSeconds:
		return time.UnixMilli(n).UTC(), true
	case n <= maxUnixSeconds:
		return time.Unix(n, 0).UTC(), true
	}
	return time.Time{}, false
}

// pseudonym is the id of something that has none: a keyed hash, as an id is
// public and a plain hash of a phone could be guessed. A new app secret gives
// a new id, which costs a repeated fact at worst.
func (m *Meta) pseudonym(parts ...string) string {
	return hex.EncodeToString(sign(m.config.AppSecrets[0], []byte(strings.Join(parts, "\x00")))[:16])
}

// isObject says whether raw JSON is an object, of a size worth keeping.
func isObject(raw json.RawMessage) bool {
	return len(raw) <= 64<<10 && bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{"))
}
