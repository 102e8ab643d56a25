package meta

import (
	"strings"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
)

// contact is who a message or status is about, as far as Meta says. Phone and
// user id may each be absent: since 2026 a customer may be known by the
// business-scoped user id (BSUID) only.
type contact struct {
	WhatsAppID flexible `json:"wa_id"`
	UserID     flexible `json:"user_id"`
	ParentID   flexible `json:"parent_user_id"`
}

// person reads a phone and a user id as Meta writes them. What is neither is
// dropped; a BSUID where a phone belongs is taken for what it is. The parent's
// id stands in where there is no other.
func person(phone, userID, parentID string) event.Person {
	var p event.Person
	if digits := strings.TrimPrefix(phone, "+"); digits != "" && strings.Trim(digits, "0123456789") == "" {
		if e164, err := identity.NormalisePhone("+"+digits, ""); err == nil {
			p.Phone = e164
		}
	}
	for _, candidate := range []string{userID, phone, parentID} {
		if bsuid, err := identity.NormaliseBSUID(candidate); err == nil {
			p.BSUID = bsuid
			break
		}
	}
	return p
}

func (c *contact) person() event.Person {
	return person(string(c.WhatsAppID), string(c.UserID), string(c.ParentID))
}

// complete adds what the value's contacts say of the same person: a contact
// that shares an identifier, or the only one of a value with one item.
func (r *reader) complete(p event.Person) event.Person {
	for i := range r.contacts {
		c := r.contacts[i].person()
		same := c.Phone != "" && c.Phone == p.Phone || c.BSUID != "" && c.BSUID == p.BSUID
		if same || nobody(p) && r.alone && len(r.contacts) == 1 {
			if p.Phone == "" {
				p.Phone = c.Phone
			}
			if p.BSUID == "" {
				p.BSUID = c.BSUID
			}
		}
	}
	return p
}

func nobody(p event.Person) bool { return p.Phone == "" && p.BSUID == "" }

// subjectOf is a person as an event's subject.
func subjectOf(p event.Person) string {
	if p.Phone != "" {
		return "phone:" + p.Phone
	}
	return "bsuid:" + p.BSUID
}
