package campaign

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
)

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func defaultRules(t testing.TB) *policy.Rules {
	t.Helper()
	rules, err := policy.Default()
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// scheduleOf reads the schedule of a campaign's file.
func scheduleOf(t testing.TB, text string) *Schedule {
	t.Helper()
	c, err := Parse([]byte("id: a\naudience: audience.a\ntemplate: {name: t, language: en}\naccount: s\nschedule: {" + text + "}\n"))
	if err != nil {
		t.Fatal(err)
	}
	return &c.Schedule
}

func TestTheClockShowsWhatWasMeant(t *testing.T) {
	t.Parallel()
	f := func(zone, local, want string) {
		t.Helper()
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		var m Moment
		if err := m.UnmarshalText([]byte(local)); err != nil {
			t.Fatal(err)
		}
		if got := m.in(location); !got.Equal(instant(t, want)) {
			t.Errorf("%s in %s is %s, want %s", local, zone, got, want)
		}
	}
	f("America/Sao_Paulo", "2026-12-01T10:00", "2026-12-01T13:00:00Z")
	f("America/Sao_Paulo", "2026-12-01T10:00:00Z", "2026-12-01T10:00:00Z") // an instant is the same everywhere
	f("Asia/Kathmandu", "2026-12-01", "2026-11-30T18:15:00Z")
	// 02:30 does not exist: the clock goes from 02:00 to 03:00.
	f("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00:00Z")
	f("America/New_York", "2026-03-08T02:30", "2026-03-08T07:00:00Z")
	// It comes twice: the first.
	f("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30:00Z")
	f("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30:00Z")
	f("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00:00Z")
	// No midnight, and no such day.
	f("Africa/Cairo", "2026-04-24T00:00", "2026-04-23T22:00:00Z")
	f("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00:00Z")
}

var zoneNames = []string{
	"UTC", "America/Sao_Paulo", "Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe",
	"Africa/Cairo", "Asia/Kathmandu", "Pacific/Apia", "America/St_Johns",
}

// Against the slow way: look at every minute around.
func TestTheClockShowsItFirstThen(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zoneNames).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		base := time.Date(2011, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 16*365*24*60).Draw(t, "minute")) * time.Minute)
		if _, change := base.In(zone).ZoneBounds(); !change.IsZero() && rapid.Bool().Draw(t, "near a change") {
			base = change.Add(time.Duration(rapid.IntRange(-180, 180).Draw(t, "off")) * time.Minute)
		}
		wanted := clock(base.In(zone)).Truncate(time.Minute).Add(time.Duration(rapid.IntRange(-90, 90).Draw(t, "shift")) * time.Minute)
		got := onClock(wanted.Year(), wanted.Month(), wanted.Day(), wanted.Hour(), wanted.Minute(), 0, zone)
		want := wanted.Add(-30 * time.Hour).In(zone)
		for clock(want).Before(wanted) {
			want = want.Add(time.Minute)
		}
		if !got.Equal(want) {
			t.Fatalf("%s in %s is %s, want %s", wanted, zone, got, want)
		}
	})
}

