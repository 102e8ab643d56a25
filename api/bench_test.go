package api

import (
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodhour/goodhour/warehouse"
)

// BenchmarkExport compares an export of a million customers over HTTP on
// loopback with DuckDB's own COPY of the same rows to a file.
func BenchmarkExport(b *testing.B) {
	const customers = 1_000_000
	server := setupIn(b, b.TempDir())
	token := server.key("export")
	server.publish(worldAsOf, listStatements(0, customers)...)
	path := warehouse.PublishedLink(server.data)
	rate := func(b *testing.B) {
		b.Helper()
		b.ReportMetric(float64(customers)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	}
	for _, query := range []string{"format=csv&csv=raw", "format=parquet"} {
		format := strings.TrimSuffix(strings.TrimPrefix(query, "format="), "&csv=raw")
		b.Run("http/"+format, func(b *testing.B) {
			for b.Loop() {
				r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.url+"/v1/audiences/everyone/customers?"+query, nil)
				if err != nil {
					b.Fatal(err)
				}
				r.Header.Set("Authorization", "Bearer "+token)
				res, err := http.DefaultClient.Do(r)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
					b.Fatal(res.Status, err)
				}
				res.Body.Close()
			}
			rate(b)
		})
		b.Run("copy/"+format, func(b *testing.B) {
			db, err := sql.Open("duckdb", path+"?access_mode=READ_ONLY&threads=2")
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			options := map[string]string{"csv": "format csv, header true", "parquet": "format parquet, compression zstd"}[format]
			for b.Loop() {
				target := filepath.Join(b.TempDir(), "copy")
				if _, err := db.ExecContext(b.Context(), fmt.Sprintf("copy (select customer_id::varchar as customer_id, external_id, score, reason from audience.everyone) to '%s' (%s)", target, options)); err != nil {
					b.Fatal(err)
				}
			}
			rate(b)
		})
	}
}
