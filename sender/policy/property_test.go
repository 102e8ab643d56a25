package policy

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/plan"
)

// zoneNames have clocks that are put forward and back, at midnight too, by half
// an hour, over a day, or not at all.
var zoneNames = []string{
	"UTC", "America/Sao_Paulo", "Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe",
	"Africa/Cairo", "America/Asuncion", "Asia/Kathmandu", "Pacific/Apia", "America/St_Johns",
}

// genInstant draws instants, often near a change of the zone's clock.
func genInstant(t *rapid.T, zone *time.Location) time.Time {
	base := time.Date(2011, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.Int64Range(0, 16*365*24*3600).Draw(t, "second")) * time.Second)
	if rapid.Bool().Draw(t, "near a change") {
		if _, change := base.In(zone).ZoneBounds(); !change.IsZero() {
			base = change.Add(time.Duration(rapid.Int64Range(-36*3600, 36*3600).Draw(t, "off")) * time.Second)
		}
	}
	return base
}

func genBundle(t *rapid.T, r *Rules) *bundle {
	name := rapid.SampledFrom(zoneNames).Draw(t, "zone")
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{now: genInstant(t, zone), rules: r}
	hours := func(label string, low, high int) time.Duration {
		return time.Duration(rapid.IntRange(low*60, high*60).Draw(t, label)) * time.Minute
	}
	maybe := func(label string) bool { return rapid.IntRange(0, 9).Draw(t, label) == 0 }
	b.message = plan.Message{
		Category: rapid.SampledFrom([]plan.Category{
			plan.Marketing, plan.Marketing, plan.Marketing, plan.Utility, plan.Authentication, plan.Service, "other",
		}).Draw(t, "category"),
		To: identity.ID{1}, Arm: plan.Treatment, TimeZone: name,
		SendAt: b.now, Deadline: b.now.Add(hours("deadline", -2, 60)),
		HeatClass:                rapid.SampledFrom([]string{"hot", "cold"}).Draw(t, "heat"),
		DeliveredSinceEngagement: maybe("delivered"),
	}
	if maybe("held out") {
		b.message.Arm = rapid.SampledFrom([]plan.Arm{plan.Holdout, plan.Control}).Draw(t, "arm")
	}
	if maybe("no deadline") {
		b.message.Deadline = time.Time{}
	}
	if !maybe("no consent") {
		b.customer.OptedIn = map[plan.Category]time.Time{plan.Marketing: b.now}
	}
	if maybe("stopped") {
		b.customer.OptedOut = map[plan.Category]time.Time{b.message.Category: b.now}
	}
	b.customer.LastInboundAt = b.now.Add(hours("inbound", -30, 0))
	for range rapid.IntRange(0, 3).Draw(t, "claims") {
		b.customer.MarketingClaims = append(b.customer.MarketingClaims, b.now.Add(hours("claim", -30, 1)))
	}
	b.customer.AlreadyMessagedByPlan = maybe("merged")
	b.account = Account{Mode: plan.Sandbox, Template: TemplateState{Status: TemplateApproved, Category: b.message.Category}}
	return b
}

func final(v plan.Verdict) bool { return v == plan.Suppress || v == plan.HoldOut || v == plan.Expire }

func TestDecideIsMonotoneInTime(t *testing.T) {
	t.Parallel()
	r := mustDefault(t)
	rapid.Check(t, func(t *rapid.T) {
		b := genBundle(t, r)
		first := b.decide()
		start := b.now
		later := func(by time.Duration) Verdict { b.now = start.Add(by); return b.decide() }
		switch {
		case final(first.Verdict):
			if v := later(time.Duration(rapid.Int64Range(0, int64(72*time.Hour)).Draw(t, "later"))); !final(v.Verdict) {
				t.Fatalf("%s by %s became %s by %s", first.Verdict, first.Rule, v.Verdict, v.Rule)
			}
		case first.Verdict == plan.Delay:
			wait := first.Until.Sub(start)
			if wait <= 0 {
				t.Fatalf("delayed by %s to %s, not after %s", first.Rule, first.Until, start)
			}
			early := []time.Duration{0, wait - 1, time.Duration(rapid.Int64Range(0, int64(wait)-1).Draw(t, "early"))}
			for _, by := range early {
				if v := later(by); v.Verdict != plan.Delay || !v.Until.Equal(first.Until) {
					t.Fatalf("at %s: %s by %s until %s, though delayed until %s", b.now, v.Verdict, v.Rule, v.Until, first.Until)
				}
			}
			if v := later(wait); v.Verdict != plan.Allow {
				t.Fatalf("delayed by %s until %s, then %s by %s until %s", first.Rule, first.Until, v.Verdict, v.Rule, v.Until)
			}
			if !b.message.Deadline.IsZero() && !first.Until.Before(b.message.Deadline) {
				t.Fatalf("delayed until %s, past the deadline %s", first.Until, b.message.Deadline)
			}
		}
	})
}

