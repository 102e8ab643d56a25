package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
)

// customerRow is one customer as a system of record knows them. Fields that
// are not named here are kept as they came, among the personal data.
type customerRow struct {
	ExternalID  string            // the caller's own key
	ExternalIDs map[string]string // the keys of other systems, by system
	Phone       string            // international: +5511999990000
	BSUID       string
	Email       string
	UpdatedAt   *time.Time // nil means now
	Consents    []consentRow
	// data is the row as it goes into customer.updated: everything but
	// external_id, updated_at and consents.
	data map[string]json.RawMessage
}

// consentRow is one opt-in or opt-out.
type consentRow struct {
	Category  string     `json:"category"`
	State     string     `json:"state"`
	Source    string     `json:"source"`
	Evidence  string     `json:"evidence,omitempty"`
	ChangedAt *time.Time `json:"changed_at,omitempty"`
}

// consentSources are the sources that a system of record may name. What the
// customer did by message, or the platform said, reaches goodhour as an event
// of its own, and only that undoes an opt-out.
func consentSources() []string { return []string{"crm", "form", "import", "operator"} }

// postCustomers takes customers in as customer.updated and
// customer.consent.changed events.
func (s *Server) postCustomers(w http.ResponseWriter, r *http.Request) error {
	skip, err := skipsInvalid(r)
	if err != nil {
		return err
	}
	source, err := sourceName(r)
	if err != nil {
		return err
	}
	info := requestOf(r.Context())
	in := s.newIntake()
	take := func(at itemError, row customerRow, err error) {
		if err == nil {
			var events []event.Event
			if events, err = s.customerEvents(&row, source, in.now); err == nil {
				err = in.add(events...)
			}
		}
		if err != nil {
			at.Detail = err.Error()
			in.reject(at)
		}
	}
	var items int
	if info.mediaType == mediaCSV {
		items, err = readCustomersCSV(info.body, take)
	} else {
		items, err = readCustomersJSON(info.body, take)
	}
	if err != nil {
		return err
	}
	return s.publish(w, r, in, items, skip)
}

// sourceName returns the parameter source: whose customers they are.
func sourceName(r *http.Request) (string, error) {
	name := r.URL.Query().Get("source")
	if name == "" {
		return "api:customers", nil
	}
	if !isName(name) {
		return "", problemf(problemInvalidParameter, "source: want 1 to 64 of a-z 0-9 _ . -")
	}
	return "api:" + name, nil
}

func isName(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == ""
}

func readCustomersJSON(body []byte, take func(itemError, customerRow, error)) (int, error) {
	items, err := jsonItems(body)
	if err != nil {
		return 0, err
	}
	for i, item := range items {
		row, err := customerFromJSON(item)
		take(itemError{Index: i}, row, err)
	}
	return len(items), nil
}

func customerFromJSON(item json.RawMessage) (customerRow, error) {
	var in struct {
		ExternalID  string            `json:"external_id"`
		ExternalIDs map[string]string `json:"external_ids"`
		Phone       string            `json:"phone"`
		BSUID       string            `json:"bsuid"`
		Email       string            `json:"email"`
		UpdatedAt   *time.Time        `json:"updated_at"`
		Consents    []consentRow      `json:"consents"`
	}
	data := make(map[string]json.RawMessage)
	for _, into := range []any{&in, &data} {
		if err := json.Unmarshal(item, into); err != nil {
			return customerRow{}, errors.New(invalidJSON(err).detail)
		}
	}
	if data == nil {
		return customerRow{}, errors.New("want an object, got null")
	}
	for _, name := range []string{"external_id", "updated_at", "consents"} {
		delete(data, name)
	}
	return customerRow{
		ExternalID: in.ExternalID, ExternalIDs: in.ExternalIDs, Phone: in.Phone, BSUID: in.BSUID, Email: in.Email,
		UpdatedAt: in.UpdatedAt, Consents: in.Consents, data: data,
	}, nil
}

