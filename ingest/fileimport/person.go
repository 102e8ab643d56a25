package fileimport

import (
	"errors"
	"strings"

	"github.com/goodhour/goodhour/ingest/identity"
)

// person is who a row is about.
type person struct {
	// subject is the best identifier: the key, else the phone, else the e-mail.
	subject string
	phone   string // E.164, or empty
	email   string // normalised, or empty
	// keyPhone and keyEmail: the key itself is one.
	keyPhone, keyEmail bool
	hasKey             bool // a key that is neither
}

func (p *person) hasPhone() bool { return p.phone != "" || p.keyPhone }
func (p *person) hasEmail() bool { return p.email != "" || p.keyEmail }

// identify reads the identifiers of a row. One that is not understood is set
// aside, as long as another is left.
func (b *builder) identify(values []string) (person, Reason) {
	var p person
	key, phone, email := b.customer.of(values), b.phone.of(values), b.email.of(values)
	if key == "" && phone == "" && email == "" {
		return p, reasonNobody
	}
	b.identifyKey(&p, key)
	if phone != "" {
		region := b.options.PhoneRegion
		if own := b.cells["phone_country"].of(values); isRegion(own) {
			region = strings.ToUpper(own)
		}
		number, err := identity.NormalisePhone(phone, region)
		switch {
		case cutShort(phone):
			b.note(asideSpreadsheet)
		case region == "" && !strings.HasPrefix(phone, "+") && !strings.HasPrefix(phone, "00"):
			// Even where it reads as some country's number: a German mobile
			// without its 0 is a number in the United States.
			b.note(asidePhoneRegion)
		case err == nil:
			p.phone = number
		default:
			b.note(asidePhone)
		}
	}
	if email != "" {
		address, err := identity.NormaliseEmail(email)
		if err != nil {
			b.note(asideEmail)
		}
		p.email = address
	}
	if p.subject == "" && p.phone != "" {
		p.subject = identity.NamespacePhone + ":" + p.phone
	}
	if p.subject == "" && p.email != "" {
		p.subject = identity.NamespaceEmail + ":" + p.email
	}
	if p.subject == "" {
		return p, reasonNobodyUsable
	}
	return p, ""
}

func (b *builder) identifyKey(p *person, key string) {
	if key == "" {
		return
	}
	if cutShort(key) {
		b.note(asideSpreadsheet)
		return
	}
	namespace, value, err := b.keyIdentity(key)
	if err != nil {
		b.note(asideCustomer)
		return
	}
	p.subject = namespace + ":" + value
	p.keyPhone = namespace == identity.NamespacePhone
	p.keyEmail = namespace == identity.NamespaceEmail
	p.hasKey = !p.keyPhone && !p.keyEmail
	if !p.hasKey && namespace != b.options.KeyNamespace {
		b.note(noteKeyEmail)
	}
}

// keyIdentity is the identity of a value of the customer column.
func (b *builder) keyIdentity(key string) (namespace, value string, err error) {
	namespace = b.options.KeyNamespace
	switch namespace {
	case identity.NamespacePhone:
		value, err = identity.NormalisePhone(key, b.options.PhoneRegion)
	case identity.NamespaceEmail:
		value, err = identity.NormaliseEmail(key)
	case identity.NamespaceBSUID:
		value, err = identity.NormaliseBSUID(key)
	default:
		system, found := strings.CutPrefix(namespace, identity.NamespaceExternal)
		if !found {
			return "", "", errors.New("not a namespace of customer keys")
		}
		return identity.ExternalKey(system, key)
	}
	return namespace, value, err
}
