package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/goodhour/goodhour/sender/limit"
)

func TestDefaultsAreThePromisedOnes(t *testing.T) {
	t.Parallel()
	r := mustDefault(t)
	if !strings.HasPrefix(r.Version, "2026-11-25+") || len(r.Version) != len("2026-11-25+01234567") {
		t.Errorf("version %q", r.Version)
	}
	if r.Holdout != (HoldoutRule{5, 10, 50}) {
		t.Errorf("holdout %+v", r.Holdout)
	}
	if r.SessionWindow != (WindowRule{24 * time.Hour, 5 * time.Minute}) || r.MarketingCap != (CapRule{1, 24 * time.Hour}) {
		t.Errorf("window %+v, cap %+v", r.SessionWindow, r.MarketingCap)
	}
	if r.QuietHours.From.String() != "22:00" || r.QuietHours.To.String() != "08:00" {
		t.Errorf("quiet hours %v", r.QuietHours)
	}
	if r.PairRate != (limit.PairRate{Every: 6 * time.Second, Burst: 45, Pairs: 200_000}) {
		t.Errorf("pair rate %+v", r.PairRate)
	}
	if r.NumberRate != (limit.NumberRate{CampaignPerMinute: 30, PerSecond: 50, ProviderPerSecond: 80}) {
		t.Errorf("number rate %+v", r.NumberRate)
	}
	if with := r.With(Overrides{IncludeCold: true}); with.Version != r.Version+"+include_cold" || r.overrides.IncludeCold {
		t.Errorf("overrides make %q of %q", with.Version, r.Version)
	}
}

func TestWrongRulesAreRefused(t *testing.T) {
	t.Parallel()
	edit := func(old, to string) []byte {
		if !strings.Contains(string(defaults), old) {
			t.Fatalf("no %q in the defaults", old)
		}
		return []byte(strings.Replace(string(defaults), old, to, 1))
	}
	f := func(file []byte, want ...string) {
		t.Helper()
		_, err := Parse(file)
		for _, part := range want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("error %v, want %q in it", err, part)
			}
		}
	}
	f(edit("marketing_cap:", "marketing_caps:"), "marketing_caps")
	f(edit(`from: "22:00"`, `from: "25:00"`), "like 22:00")
	f(edit(`from: "22:00"`, `from: "08:00"`), "must differ")
	f(edit("window: 24h\n  margin", "window: 25h\n  margin"), "session_window.window")
	f(edit("per_second: 50", "per_second: 81"), "provider's own 80")
	f(edit("every: 6s", "every: 0s"), "pair rate")
	f([]byte("version: x"), "holdout.detectable", "template_ready", "session_window", "max_lateness", "quiet_hours", "marketing_cap", "pair rate", "number rate")
	f(nil, "version")
	f([]byte("\xff{"), "rules")

	edited, err := Parse(edit("margin: 5m", "margin: 6m"))
	if err != nil {
		t.Fatal(err)
	}
	if edited.Version == mustDefault(t).Version {
		t.Error("an edit without a new version does not show")
	}
}