func TestASlotIsTheNextBestHourThatIsAllowed(t *testing.T) {
	t.Parallel()
	rules := defaultRules(t)
	const open = "local_hours: {from: \"09:00\", to: \"21:00\"}"
	f := func(name, schedule, now, zone string, best int, day int, want, deadline string, reason string) {
		t.Helper()
		s := newSlots(scheduleOf(t, schedule), instant(t, now), rules, true)
		location, _, _ := s.zone(zone)
		got := s.choose(location, hour{best, "segment", 0.9}, day)
		if !got.sendAt.Equal(instant(t, want)) || !got.deadline.Equal(instant(t, deadline)) || got.hour.reason != reason {
			t.Errorf("%s: %s to %s (%s), want %s to %s (%s)", name, got.sendAt, got.deadline, got.hour.reason, want, deadline, reason)
		}
		if shown := got.sendAt.In(location).Hour(); shown != got.hour.local || reason == "segment" && (shown != best || got.hour.propensity != 0.9) {
			t.Errorf("%s: hour %+v at %s", name, got.hour, got.sendAt.In(location))
		}
	}
	const paulo, berlin = "America/Sao_Paulo", "Europe/Berlin"
	f("later today", "send: best_time", "2026-11-25T12:10:00Z", paulo, 20, 0, "2026-11-25T23:00:00Z", "2026-11-26T05:00:00Z", "segment")
	f("in the hour", "send: best_time", "2026-11-25T12:10:00Z", paulo, 9, 0, "2026-11-25T12:10:00Z", "2026-11-25T18:10:00Z", "segment")
	f("passed today", "send: best_time", "2026-11-25T13:00:00Z", paulo, 9, 0, "2026-11-26T12:00:00Z", "2026-11-26T18:00:00Z", "segment")
	f("another day", "send: best_time", "2026-11-25T12:10:00Z", paulo, 20, 2, "2026-11-27T23:00:00Z", "2026-11-28T05:00:00Z", "segment")
	f("not before", "send: best_time, window: {from: 2026-11-30T12:00}", "2026-11-25T12:10:00Z", paulo, 11, 0, "2026-12-01T14:00:00Z", "2026-12-01T20:00:00Z", "segment")
	f("the window ends it", "send: best_time, window: {to: 2026-11-28}", "2026-11-25T12:10:00Z", paulo, 11, 0, "2026-11-25T14:00:00Z", "2026-11-28T03:00:00Z", "segment")
	f("only mondays", "send: best_time, local_days: [mon]", "2026-11-25T12:10:00Z", paulo, 11, 0, "2026-11-30T14:00:00Z", "2026-11-30T20:00:00Z", "segment")
	f("a week on", "send: best_time, local_days: [wed]", "2026-11-25T15:10:00Z", paulo, 11, 0, "2026-12-02T14:00:00Z", "2026-12-02T20:00:00Z", "segment")
	f("clock put forward", "send: best_time", "2026-03-28T12:00:00Z", berlin, 11, 0, "2026-03-29T09:00:00Z", "2026-03-29T15:00:00Z", "segment")
	f("clock put back", "send: best_time", "2026-10-24T12:00:00Z", berlin, 11, 0, "2026-10-25T10:00:00Z", "2026-10-25T16:00:00Z", "segment")
	f("no place's zone", "send: best_time, time_zone: Asia/Shanghai", "2026-11-25T12:10:00Z", "Nowhere", 11, 0, "2026-11-26T03:00:00Z", "2026-11-26T09:00:00Z", "segment")

	// Moved: quiet hours, the campaign's hours, a window without the hour in it.
	f("a quiet hour", "send: best_time", "2026-11-25T12:10:00Z", paulo, 23, 0, "2026-11-25T12:10:00Z", "2026-11-25T18:10:00Z", "schedule")
	f("outside the hours", "send: best_time, "+open, "2026-11-25T10:10:00Z", paulo, 8, 0, "2026-11-25T12:00:00Z", "2026-11-25T18:00:00Z", "schedule")
	f("window without it", "send: best_time, window: {to: 2026-11-25T18:00}", "2026-11-25T12:10:00Z", paulo, 20, 0, "2026-11-25T12:10:00Z", "2026-11-25T21:00:00Z", "schedule")

	f("now", "send: now", "2026-11-25T12:10:00Z", paulo, 20, 0, "2026-11-25T12:10:00Z", "2026-11-25T18:10:00Z", "now")
	f("now at night", "send: now", "2026-11-25T03:10:00Z", paulo, 20, 0, "2026-11-25T11:00:00Z", "2026-11-25T17:00:00Z", "now")
	f("now on a day off", "send: now, local_days: [fri], "+open, "2026-11-25T12:10:00Z", paulo, 20, 0, "2026-11-27T12:00:00Z", "2026-11-27T18:00:00Z", "now")
	f("at an instant", "send: at, at: 2026-12-01T15:00:00Z", "2026-11-25T12:10:00Z", paulo, 20, 0, "2026-12-01T15:00:00Z", "2026-12-01T21:00:00Z", "at")
	f("at a local time", "send: at, at: 2026-12-01T10:00", "2026-11-25T12:10:00Z", berlin, 20, 1, "2026-12-02T09:00:00Z", "2026-12-02T15:00:00Z", "at")
	f("at a quiet time", "send: at, at: 2026-12-01T05:00:00Z", "2026-11-25T12:10:00Z", paulo, 20, 0, "2026-12-01T11:00:00Z", "2026-12-01T17:00:00Z", "at")
	// Late, and too late: the deadline is that of the time that was meant.
	f("just passed", "send: at, at: 2026-11-25T12:00:00Z", "2026-11-25T13:00:00Z", paulo, 20, 0, "2026-11-25T13:00:00Z", "2026-11-25T18:00:00Z", "at")
	f("long passed", "send: at, at: 2026-11-24T12:00:00Z", "2026-11-25T13:00:00Z", paulo, 20, 0, "2026-11-25T13:00:00Z", "2026-11-24T18:00:00Z", "at")
	f("window over", "send: now, window: {to: 2026-11-25T12:00:00Z}", "2026-11-25T13:00:00Z", paulo, 20, 0, "2026-11-25T13:00:00Z", "2026-11-25T12:00:00Z", "now")
}

