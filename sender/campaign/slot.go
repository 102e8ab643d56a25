package campaign

import (
	"time"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/policy"
)

// Hours without a model's word, and why an hour was chosen.
const (
	defaultHour   = 11
	reasonDefault = "default"
	reasonAt      = "at"
	reasonNow     = "now"
	// reasonSchedule: the chosen hour lies in quiet hours or outside the
	// schedule, and the message goes at the next instant that both allow.
	reasonSchedule = "schedule"
)

// hour is the hour that a customer is to be written to.
type hour struct {
	local      int // 0–23
	reason     string
	propensity float64
}

// slot is when a message goes.
type slot struct {
	sendAt   time.Time // UTC
	deadline time.Time // UTC: latest, or earlier where the schedule's days and hours end
	latest   time.Time // UTC: the window's end, or sendAt and the lateness that the rules allow
	hour     hour      // of sendAt; what was chosen, unless it had to be moved
}

// slots chooses instants by a schedule. What it chooses is a pure function of
// the schedule, the rules, now, and the customer's zone, hour and day, so it is
// remembered: a million customers share a few thousand slots.
type slots struct {
	schedule *Schedule
	now      time.Time
	quiet    *policy.Hours // nil where the rule does not apply
	lateness time.Duration
	days     [7]bool // by time.Weekday
	zones    map[string]*time.Location
	chosen   map[slotKey]slot
}

type slotKey struct {
	zone string
	hour hour
	day  int // of spreadDay
}

func newSlots(s *Schedule, now time.Time, rules *policy.Rules, marketing bool) *slots {
	out := &slots{
		schedule: s, now: now, lateness: rules.MaxLateness,
		zones: map[string]*time.Location{}, chosen: map[slotKey]slot{},
	}
	if marketing {
		out.quiet = &rules.QuietHours
	}
	for day := range out.days {
		out.days[day] = len(s.LocalDays) == 0
	}
	for _, day := range s.LocalDays {
		out.days[day] = true
	}
	return out
}

// zone gives the customer's zone, else the schedule's; known is false where
// there is neither: then it is UTC.
func (s *slots) zone(name string) (zone *time.Location, zoneName string, known bool) {
	for _, name := range []string{name, s.schedule.TimeZone} {
		if zone := s.location(name); zone != nil {
			return zone, name, true
		}
	}
	return time.UTC, "", false
}

// location is nil for what is no zone's name. The machine's own is none.
func (s *slots) location(name string) *time.Location {
	if name == "" || name == "Local" {
		return nil
	}
	zone, known := s.zones[name]
	if !known {
		if loaded, err := time.LoadLocation(name); err == nil {
			zone = loaded
		}
		s.zones[name] = zone
	}
	return zone
}

// spreadDay deals a customer to one of the schedule's days. An id is a hash, and
// these bytes of it are used for nothing else, so that no arm or number is
// bound to a day.
func (s *slots) spreadDay(person identity.ID) int {
	if s.schedule.SpreadDays < 2 {
		return 0
	}
	return (int(person[10])<<16 | int(person[11])<<8 | int(person[12])) % s.schedule.SpreadDays
}

// choose gives the slot for a customer's zone, best hour and day.
func (s *slots) choose(zone *time.Location, best hour, day int) slot {
	key := slotKey{zone.String(), best, day}
	out, known := s.chosen[key]
	if !known {
		out = s.after(s.earliest(zone, day), zone, best, day)
		s.chosen[key] = out
	}
	return out
}

// earliest is when the schedule opens for a customer's day: now or the window's
// beginning, and for a later day the midnight that begins it.
func (s *slots) earliest(zone *time.Location, day int) time.Time {
	earliest := s.now.In(zone)
	if from := s.schedule.Window.From; from != nil {
		if at := from.in(zone); at.After(earliest) {
			earliest = at
		}
	}
	if day > 0 {
		earliest = onClock(earliest.Year(), earliest.Month(), earliest.Day()+day, 0, 0, 0, zone)
	}
	return earliest
}

