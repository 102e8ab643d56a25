package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/goodhour/goodhour/warehouse"
)

// problemKind is one class of refusal. Its name is the last segment of the
// problem's type, "/problems/<name>", which never changes its meaning.
type problemKind struct {
	name   string
	status int
	title  string
	// mend says what a caller can do. GET /problems/<name> answers with it.
	mend string
}

// The problems that the API answers with: the only place that knows HTTP
// codes. RFC 9457 section 3.1.1: a type may be a relative reference.
var (
	problemInvalidParameter = problemKind{
		"invalid-parameter", http.StatusBadRequest,
		"A parameter is not valid.", "Correct the parameter that the detail names. Unknown and repeated parameters are refused, so that a misspelt filter never widens an answer.",
	}
	problemInvalidBody = problemKind{
		"invalid-body", http.StatusBadRequest,
		"The body cannot be read.", "Send what the Content-Type says, in UTF-8, in the form that /openapi.json describes.",
	}
	problemInvalidSQL = problemKind{
		"invalid-sql", http.StatusBadRequest,
		"DuckDB cannot run the query.", "The detail is DuckDB's own message. Try the query in the DuckDB shell on the published file.",
	}
	problemUnauthenticated = problemKind{
		"unauthenticated", http.StatusUnauthorized,
		"A key is needed.", "Send Authorization: Bearer gh_… with a key that was created by goodhour key create and neither revoked nor expired.",
	}
	problemWebhookSignature = problemKind{
		"webhook-signature", http.StatusUnauthorized,
		"The webhook is not signed by the provider.", "Configure the secret with which the provider signs: Meta's app secret. Where an account of Twilio's is configured, the public address must be the one that it calls.",
	}
	problemForbidden = problemKind{
		"forbidden", http.StatusForbidden,
		"The key may not do this.", "Use a key with the scope that the detail names.",
	}
	problemCrossSite = problemKind{
		"cross-site", http.StatusForbidden,
		"A page of another site may not ask without a key.", "Open the API directly, or send a key.",
	}
	problemWebhookChallenge = problemKind{
		"webhook-challenge", http.StatusForbidden,
		"The verify token is not the configured one.", "Enter the account's verify token at the provider.",
	}
	problemForbiddenSQL = problemKind{
		"forbidden-sql", http.StatusForbidden,
		"The query may only read the published file.", "Leave out what writes, reads other files, attaches databases or changes settings.",
	}
	problemNotFound = problemKind{
		"not-found", http.StatusNotFound,
		"There is no such thing.", "Check the name or the id; lists are at GET /v1/segments, /v1/audiences and /v1/snapshots.",
	}
	problemNoRoute = problemKind{
		"no-such-route", http.StatusNotFound,
		"The API has no such address.", "The addresses are in /openapi.json.",
	}
	problemMethod = problemKind{
		"method-not-allowed", http.StatusMethodNotAllowed,
		"The address does not know this method.", "The header Allow lists the methods it knows.",
	}
	problemQueryTimeout = problemKind{
		"query-timeout", http.StatusRequestTimeout,
		"The query ran longer than it may.", "Ask for less: a shorter span, fewer joined rows. The published file can also be queried in a DuckDB shell of your own, without this limit.",
	}
	problemSlowClient = problemKind{
		"slow-client", http.StatusRequestTimeout,
		"The body did not arrive in time.", "Send it faster or in smaller parts.",
	}
	problemConflict = problemKind{
		"conflict", http.StatusConflict,
		"It does not fit how things stand.", "Read the campaign again: its status, its plan and the plan's hash. Nothing was changed.",
	}
	problemInvalidCampaign = problemKind{
		"invalid-campaign", http.StatusUnprocessableEntity,
		"The campaign cannot be planned as it is.", "Mend what errors names, each with its line or field, and send the campaign again.",
	}
	problemProvider = problemKind{
		"provider", http.StatusBadGateway,
		"The provider did not do what was asked.", "The detail has the provider's code and what to do about it.",
	}
	problemInFlight = problemKind{
		"idempotency-in-flight", http.StatusConflict,
		"A request with this Idempotency-Key is still being worked on.", "Wait for Retry-After and send the same request again.",
	}
	problemTooLarge = problemKind{
		"body-too-large", http.StatusRequestEntityTooLarge,
		"The body is larger than it may be.", "Split it into several requests.",
	}
	problemResultTooLarge = problemKind{
		"result-too-large", http.StatusRequestEntityTooLarge,
		"The query needs more memory or disk than it may use.", "Ask for less, or aggregate earlier. The published file can also be queried in a DuckDB shell of your own.",
	}
	problemMediaType = problemKind{
		"unsupported-media-type", http.StatusUnsupportedMediaType,
		"The Content-Type is not one that this address reads.", "The detail lists those that it reads.",
	}
	problemRejectedItems = problemKind{
		"rejected-items", http.StatusUnprocessableEntity,
		"Some of the items cannot be accepted, so none was published.", "Correct the items that errors names, or send invalid=skip to publish the others.",
	}
	problemKeyReused = problemKind{
		"idempotency-mismatch", http.StatusUnprocessableEntity,
		"This Idempotency-Key was used for another request.", "Use a new Idempotency-Key for a new request.",
	}
	problemRateLimited = problemKind{
		"rate-limited", http.StatusTooManyRequests,
		"Too many requests.", "Wait for Retry-After.",
	}
	problemBusy = problemKind{
		"busy", http.StatusServiceUnavailable,
		"Too many queries are running.", "Wait for Retry-After.",
	}
	problemInternal = problemKind{
		"internal", http.StatusInternalServerError,
		"Something went wrong here.", "Report the request_id; the log of the server says more.",
	}
	problemNoArrow = problemKind{
		"format-unavailable", http.StatusNotImplemented,
		"This goodhour was built without Arrow.", "Ask for parquet, which holds the same types, or build with -tags duckdb_arrow.",
	}
	problemNotReady = problemKind{
		"not-ready", http.StatusServiceUnavailable,
		"There is no published file yet.", "The first model run publishes one; /readyz says what is missing.",
	}
	problemUnavailable = problemKind{
		"unavailable", http.StatusServiceUnavailable,
		"A part that is needed does not answer.", "Send the same request again after Retry-After: event ids make a repeat harmless.",
	}
)

