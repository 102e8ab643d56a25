package web

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/goodhour/goodhour/sender/campaign"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/warehouse"
)

// Config is what the pages are made of.
type Config struct {
	// Library holds the published files. Required.
	Library *warehouse.Library
	// Status says how loading is; it obeys ctx. nil: not known.
	Status func(ctx context.Context) Status
	// Campaigns are those kept here; nil: no account is configured.
	Campaigns *campaign.Service
	// Accounts are the configured ones: their modes stand on every page.
	Accounts []Account
	// Data is the data directory, for the commands that pages show; empty: the
	// one that commands take by themselves.
	Data string
	// Demo says on every page that the world is made up.
	Demo bool
	// Version of goodhour.
	Version string
	// Now is the wall clock: ages are told by it. Required.
	Now func() time.Time
	// Logger gets the faults. Required.
	Logger *slog.Logger
}

// Account is what pages say of a configured account.
type Account struct {
	Name, Provider string
	Mode           plan.Mode
}

// Status is how loading is.
type Status struct {
	// RecordsBehind are in the topics and not loaded yet; -1: not known.
	RecordsBehind int64
	// Problems say what is wrong and how to mend it, in a sentence each.
	Problems []string
}

// Pages answers the dashboard's requests. Make one with New.
type Pages struct {
	cfg      Config
	assets   *assets
	editions []*edition
	mux      *http.ServeMux
}

//go:embed sql/*.sql templates/*.html assets lib
var files embed.FS

// New returns the pages, or an error that names everything the configuration
// lacks.
func New(cfg Config) (*Pages, error) {
	var missing []error
	need := func(ok bool, what string) {
		if !ok {
			missing = append(missing, fmt.Errorf("make the pages: no %s given", what))
		}
	}
	need(cfg.Library != nil, "library of published files")
	need(cfg.Now != nil, "clock")
	need(cfg.Logger != nil, "logger")
	if err := errors.Join(missing...); err != nil {
		return nil, err
	}
	if cfg.Status == nil {
		cfg.Status = func(context.Context) Status { return Status{RecordsBehind: -1} }
	}
	p := &Pages{cfg: cfg, mux: http.NewServeMux()}
	var err error
	if p.assets, err = readAssets(); err != nil {
		return nil, err
	}
	if p.editions, err = readEditions(p.assets, cfg.Data); err != nil {
		return nil, err
	}
	p.mux.Handle("GET /assets/{name}", p.assets)
	for pattern, answer := range map[string]func(*request) (view, error){
		"GET /{$}":            p.overview,
		"GET /segments":       p.segments,
		"GET /hours":          p.hours,
		"GET /campaigns":      p.campaigns,
		"GET /campaigns/{id}": p.campaign,
		"GET /customers":      p.customers,
		"GET /customers/{id}": p.customer,
		"GET /sql":            p.console,
		"GET /":               p.nowhere,
	} {
		p.mux.Handle(pattern, p.page(answer))
	}
	return p, nil
}

// contentPolicy lets a page have our own files and nothing else: no script or
// style in the page itself, no frame around it, no request elsewhere.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// ServeHTTP implements http.Handler.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	p.mux.ServeHTTP(w, r)
}

// request is one page's making.
type request struct {
	*http.Request
	*edition
	// reader is of the published file; nil where nothing was published yet.
	reader *warehouse.Reader
}

// view is a page's own part: the template that shows it, its title in the
// reader's language, and what the template is given.
type view struct {
	template string
	title    string
	status   int // 0 is 200
	// refresh is after what time the browser asks again by itself; 0: never.
	refresh time.Duration
	body    any
}

// page makes a handler of what answers with a view.
func (p *Pages) page(answer func(*request) (view, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if chooseLanguage(w, r) {
			return
		}
		req := &request{Request: r, edition: p.editionFor(r)}
		reader, release, err := p.cfg.Library.Acquire()
		switch {
		case err == nil:
			defer release()
			req.reader = reader
		case !errors.Is(err, warehouse.ErrNotPublished):
			p.render(w, req, p.trouble(req, err))
			return
		}
		v, err := answer(req)
		if err != nil {
			v = p.trouble(req, err)
		}
		p.render(w, req, v)
	})
}

// render writes the page whole or, should a template fail, not at all.
func (p *Pages) render(w http.ResponseWriter, r *request, v view) {
	var b bytes.Buffer
	err := r.templates[v.template].Execute(&b, p.frame(r, v))
	if err != nil {
		p.cfg.Logger.ErrorContext(r.Context(), "page not made", slog.String("page", v.template), slog.Any("error", err))
		http.Error(w, "The page could not be made; the server's log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", r.Tag.String())
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	if v.refresh > 0 {
		w.Header().Set("Refresh", strconv.Itoa(int(v.refresh.Seconds())))
	}
	if v.status != 0 {
		w.WriteHeader(v.status)
	}
	// An error here is a client that went away.
	_, _ = w.Write(b.Bytes())
}

// trouble is the page in place of one that could not be made.
func (p *Pages) trouble(r *request, err error) view {
	var q *warehouse.QueryError
	if errors.As(err, &q) && (q.Kind == warehouse.QueryBusy || q.Kind == warehouse.QueryDeadline) {
		return view{
			template: "message", title: r.T("Busy"), status: http.StatusServiceUnavailable,
			body: notice{r.T("Others are asking much of the server just now. Try again in a moment."), nil},
		}
	}
	if r.Context().Err() == nil {
		p.cfg.Logger.ErrorContext(r.Context(), "page not made", slog.Any("error", err))
	}
	return view{
		template: "message", title: r.T("Something is wrong"), status: http.StatusInternalServerError,
		body: notice{r.T("The page could not be made. The server's log says why."), nil},
	}
}

// notice is a page that says one thing, with commands that help.
type notice struct {
	Text     string
	Commands []string
}

func (p *Pages) nowhere(r *request) (view, error) {
	return p.notFound(r, r.T("There is no page at this address.")), nil
}

func (p *Pages) notFound(r *request, text string) view {
	return view{template: "message", title: r.T("Not found"), status: http.StatusNotFound, body: notice{text, nil}}
}

// unpublishedRefresh is how often a page without a file looks for one.
const unpublishedRefresh = 10 * time.Second

// unpublished is the page while there is no published file. It fills by itself.
func (p *Pages) unpublished(r *request, title string) view {
	v := view{template: "message", title: title, refresh: unpublishedRefresh}
	if p.cfg.Demo {
		v.body = notice{r.T("The demo is bringing its world in: events are loaded, then the models run. This page fills by itself."), nil}
		return v
	}
	v.body = notice{
		r.T("Nothing to show yet: no model run has published a file. Bring events in, and the models run by themselves within minutes; or start them at once."),
		[]string{"goodhour import orders orders.csv", "goodhour models run"},
	}
	return v
}
