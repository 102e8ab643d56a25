package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The demo of a small world keeps its promises, goes on from what is there, and
// lets nothing real into its directory.
func TestTheDemoKeepsItsPromisesAndGoesOn(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "demo")
	goodhour := func(want int, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		env := func(string) (string, bool) { return "", false }
		args = append(args, "--data", data, "--set", "api.listen=127.0.0.1:0")
		if code := run(t.Context(), args, env, strings.NewReader(""), &out, &out); code != want {
			t.Fatalf("goodhour %s ended with %d, want %d:\n%s", strings.Join(args, " "), code, want, &out)
		}
		return out.String()
	}
	first := goodhour(exitOK, "demo", "--check", "--customers", "600", "--days", "21")
	for _, want := range []string{"DEMO", "Dashboard: http://127.0.0.1:", "kept    at most once", "kept    STOP means stop", "1 campaigns so far"} {
		if !strings.Contains(first, want) {
			t.Errorf("the first run does not say %q:\n%s", want, first)
		}
	}
	second := goodhour(exitOK, "demo", "--check")
	for _, want := range []string{"History is there", "2 campaigns so far"} {
		if !strings.Contains(second, want) {
			t.Errorf("the second run does not say %q:\n%s", want, second)
		}
	}
	orders := filepath.Join(t.TempDir(), "orders.csv")
	if err := os.WriteFile(orders, []byte("customer,time,amount\na,2026-01-01,5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if refused := goodhour(exitError, "import", "orders", orders); !strings.Contains(refused, "demo") {
		t.Errorf("an import into the demo's directory was refused with %q", refused)
	}
}
