package policy

import (
	"fmt"
	"sync"
	"time"
	// The zones' rules are part of the policy: a machine without them must not
	// decide otherwise.
	_ "time/tzdata"
)

// Hours is the part of each day [From, To), by the local clock. From after To
// means over midnight.
type Hours struct {
	From Clock `yaml:"from"`
	To   Clock `yaml:"to"`
}

// Clock is a reading of the local clock: the time since 00:00, in whole minutes
// under 24 h. As text it is "22:00".
type Clock time.Duration

// UnmarshalText reads "22:00".
func (c *Clock) UnmarshalText(text []byte) error {
	at, err := time.Parse("15:04", string(text))
	if err != nil {
		return fmt.Errorf("a time of day is written like 22:00, not %q", text)
	}
	*c = clockOf(at)
	return nil
}

// MarshalText writes "22:00".
func (c Clock) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

func (c Clock) String() string {
	minutes := time.Duration(c) / time.Minute
	return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60)
}

func clockOf(local time.Time) Clock {
	return Clock(time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute +
		time.Duration(local.Second())*time.Second + time.Duration(local.Nanosecond()))
}

// Contains says whether a local time is in the hours.
func (h Hours) Contains(local time.Time) bool {
	c := clockOf(local)
	if h.From <= h.To {
		return h.From <= c && c < h.To
	}
	return h.From <= c || c < h.To
}

// End is the first instant from local on that is outside the hours. The clock
// may be put forward or back on the way: so it goes from one change of the
// zone's offset to the next, between which the clock runs evenly. A clock put
// back into the hours is in them again; one put forward over their end is out.
func (h Hours) End(local time.Time) time.Time {
	for h.Contains(local) {
		wait := time.Duration(h.To - clockOf(local))
		if wait <= 0 {
			wait += 24 * time.Hour
		}
		_, change := local.ZoneBounds()
		if next := local.Add(wait); change.IsZero() || next.Before(change) {
			return next
		}
		local = change
	}
	return local
}

// zones keeps the time zones that were loaded: reading one anew takes tens of
// microseconds. There are some 600.
type zones struct{ byName sync.Map }

// load returns a zone by its IANA name, and false for what is no name. UTC is
// one; the machine's own zone is not.
func (z *zones) load(name string) (*time.Location, bool) {
	if name == "" || name == "Local" {
		return nil, false
	}
	if zone, ok := z.byName.Load(name); ok {
		return zone.(*time.Location), true
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, false
	}
	z.byName.Store(name, zone)
	return zone, true
}
