package warehouse_test

import (
	"database/sql"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/goodhour/goodhour/warehouse"
)

const benchRows = 2_000_000

// An audience as it is exported: keys, labels, figures and times.
const benchTable = `create table audience as
select
    uuid() as customer_id,
    'C-' || (n * 7919 % 10000000) as external_id,
    n % 3 = 0 as is_reachable,
    n as order_count,
    (n * 1.37)::decimal(18, 4) as spend_amount,
    random() as score,
    timestamp '2026-01-01' + to_seconds(n) as last_seen_at,
    ['hot', 'warm', 'cold', 'never'][1 + n % 4] as heat_class
from range(2000000) r(n)`

// BenchmarkExport compares an export with DuckDB's own COPY of the same columns
// (UUIDs as text, as an export writes them), with the same threads, in the same
// run; five times in turn, the medians are compared. Both throw the bytes away,
// so that no disk is measured.
func BenchmarkExport(b *testing.B) {
	limits := warehouse.Limits{Threads: 2, MemoryBytes: 512 << 20}
	r := reader(b, limits, benchTable)
	for _, format := range []struct {
		format  warehouse.Format
		options string
	}{
		{warehouse.CSV, "format csv, header true"},
		{warehouse.Parquet, "format parquet, compression zstd"},
		{warehouse.NDJSON, "format json"},
	} {
		b.Run(string(format.format), func(b *testing.B) {
			for b.Loop() {
				var ours, theirs []time.Duration
				for range 5 {
					theirs = append(theirs, timeCopy(b, r, format.options))
					ours = append(ours, timeExport(b, r, format.format))
				}
				slices.Sort(ours)
				slices.Sort(theirs)
				b.ReportMetric(theirs[2].Seconds()/ours[2].Seconds(), "ratio-to-COPY")
				b.ReportMetric(benchRows/ours[2].Seconds(), "rows/s")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

func timeExport(b *testing.B, r *warehouse.Reader, format warehouse.Format) time.Duration {
	b.Helper()
	began := time.Now()
	n, err := r.Export(b.Context(), io.Discard, format, warehouse.Source{Relation: "main.audience"}, warehouse.ExportOptions{})
	if err != nil || n != benchRows {
		b.Fatal(n, err)
	}
	return time.Since(began)
}

func timeCopy(b *testing.B, r *warehouse.Reader, options string) time.Duration {
	b.Helper()
	db, err := sql.Open("duckdb", r.Path()+"?access_mode=READ_ONLY&threads=2&memory_limit=512MiB")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if err := db.PingContext(b.Context()); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	const columns = "select * replace (customer_id::varchar as customer_id) from audience"
	if _, err := db.ExecContext(b.Context(), fmt.Sprintf("copy (%s) to '/dev/null' (%s)", columns, options)); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}
