package event

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CloudEvents 1.0.2, Kafka protocol binding 1.0.2 §3: attributes are headers
// ce_* in the binary form, members of the value in the structured form, and
// the content type says which.
const (
	headerPrefix          = "ce_"
	headerContentType     = "content-type"
	mediaTypeJSON         = "application/json"
	mediaTypeStructured   = "application/cloudevents+json"
	mediaTypeBatch        = "application/cloudevents-batch"
	mediaTypeCloudEvents  = "application/cloudevents"
	specVersion           = "1.0"
	attributeSpecVersion  = "specversion"
	attributeID           = "id"
	attributeSource       = "source"
	attributeType         = "type"
	attributeSubject      = "subject"
	attributeTime         = "time"
	attributeContentType  = "datacontenttype"
	attributeData         = "data"
	attributeDataInBase64 = "data_base64"
)

var (
	errBatchForm   = errors.New("content-type: want one event in a record, got a batch")
	errContentType = errors.New("content-type: want " + mediaTypeJSON + " or " + mediaTypeStructured)
	errSpecVersion = errors.New("specversion: want " + specVersion)
	errUnknownType = errors.New("type: unknown")
	errEmptyValue  = errors.New("value: empty, want a JSON object")
	errValueLength = fmt.Errorf("value: over %d bytes", MaxValueBytes)
	errValueUTF8   = errors.New("value: broken UTF-8")
	errNoEnvelope  = errors.New("value: no CloudEvent: neither ce_ headers nor a specversion in it")
	errBase64      = errors.New("data_base64: want data, a JSON object")
	errDataMissing = errors.New("data: missing")
	errTime        = errors.New("time: " + wantedTime)
	errTimeAhead   = errors.New("time: over 24 hours after Kafka's timestamp")
)

// envelope is an event's CloudEvents attributes, as text, and its data, as
// JSON. Nil means absent. Extension attributes (tracing, partition keys) say
// nothing about what happened and are not kept.
type envelope struct {
	specVersion []byte
	id          []byte
	source      []byte
	ceType      []byte
	subject     []byte
	time        []byte
	contentType []byte
	data        []byte
}

// attribute returns where an attribute is kept, nil for one that is not.
func (e *envelope) attribute(name string) *[]byte {
	switch name {
	case attributeSpecVersion:
		return &e.specVersion
	case attributeID:
		return &e.id
	case attributeSource:
		return &e.source
	case attributeType:
		return &e.ceType
	case attributeSubject:
		return &e.subject
	case attributeTime:
		return &e.time
	}
	return nil
}

// readEnvelope finds the attributes and the data, in either form.
func (d *Decoder) readEnvelope(rec *Record) error {
	switch {
	case len(rec.Value) == 0:
		return errEmptyValue
	case len(rec.Value) > MaxValueBytes:
		return errValueLength
	case !utf8.Valid(rec.Value):
		return errValueUTF8
	}
	binary := false
	for i := range rec.Headers {
		h := &rec.Headers[i]
		if name, found := strings.CutPrefix(h.Key, headerPrefix); found {
			binary = true
			if slot := d.envelope.attribute(name); slot != nil {
				if *slot != nil {
					return fmt.Errorf("%s: header %s%[1]s given twice", name, headerPrefix)
				}
				*slot = notNil(h.Value)
			}
		} else if strings.EqualFold(h.Key, headerContentType) {
			d.envelope.contentType = h.Value
		}
	}
	media := mediaType(d.envelope.contentType)
	switch {
	case equalFold(media, mediaTypeStructured):
		d.envelope = envelope{}
		return d.readStructured(rec.Value)
	case hasPrefixFold(media, mediaTypeBatch):
		return errBatchForm
	case hasPrefixFold(media, mediaTypeCloudEvents):
		return errContentType
	case binary:
		d.envelope.data = rec.Value
		return nil
	default:
		d.envelope = envelope{}
		return d.readStructured(rec.Value)
	}
}

// readStructured reads the attributes from the value.
func (d *Decoder) readStructured(value []byte) error {
	s := scanner{data: value}
	if s.peek() != '{' {
		return errNoEnvelope
	}
	if err := s.open(); err != nil {
		return inValue(err)
	}
	for {
		key, more, err := s.member()
		if err != nil {
			return inValue(err)
		}
		if !more {
			break
		}
		tok, err := s.value()
		if err != nil {
			return inValue(err)
		}
		if err := d.setAttribute(d.keyText(key), tok); err != nil {
			return err
		}
	}
	if s.peek() != 0 || s.pos < len(s.data) {
		return inValue(s.fail("nothing after the object"))
	}
	if d.envelope.specVersion == nil {
		return errNoEnvelope
	}
	if d.envelope.data == nil {
		return errDataMissing
	}
	return nil
}

