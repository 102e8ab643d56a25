package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// stallTimeout is how long one write to a client may take. It begins anew at
// each write, so an export may last as long as its reader keeps reading.
const stallTimeout = 30 * time.Second

// recorder passes a response on and notes what became of it.
type recorder struct {
	http.ResponseWriter
	control *http.ResponseController
	now     func() time.Time
	status  int // 0: nothing was written yet
	bytes   int64
}

// response is an answer in the making: on its way to the client, or in memory.
type response interface {
	http.ResponseWriter
	// written is the status, or 0 while nothing was written.
	written() int
}

func (w *recorder) written() int { return w.status }

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if err := w.control.SetWriteDeadline(w.now().Add(stallTimeout)); err != nil {
		return 0, fmt.Errorf("set the deadline of a write: %w", err)
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// front is what every request goes through, whatever it asks for: its id, the
// security headers, the access log, the metrics, and the end of a panic.
func (s *Server) front(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.now()
		info := &request{id: randomText(12)}
		rec := &recorder{ResponseWriter: w, control: http.NewResponseController(w), now: s.now}
		setHeaders(rec.Header(), info.id)
		defer func() {
			fault := recover()
			//nolint:errorlint // http.ErrAbortHandler is compared by identity, as net/http does
			if fault != nil && fault != http.ErrAbortHandler {
				s.log.ErrorContext(r.Context(), "http handler panicked",
					slog.String("request_id", info.id), slog.String("panic", fmt.Sprint(fault)), slog.String("stack", string(debug.Stack())))
				if rec.status == 0 {
					writeProblem(rec, info.id, problemf(problemInternal, "The request was not carried out, or not wholly."))
					fault = nil
				} else {
					fault = http.ErrAbortHandler
				}
			}
			s.logAccess(r.Context(), info, rec, r.Method, s.now().Sub(began), fault != nil)
			if fault != nil {
				panic(fault) // the client must see a cut answer, not a short one
			}
		}()
		next.ServeHTTP(rec, r.WithContext(context.WithValue(r.Context(), requestKey{}, info)))
	})
}

func setHeaders(h http.Header, requestID string) {
	h.Set("Goodhour-Request-Id", requestID)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

// logAccess writes one line a request: no path, no query string, no address of
// the client, for they may be personal data.
func (s *Server) logAccess(ctx context.Context, info *request, rec *recorder, method string, took time.Duration, cut bool) {
	name := "none"
	if info.route != nil {
		name = info.route.path
	}
	s.metrics.observe(info.route, rec.status, took, cut)
	s.log.LogAttrs(ctx, slog.LevelInfo, "http request",
		slog.String("request_id", info.id), slog.String("method", knownMethod(method)), slog.String("route", name),
		slog.Int("status", rec.status), slog.Int64("bytes", rec.bytes), slog.Bool("cut", cut),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000), slog.String("actor", info.principal.id))
}

// knownMethod keeps a stranger's text out of the log.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// endpoint is a route's handler behind everything that its row in the table asks for.
func (s *Server) endpoint(rt *route, by door) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := requestOf(r.Context())
		info.route = rt
		rec := w.(*recorder) // front's
		if err := s.serve(rec, r, info, by); err != nil {
			s.fail(rec, r, info, err)
		}
	})
}

func (s *Server) serve(w response, r *http.Request, info *request, by door) error {
	rt := info.route
	if rt.scope == "" {
		info.principal = principal{id: principalOpen}
		if err := checkQuery(r, rt); err != nil {
			return err
		}
		return rt.handle(s, w, r)
	}
	var err error
	if info.principal, err = s.authenticate(r, by); err != nil {
		return err
	}
	if wait := s.rates.take(info.principal.id, s.now()); wait > 0 {
		p := problemf(problemRateLimited, "A key may ask %g times a second, %d at once.", s.rates.perSecond, s.rates.burst)
		p.retryAfter = wait
		return p
	}
	if err := authorise(&info.principal, rt); err != nil {
		return err
	}
	if err := checkQuery(r, rt); err != nil {
		return err
	}
	if rt.consumes != nil {
		if info.mediaType, err = mediaType(r, rt.consumes...); err != nil {
			return err
		}
		claim := rt.bodyMax
		if r.ContentLength >= 0 {
			claim = min(claim, r.ContentLength)
		}
		if !s.bodies.take(claim) {
			p := problemf(problemUnavailable, "Too many bodies are being read.")
			p.retryAfter = time.Second
			return p
		}
		defer s.bodies.give(claim)
		if info.body, err = s.readBody(w, r, rt.bodyMax); err != nil {
			return err
		}
	}
	if rt.effect {
		return s.once(w, r, info)
	}
	return s.audited(w, r, info)
}

