package ingest

import (
	"context"
	"time"
)

// backoff is a pause between attempts that doubles up to a limit.
type backoff struct {
	first, limit, next time.Duration
}

func newBackoff(first, limit time.Duration) *backoff {
	return &backoff{first: first, limit: limit, next: first}
}

// step returns the next pause.
func (b *backoff) step() time.Duration {
	pause := b.next
	b.next = min(2*b.next, b.limit)
	return pause
}

func (b *backoff) reset() { b.next = b.first }

// wait pauses; false means that ctx ended first.
func (b *backoff) wait(ctx context.Context) bool { return sleep(ctx, b.step()) }

// sleep waits for d; false means that ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
