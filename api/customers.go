package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/warehouse"
)

// Entries of a customer's timeline in one answer.
const (
	timelineStandard = 50
	timelineMost     = 500
)

// customerAnswer is the 360-degree view of one customer.
type customerAnswer struct {
	asOf
	// Customer is the row of marts.customers.
	Customer row `json:"customer"`
	// Timeline is what happened last, newest first.
	Timeline []row `json:"timeline"`
	// Personal is there if it was asked for and anything is known.
	Personal *Personal `json:"personal,omitempty"`
}

func (s *Server) getCustomer(w http.ResponseWriter, r *http.Request) error {
	if err := s.checkPersonal(r); err != nil {
		return err
	}
	limit, err := wholeNumber(r, "timeline", timelineStandard, timelineMost)
	if err != nil {
		return err
	}
	info := requestOf(r.Context())
	candidates, err := s.identitiesOf(r, &info.principal)
	if err != nil {
		return err
	}
	return s.published(w, func(reader *warehouse.Reader) error {
		id, err := customerOf(r.Context(), reader, candidates)
		if err != nil {
			return err
		}
		customers, err := rows(r.Context(), reader, query("customer"), id.String())
		if err != nil {
			return err
		}
		if len(customers) == 0 {
			return errUnknownCustomer()
		}
		timeline, err := rows(r.Context(), reader, query("customer_timeline"), id.String(), int64(limit))
		if err != nil {
			return err
		}
		answer := customerAnswer{asOf: asOfOf(reader), Customer: customers[0], Timeline: timeline}
		if !wantsPersonal(r) {
			return writeJSON(w, http.StatusOK, answer)
		}
		return s.answerPersonal(w, r, id, answer)
	})
}

// answerPersonal adds the personal data, between two lines of the audit log.
func (s *Server) answerPersonal(w http.ResponseWriter, r *http.Request, id identity.ID, answer customerAnswer) error {
	info := requestOf(r.Context())
	entry := AuditEntry{Target: id.String(), Personal: true}
	return s.witnessed(w.(response), info, entry, func() error {
		if s.personal != nil {
			known, err := s.personal.Personal(r.Context(), []identity.ID{id})
			if err != nil {
				return err
			}
			if personal, ok := known[id]; ok {
				answer.Personal, info.count = &personal, 1
			}
		}
		return writeJSON(w, http.StatusOK, answer)
	})
}

// getCustomers lists everybody.
func (s *Server) getCustomers(w http.ResponseWriter, r *http.Request) error {
	return s.published(w, func(reader *warehouse.Reader) error {
		return s.answerList(w, r, reader, customerList{name: "customers", sql: "from marts.customers"})
	})
}

func errUnknownCustomer() error {
	return problemf(problemNotFound, "No customer has this id or key in the published file; an event counts from the next model run on.")
}

// identitiesOf returns the identities that the path's id may mean: ours, if it
// is one of our ids, and the caller's own key, or that of another system as
// external:SYSTEM:KEY. A phone or an e-mail would be in the address, which
// proxies log, so it needs the scope pii.
func (s *Server) identitiesOf(r *http.Request, p *principal) ([]identity.ID, error) {
	text, err := pathSegment(r, "id")
	if err != nil {
		return nil, err
	}
	return s.identitiesIn("id", text, p)
}

// identitiesIn are those that the parameter's text may mean.
func (s *Server) identitiesIn(parameter, text string, p *principal) ([]identity.ID, error) {
	var out []identity.ID
	if id, err := identity.ParseID(text); err == nil {
		out = append(out, id)
	}
	namespace, value, err := identity.ParseSubject(text, s.namespace)
	if err != nil {
		return nil, problemf(problemInvalidParameter, "%s: %s.", parameter, err)
	}
	if !strings.HasPrefix(namespace, identity.NamespaceExternal) && !p.has(ScopePII) {
		return nil, problemf(problemForbidden, "To find a customer by personal data, as this is, needs the scope %s.", ScopePII)
	}
	return append(out, s.keyer.ID(namespace, value)), nil
}

// customerOf resolves identities to the customer of now; an id that was merged
// into another customer resolves to that one.
func customerOf(ctx context.Context, reader *warehouse.Reader, candidates []identity.ID) (identity.ID, error) {
	first, last := candidates[0], candidates[len(candidates)-1]
	found, err := rows(ctx, reader, query("customer_id"), first.String(), last.String())
	if err != nil {
		return identity.ID{}, err
	}
	switch len(found) {
	case 0:
		return identity.ID{}, errUnknownCustomer()
	case 1:
		return identity.ParseID(found[0].text("customer_id"))
	}
	return identity.ID{}, errors.New("an id of ours is also another customer's own key")
}
