package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/campaign"
	"github.com/goodhour/goodhour/sender/provider"
	"github.com/goodhour/goodhour/sender/template"
	"github.com/goodhour/goodhour/warehouse"
)

// Publisher puts events into the log.
type Publisher interface {
	// Publish returns nil only after the broker has acknowledged every event.
	// After an error some may be in the log: the same events may be published
	// again, and count once.
	Publish(ctx context.Context, events []event.Event) error
}

// PersonalReader reads personal data, which lies in the writer's file only.
type PersonalReader interface {
	// Personal returns what is known of each customer, by customer_id. A
	// customer of whom nothing is known is absent.
	Personal(ctx context.Context, customerIDs []identity.ID) (map[identity.ID]Personal, error)
}

// Personal is the personal data of a customer.
type Personal struct {
	Name   string   `json:"name,omitempty"`
	Phones []string `json:"phones,omitempty"` // E.164
	BSUIDs []string `json:"bsuids,omitempty"`
	Emails []string `json:"emails,omitempty"`
}

// includePersonal is the value of the parameter include that asks for personal data.
const includePersonal = "personal"

// Config is what a server is made of.
type Config struct {
	// Library holds the published files. Required.
	Library *warehouse.Library
	// Publisher takes events in. Required.
	Publisher Publisher
	// Keyer and CustomerNamespace recognise a customer by the caller's own
	// key. The keyer is required; an empty namespace is identity.NamespaceCustomer.
	Keyer             *identity.Keyer
	CustomerNamespace string
	// Keys and Audit are the two files of the data directory. Required.
	Keys  *Keys
	Audit *Audit
	// RequireKey refuses requests without a key even before the first key
	// exists: for a server that a proxy makes reachable from elsewhere.
	RequireKey bool
	// Personal answers include=personal; nil means that nothing is known.
	Personal PersonalReader
	// People adds include=personal to lists of customers. Required.
	People warehouse.PersonalSource
	// Campaigns plans and steers; nil: no account is configured.
	Campaigns *campaign.Service
	// Accounts are the names of the configured accounts; Templates an account's
	// as they were synced last, and when (zero: never); SyncTemplates gets them
	// from its provider and says how many. Required where there are Campaigns.
	Accounts      []string
	Templates     func(account string) (list []template.Template, syncedAt time.Time)
	SyncTemplates func(ctx context.Context, account string) (int, error)
	// Webhooks are the accounts by their provider's name, the last segment of
	// /webhooks/meta. Of several, the first that signed a webhook reads it.
	Webhooks map[string][]provider.Provider
	// DeadLetter keeps, durably, the body of a webhook that could not be read
	// wholly, with where it came from ("webhook:meta") and why, which never
	// quotes it. It gets at most 900,000 bytes at once, a larger body in parts.
	// Required where there are Webhooks.
	DeadLetter func(ctx context.Context, source string, body []byte, reason string) error
	// PublicURL is the address under which providers reach the server, without
	// the path: some sign it. Empty: as each request names it.
	PublicURL string
	// Pages answers GET and HEAD of whatever is no address of the API: the
	// dashboard, with its own Content-Security-Policy. nil: there is none.
	Pages http.Handler
	// Status asks the other parts how they are; it obeys ctx. Required.
	Status func(ctx context.Context) Status
	// Now is the wall clock: deadlines of connections follow it. Required.
	Now func() time.Time
	// Logger gets one line a request, without personal data. Required.
	Logger *slog.Logger
	// Version is what /version says.
	Version string
	// Limits that are zero take their defaults.
	Limits Limits
}

// Limits bound what callers may ask for.
type Limits struct {
	// RequestsPerSecond and Burst are each key's; zero means 50 and 100.
	RequestsPerSecond float64
	Burst             int
	// BodyBytes bounds all bodies that are held at once; zero means 128 MiB.
	BodyBytes int64
	// SQLRows bounds the rows of one answer of POST /v1/sql; zero means 1,000,000.
	SQLRows int
}

