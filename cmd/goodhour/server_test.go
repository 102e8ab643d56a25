package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// A data directory changes hands without anybody's error: who comes second
// waits a little.
func TestASecondServeWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	ctx := deadline(t, 2*time.Minute)
	home := newInstallation(t, nil)
	first := home.serve(t, "--set", "api.listen=127.0.0.1:0")
	first.await(ctx, t, "Dashboard: ", "\n")
	second := home.serve(t, "--set", "api.listen=127.0.0.1:0")
	second.await(ctx, t, "Waiting for ", ", which has")
	// Meanwhile the first answers the commands.
	if out, talk, code := home.try(ctx, "offsets", "list"); code != exitOK || !strings.Contains(out, "goodhour.purchase/0") {
		t.Errorf("offsets list: exit code %d\n%s%s", code, out, talk)
	}
	first.stop(t)
	second.await(ctx, t, "Dashboard: ", "\n")
	second.stop(t)
}

func TestAProblemIsToldWithEveryPlace(t *testing.T) {
	t.Parallel()
	f := func(answer, want string) {
		t.Helper()
		if got := problemError(422, []byte(answer)).Error(); got != want {
			t.Errorf("%s: %q, want %q", answer, got, want)
		}
	}
	f(`{"title": "It does not fit.", "detail": "plan p is done: cannot pause it."}`, "plan p is done: cannot pause it")
	f(`{"title": "It does not fit.", "detail": ""}`, "It does not fit")
	f(`{"title": "It is wrong.", "detail": "see errors", "rejected": 3, "errors": [{"line": 4, "field": "id", "detail": "missing"}, {"detail": "odd"}]}`,
		"It is wrong:\n  line 4: id: missing\n  odd\n  and 1 more")
	f(`<html>`, "the API answered 422: <html>")
}

func TestStrayEnvironment(t *testing.T) {
	t.Parallel()
	cfg := defaultConfig()
	cfg.Accounts = []AccountConfig{{Name: "shop"}}
	f := func(variable, want string) {
		t.Helper()
		var got []string
		for _, err := range strayEnvironment(&cfg, []string{variable, "PATH=/bin", "GOODHOURS=1"}) {
			got = append(got, err.Error())
		}
		if (want == "") != (len(got) == 0) || !strings.Contains(strings.Join(got, ""), want) {
			t.Errorf("%s: %q, want %q", variable, got, want)
		}
		if slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "hunter2") }) {
			t.Errorf("%s: its value is told", variable)
		}
	}
	f("GOODHOUR_KAFKA_BROKERS=hunter2", "")
	f("GOODHOUR_ACCOUNTS_SHOP_TOKEN=hunter2", "")
	f("GOODHOUR_SERVICE_HOST=10.0.0.1", "")
	f("GOODHOUR_PORT_8080_TCP=tcp://10.0.0.1", "")
	f("GOODHOUR_KAFKA_BROKER=hunter2", "is GOODHOUR_KAFKA_BROKERS meant?")
	f("GOODHOUR_ACCOUNTS_SHOP_TOKE=hunter2", "is GOODHOUR_ACCOUNTS_SHOP_TOKEN meant?")
	f("GOODHOUR_PORTAL=hunter2", "GOODHOUR_PORTAL: sets nothing")
}
