package api

import (
	"errors"
	"net/http"
	"time"
)

func (s *Server) getKeys(w http.ResponseWriter, _ *http.Request) error {
	keys, err := s.keys.List()
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string][]Key{"keys": keys})
}

// postKey makes a key. The answer is the only place where its token is shown.
func (s *Server) postKey(w http.ResponseWriter, r *http.Request) error {
	info := requestOf(r.Context())
	var in struct {
		Name      string     `json:"name"`
		Scopes    []Scope    `json:"scopes"`
		ExpiresAt *time.Time `json:"expires_at"`
	}
	if err := readJSON(info.body, &in); err != nil {
		return err
	}
	var expiresAt time.Time
	if in.ExpiresAt != nil {
		expiresAt = *in.ExpiresAt
	}
	key, token, err := s.keys.Create(in.Name, in.Scopes, expiresAt, info.principal.id)
	if wrong, ok := errors.AsType[*KeyError](err); ok {
		return problemf(problemInvalidBody, "%s.", wrong)
	}
	if err != nil {
		return err
	}
	info.made, info.count = key.ID, 1
	return writeJSON(w, http.StatusCreated, struct {
		Key
		Token string `json:"token"`
	}{key, token.Reveal()})
}

// deleteKey takes a key back. The key that asks may take itself back.
func (s *Server) deleteKey(w http.ResponseWriter, r *http.Request) error {
	id, err := pathSegment(r, "id")
	if err != nil {
		return err
	}
	key, err := s.keys.Revoke(id)
	if errors.Is(err, ErrNoSuchKey) {
		return problemf(problemNotFound, "No key has this id.")
	}
	if err != nil {
		return err
	}
	requestOf(r.Context()).count = 1
	return writeJSON(w, http.StatusOK, key)
}