// once carries out what changes something, at most once for an Idempotency-Key.
func (s *Server) once(w response, r *http.Request, info *request) error {
	if r.Method != http.MethodPost {
		return s.audited(w, r, info)
	}
	key, err := idempotencyKeyOf(r, &info.principal)
	if err != nil {
		return err
	}
	if key == "" {
		return s.audited(w, r, info)
	}
	kept, err := s.answers.begin(key, fingerprintOf(r, info.body), s.now())
	if err != nil {
		return err
	}
	if kept != nil {
		w.Header().Set("Idempotency-Replayed", "true")
		kept.copyTo(w)
		return nil
	}
	fresh := newAnswer()
	var done *answer
	defer func() { s.answers.end(key, done) }() // also after a panic
	if err := s.audited(fresh, r, info); err != nil {
		p := s.reported(r.Context(), info, err)
		fresh = newAnswer()
		writeProblem(fresh, info.id, p)
	}
	done = fresh
	done.copyTo(w)
	return nil
}

// audited writes the two lines of the audit log around what the route does, if
// the route changes something or gives whole lists of customers away.
func (s *Server) audited(w response, r *http.Request, info *request) error {
	rt := info.route
	if !rt.effect && rt.scope != ScopeExport {
		return rt.handle(s, w, r)
	}
	if err := s.checkPersonal(r); err != nil {
		return err
	}
	return s.witnessed(w, info, AuditEntry{Target: auditTarget(r), Personal: wantsPersonal(r)}, func() error { return rt.handle(s, w, r) })
}

// witnessed acts between the two lines of the audit log.
func (s *Server) witnessed(w response, info *request, entry AuditEntry, act func() error) (err error) {
	entry.RequestID, entry.Actor = info.id, info.principal.id
	entry.Action = info.route.method + " " + info.route.path
	entry.Stage = "begin"
	if err := s.audit.Append(entry); err != nil {
		return err
	}
	entry.Stage, entry.Result = "end", "failed"
	defer func() { // also after a panic
		if err := s.audit.Append(entry); err != nil {
			s.log.Error("audit line not written", slog.String("request_id", info.id), slog.Any("error", err))
		}
	}()
	err = act()
	entry.Count = info.count
	if info.made != "" {
		entry.Target = info.made
	}
	switch {
	case err == nil:
		entry.Result, entry.Status = "done", w.written()
	case w.written() == 0:
		entry.Status = asProblem(err).kind.status
		if entry.Status < 500 {
			entry.Result = "refused"
		}
	}
	return err
}

// fail answers with the error's problem, or cuts off an answer that has begun.
func (s *Server) fail(w response, r *http.Request, info *request, err error) {
	p := asProblem(err)
	ours := p.kind.status >= http.StatusInternalServerError
	switch gone := r.Context().Err() != nil; {
	case gone && ours: // it failed because the client left: nobody is there to be told
		panic(http.ErrAbortHandler)
	case w.written() != 0:
		if !gone {
			s.logFault(r.Context(), info, p, true)
		}
		panic(http.ErrAbortHandler)
	}
	writeProblem(w, info.id, s.reported(r.Context(), info, p))
}

// reported turns the error into its problem and logs it: as an error if it is
// our fault, as a warning if callers have to wait for us.
func (s *Server) reported(ctx context.Context, info *request, err error) *problem {
	p := asProblem(err)
	if p.kind.status >= 500 && ctx.Err() == nil {
		s.logFault(ctx, info, p, false)
	}
	return p
}

// logFault logs a problem by its cause only: its detail may quote the caller's
// SQL, which may hold anything.
func (s *Server) logFault(ctx context.Context, info *request, p *problem, cut bool) {
	level := slog.LevelWarn
	if p.kind.status == http.StatusInternalServerError {
		level = slog.LevelError
	}
	s.log.LogAttrs(ctx, level, "http request failed", slog.String("request_id", info.id),
		slog.String("problem", p.kind.name), slog.Bool("cut", cut), slog.Any("error", p.cause))
}

// budget bounds the bytes of all bodies that are held at once.
type budget struct {
	most int64
	used atomic.Int64
}

func (b *budget) take(n int64) bool {
	if b.used.Add(n) > b.most {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.used.Add(-n) }
