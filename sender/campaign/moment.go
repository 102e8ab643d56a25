package campaign

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Moment is an instant ("2026-12-01T10:00:00-03:00"), or a time of each
// customer's own clock ("2026-12-01T10:00", "2026-12-01").
type Moment struct {
	at    time.Time // a local time stands as if it were UTC
	local bool
}

// Years of a Moment: far beyond every campaign, and well inside what clocks,
// zones and DuckDB can do.
const (
	yearMin = 2000
	yearMax = 2100
)

// localForms of a Moment, to the second.
var localForms = [...]string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"}

// UnmarshalText reads either form.
func (m *Moment) UnmarshalText(text []byte) error {
	s := strings.Replace(string(text), " ", "T", 1)
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return m.set(Moment{at: at.Truncate(time.Microsecond)})
	}
	for _, form := range localForms {
		if at, err := time.Parse(form, s); err == nil {
			return m.set(Moment{at: at, local: true})
		}
	}
	return fmt.Errorf("want an instant like 2026-12-01T10:00:00-03:00, or a time on each customer's clock like 2026-12-01T10:00")
}

func (m *Moment) set(to Moment) error {
	if year := to.at.Year(); year < yearMin || year > yearMax {
		return fmt.Errorf("want a year from %d to %d, not %d", yearMin, yearMax, year)
	}
	*m = to
	return nil
}

// MarshalText writes the form that UnmarshalText reads.
func (m Moment) MarshalText() ([]byte, error) {
	if m.local {
		return []byte(m.at.Format(localForms[0])), nil
	}
	return []byte(m.at.Format(time.RFC3339Nano)), nil
}

// in is the moment for a customer in a zone.
func (m *Moment) in(zone *time.Location) time.Time {
	if !m.local {
		return m.at.In(zone)
	}
	return onClock(m.at.Year(), m.at.Month(), m.at.Day(), m.at.Hour(), m.at.Minute(), m.at.Second(), zone)
}

// onClock is the first instant at which a zone's clock shows a time; where the
// clock jumps over it, the instant of the jump. time.Date does not say which of
// two it returns, or to which side of a gap.
func onClock(year int, month time.Month, day, hour, minute, second int, zone *time.Location) time.Time {
	wanted := time.Date(year, month, day, hour, minute, second, 0, time.UTC)
	at := time.Date(year, month, day, hour, minute, second, 0, zone)
	start, end := at.ZoneBounds()
	switch shown := clock(at); {
	case shown.After(wanted): // it landed after the gap
		return start
	case shown.Before(wanted): // it landed before
		return end
	case start.IsZero():
		return at
	}
	// The clock may have shown it before it was put back.
	_, before := start.Add(-time.Second).Zone()
	_, now := at.Zone()
	if earlier := at.Add(time.Duration(now-before) * time.Second); earlier.Before(start) && clock(earlier).Equal(wanted) {
		return earlier
	}
	return at
}

// clock is what the clock shows, as if it were UTC.
func clock(at time.Time) time.Time {
	return time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
}

// Weekday is a day of the week, "mon" to "sun".
type Weekday time.Weekday

// weekdays by time.Weekday.
var weekdays = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// UnmarshalText reads "mon".
func (d *Weekday) UnmarshalText(text []byte) error {
	at := slices.Index(weekdays[:], strings.ToLower(string(text)))
	if at < 0 {
		return fmt.Errorf("want days like mon, tue, wed, thu, fri, sat, sun, not %q", text)
	}
	*d = Weekday(at)
	return nil
}

// MarshalText writes "mon".
func (d Weekday) MarshalText() ([]byte, error) { return []byte(weekdays[d]), nil }
