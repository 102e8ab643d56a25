package fileimport

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
)

// Sample is an event of a dry run with personal values masked.
type Sample struct {
	ID      string         `json:"id"`
	Type    string         `json:"type"`
	Subject string         `json:"subject"`
	Time    time.Time      `json:"time"`
	Data    map[string]any `json:"data"`
}

func sampleOf(kind Kind, e *event.Event) (Sample, error) {
	s := Sample{ID: e.ID, Type: e.Kind.String(), Subject: maskSubject(e.Subject), Time: e.Time}
	if err := json.Unmarshal(e.Data, &s.Data); err != nil {
		return s, fmt.Errorf("show event: %w", err)
	}
	for name, value := range s.Data {
		text, isText := value.(string)
		switch name {
		case event.FieldPhone:
			s.Data[name] = maskPhone(text)
		case event.FieldEmail:
			s.Data[name] = maskEmail(text)
		case "name", "text", "evidence":
			s.Data[name] = maskText(text)
		case "items", "tags":
			if !isText {
				s.Data[name] = "[…]"
			}
		case "provider_message_id", "in_reply_to":
			s.Data[name] = maskMessageID(text)
		}
	}
	if kind == Messages {
		s.ID = maskMessageID(s.ID)
	}
	return s, nil
}

func maskSubject(subject string) string {
	namespace, value, _ := strings.Cut(subject, ":")
	switch namespace {
	case identity.NamespacePhone:
		return namespace + ":" + maskPhone(value)
	case identity.NamespaceEmail:
		return namespace + ":" + maskEmail(value)
	}
	return subject
}

// maskPhone keeps the country and the last two digits: +55********90.
func maskPhone(phone string) string {
	if len(phone) < 7 {
		return "***"
	}
	return phone[:3] + strings.Repeat("*", len(phone)-5) + phone[len(phone)-2:]
}

// maskEmail keeps the first letter and the top-level domain: a***@***.com.
func maskEmail(email string) string {
	first, size := utf8.DecodeRuneInString(email)
	dot := strings.LastIndexByte(email, '.')
	if size == 0 || dot < 0 {
		return "***"
	}
	return string(first) + "***@***" + email[dot:]
}

// maskText says only how long a text is.
func maskText(text string) string {
	return fmt.Sprintf("[%d characters]", utf8.RuneCountInString(text))
}

// maskMessageID shortens a message's id: a wamid has the phone number in it.
func maskMessageID(id string) string {
	const shown = 24
	if len(id) <= shown {
		return id
	}
	return id[:shown] + "…"
}
