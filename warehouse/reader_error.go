package warehouse

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/goodhour/goodhour/warehouse/internal/stream"
)

// QueryErrorKind says whose fault a failed query is, and what would help.
type QueryErrorKind string

// The kinds of a QueryError.
const (
	// QuerySyntax: the SQL is wrong, names what does not exist, or meets a value
	// that it cannot work with. Another query helps.
	QuerySyntax QueryErrorKind = "syntax"
	// QueryRefused: it would write, read files, attach, install, or change
	// settings. Nothing of it was done.
	QueryRefused QueryErrorKind = "refused"
	// QueryMemory: it needs more memory or temporary space than one query may use.
	QueryMemory QueryErrorKind = "memory"
	// QueryDeadline: it took too long and was stopped.
	QueryDeadline QueryErrorKind = "deadline"
	// QueryBusy: all places were taken by others; it never started.
	QueryBusy QueryErrorKind = "busy"
	// QueryCanceled: the caller stopped it.
	QueryCanceled QueryErrorKind = "canceled"
	// QueryInternal: something here is broken, not the query.
	QueryInternal QueryErrorKind = "internal"
)

// QueryError is why a query on a published file gave no (complete) answer. Its
// texts are for the one who asked: they quote the query.
type QueryError struct {
	Kind QueryErrorKind
	// Message says what happened, in DuckDB's words where they help.
	Message string
	// Hint says what to do; empty where Message does.
	Hint string

	err error
}

func (e *QueryError) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "; " + e.Hint
}

// Unwrap gives the cause.
func (e *QueryError) Unwrap() error { return e.err }

// errBusy is the pool's answer when no place became free in time.
var errBusy = errors.New("all places are taken")

// explain turns what ended a query into a QueryError. caller is the context
// that the query came with.
func (l Limits) explain(caller context.Context, err error) *QueryError {
	if known, ok := errors.AsType[*QueryError](err); ok {
		return known
	}
	e := &QueryError{Kind: QueryInternal, Message: err.Error(), err: err}
	var duck *stream.Error
	switch {
	case errors.Is(caller.Err(), context.Canceled):
		e.Kind, e.Message = QueryCanceled, "the query was stopped by the caller"
	case errors.Is(err, context.DeadlineExceeded):
		e.Kind, e.Message = QueryDeadline, "the query was stopped at its deadline"
		e.Hint = "ask for less, or aggregate before joining"
		if _, own := caller.Deadline(); !own {
			e.Hint = fmt.Sprintf("a query may take %s: %s", l.Timeout, e.Hint)
		}
	case errors.Is(err, errBusy):
		e.Kind, e.Message = QueryBusy, fmt.Sprintf("all %d places were taken by other queries for %s", l.Queries, l.Wait)
		e.Hint = "try again in a moment"
	case errors.Is(err, stream.ErrEmpty):
		e.Kind, e.Message = QuerySyntax, "the text has no SQL statement in it"
	case errors.Is(err, stream.ErrNotOneSelect):
		e.Kind, e.Message = QuerySyntax, "an export takes one select"
		e.Hint = "write a PIVOT with its values: pivot … on … in ('a', 'b'); run anything else as a query"
	case errors.As(err, &duck):
		l.explainDuckDB(e, duck)
	}
	return e
}

// refusals are DuckDB 1.5's words for what a locked, read-only instance
// does not do.
var refusals = []string{
	"attached in read-only mode",
	"in read-only mode!",
	"the configuration has been locked",
	"disabled by configuration",
	"disabled through configuration",
	"is disabled through configuration",
	"Secret Storage with name",
}

// outOfSpace are the system's words for a full disk, as DuckDB passes them on.
var outOfSpace = []string{"No space left on device", "Disk quota exceeded", "File too large", "Could not write all bytes"}

func (l Limits) explainDuckDB(e *QueryError, duck *stream.Error) {
	e.Message = duck.Message
	switch {
	case duck.Class == "Out of Memory Error", duck.Class == "IO Error" && containsAny(duck.Message, outOfSpace):
		e.Kind = QueryMemory
		// Its other lines advise to change settings, which are locked.
		cause, _, _ := strings.Cut(duck.Message, "\n")
		e.Message = "the query needs more memory or temporary space than it may use: " + strings.TrimSuffix(cause, ".")
		e.Hint = fmt.Sprintf("a query may use %s of memory and %s of temporary space: "+
			"select fewer columns or rows, or aggregate before joining", megabytes(l.MemoryBytes), megabytes(l.TempBytes))
	case duck.Class == "Permission Error", containsAny(duck.Message, refusals):
		e.Kind = QueryRefused
		e.Hint = "the published file is read-only, and queries have no access to files, the network, extensions or settings"
	case duck.Class == "INTERRUPT Error":
		e.Kind, e.Message = QueryCanceled, "the query was interrupted"
	case duck.Class == "IO Error", duck.Class == "FATAL Error", duck.Class == "INTERNAL Error", duck.Class == "":
		e.Kind = QueryInternal
	default:
		e.Kind, e.Message = QuerySyntax, duck.Class+": "+e.Message
	}
}

func containsAny(s string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

func megabytes(bytes int64) string { return fmt.Sprintf("%d MB", bytes/1_000_000) }
