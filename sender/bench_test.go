package sender_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/goodhour/goodhour/sender/limit"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/sandbox"
)

// wall is the machine's clock, shifted to the tests' noon.
type wall struct{ *sandbox.ShiftedClock }

func newWall() wall { return wall{sandbox.Shifted(time.Now, time.Until(noon()))} }

// Advance implements clock: nobody moves this one.
func (w wall) Advance(time.Time) (time.Time, error) {
	return w.Now(), errors.New("the wall clock cannot be moved")
}

// BenchmarkSustained sends a plan on the wall clock to the sandbox, which
// accepts faster than the sender's limit, over HTTP, with every rule on and
// every decision recorded and published (to a log in memory, which the ledger
// reads back before each claim).
func BenchmarkSustained(b *testing.B) {
	const customers = 10_000
	for range b.N {
		b.StopTimer()
		clock := newWall()
		sb, err := sandbox.Open(sandbox.Config{
			Dir: b.TempDir(), World: sandbox.WorldConfig{Seed: 1, Customers: 1, Start: noon().Add(-48 * time.Hour), End: noon().Add(-24 * time.Hour)},
			Account: credentials(), WebhookURL: "http://127.0.0.1:9", Clock: clock, Limits: sandbox.Limits{PerSecond: 100_000},
			Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			b.Fatal(err)
		}
		server := httptest.NewServer(sb.Handler())
		f := setup(b, clock, server.URL, people(customers))
		f.account.NumberRate = limit.NumberRate{CampaignPerMinute: 60_000, PerSecond: 1000, ProviderPerSecond: 1000}
		f.start()
		ctx, stop := context.WithCancel(b.Context())
		ended := make(chan error, 1)
		id := f.campaign("spring", f.people, clock.Now(), nil)
		b.StartTimer()
		started := time.Now()
		go func() { ended <- f.sender.Run(ctx) }()
		for f.status(id).States[plan.Accepted] < customers && time.Since(started) < time.Minute {
			f.waitForChange()
		}
		took := time.Since(started)
		b.StopTimer()
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		f.want(id, map[plan.State]int{plan.Accepted: customers})
		server.Close()
		if err := sb.Close(); err != nil {
			b.Error(err)
		}
		b.ReportMetric(customers/took.Seconds(), "messages/s")
	}
}

// waitForChange lets 20 ms pass.
func (b *bench) waitForChange() {
	timer := time.NewTimer(20 * time.Millisecond)
	defer timer.Stop()
	<-timer.C
}