// customerEvents turns a row into its events. Their ids follow from source,
// content and time, so the same row with updated_at is the same event again.
// Without updated_at each sync is an event of its own that says the same.
func (s *Server) customerEvents(row *customerRow, source string, now time.Time) ([]event.Event, error) {
	subject, err := s.subjectOf(row)
	if err != nil {
		return nil, err
	}
	at := now
	if row.UpdatedAt != nil {
		at = *row.UpdatedAt
	}
	updated, err := contentEvent(event.CustomerUpdated, source, subject, at, row.data)
	if err != nil {
		return nil, err
	}
	events := []event.Event{updated}
	for _, c := range row.Consents {
		if c.Source == "" {
			c.Source = "crm"
		}
		if !slices.Contains(consentSources(), c.Source) {
			return nil, fmt.Errorf("consents: source: want one of %s; what a customer did by message comes as an event of its own",
				strings.Join(consentSources(), ", "))
		}
		changedAt := at
		if c.ChangedAt != nil {
			changedAt, c.ChangedAt = *c.ChangedAt, nil
		}
		changed, err := contentEvent(event.ConsentChanged, source, subject, changedAt, c)
		if err != nil {
			return nil, err
		}
		events = append(events, changed)
	}
	return events, nil
}

// contentEvent makes an event whose id is a hash of what it says.
func contentEvent(kind event.Kind, source, subject string, at time.Time, data any) (event.Event, error) {
	b, err := json.Marshal(data) // maps in order of their keys: the same row, the same bytes
	if err != nil {
		return event.Event{}, errors.New("want a JSON object")
	}
	at = at.UTC().Truncate(time.Microsecond)
	h := sha256.New()
	for _, part := range []string{kind.String(), subject, at.Format(time.RFC3339Nano), string(b)} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return event.Event{
		ID: hex.EncodeToString(h.Sum(nil)[:16]), Source: source, Kind: kind, Subject: subject, Time: at, Data: b,
	}, nil
}

// subjectOf names the row's customer, as identity.ParseSubject reads it, and
// checks every identifier: a mistyped phone is told to whoever can mend it.
func (s *Server) subjectOf(row *customerRow) (string, error) {
	var subjects []string
	add := func(field, subject string, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		subjects = append(subjects, subject)
		return nil
	}
	if row.ExternalID != "" {
		subject, err := s.ownKeySubject(row.ExternalID)
		if err := add("external_id", subject, err); err != nil {
			return "", err
		}
	}
	for _, system := range slices.Sorted(maps.Keys(row.ExternalIDs)) {
		_, _, err := identity.ExternalKey(system, row.ExternalIDs[system])
		if err := add("external_ids", identity.NamespaceExternal+system+":"+row.ExternalIDs[system], err); err != nil {
			return "", err
		}
	}
	for _, id := range []struct {
		namespace, value string
		normalise        func(string) (string, error)
	}{
		{identity.NamespacePhone, row.Phone, func(raw string) (string, error) { return identity.NormalisePhone(raw, "") }},
		{identity.NamespaceBSUID, row.BSUID, identity.NormaliseBSUID},
		{identity.NamespaceEmail, row.Email, identity.NormaliseEmail},
	} {
		if id.value == "" {
			continue
		}
		value, err := id.normalise(id.value)
		if err := add(id.namespace, id.namespace+":"+value, err); err != nil {
			return "", err
		}
	}
	if len(subjects) == 0 {
		return "", errors.New("no identifier: want external_id, external_ids, phone, bsuid or email")
	}
	return subjects[0], nil
}

// ownKeySubject writes the caller's own key as a subject. A key that would be
// read as another kind of identifier is written in full.
func (s *Server) ownKeySubject(key string) (string, error) {
	key, err := identity.NormaliseExternal(key)
	if err != nil {
		return "", err
	}
	prefix, _, _ := strings.Cut(key, ":")
	switch prefix {
	case identity.NamespacePhone, identity.NamespaceBSUID, identity.NamespaceEmail, "external", "":
		return s.namespace + ":" + key, nil
	}
	return key, nil
}
