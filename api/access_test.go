package api

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestOnlyThisMachineByItsNameCountsAsLoopback(t *testing.T) {
	t.Parallel()
	f := func(want bool, remote, host string, headers ...string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr, r.Host = remote, host
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		if got := fromLoopback(r); got != want {
			t.Errorf("from %s to %s with %v: loopback %v, want %v", remote, host, headers, got, want)
		}
	}
	f(true, "127.0.0.1:5000", "127.0.0.1:8080")
	f(true, "127.0.0.1:5000", "localhost:8080")
	f(true, "127.0.0.1:5000", "LOCALHOST")
	f(true, "127.9.9.9:5000", "127.0.0.1")
	f(true, "[::1]:5000", "[::1]:8080")
	f(true, "[::1]:5000", "[::1]")
	f(true, "[::ffff:127.0.0.1]:5000", "127.0.0.1")
	f(false, "192.0.2.7:5000", "127.0.0.1:8080")
	f(false, "[2001:db8::1]:5000", "localhost")
	f(false, "127.0.0.1:5000", "rebind.example:8080")
	f(false, "127.0.0.1:5000", "localhost.rebind.example")
	f(false, "127.0.0.1:5000", "127.0.0.1.rebind.example:8080")
	f(false, "127.0.0.1:5000", "localhost.")
	f(false, "127.0.0.1:5000", "")
	f(false, "127.0.0.1:5000", "0.0.0.0:8080")
	f(false, "@", "localhost")
	f(false, "127.0.0.1:5000", "localhost", "X-Forwarded-For", "192.0.2.7")
	f(false, "127.0.0.1:5000", "localhost", "Forwarded", "for=192.0.2.7")
	f(false, "127.0.0.1:5000", "localhost", "X-Real-IP", "192.0.2.7")
	f(false, "127.0.0.1:5000", "localhost", "Via", "1.1 proxy")
}

func TestAPageOfAnotherSiteIsRecognised(t *testing.T) {
	t.Parallel()
	f := func(want bool, headers ...string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = "localhost:8080"
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		if got := fromAnotherSite(r); got != want {
			t.Errorf("%v: another site %v, want %v", headers, got, want)
		}
	}
	f(false)
	f(false, "Sec-Fetch-Site", "none")
	f(false, "Sec-Fetch-Site", "same-origin", "Origin", "http://localhost:8080")
	f(true, "Sec-Fetch-Site", "cross-site")
	f(true, "Sec-Fetch-Site", "same-site") // another port of localhost is another program
	f(true, "Origin", "http://evil.example")
	f(true, "Origin", "null")
	f(true, "Origin", "http://localhost:9999")
}

func TestABucketRefillsAndSaysWhen(t *testing.T) {
	t.Parallel()
	limits, now := newRateLimits(2, 3), time.Unix(0, 0)
	take := func(id string, at, want time.Duration) {
		t.Helper()
		if got := limits.take(id, now.Add(at)); got != want {
			t.Errorf("%s after %v: wait %v, want %v", id, at, got, want)
		}
	}
	for range 3 {
		take("a", 0, 0)
	}
	take("a", 0, 500*time.Millisecond)
	take("a", 0, 500*time.Millisecond) // a refused request takes nothing
	take("b", 0, 0)                    // each has its own
	take("a", 500*time.Millisecond, 0)
	take("a", 500*time.Millisecond, 500*time.Millisecond)
}