func (l Limits) withDefaults() Limits {
	if l.RequestsPerSecond == 0 {
		l.RequestsPerSecond = 50
	}
	if l.Burst == 0 {
		l.Burst = 100
	}
	if l.BodyBytes == 0 {
		l.BodyBytes = 128 << 20
	}
	if l.SQLRows == 0 {
		l.SQLRows = 1_000_000
	}
	return l
}

// Server answers the API. Make one with New.
type Server struct {
	library    *warehouse.Library
	publisher  Publisher
	keyer      *identity.Keyer
	namespace  string
	keys       *Keys
	audit      *Audit
	requireKey bool
	personal   PersonalReader
	people     warehouse.PersonalSource
	status     func(ctx context.Context) Status
	now        func() time.Time
	log        *slog.Logger
	version    string
	limits     Limits

	openapi  []byte // as JSON
	rates    *rateLimits
	answers  *idempotency
	bodies   *budget
	webhooks *webhooks
	// campaigns is nil where nothing can be sent.
	campaigns *campaign.Service
	accounts  accounts
	pages     http.Handler
	metrics   *metrics
}

// New returns a server, or an error that names everything the configuration lacks.
func New(cfg Config) (*Server, error) {
	var missing []error
	need := func(ok bool, what string) {
		if !ok {
			missing = append(missing, fmt.Errorf("make the API: no %s given", what))
		}
	}
	need(cfg.Library != nil, "library of published files")
	need(cfg.Publisher != nil, "publisher")
	need(cfg.Keyer != nil, "keyer")
	need(cfg.Keys != nil, "key file")
	need(cfg.Audit != nil, "audit log")
	need(cfg.People != nil, "source of personal data")
	need(cfg.Status != nil, "status")
	need(cfg.Now != nil, "clock")
	need(cfg.Logger != nil, "logger")
	need(cfg.Campaigns == nil || len(cfg.Accounts) > 0 && cfg.Templates != nil && cfg.SyncTemplates != nil, "accounts with their templates")
	need(len(cfg.Webhooks) == 0 || cfg.DeadLetter != nil, "store of dead letters for webhooks")
	if err := errors.Join(missing...); err != nil {
		return nil, err
	}
	openapi, err := openAPIJSON()
	if err != nil {
		return nil, err
	}
	if cfg.CustomerNamespace == "" {
		cfg.CustomerNamespace = identity.NamespaceCustomer
	}
	limits := cfg.Limits.withDefaults()
	s := &Server{
		library: cfg.Library, publisher: cfg.Publisher, keyer: cfg.Keyer, namespace: cfg.CustomerNamespace,
		keys: cfg.Keys, audit: cfg.Audit, requireKey: cfg.RequireKey, personal: cfg.Personal, people: cfg.People, status: cfg.Status,
		now: cfg.Now, log: cfg.Logger, version: cfg.Version, limits: limits, openapi: openapi,
		rates: newRateLimits(limits.RequestsPerSecond, limits.Burst), answers: newIdempotency(),
		bodies: &budget{most: limits.BodyBytes}, webhooks: newWebhooks(&cfg), pages: cfg.Pages,
		campaigns: cfg.Campaigns, accounts: accounts{cfg.Accounts, cfg.Templates, cfg.SyncTemplates},
	}
	s.metrics = newMetrics(s)
	return s, nil
}

// Handler answers requests from the network: each needs a key, except as
// DECISIONS.md says for this machine before the first key.
func (s *Server) Handler() http.Handler { return s.front(s.router(doorNetwork)) }

// SocketHandler answers requests that come through a Unix socket in a
// directory that only the installation's user can enter. They may do
// everything. It must never be served on a network listener.
func (s *Server) SocketHandler() http.Handler { return s.front(s.router(doorSocket)) }

// HTTPServer returns a server for the handler with the limits that hold slow
// and hostile clients off. Each answer has its own deadlines besides.
func (s *Server) HTTPServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}
