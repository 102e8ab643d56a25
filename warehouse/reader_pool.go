package warehouse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/goodhour/goodhour/warehouse/internal/stream"
)

// A seat is a DuckDB instance that serves one query at a time. Queries share
// none: DuckDB's memory limit is one pool for an instance, so a hog would fail
// its neighbours.
type seat struct {
	instance *stream.Instance
	// pipe is the only file that the instance may open, in the folder dir, which
	// goes with the seat; both empty where it may open none.
	pipe, dir string
}

// sessionsPerSeat is how many queries a seat serves before it is opened anew.
const sessionsPerSeat = 64

func (s *seat) close() error {
	s.instance.Close()
	return s.removeDir()
}

func (s *seat) removeDir() error {
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// pool hands out seats, opened when first needed.
type pool struct {
	open func(context.Context) (*seat, error)
	wait time.Duration

	places chan struct{} // one for each seat in use
	mu     sync.Mutex
	idle   []*seat
}

func newPool(size int, wait time.Duration, open func(context.Context) (*seat, error)) *pool {
	return &pool{open: open, wait: wait, places: make(chan struct{}, size)}
}

// take waits for a free seat. It must be given back.
func (p *pool) take(ctx context.Context) (*seat, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	timeout := time.NewTimer(p.wait)
	defer timeout.Stop()
	select {
	case p.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timeout.C:
		return nil, errBusy
	}
	p.mu.Lock()
	if last := len(p.idle) - 1; last >= 0 {
		s := p.idle[last]
		p.idle = p.idle[:last]
		p.mu.Unlock()
		return s, nil
	}
	p.mu.Unlock()
	s, err := p.open(ctx)
	if err != nil {
		<-p.places
		return nil, err
	}
	return s, nil
}

// give takes a seat back, with the error that ended its query. A seat that has
// no more sessions, or whose instance is broken, is closed.
func (p *pool) give(s *seat, err error) {
	if s.instance.Left() > 0 && !breaks(err) {
		p.mu.Lock()
		p.idle = append(p.idle, s)
		p.mu.Unlock()
	} else {
		_ = s.close() // what stays in the temporary folder is two empty entries
	}
	<-p.places
}

// discard takes a seat back that nobody may use again.
func (p *pool) discard(s *seat) {
	_ = s.close()
	<-p.places
}

// breaks tells whether DuckDB gave an instance up: after a fatal error, and
// after one of its own bugs, it answers every query with an error.
func breaks(err error) bool {
	duck, ok := errors.AsType[*stream.Error](err)
	return ok && (duck.Class == "FATAL Error" || duck.Class == "INTERNAL Error")
}

// close waits for the seats in use and closes them all.
func (p *pool) close() error {
	for range cap(p.places) {
		p.places <- struct{}{}
	}
	var err error
	for _, s := range p.idle {
		if e := s.close(); e != nil {
			err = fmt.Errorf("close a published file: %w", e)
		}
	}
	p.idle = nil
	return err
}

// quoteText writes an SQL text literal.
func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// quoteName writes an SQL identifier.
func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
