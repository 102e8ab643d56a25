package sender

import (
	"log/slog"
	"sync"
)

// told logs a trouble when it begins and when it ends, not each time it is met
// between.
type told struct {
	logger *slog.Logger
	mu     sync.Mutex
	open   map[string]bool
}

func newTold(logger *slog.Logger) *told {
	return &told{logger: logger, open: make(map[string]bool)}
}

// trouble tells of an error in what, once until it is over.
func (t *told) trouble(what string, err error) {
	t.mu.Lock()
	known := t.open[what]
	t.open[what] = true
	t.mu.Unlock()
	if !known {
		t.logger.Warn("trouble in sending", "what", what, "error", err)
	}
}

// over tells that what works again, if it did not.
func (t *told) over(what string) {
	t.mu.Lock()
	known := t.open[what]
	delete(t.open, what)
	t.mu.Unlock()
	if known {
		t.logger.Info("trouble in sending is over", "what", what)
	}
}