func (d *Decoder) setAttribute(name []byte, tok token) error {
	slot := d.envelope.attribute(string(name))
	switch string(name) {
	case attributeContentType:
		slot = &d.envelope.contentType
	case attributeData:
		slot = &d.envelope.data
	case attributeDataInBase64:
		return errBase64
	}
	if slot == nil {
		return nil
	}
	if *slot != nil {
		return fmt.Errorf("%s: given twice", name)
	}
	switch {
	case slot == &d.envelope.data:
		if tok.kind != tokenObject {
			return fmt.Errorf("data: want an object, got %s", tok.kind)
		}
		*slot = tok.raw
	case tok.kind == tokenString:
		*slot = notNil(d.unescape(tok))
	case tok.kind != tokenNull:
		return fmt.Errorf("%s: want a string, got %s", name, tok.kind)
	}
	return nil
}

// checkEnvelope checks the attributes by themselves and returns the kind and
// the time in microseconds.
func (d *Decoder) checkEnvelope(rec *Record) (Kind, int64, error) {
	e := &d.envelope
	if string(e.specVersion) != specVersion {
		return 0, 0, errSpecVersion
	}
	if e.contentType != nil && !isJSONMediaType(mediaType(e.contentType)) {
		return 0, 0, errContentType
	}
	if len(e.subject) == 0 {
		e.subject = rec.Key
	}
	if err := errors.Join(
		checkAttribute(attributeID, e.id, true),
		checkAttribute(attributeSource, e.source, true),
		checkAttribute(attributeSubject, e.subject, false),
	); err != nil {
		return 0, 0, oneLine(err)
	}
	if len(e.ceType) == 0 {
		return 0, 0, errors.New("type: missing")
	}
	kind, known := d.types[string(e.ceType)]
	if !known {
		return 0, 0, errUnknownType
	}
	if len(e.time) == 0 {
		return 0, 0, errors.New("time: missing")
	}
	micros, ok := parseTime(e.time)
	if !ok {
		return 0, 0, errTime
	}
	if micros > rec.Time.UnixMicro()+maxAhead {
		return 0, 0, errTimeAhead
	}
	return kind, micros, nil
}

// checkAttribute holds a text attribute to CloudEvents 1.0.2 §Type System
// (no control characters) and to our length.
func checkAttribute(name string, value []byte, required bool) error {
	switch {
	case len(value) == 0 && required:
		return fmt.Errorf("%s: missing", name)
	case len(value) > MaxAttributeBytes:
		return fmt.Errorf("%s: over %d bytes", name, MaxAttributeBytes)
	}
	if isPlainASCII(value) {
		return nil
	}
	text := string(value)
	if !utf8.ValidString(text) {
		return fmt.Errorf("%s: broken UTF-8", name)
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return fmt.Errorf("%s: a control character", name)
	}
	return nil
}

// isPlainASCII reports whether all bytes are printable ASCII.
func isPlainASCII(value []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; len(value) >= 8; value = value[8:] {
		// A byte below the space borrows; 0x7f and above have or get a high bit.
		eight := binary.LittleEndian.Uint64(value)
		if ((eight-' '*ones)|eight|(eight+ones))&highs != 0 {
			return false
		}
	}
	for _, c := range value {
		if c < ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// mediaType cuts the parameters off a content type.
func mediaType(contentType []byte) []byte {
	if string(contentType) == mediaTypeJSON {
		return contentType // nearly always
	}
	media, _, _ := bytes.Cut(contentType, []byte(";"))
	return bytes.TrimSpace(media)
}

func isJSONMediaType(media []byte) bool {
	return equalFold(media, mediaTypeJSON) ||
		hasPrefixFold(media, "application/") && len(media) > 5 && equalFold(media[len(media)-5:], "+json")
}

// equalFold compares with a text in small ASCII letters.
func equalFold(b []byte, lower string) bool {
	return len(b) == len(lower) && hasPrefixFold(b, lower)
}

func hasPrefixFold(b []byte, lower string) bool {
	if len(b) < len(lower) {
		return false
	}
	for i := range len(lower) {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// notNil keeps "empty" apart from "absent".
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func inValue(err error) error { return fmt.Errorf("value: %w", err) }

// oneLine joins the lines of errors.Join.
func oneLine(err error) error {
	return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
}