func TestNeverInQuietHoursAndNeverAfterAnOptOut(t *testing.T) {
	t.Parallel()
	r := mustDefault(t)
	rapid.Check(t, func(t *rapid.T) {
		b := genBundle(t, r)
		v := b.decide()
		zone, err := time.LoadLocation(b.message.TimeZone)
		if err != nil {
			t.Fatal(err)
		}
		marketing := b.message.Category == plan.Marketing || b.message.Category == "other"
		for _, when := range []time.Time{b.now, v.Until} {
			allowed := v.Verdict == plan.Allow && when.Equal(b.now) || v.Verdict == plan.Delay && when.Equal(v.Until)
			if hour := when.In(zone).Hour(); allowed && marketing && (hour >= 22 || hour < 8) {
				t.Fatalf("%s at %s", v.Verdict, when.In(zone))
			}
		}
		if _, out := b.customer.OptedOut[b.message.Category]; out && (v.Verdict != plan.Suppress || v.Rule != OptedOut) {
			t.Fatalf("opted out, and %s by %q", v.Verdict, v.Rule)
		}
	})
}

// Whatever is asked when, each allowed one is claimed: no window of the cap
// holds more than it allows.
func TestCapHoldsInEveryWindow(t *testing.T) {
	t.Parallel()
	base := mustDefault(t)
	rapid.Check(t, func(t *rapid.T) {
		r := *base
		r.MarketingCap.Messages = rapid.IntRange(1, 3).Draw(t, "cap")
		b := genBundle(t, &r)
		b.message = plan.Message{To: identity.ID{1}, Category: plan.Marketing, TimeZone: b.message.TimeZone}
		b.customer = Customer{OptedIn: map[plan.Category]time.Time{plan.Marketing: b.now}}
		b.account.Template.Category = plan.Marketing
		for range 60 {
			v := b.decide()
			switch {
			case v.Verdict == plan.Allow:
				b.customer.MarketingClaims = append(b.customer.MarketingClaims, b.now)
			case v.Verdict == plan.Delay && rapid.Bool().Draw(t, "wait for it"):
				b.now = v.Until
				continue
			}
			b.now = b.now.Add(time.Duration(rapid.Int64Range(0, int64(10*time.Hour)).Draw(t, "step")))
		}
		claims, most := b.customer.MarketingClaims, r.MarketingCap.Messages
		for i := most; i < len(claims); i++ {
			if gap := claims[i].Sub(claims[i-most]); gap < 24*time.Hour {
				t.Fatalf("%d messages within %s, the cap is %d", most+1, gap, most)
			}
		}
	})
}

// The reference for Hours.end: try every minute.
func TestEndOfHoursIsTheFirstInstantOutside(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zoneNames).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		clock := func(label string) Clock {
			return Clock(time.Duration(rapid.IntRange(0, 95).Draw(t, label)) * 15 * time.Minute)
		}
		h := Hours{clock("from"), clock("to")}
		if h.From == h.To {
			return
		}
		local := genInstant(t, zone).In(zone).Truncate(time.Minute)
		want := local
		for h.Contains(want) {
			want = want.Add(time.Minute)
		}
		if got := h.End(local); !got.Equal(want) {
			t.Fatalf("%s to %s from %s ends %s, want %s", h.From, h.To, local, got, want)
		}
	})
}

func TestQuietHoursOnDaysWhenTheClockChanges(t *testing.T) {
	t.Parallel()
	f := func(zone, from, to, now, want string) {
		t.Helper()
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		var h Hours
		if err := h.From.UnmarshalText([]byte(from)); err != nil {
			t.Fatal(err)
		}
		if err := h.To.UnmarshalText([]byte(to)); err != nil {
			t.Fatal(err)
		}
		if got := h.End(at(now).In(location)); !got.Equal(at(want)) {
			t.Errorf("%s from %s: quiet until %s, want %s", zone, now, got, want)
		}
	}
	// The night loses an hour, or has one more.
	f("Europe/Berlin", "22:00", "08:00", "2026-03-28T22:30:00+01:00", "2026-03-29T08:00:00+02:00")
	f("Europe/Berlin", "22:00", "08:00", "2026-10-24T22:30:00+02:00", "2026-10-25T08:00:00+01:00")
	// The end does not exist: 02:30 on the day that goes from 02:00 to 03:00.
	f("Europe/Berlin", "22:00", "02:30", "2026-03-29T01:59:00+01:00", "2026-03-29T03:00:00+02:00")
	// The end comes twice: out at the first 02:30, in again when the clock goes back.
	f("Europe/Berlin", "22:00", "02:30", "2026-10-25T01:00:00+02:00", "2026-10-25T02:30:00+02:00")
	f("Europe/Berlin", "22:00", "02:30", "2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00")
	// No midnight in Cairo on the day that the clock goes forward.
	f("Africa/Cairo", "22:00", "00:30", "2026-04-23T23:30:00+02:00", "2026-04-24T01:00:00+03:00")
	// Samoa left out 30 December 2011.
	f("Pacific/Apia", "22:00", "08:00", "2011-12-29T23:00:00-10:00", "2011-12-31T08:00:00+14:00")
}
