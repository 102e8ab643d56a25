package sender

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/ledger"
)

const (
	// publishAtOnce bounds the events in memory.
	publishAtOnce = 500
	// publishLook is how often rows are looked for that others wrote: plans,
	// opt-outs. On the machine's clock: a virtual one may stand still for them.
	publishLook = time.Second
)

// PublishPending publishes every event that the ledger owes, in its order, and
// returns how many. A crash between writing and marking writes some again,
// under the same ids.
func (s *Sender) PublishPending(ctx context.Context) (int, error) {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	for published := 0; ; {
		owed, err := s.cfg.Ledger.Unpublished(ctx, publishAtOnce)
		if err != nil || len(owed) == 0 {
			return published, err
		}
		s.pass(BeforePublish)
		events := make([]event.Event, len(owed))
		for i := range owed {
			events[i] = owed[i].Event
		}
		if err := s.cfg.Publisher.Publish(ctx, events); err != nil {
			return published, fmt.Errorf("publish %d events of the ledger: %w", len(events), err)
		}
		if err := s.cfg.Ledger.MarkPublished(ctx, owed[len(owed)-1].Cursor); err != nil {
			return published, err
		}
		published += len(owed)
	}
}

// publishingLoop publishes whenever there may be something.
func (s *Sender) publishingLoop(ctx context.Context) error {
	look := time.NewTicker(publishLook)
	defer look.Stop()
	for failed := 0; ctx.Err() == nil; {
		switch _, err := s.PublishPending(ctx); {
		case errors.Is(err, ledger.ErrInvalidated):
			return err
		case err != nil && ctx.Err() == nil:
			s.told.trouble("publish", err)
			pause(ctx, grown(retryFirst, 2, failed, retryMost))
			failed++
			continue
		default:
			s.told.over("publish")
			failed = 0
		}
		select {
		case <-s.unpublished:
		case <-look.C:
		case <-ctx.Done():
		}
	}
	return nil
}
