package main

import (
	"context"
	"time"
)

// wallClock is the time that everybody else's clocks show.
type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

// Wait returns nil once the clock has reached at, or ctx's error before.
func (c wallClock) Wait(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(at.Sub(c.Now()))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
