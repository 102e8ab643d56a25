package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Clock is the time that the sandbox lives in.
type Clock interface {
	Now() time.Time
	// Wait returns nil once Now is not before at, or the context's error.
	Wait(ctx context.Context, at time.Time) error
}

// VirtualClock is a clock that stands until someone advances it. It is stored,
// so that it never goes back, and it never passes the wall. It is safe for
// concurrent use.
type VirtualClock struct {
	path string
	wall func() time.Time

	mu     sync.Mutex
	now    time.Time
	stored time.Time     // not before now
	moved  chan struct{} // closed, and replaced, at each advance
}

// storedAhead is how far ahead of now a clock is stored, so that the steps of a
// sender's pace are not a disk's sync each. After a restart it stands there.
const storedAhead = time.Second

// OpenVirtualClock opens the clock stored at path, or starts one there. A start
// after the wall's time starts at the wall's.
func OpenVirtualClock(path string, start time.Time, wall func() time.Time) (*VirtualClock, error) {
	c := &VirtualClock{path: path, wall: wall, moved: make(chan struct{})}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.now = start.UTC()
		if now := wall().UTC(); c.now.After(now) {
			c.now = now
		}
		if err := c.store(c.now); err != nil {
			return nil, err
		}
		c.stored = c.now
		return c, nil
	case err != nil:
		return nil, fmt.Errorf("open virtual clock: %w", err)
	}
	if c.now, err = time.Parse(time.RFC3339Nano, strings.TrimSpace(string(text))); err != nil {
		return nil, fmt.Errorf("open virtual clock %s: no time in it; write one in RFC 3339, not before the last that was used", path)
	}
	c.now = c.now.UTC()
	c.stored = c.now
	return c, nil
}

// Now implements Clock.
func (c *VirtualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Wait implements Clock.
func (c *VirtualClock) Wait(ctx context.Context, at time.Time) error {
	for {
		c.mu.Lock()
		now, moved := c.now, c.moved
		c.mu.Unlock()
		if !now.Before(at) {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Advance moves the clock to an instant, but never back and never past the
// wall, and wakes who waits. It returns where the clock stands then. A time not
// before the new one is stored before anyone can see it.
func (c *VirtualClock) Advance(to time.Time) (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall := c.wall().UTC()
	to = earlier(to.UTC(), wall)
	if !to.After(c.now) {
		return c.now, nil
	}
	if to.After(c.stored) {
		ahead := earlier(to.Add(storedAhead), wall)
		if err := c.store(ahead); err != nil {
			return c.now, err
		}
		c.stored = ahead
	}
	c.now = to
	close(c.moved)
	c.moved = make(chan struct{})
	return c.now, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func (c *VirtualClock) store(now time.Time) error {
	if err := replaceFile(c.path, []byte(now.Format(time.RFC3339Nano)+"\n")); err != nil {
		return fmt.Errorf("store virtual clock: %w", err)
	}
	return nil
}

// replaceFile writes a file so that after a crash it is the old or the new one.
func replaceFile(path string, content []byte) error {
	temporary := path + ".new"
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a new name in a folder durable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// ShiftedClock is the wall clock, shifted by a constant: for a sandbox in a
// process of its own.
type ShiftedClock struct {
	wall func() time.Time
	by   time.Duration
}

// Shifted returns the wall clock shifted by a duration, which is negative for a
// past.
func Shifted(wall func() time.Time, by time.Duration) *ShiftedClock {
	return &ShiftedClock{wall: wall, by: by}
}

// Now implements Clock.
func (c *ShiftedClock) Now() time.Time { return c.wall().Add(c.by).UTC() }

// Wait implements Clock.
func (c *ShiftedClock) Wait(ctx context.Context, at time.Time) error {
	return pause(ctx, at.Sub(c.Now()))
}

// pause lets wall time pass.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
