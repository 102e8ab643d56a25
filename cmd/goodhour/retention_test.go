package main

import (
	"errors"
	"testing"
	"time"
)

// TestRetentionTakesOnlyWhatIsLoaded keeps next to nothing of the embedded
// broker's log, restarts, and goes on: no partition stops over a gap, and every
// event counts once.
func TestRetentionTakesOnlyWhatIsLoaded(t *testing.T) {
	t.Parallel()
	ctx := deadline(t, 2*time.Minute)
	home := newInstallation(t, nil)
	events := story(t, 5, 4_000)
	for part, from := range []int{0, 2_000} {
		c := home.cli()
		c.cfg.Kafka.EmbeddedRetention = 1
		a, err := openApp(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		err = a.producer.Publish(ctx, events[from:from+2_000])
		if err = errors.Join(err, a.WaitForEnd(ctx)); err != nil {
			t.Fatal(err)
		}
		if err := a.applyRetention(ctx); err != nil {
			t.Fatal(err)
		}
		offsets, err := a.Offsets(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var loaded int64
		for _, p := range offsets {
			loaded += p.NextOffset
			if p.Break != "" || p.Lag != 0 {
				t.Errorf("%s/%d: lag %d, %s", p.Topic, p.Partition, p.Lag, p.Break)
			}
		}
		if want := int64(2_000 * (part + 1)); loaded != want {
			t.Errorf("%d records loaded, want %d", loaded, want)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