// A message goes out in the hours that it was chosen for, or not at all.
func TestASlotEndsWithTheLocalHoursAndDays(t *testing.T) {
	t.Parallel()
	rules := defaultRules(t)
	f := func(name, schedule, now, zone, want, deadline, latest string) {
		t.Helper()
		s := newSlots(scheduleOf(t, schedule), instant(t, now), rules, true)
		location, _, _ := s.zone(zone)
		got := s.choose(location, hour{11, "segment", 0.9}, 0)
		if !got.sendAt.Equal(instant(t, want)) || !got.deadline.Equal(instant(t, deadline)) || !got.latest.Equal(instant(t, latest)) {
			t.Errorf("%s: %s to %s, at most %s", name, got.sendAt, got.deadline, got.latest)
		}
	}
	const paulo, berlin = "America/Sao_Paulo", "Europe/Berlin"
	const short = `local_hours: {from: "10:00", to: "12:00"}`
	f("the hours end", "send: best_time, "+short, "2026-11-25T12:10:00Z", paulo, "2026-11-25T14:00:00Z", "2026-11-25T15:00:00Z", "2026-11-25T20:00:00Z")
	f("before the window", "send: now, window: {to: 2026-11-28}, "+short, "2026-11-25T13:30:00Z", paulo, "2026-11-25T13:30:00Z", "2026-11-25T15:00:00Z", "2026-11-28T03:00:00Z")
	f("after the window", "send: now, window: {to: 2026-11-25T11:00}, "+short, "2026-11-25T13:30:00Z", paulo, "2026-11-25T13:30:00Z", "2026-11-25T14:00:00Z", "2026-11-25T14:00:00Z")
	f("after the lateness", `send: now, local_hours: {from: "08:00", to: "21:00"}`, "2026-11-25T12:00:00Z", paulo, "2026-11-25T12:00:00Z", "2026-11-25T18:00:00Z", "2026-11-25T18:00:00Z")
	f("the day ends", "send: now, local_days: [wed], window: {to: 2026-11-28}", "2026-11-25T20:00:00Z", paulo, "2026-11-25T20:00:00Z", "2026-11-26T03:00:00Z", "2026-11-28T03:00:00Z")
	f("two days", "send: now, local_days: [wed, thu], window: {to: 2026-11-28}", "2026-11-25T20:00:00Z", paulo, "2026-11-25T20:00:00Z", "2026-11-27T03:00:00Z", "2026-11-28T03:00:00Z")
	f("all days", "send: now, local_days: [mon, tue, wed, thu, fri, sat, sun], window: {to: 2026-11-28}", "2026-11-25T20:00:00Z", paulo,
		"2026-11-25T20:00:00Z", "2026-11-28T03:00:00Z", "2026-11-28T03:00:00Z")
	f("hours over a midnight that ends the days", `send: now, local_days: [wed], local_hours: {from: "20:00", to: "02:00"}`, "2026-11-25T23:30:00Z", paulo,
		"2026-11-25T23:30:00Z", "2026-11-26T03:00:00Z", "2026-11-26T05:30:00Z")
	// The meant time passed in yesterday's hours: it was good until then.
	f("late in the window", "send: at, at: 2026-11-24T10:00, window: {to: 2026-11-28}, "+short, "2026-11-25T13:30:00Z", paulo,
		"2026-11-25T13:30:00Z", "2026-11-25T15:00:00Z", "2026-11-28T03:00:00Z")
	// The clock goes from 02:00 to 03:00, and back from 03:00 to 02:00.
	f("put forward", `send: now, time_zone: Europe/Berlin, local_hours: {from: "10:00", to: "09:30"}, window: {to: 2026-03-30}`, "2026-03-28T12:00:00Z", berlin,
		"2026-03-28T12:00:00Z", "2026-03-29T07:30:00Z", "2026-03-29T22:00:00Z")
	f("put back", `send: now, local_hours: {from: "10:00", to: "09:30"}, window: {to: 2026-10-26}`, "2026-10-24T12:00:00Z", berlin,
		"2026-10-24T12:00:00Z", "2026-10-25T08:30:00Z", "2026-10-25T23:00:00Z")
}

