package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"
)

// route is a row of the table below. Everything that a request goes through
// before its handler follows from it; openapi.yaml says the same to callers,
// and a test compares the two.
type route struct {
	method, path string
	// scope that a key needs; empty means open to all.
	scope Scope
	// query lists the query parameters; others are refused.
	query []string
	// consumes lists the body's media types; nil means that it has no body.
	consumes []string
	// bodyMax bounds the body, in bytes.
	bodyMax int64
	// effect: it changes something, so it is audited, and a POST may carry an
	// Idempotency-Key.
	effect bool
	// foreign: it answers what a provider or a browser asks in its own way. Any
	// query parameter may come, and the handler reads the body as it came.
	foreign bool
	handle  func(*Server, http.ResponseWriter, *http.Request) error
}

const (
	bodySmall = 1 << 20
	bodyBatch = 16 << 20
)

func routes() []route {
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	list := []string{"format", "cursor", "limit", "csv", "include"}
	return []route{
		{method: get, path: "/livez", handle: (*Server).getLive},
		{method: get, path: "/readyz", handle: (*Server).getReady},
		{method: get, path: "/metrics", scope: ScopeRead, handle: (*Server).getMetrics},
		{method: get, path: "/version", handle: (*Server).getVersion},
		{method: get, path: "/openapi.json", handle: (*Server).getOpenAPI},
		{method: get, path: "/problems/{type}", handle: (*Server).getProblem},

		{method: get, path: "/v1/segments", scope: ScopeRead, handle: (*Server).getSegments},
		{method: get, path: "/v1/segments/{name}/customers", scope: ScopeExport, query: list, handle: (*Server).getSegmentCustomers},
		{method: get, path: "/v1/audiences", scope: ScopeRead, handle: (*Server).getAudiences},
		{method: get, path: "/v1/audiences/{name}/customers", scope: ScopeExport, query: list, handle: (*Server).getAudienceCustomers},

		{method: get, path: "/v1/customers", scope: ScopeExport, query: list, handle: (*Server).getCustomers},
		{method: get, path: "/v1/customers/{id}", scope: ScopeRead, query: []string{"include", "timeline"}, handle: (*Server).getCustomer},
		{
			method: post, path: "/v1/customers", scope: ScopeWrite, query: []string{"source", "invalid"}, effect: true,
			consumes: []string{mediaJSON, mediaCSV}, bodyMax: bodyBatch, handle: (*Server).postCustomers,
		},
		{
			method: post, path: "/v1/events", scope: ScopeWrite, query: []string{"invalid"}, effect: true,
			consumes: []string{mediaEventBatch, mediaEvent}, bodyMax: bodyBatch, handle: (*Server).postEvents,
		},

		{method: get, path: "/v1/reports/funnel", scope: ScopeRead, query: []string{"campaign", "from", "to"}, handle: (*Server).getFunnel},
		{method: get, path: "/v1/snapshots", scope: ScopeRead, handle: (*Server).getSnapshots},
		{method: get, path: "/v1/snapshots/{metric}", scope: ScopeRead, query: []string{"from", "to", "cursor", "limit"}, handle: (*Server).getSnapshot},
		{
			method: post, path: "/v1/sql", scope: ScopeRead,
			consumes: []string{mediaJSON}, bodyMax: bodySmall, handle: (*Server).postSQL,
		},
		{method: get, path: "/v1/lag", scope: ScopeRead, handle: (*Server).getLag},

		{method: get, path: "/v1/campaigns", scope: ScopeRead, handle: (*Server).getCampaigns},
		{
			method: post, path: "/v1/campaigns", scope: ScopeSend, effect: true,
			consumes: []string{mediaYAML, mediaJSON}, bodyMax: bodySmall, handle: (*Server).postCampaign,
		},
		{method: post, path: "/v1/campaigns/pause-all", scope: ScopeSend, effect: true, handle: (*Server).postPauseAll},
		{method: get, path: "/v1/campaigns/{id}", scope: ScopeRead, handle: (*Server).getCampaign},
		{method: post, path: "/v1/campaigns/{id}/plan", scope: ScopeSend, effect: true, handle: (*Server).postPlan},
		{method: get, path: "/v1/campaigns/{id}/report", scope: ScopeRead, handle: (*Server).getReport},
		{
			method: post, path: "/v1/campaigns/{id}/approve", scope: ScopeApprove, effect: true,
			consumes: []string{mediaJSON}, bodyMax: bodySmall, handle: (*Server).postApprove,
		},
		{method: post, path: "/v1/campaigns/{id}/pause", scope: ScopeSend, effect: true, handle: (*Server).postPause},
		{method: post, path: "/v1/campaigns/{id}/resume", scope: ScopeSend, effect: true, handle: (*Server).postResume},
		{method: post, path: "/v1/campaigns/{id}/cancel", scope: ScopeSend, effect: true, handle: (*Server).postCancel},
		{
			method: post, path: "/v1/campaigns/{id}/resolve", scope: ScopeApprove, effect: true,
			consumes: []string{mediaJSON}, bodyMax: bodySmall, handle: (*Server).postResolve,
		},
		{
			method: get, path: "/v1/campaigns/{id}/decisions", scope: ScopeExport, query: []string{"state", "cursor", "limit"},
			handle: (*Server).getDecisions,
		},
		{method: get, path: "/v1/campaigns/{id}/explain", scope: ScopeRead, query: []string{"customer"}, handle: (*Server).getExplain},
		{method: get, path: "/v1/templates", scope: ScopeRead, query: []string{"account"}, handle: (*Server).getTemplates},
		{
			method: post, path: "/v1/templates/sync", scope: ScopeSend, effect: true,
			consumes: []string{mediaJSON}, bodyMax: bodySmall, handle: (*Server).postTemplatesSync,
		},

		{
			method: get, path: "/webhooks/{provider}", query: []string{"hub.mode", "hub.challenge", "hub.verify_token"},
			foreign: true, handle: (*Server).getWebhook,
		},
		{
			method: post, path: "/webhooks/{provider}", consumes: []string{mediaJSON}, bodyMax: bodyWebhook,
			foreign: true, handle: (*Server).postWebhook,
		},

		{method: get, path: "/v1/keys", scope: ScopeAdmin, handle: (*Server).getKeys},
		{
			method: post, path: "/v1/keys", scope: ScopeAdmin, effect: true,
			consumes: []string{mediaJSON}, bodyMax: bodySmall, handle: (*Server).postKey,
		},
		{method: del, path: "/v1/keys/{id}", scope: ScopeAdmin, effect: true, handle: (*Server).deleteKey},
	}
}

// router answers the table's routes, and every other request with a problem.
func (s *Server) router(by door) http.Handler {
	// Encoded paths, because a customer's key may hold a slash; uncleaned
	// ones, because the answer to a wrong path is a problem, not a redirect.
	m := mux.NewRouter().UseEncodedPath().SkipClean(true)
	allowed := make(map[string][]string)
	table := routes()
	for i := range table {
		rt := &table[i]
		methods := []string{rt.method}
		if rt.method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
		allowed[rt.path] = append(allowed[rt.path], methods...)
		m.Handle(rt.path, s.endpoint(rt, by)).Methods(methods...)
	}
	refuse := func(p problem) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			writeProblem(w, requestOf(r.Context()).id, &p)
		})
	}
	// After all others: each path with whatever method is left.
	for path, methods := range allowed {
		slices.Sort(methods)
		list := strings.Join(methods, ", ")
		m.Handle(path, refuse(problem{kind: problemMethod, detail: "It knows " + list + ".", allow: list}))
	}
	m.NotFoundHandler = s.pagesOr(refuse(problem{kind: problemNoRoute, detail: "Paths are case-sensitive and have no slash at the end."}), by)
	return m
}
