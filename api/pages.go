package api

import (
	"context"
	"net/http"
	"strings"
)

// pageRoute stands in logs and metrics for every page.
const pageRoute = "page"

// pagesOr answers with the configured pages whatever is no address of the API:
// a GET of a path whose first segment no row of the table has. They need the
// scope read, as the figures in them do.
func (s *Server) pagesOr(otherwise http.Handler, by door) http.Handler {
	if s.pages == nil {
		return otherwise
	}
	taken := make(map[string]bool)
	for _, rt := range routes() {
		taken[firstSegment(rt.path)] = true
	}
	page := s.endpoint(&route{
		method: http.MethodGet, path: pageRoute, scope: ScopeRead, foreign: true,
		handle: func(s *Server, w http.ResponseWriter, r *http.Request) error {
			s.pages.ServeHTTP(w, r)
			return nil
		},
	}, by)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		if !reads || taken[firstSegment(r.URL.Path)] {
			otherwise.ServeHTTP(w, r)
			return
		}
		page.ServeHTTP(w, r)
	})
}

func firstSegment(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first
}

// Allowed says whether whoever asked for a page may do what needs the scope,
// so that a page offers nothing that would be refused.
func Allowed(ctx context.Context, scope Scope) bool {
	info := requestOf(ctx)
	return info != nil && info.principal.has(scope)
}