func TestWhoseZoneIsUnknownIsNotGivenOne(t *testing.T) {
	t.Parallel()
	s := newSlots(scheduleOf(t, "send: now"), instant(t, "2026-11-25T12:00:00Z"), defaultRules(t), true)
	for _, name := range []string{"", "Local", "Mars/Olympus", "../../etc/localtime"} {
		if _, got, known := s.zone(name); known || got != "" {
			t.Errorf("%q is zone %q", name, got)
		}
	}
}

func TestAScheduleAllInQuietHoursIsClosed(t *testing.T) {
	t.Parallel()
	now, rules := instant(t, "2026-11-25T12:00:00Z"), defaultRules(t)
	night := scheduleOf(t, `send: now, local_hours: {from: "22:00", to: "07:00"}`)
	if newSlots(night, now, rules, true).open() || !newSlots(night, now, rules, false).open() {
		t.Error("marketing at night is open, or a receipt at night is not")
	}
	if !newSlots(scheduleOf(t, `send: now, local_hours: {from: "07:00", to: "08:01"}`), now, rules, true).open() {
		t.Error("a minute in the morning is closed")
	}
}

// Whatever the schedule, a slot is inside what it allows, and not before now.
func TestASlotIsAlwaysAllowed(t *testing.T) {
	t.Parallel()
	rules := defaultRules(t)
	rapid.Check(t, func(t *rapid.T) {
		schedule := &Schedule{Send: rapid.SampledFrom([]Send{BestTime, Now}).Draw(t, "send")}
		for _, day := range rapid.SliceOfNDistinct(rapid.IntRange(0, 6), 0, 4, rapid.ID).Draw(t, "days") {
			schedule.LocalDays = append(schedule.LocalDays, Weekday(day))
		}
		if rapid.Bool().Draw(t, "has hours") {
			quarter := func(name string, low, high int) policy.Clock {
				return policy.Clock(time.Duration(rapid.IntRange(low, high).Draw(t, name)) * 15 * time.Minute)
			}
			schedule.LocalHours = &LocalHours{quarter("from", 0, 84), quarter("to", 36, 95)}
		}
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 365*24*60).Draw(t, "now")) * time.Minute)
		s := newSlots(schedule, now, rules, true)
		if h := schedule.LocalHours; h != nil && h.From == h.To || !s.open() {
			return
		}
		zone, _, _ := s.zone(rapid.SampledFrom(zoneNames).Draw(t, "zone"))
		got := s.choose(zone, hour{rapid.IntRange(0, 23).Draw(t, "best"), "segment", 1}, rapid.IntRange(0, 3).Draw(t, "day"))
		local := got.sendAt.In(zone)
		switch {
		case got.sendAt.Before(now):
			t.Fatalf("%s is before %s", got.sendAt, now)
		case len(schedule.LocalDays) > 0 && !slices.Contains(schedule.LocalDays, Weekday(local.Weekday())):
			t.Fatalf("%s is not one of %v", local, schedule.LocalDays)
		case local.Hour() >= 22 || local.Hour() < 8:
			t.Fatalf("%s is in quiet hours", local)
		case schedule.LocalHours != nil && schedule.LocalHours.outside().Contains(local):
			t.Fatalf("%s is outside %v", local, *schedule.LocalHours)
		case got.hour.local != local.Hour():
			t.Fatalf("%s has hour %d", local, got.hour.local)
		}
		// Against the slow way: each minute until the deadline is in the schedule's
		// days and hours, and the deadline is the first that is not, or latest.
		isOpen := func(at time.Time) bool {
			isDay := len(schedule.LocalDays) == 0 || slices.Contains(schedule.LocalDays, Weekday(at.Weekday()))
			return isDay && (schedule.LocalHours == nil || !schedule.LocalHours.outside().Contains(at))
		}
		for at := local; at.Before(got.deadline); at = at.Add(time.Minute) {
			if !isOpen(at) {
				t.Fatalf("from %s to %s, and %s is not allowed", local, got.deadline.In(zone), at)
			}
		}
		if !got.deadline.Equal(got.latest) && (got.deadline.After(got.latest) || isOpen(got.deadline.In(zone))) {
			t.Fatalf("from %s to %s, of at most %s", local, got.deadline.In(zone), got.latest.In(zone))
		}
	})
}