func problemKinds() []problemKind {
	return []problemKind{
		problemInvalidParameter, problemInvalidBody, problemInvalidSQL, problemUnauthenticated,
		problemWebhookSignature, problemForbidden, problemWebhookChallenge,
		problemCrossSite, problemForbiddenSQL, problemNotFound, problemNoRoute, problemMethod, problemQueryTimeout,
		problemSlowClient, problemConflict, problemInvalidCampaign, problemProvider, problemInFlight, problemTooLarge, problemResultTooLarge, problemMediaType,
		problemRejectedItems, problemKeyReused, problemRateLimited, problemBusy, problemInternal, problemNoArrow,
		problemNotReady, problemUnavailable,
	}
}

const problemMediaTypeName = "application/problem+json"

// problem is an error with an answer: RFC 9457's members, then ours.
type problem struct {
	kind   problemKind
	detail string
	// errors names the parts of a body that were refused.
	errors []itemError
	// faults names what is wrong with a campaign, in the same place.
	faults []campaignFault
	// rejected counts them all; errors or faults holds the first of them.
	rejected int
	// retryAfter is the header Retry-After; zero means none.
	retryAfter time.Duration
	// allow is the header Allow of a 405.
	allow string
	// cause is logged, never sent.
	cause error
}

// itemError says what is wrong with one item of a batch. It never quotes the
// item: bodies hold personal data.
type itemError struct {
	Index  int    `json:"index"`          // position in the batch, from 0
	Line   int    `json:"line,omitempty"` // line of a CSV body, from 1; 0 means the body was JSON
	Detail string `json:"detail"`
}

func (p *problem) Error() string {
	if p.cause != nil {
		return p.kind.title + " " + p.detail + ": " + p.cause.Error()
	}
	return p.kind.title + " " + p.detail
}

func (p *problem) Unwrap() error { return p.cause }

func problemf(kind problemKind, format string, args ...any) *problem {
	return &problem{kind: kind, detail: fmt.Sprintf(format, args...)}
}

// problemBody is a problem on the wire.
type problemBody struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	RequestID string `json:"request_id"`
	Rejected  int    `json:"rejected,omitempty"`
	Errors    any    `json:"errors,omitempty"`
}

func (k problemKind) uri() string { return "/problems/" + k.name }

// writeProblem answers with the problem. The caller has made sure that nothing
// was written yet.
func writeProblem(w http.ResponseWriter, requestID string, p *problem) {
	h := w.Header()
	for _, name := range []string{"Content-Disposition", "Content-Length", "ETag", "Last-Modified"} {
		h.Del(name)
	}
	h.Set("Content-Type", problemMediaTypeName)
	h.Set("Cache-Control", "no-store")
	switch p.kind {
	case problemUnauthenticated:
		h["Www-Authenticate"] = []string{`Bearer realm="goodhour"`, `Basic realm="goodhour", charset="UTF-8"`}
	case problemWebhookSignature:
		h.Set("WWW-Authenticate", `Signature realm="goodhour"`)
	}
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((p.retryAfter+time.Second-1)/time.Second)))
	}
	w.WriteHeader(p.kind.status)
	// An error here is a client that went away; its status is in the access log.
	_ = json.NewEncoder(w).Encode(problemBody{
		Type: p.kind.uri(), Title: p.kind.title, Status: p.kind.status, Detail: p.detail,
		RequestID: requestID, Rejected: p.rejected, Errors: p.listed(),
	})
}

// listed is what the member errors has; nil for none.
func (p *problem) listed() any {
	switch {
	case len(p.faults) > 0:
		return p.faults
	case len(p.errors) > 0:
		return p.errors
	}
	return nil
}

// asProblem turns any error into the problem to answer with.
func asProblem(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problemf(problemTooLarge, "It may have %d bytes.", tooLarge.Limit)
	}
	if c := campaignProblem(err); c != nil {
		return c
	}
	if errors.Is(err, warehouse.ErrNotPublished) {
		return errNotPublished()
	}
	if q := queryProblem(err); q != nil {
		return q
	}
	return &problem{kind: problemInternal, detail: "The request was not carried out, or not wholly.", cause: err}
}
