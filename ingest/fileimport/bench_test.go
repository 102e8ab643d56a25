package fileimport_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/fileimport"
)

// writeOrders writes a file of orders with every column that matters, or with
// the three that have to be there.
func writeOrders(b *testing.B, rows int, wide bool) string {
	b.Helper()
	name := filepath.Join(b.TempDir(), "orders.csv")
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	random := rand.New(rand.NewPCG(1, 2))
	if wide {
		fmt.Fprintln(w, "order_id,customer_id,email,phone,created_at,total,currency,coupon,note")
	} else {
		fmt.Fprintln(w, "customer_id,date,total")
	}
	for i := range rows {
		c := random.IntN(rows/5 + 1)
		day := fmt.Sprintf("2024-%02d-%02d", 1+i%12, 1+i%28)
		amount := fmt.Sprintf("%d.%02d", random.IntN(1000), random.IntN(100))
		if wide {
			fmt.Fprintf(w, "A%d,C%d,person%d@example.com,+55119%08d,%sT%02d:%02d:00Z,%s,BRL,,\"some, note %d\"\n", i, c, c, 90000000+c, day, i%24, i%60, amount, i%100)
		} else {
			fmt.Fprintf(w, "C%d,%s,%s\n", c, day, amount)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	return name
}

func benchmark(b *testing.B, o fileimport.Options, wide bool) {
	const rows = 200_000
	name := writeOrders(b, rows, wide)
	o.Now = now
	o.Limits.TempDir = b.TempDir()
	b.ReportAllocs()
	for b.Loop() {
		report, err := fileimport.Run(b.Context(), []string{name}, o, func(context.Context, []event.Event) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
		if report.Good != rows {
			b.Fatalf("%d rows of %d are good", report.Good, rows)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// A dry run reads, checks and reports; the import builds the events once more
// and hands them to a publisher that does nothing.
func BenchmarkImport(b *testing.B) {
	for _, wide := range []bool{false, true} {
		for _, dry := range []bool{true, false} {
			o := usd()
			if wide {
				o = orders()
			}
			o.DryRun = dry
			b.Run(fmt.Sprintf("wide=%t/dry=%t", wide, dry), func(b *testing.B) { benchmark(b, o, wide) })
		}
	}
}