func TestDaysAreDealtOutEvenly(t *testing.T) {
	t.Parallel()
	s := newSlots(&Schedule{Send: Now, SpreadDays: 3}, instant(t, "2026-11-25T12:00:00Z"), defaultRules(t), true)
	var count [3]int
	for i := range 3000 {
		count[s.spreadDay(identity.ID{10: byte(i >> 8), 11: byte(i), 12: byte(i * 7)})]++
	}
	for day, n := range count {
		if n < 900 || n > 1100 {
			t.Errorf("day %d has %d of 3000", day, n)
		}
	}
}

func TestThePaceIsEstimatedByNumber(t *testing.T) {
	t.Parallel()
	at := instant(t, "2026-11-25T12:00:00Z")
	var messages []plan.Message
	add := func(n int, number string, state plan.State, sendAt, deadline time.Time) {
		for range n {
			messages = append(messages, plan.Message{NumberID: number, State: state, SendAt: sendAt, Deadline: deadline})
		}
	}
	add(61, "a", plan.Waiting, at, at.Add(time.Hour))
	add(1, "a", plan.Waiting, at.Add(-time.Minute), time.Time{})
	add(5, "b", plan.Waiting, at.Add(time.Minute), at.Add(time.Hour))
	add(50, "b", plan.Suppressed, at.Add(-time.Hour), at)
	got := estimate(messages, 30)
	if want := (paced{at.Add(-time.Minute), at.Add(2 * time.Minute), 2, 0}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	messages = nil
	add(100, "a", plan.Waiting, at, at.Add(time.Minute))
	if got = estimate(messages, 30); got.late != 70 || !got.last.Equal(at.Add(58*time.Second)) {
		t.Errorf("%+v: 70 of 100 have no time in a minute of 30", got)
	}
	if got = estimate(nil, 30); got != (paced{}) {
		t.Errorf("nothing takes %+v", got)
	}
}
