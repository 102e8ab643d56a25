package sandbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var clockStart = time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)

func openClock(t *testing.T, path string, wall func() time.Time) *VirtualClock {
	t.Helper()
	c, err := OpenVirtualClock(path, clockStart, wall)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheVirtualClockNeverPassesTheWallNorGoesBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "clock")
	wall := clockStart.Add(time.Hour)
	c := openClock(t, path, func() time.Time { return wall })
	f := func(to, want time.Time) {
		t.Helper()
		got, err := c.Advance(to)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Equal(want) || !c.Now().Equal(want) {
			t.Errorf("advanced to %s, want %s", got, want)
		}
	}
	f(clockStart.Add(time.Minute), clockStart.Add(time.Minute))
	f(clockStart, clockStart.Add(time.Minute))
	f(clockStart.Add(2*time.Hour), wall)
	wall = wall.Add(-time.Minute) // the machine's clock was set back
	f(clockStart.Add(3*time.Hour), clockStart.Add(time.Hour))

	again := openClock(t, path, func() time.Time { return wall })
	if !again.Now().Equal(clockStart.Add(time.Hour)) {
		t.Errorf("after a restart the clock stands at %s", again.Now())
	}
	if err := os.WriteFile(path, []byte("soon\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenVirtualClock(path, clockStart, time.Now); err == nil {
		t.Error("a clock without time was opened")
	}
	early := openClock(t, filepath.Join(t.TempDir(), "clock"), func() time.Time { return clockStart.Add(-time.Hour) })
	if !early.Now().Equal(clockStart.Add(-time.Hour)) {
		t.Errorf("a clock began at %s, after the wall", early.Now())
	}
}

func TestAdvanceWakesWhoWaits(t *testing.T) {
	t.Parallel()
	c := openClock(t, filepath.Join(t.TempDir(), "clock"), time.Now)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var waiting sync.WaitGroup
	for i := range 20 {
		at := clockStart.Add(time.Duration(i) * time.Minute)
		waiting.Go(func() {
			if err := c.Wait(ctx, at); err != nil || c.Now().Before(at) {
				t.Errorf("waited for %s: woke at %s: %v", at, c.Now(), err)
			}
		})
		waiting.Go(func() {
			if _, err := c.Advance(at); err != nil {
				t.Error(err)
			}
		})
	}
	waiting.Wait()
	cancel()
	if err := c.Wait(ctx, clockStart.AddDate(0, 0, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was cancelled: %v", err)
	}
}

func TestTheShiftedClockRunsWithTheWall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := Shifted(time.Now, -14*24*time.Hour)
		began := c.Now()
		if err := c.Wait(t.Context(), began.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if got := c.Now().Sub(began); got != time.Hour {
			t.Errorf("an hour took %s", got)
		}
		if err := c.Wait(t.Context(), began); err != nil {
			t.Errorf("a wait for the past: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.Wait(ctx, c.Now().Add(time.Hour)); !errors.Is(err, context.Canceled) {
			t.Errorf("a wait that was cancelled: %v", err)
		}
	})
}
