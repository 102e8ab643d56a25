package sandbox

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodhour/goodhour/sender/provider"
)

// BenchmarkHistory makes the past of the demo's world.
func BenchmarkHistory(b *testing.B) {
	w := worldOf(1, 20_000, 90)
	events := 0
	for b.Loop() {
		for range w.History() {
			events++
		}
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkSubmit sends over HTTP from many callers at once: each submission is
// on the disk before its answer.
func BenchmarkSubmit(b *testing.B) {
	secret := provider.NewSecret(testToken)
	s, err := Open(Config{
		Dir: b.TempDir(), World: testWorld(20_000), Clock: Shifted(time.Now, 0), WebhookURL: "http://127.0.0.1:1/",
		Account: Account{AccessToken: secret, AppSecret: secret, VerifyToken: secret},
		Limits:  Limits{PerSecond: 1_000_000, PairEvery: time.Microsecond}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(s.Handler())
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.Cleanup(func() {
		server.Close()
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	var nth atomic.Int64
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := nth.Add(1)
			body := fmt.Sprintf(`{"messaging_product":"whatsapp","to":"%s","recipient":"%s","type":"template","biz_opaque_callback_data":"%032x",`+
				`"template":{"name":"new_arrivals","language":{"code":"en_US"},"components":[{"type":"body","parameters":[{"type":"text","text":"Ana"}]}]}}`,
				s.world.Customer(int(n)%s.world.Len()).Phone, s.world.Customer(int(n)%s.world.Len()).BSUID, n)
			request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL+"/v25.0/"+DefaultNumberID+"/messages", strings.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			request.Header.Set("Authorization", "Bearer "+testToken)
			response, err := client.Do(request)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			if response.StatusCode != http.StatusOK {
				b.Errorf("answered %d", response.StatusCode)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
