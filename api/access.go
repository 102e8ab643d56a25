package api

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/goodhour/goodhour/sender/campaign"
)

// principal is who asks.
type principal struct {
	// id is the key's id, or one of the names below.
	id string
	// name is the key's, or campaign.CommandLine of whoever comes through the
	// socket: a campaign's author and approver. Empty for others.
	name   string
	scopes []Scope
}

const (
	// principalLocal came through the Unix socket, whose directory only the
	// installation's own user can enter.
	principalLocal = "local"
	// principalLoopback is whoever asks from this machine before a key exists.
	principalLoopback = "loopback"
	// principalOpen asked for what is open to all.
	principalOpen = "open"
)

func (p *principal) has(scope Scope) bool { return slices.Contains(p.scopes, scope) }

// door is the way by which a request came in. It is a property of the
// listener, never guessed from the request.
type door uint8

const (
	doorNetwork door = iota
	doorSocket
)

// authenticate finds out who asks. Without a key, and before the first key
// exists, this machine may read and export: a person who tries goodhour needs
// no set-up. See DECISIONS.md for what holds strangers out.
func (s *Server) authenticate(r *http.Request, by door) (principal, error) {
	if by == doorSocket {
		return principal{id: principalLocal, name: campaign.CommandLine, scopes: Scopes()}, nil
	}
	header := r.Header.Values("Authorization")
	if len(header) > 0 {
		return s.authenticateKey(r, header)
	}
	none, err := s.keys.none()
	if err != nil {
		return principal{}, err
	}
	if !none || s.requireKey {
		return principal{}, problemf(problemUnauthenticated, "Send Authorization: Bearer gh_….")
	}
	if !fromLoopback(r) {
		return principal{}, problemf(problemUnauthenticated,
			"Without a key only this machine may ask, at 127.0.0.1 or localhost, and not through a proxy. Create one with goodhour key create.")
	}
	if fromAnotherSite(r) {
		return principal{}, problemf(problemCrossSite, "The browser says that a page of another site asked for this.")
	}
	return principal{id: principalLoopback, scopes: []Scope{ScopeRead, ScopeExport}}, nil
}

// authenticateKey finds the key that the header Authorization has: as a bearer
// token, or as the password that a person typed into a browser. A browser sends
// that by itself, so a page of another site must not be the one that asks.
func (s *Server) authenticateKey(r *http.Request, header []string) (principal, error) {
	scheme, token, _ := strings.Cut(header[0], " ")
	_, password, typed := r.BasicAuth()
	switch {
	case len(header) > 1 || !typed && !strings.EqualFold(scheme, "Bearer"):
		return principal{}, problemf(problemUnauthenticated, "Want one header Authorization: Bearer gh_…, or in a browser the key as the password.")
	case typed && fromAnotherSite(r):
		return principal{}, problemf(problemCrossSite, "The browser says that a page of another site asked for this.")
	case typed:
		token = password
	}
	key, err := s.keys.authenticate(strings.TrimSpace(token))
	if errors.Is(err, errBadToken) {
		return principal{}, problemf(problemUnauthenticated, "The key is unknown, revoked or expired.")
	}
	if err != nil {
		return principal{}, err
	}
	return principal{id: key.ID, name: key.Name, scopes: key.Scopes}, nil
}

// authorise says whether the principal may use the route.
func authorise(p *principal, rt *route) error {
	if rt.scope == "" || p.has(rt.scope) {
		return nil
	}
	if p.id == principalLoopback {
		return problemf(problemUnauthenticated,
			"This needs a key with scope %s: goodhour key create --scopes %s.", rt.scope, rt.scope)
	}
	return problemf(problemForbidden, "The key lacks the scope %s.", rt.scope)
}

// fromLoopback reports whether the request was made on this machine, to this
// machine by name. The name matters: a page of a stranger's domain that
// resolves to 127.0.0.1 (DNS rebinding) has that domain in Host. A proxy on
// this machine would make the whole world look local; the usual ones say so.
func fromLoopback(r *http.Request) bool {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !remote.Addr().Unmap().IsLoopback() {
		return false
	}
	for _, name := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"} {
		if len(r.Header.Values(name)) > 0 {
			return false
		}
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// fromAnotherSite reports whether a browser says that a page of another origin
// made the request (W3C Fetch Metadata; every current browser sends it, also
// for images and scripts, which carry no Origin).
func fromAnotherSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default:
		return true
	}
	origin := r.Header.Get("Origin")
	return origin != "" && origin != "http://"+r.Host && origin != "https://"+r.Host
}
