package ingest

import (
	"errors"
	"log/slog"
	"sync"
)

// told logs a trouble when it begins and when it ends, not at every retry
// between.
type told struct {
	logger *slog.Logger
	mu     sync.Mutex
	open   map[string]error // the latest of each trouble that is not over
}

func newTold(logger *slog.Logger) *told {
	return &told{logger: logger, open: make(map[string]error)}
}

// trouble tells of an error in what, once until it is over.
func (t *told) trouble(what string, err error) {
	t.mu.Lock()
	_, known := t.open[what]
	t.open[what] = err
	t.mu.Unlock()
	if !known {
		t.logger.Warn("trouble, retrying", "what", what, "error", err)
	}
}

// over tells that what works again, if it did not.
func (t *told) over(what string) {
	t.mu.Lock()
	_, known := t.open[what]
	delete(t.open, what)
	t.mu.Unlock()
	if known {
		t.logger.Info("trouble over", "what", what)
	}
}

// current joins the troubles of those names that are not over.
func (t *told) current(names ...string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []error
	for _, what := range names {
		all = append(all, t.open[what])
	}
	return errors.Join(all...)
}
