package event

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/goodhour/goodhour/ingest/identity"
)

var (
	errNobody    = errors.New("no identifier of a person: want a subject, or data." + FieldPhone + ", " + FieldBSUID + ", " + FieldEmail + " or " + FieldExternalIDs)
	errOnePerson = errors.New("one identifier only: want the two or more that do not belong together")
)

// The cache of identities is bounded: it forgets all when it is full.
const (
	maxKnown      = 1 << 16
	maxKnownBytes = 256 // of a subject; a longer one is looked up every time
)

// person is an identifier that was recognised.
type person struct {
	identity.Identity
	rank identity.Rank
	// The batch that has the identity already, and since which reset of it:
	// most persons of a batch come more than once.
	batch  *Batch
	resets int
}

// addPerson takes an identifier written as a subject (identity.ParseSubject)
// and reports whether it is one.
func (d *Decoder) addPerson(path string, subject []byte) bool {
	p, known := d.known[string(subject)]
	if !known {
		var err error
		if p, err = d.recognise(string(subject)); err != nil {
			if d.badIdentifier == nil {
				d.badIdentifier = fmt.Errorf("%s: %w", path, err)
			}
			return false
		}
	}
	for _, other := range d.people {
		if other.ID == p.ID {
			return true
		}
	}
	d.people = append(d.people, p)
	return true
}

func (d *Decoder) recognise(subject string) (*person, error) {
	namespace, value, err := identity.ParseSubject(subject, d.CustomerNamespace)
	if err != nil {
		return nil, err
	}
	p := &person{
		Identity: identity.Identity{ID: d.keyer.ID(namespace, value), Namespace: namespace, Value: value},
		rank:     identity.RankOf(namespace),
	}
	if len(subject) <= maxKnownBytes {
		if len(d.known) >= maxKnown {
			clear(d.known)
		}
		d.known[subject] = p
	}
	return p, nil
}

// setIdentifier takes data.phone, data.bsuid or data.email. One that is no
// such identifier is kept in extra: the event may have others.
func (d *Decoder) setIdentifier(f *field, key, tok token) error {
	text, err := d.textOf(f.path, tok, true)
	if err != nil || len(text) == 0 {
		return err
	}
	d.subject = append(append(append(d.subject[:0], f.name...), ':'), text...)
	if !d.addPerson(f.path, d.subject) {
		d.extra.add(key.raw, tok.raw)
	}
	return nil
}

// setExternalIDs takes data.external_ids, an object of system and key.
func (d *Decoder) setExternalIDs(f *field, tok token) error {
	if tok.kind != tokenObject {
		return fmt.Errorf("%s: want an object, got %s", f.path, tok.kind)
	}
	s := scanner{data: tok.raw}
	if err := s.open(); err != nil {
		return inValue(err)
	}
	mark := d.extra.open(f.name, '{')
	unknown := len(d.unknown)
	for n := 0; ; n++ {
		key, more, err := s.member()
		if err != nil {
			return inValue(err)
		}
		if !more {
			break
		}
		if n == MaxExternalIDs {
			return fmt.Errorf("%s: over %d members", f.path, MaxExternalIDs)
		}
		value, err := s.value()
		if err != nil {
			return inValue(err)
		}
		if err := d.noteUnknown(f.path, key, unknown); err != nil {
			return err
		}
		if err := d.setExternalID(f, key, value); err != nil {
			return err
		}
	}
	d.unknown = d.unknown[:unknown]
	d.extra.close(mark)
	return nil
}

func (d *Decoder) setExternalID(f *field, key, value token) error {
	if value.kind == tokenNull {
		return nil
	}
	text, err := d.textOf(f.path, value, true)
	if err != nil || len(text) == 0 {
		return err
	}
	system := d.keyText(key)
	d.subject = append(append(append(d.subject[:0], identity.NamespaceExternal...), system...), ':')
	d.subject = append(d.subject, text...)
	if bytes.IndexByte(system, ':') >= 0 || !d.addPerson(f.path, d.subject) {
		d.extra.add(key.raw, value.raw)
	}
	return nil
}

// checkPeople takes the subject and checks that the event has whom it needs.
func (d *Decoder) checkPeople(spec *Spec) error {
	if len(d.envelope.subject) > 0 && !d.addPerson(attributeSubject, d.envelope.subject) {
		d.keepSubject()
	}
	switch {
	case !spec.Identified:
		return nil
	case len(d.people) == 0 && d.badIdentifier != nil:
		return d.badIdentifier
	case len(d.people) == 0:
		return errNobody
	case spec.Kind == IdentityUnlinked && len(d.people) < 2:
		return errOnePerson
	}
	return nil
}

// addPeople records the identities and what they say about each other.
func (d *Decoder) addPeople(kind Kind, at Coordinates, b *Batch) {
	for i, p := range d.people {
		if p.batch != b || p.resets != b.resets {
			b.AddIdentity(p.Identity)
			p.batch, p.resets = b, b.resets
		}
		for j := range i {
			link := identity.NewLink(p.ID, d.people[j].ID)
			if kind == IdentityUnlinked {
				b.AddUnlink(link, at)
			} else {
				b.AddLink(link, at)
			}
		}
	}
}

// firstPerson is the identity that the row carries: the best by rank, then id.
func (d *Decoder) firstPerson() identity.ID {
	if len(d.people) == 0 {
		return identity.ID{}
	}
	return slices.MinFunc(d.people, func(a, b *person) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), a.ID.Compare(b.ID))
	}).ID
}
