package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// New returns an event with typed data. Its id and time come from what
// happened, not from the moment of publishing, so that a retry is the same
// event; at is kept to the microsecond.
func New(id, source, subject string, at time.Time, data Data) (Event, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(data); err != nil {
		return Event{}, fmt.Errorf("encode data of %s: %w", data.Kind(), err)
	}
	return Event{
		ID: id, Source: source, Kind: data.Kind(), Subject: subject, Time: at,
		Data: bytes.TrimRight(text.Bytes(), "\n"),
	}, nil
}

// Record returns the event as a Kafka record in CloudEvents' binary form:
// attributes in ce_* headers, the data as value, the subject as key. It checks
// the attributes and that the data is a JSON object; whether the data fits its
// kind is Decode's to say. The record has no time: the producer sets it, to
// the wall clock.
func (e *Event) Record(prefix string) (Record, error) {
	if err := e.check(); err != nil {
		return Record{}, err
	}
	headers := []Header{
		{Key: headerPrefix + attributeSpecVersion, Value: []byte(specVersion)},
		{Key: headerPrefix + attributeID, Value: []byte(e.ID)},
		{Key: headerPrefix + attributeSource, Value: []byte(e.Source)},
		{Key: headerPrefix + attributeType, Value: []byte(e.Kind.String())},
		{Key: headerPrefix + attributeTime, Value: e.appendTime(nil)},
		{Key: headerContentType, Value: []byte(mediaTypeJSON)},
	}
	if e.Subject != "" {
		headers = append(headers, Header{Key: headerPrefix + attributeSubject, Value: []byte(e.Subject)})
	}
	return Record{Topic: e.Kind.TopicName(prefix), Key: e.key(), Value: e.Data, Headers: headers}, nil
}

// Structured returns the event as a Kafka record in CloudEvents' structured
// form: the value is the whole event. Otherwise it is like Record.
func (e *Event) Structured(prefix string) (Record, error) {
	if err := e.check(); err != nil {
		return Record{}, err
	}
	value, err := e.MarshalJSON()
	if err != nil {
		return Record{}, err
	}
	return Record{
		Topic: e.Kind.TopicName(prefix), Key: e.key(), Value: value,
		Headers: []Header{{Key: headerContentType, Value: []byte(mediaTypeStructured)}},
	}, nil
}

// structured is CloudEvents' JSON event format.
type structured struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject,omitempty"`
	Time            string          `json:"time"`
	DataContentType string          `json:"datacontenttype,omitempty"`
	Data            json.RawMessage `json:"data"`
}

// MarshalJSON returns the event in CloudEvents' JSON event format.
func (e Event) MarshalJSON() ([]byte, error) {
	return json.Marshal(structured{
		SpecVersion: specVersion, ID: e.ID, Source: e.Source, Type: e.Kind.String(), Subject: e.Subject,
		Time: string(e.appendTime(nil)), DataContentType: mediaTypeJSON, Data: e.Data,
	})
}

// UnmarshalJSON reads an event in CloudEvents' JSON event format, as an API
// gets it, and checks its attributes; whether the data fits its kind is
// Decode's to say. Errors never quote the event.
func (e *Event) UnmarshalJSON(text []byte) error {
	var d Decoder
	if err := d.readStructured(text); err != nil {
		return err
	}
	kind, known := KindOf(string(d.envelope.ceType))
	switch micros, ok := parseTimeOrZero(d.envelope.time); {
	case string(d.envelope.specVersion) != specVersion:
		return errSpecVersion
	case !known:
		return errUnknownType
	case !ok:
		return errTime
	default:
		*e = Event{
			ID: string(d.envelope.id), Source: string(d.envelope.source), Kind: kind,
			Subject: string(d.envelope.subject), Time: time.UnixMicro(micros).UTC(),
			Data: bytes.Clone(d.envelope.data),
		}
	}
	return e.check()
}

func parseTimeOrZero(text []byte) (int64, bool) {
	if len(text) == 0 {
		return 0, false
	}
	return parseTime(text)
}

// key is the record's key: the subject, so that a person's events keep their
// order; an event about nobody goes to any partition.
func (e *Event) key() []byte {
	if e.Subject == "" {
		return nil
	}
	return []byte(e.Subject)
}

// appendTime writes RFC 3339 in UTC, cut to the microsecond.
func (e *Event) appendTime(dst []byte) []byte {
	return e.Time.UTC().Truncate(time.Microsecond).AppendFormat(dst, time.RFC3339Nano)
}

func (e *Event) check() error {
	if e.Kind == 0 || e.Kind >= numKinds {
		return errors.New("event of no kind: want one of event.Kinds")
	}
	if err := errors.Join(
		checkAttribute(attributeID, []byte(e.ID), true),
		checkAttribute(attributeSource, []byte(e.Source), true),
		checkAttribute(attributeSubject, []byte(e.Subject), false),
	); err != nil {
		return fmt.Errorf("%s event: %w", e.Kind, oneLine(err))
	}
	if _, ok := parseTime(e.appendTime(nil)); !ok {
		return fmt.Errorf("%s event: %w", e.Kind, errTime)
	}
	s := scanner{data: e.Data}
	if s.peek() != '{' {
		return fmt.Errorf("%s event: data: want a JSON object", e.Kind)
	}
	if _, err := s.value(); err != nil {
		return fmt.Errorf("%s event: data: %w", e.Kind, err)
	}
	if s.peek() != 0 || s.pos < len(s.data) || !utf8.Valid(e.Data) {
		return fmt.Errorf("%s event: data: want one JSON object in UTF-8", e.Kind)
	}
	return nil
}