// after gives the first slot from an instant on. It may be past the window's
// end: then its deadline is not after it, and the policy expires it.
func (s *slots) after(earliest time.Time, zone *time.Location, best hour, day int) slot {
	switch s.schedule.Send {
	case At:
		at := s.schedule.At.in(zone)
		if day > 0 {
			at = onClock(at.Year(), at.Month(), at.Day()+day, at.Hour(), at.Minute(), at.Second(), zone)
		}
		if from := s.schedule.Window.From; from != nil && from.in(zone).After(at) {
			at = from.in(zone)
		}
		// It is late by the time that was meant, even if that has passed.
		meant := s.slotAt(s.permitted(at), hour{reason: reasonAt, propensity: 1})
		if meant.sendAt.Before(earliest) {
			return s.slotUntil(s.permitted(earliest), meant.latest, meant.hour)
		}
		return meant
	case Now:
		return s.slotAt(s.permitted(earliest), hour{reason: reasonNow, propensity: 1})
	case BestTime:
	}
	return s.best(earliest, zone, best)
}

// daysAhead is how far the best hour is looked for: each weekday once, and one
// more where today's has passed.
const daysAhead = 8

// best is the next time that a customer's best hour comes round and is allowed,
// else the first instant that is.
func (s *slots) best(earliest time.Time, zone *time.Location, best hour) slot {
	for ahead := range daysAhead {
		at := onClock(earliest.Year(), earliest.Month(), earliest.Day()+ahead, best.local, 0, 0, zone)
		if at.Before(earliest) && earliest.Before(at.Add(time.Hour)) {
			at = earliest // in the hour already
		}
		if at.Before(earliest) || !s.permitted(at).Equal(at) || at.Hour() != best.local {
			continue
		}
		if found := s.slotAt(at, best); found.sendAt.Before(found.deadline) {
			return found
		}
	}
	return s.slotAt(s.permitted(earliest), hour{reason: reasonSchedule, propensity: 1})
}

// slotAt is a slot that begins at a local time.
func (s *slots) slotAt(local time.Time, h hour) slot {
	latest := local.Add(s.lateness)
	if to := s.schedule.Window.To; to != nil {
		latest = to.in(local.Location())
	}
	return s.slotUntil(local, latest, h)
}

// slotUntil is a slot that begins at a permitted local time and ends at latest.
// It never goes on past the days and hours that it begins in: what waits in a
// queue, behind a pause or a slow number, must not go out after them.
func (s *slots) slotUntil(local, latest time.Time, h hour) slot {
	h.local = local.Hour()
	out := slot{sendAt: local.UTC(), deadline: latest.UTC(), latest: latest.UTC(), hour: h}
	if end, ends := s.ends(local); ends && end.Before(latest) {
		out.deadline = end.UTC()
	}
	return out
}

// ends is the first instant from a permitted local time on that is not of the
// local days or hours; false where they are all of the week.
func (s *slots) ends(local time.Time) (end time.Time, ends bool) {
	if hours := s.schedule.LocalHours; hours != nil {
		end, ends = policy.Hours(*hours).End(local), true
	}
	for ahead := range len(s.days) {
		midnight := onClock(local.Year(), local.Month(), local.Day()+ahead+1, 0, 0, 0, local.Location())
		if s.days[midnight.Weekday()] {
			continue
		}
		if !ends || midnight.Before(end) {
			end = midnight
		}
		return end, true
	}
	return end, ends
}

// permitted is the first instant from a local time on that the local days and
// hours and the quiet hours allow. checkHours has seen that there is one; the
// bound is for clocks that do odd things.
func (s *slots) permitted(at time.Time) time.Time {
	for range 100 {
		next := at
		switch {
		case !s.days[at.Weekday()]:
			next = onClock(at.Year(), at.Month(), at.Day()+1, 0, 0, 0, at.Location())
		case s.quiet != nil && s.quiet.Contains(at):
			next = s.quiet.End(at)
		case s.schedule.LocalHours != nil:
			next = s.schedule.LocalHours.outside().End(at)
		}
		if !next.After(at) {
			return at
		}
		at = next
	}
	return at
}

// outside is the part of the day that is not in the hours.
func (h *LocalHours) outside() policy.Hours { return policy.Hours{From: h.To, To: h.From} }

// open says whether the schedule and the quiet hours leave any minute of a day.
func (s *slots) open() bool {
	day := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	for minute := range 24 * 60 {
		at := day.Add(time.Duration(minute) * time.Minute)
		quiet := s.quiet != nil && s.quiet.Contains(at)
		hours := s.schedule.LocalHours
		if !quiet && (hours == nil || !hours.outside().Contains(at)) {
			return true
		}
	}
	return false
}
