package warehouse_test

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
)

func cpu() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func BenchmarkZ(b *testing.B) {
	spread := int64(5 * second)
	if os.Getenv("WIDE") != "" {
		spread = 90 * day
	}
	size := 100_000
	db, bare := openBench(b), openBare(b)
	f := newFeed(spread)
	var batch event.Batch
	var l, a time.Duration
	n := 0
	for i := range 22 {
		f.fill(&batch, size)
		u := cpu()
		if err := db.Load(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
		v := cpu()
		if os.Getenv("NOBARE") == "" {
			appendBare(b, bare, batch.Rows[event.MessageRead])
		}
		w := cpu()
		if i >= 11 {
			l += v - u
			a += w - v
			n += size
		}
	}
	fmt.Printf("load %.2f appender %.2f cpu-us/row\n", l.Seconds()*1e6/float64(n), a.Seconds()*1e6/float64(n))
}
