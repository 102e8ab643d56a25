package api

import (
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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

// BenchmarkWebhook posts signed webhooks over HTTP on loopback, each answered
// once its events are in the log of the embedded broker, which syncs every
// write: one at a time, 16 at once as a provider sends them, and one of 1,000
// messages, the most that Meta puts into one.
func BenchmarkWebhook(b *testing.B) {
	server := setupIn(b, b.TempDir(), withMeta(b, &letters{}))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	sender := func(body string) func(b *testing.B) time.Duration {
		sign := signature(webhookSecret, body)
		return func(b *testing.B) time.Duration {
			b.Helper()
			r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.url+"/webhooks/meta", strings.NewReader(body))
			if err != nil {
				b.Error(err)
				return 0
			}
			r.Header.Set("X-Hub-Signature-256", sign)
			began := time.Now()
			res, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return 0
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusOK {
				b.Errorf("status %s", res.Status)
			}
			return time.Since(began)
		}
	}
	report := func(b *testing.B, took []time.Duration) {
		b.Helper()
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/median")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms/p99")
		b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "webhooks/s")
	}
	alone := func(send func(b *testing.B) time.Duration) func(b *testing.B) {
		return func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				took = append(took, send(b))
			}
			report(b, took)
		}
	}
	one := sender(inboundText("hello"))
	b.Run("one at a time", alone(one))
	b.Run("16 at once", func(b *testing.B) {
		var mu sync.Mutex
		var took []time.Duration
		b.SetParallelism(max(1, 16/runtime.GOMAXPROCS(0)))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				d := one(b)
				mu.Lock()
				took = append(took, d)
				mu.Unlock()
			}
		})
		report(b, took)
	})
	b.Run("of 1000 messages", alone(sender(inboundText(make([]string, 1000)...))))
}
