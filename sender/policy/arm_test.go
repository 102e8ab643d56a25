package policy

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/plan"
)

func customer(n int) (id identity.ID) {
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

func TestQuarterIsOfUTC(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-01-01T00:00:00Z": "2026Q1", "2026-03-31T23:59:59Z": "2026Q1", "2026-04-01T00:00:00Z": "2026Q2",
		"2026-11-25T12:00:00Z": "2026Q4", "2026-12-31T23:00:00-03:00": "2027Q1",
	} {
		if got := Quarter(at(text)); got != want {
			t.Errorf("%s is in %s, want %s", text, got, want)
		}
	}
}

// The hash is a contract: changing it would move customers between arms.
func TestAssignmentIsPinned(t *testing.T) {
	t.Parallel()
	r := mustDefault(t)
	var held []int
	for n := range 100 {
		if r.GlobalArm(at("2026-11-25T12:00:00Z"), customer(n)) == plan.Holdout {
			held = append(held, n)
		}
	}
	var controls []int
	for n := range 60 {
		if Arm(plan.Treatment, "win_back", customer(n), Control{Percent: 10}) == plan.Control {
			controls = append(controls, n)
		}
	}
	// Computed apart from this code, with Python's hashlib.
	if want := []int{0, 26, 38, 85, 89}; !slices.Equal(held, want) {
		t.Errorf("2026Q4's holdout is %v, want %v", held, want)
	}
	if want := []int{19, 31, 39, 42}; !slices.Equal(controls, want) {
		t.Errorf("win_back's control is %v, want %v", controls, want)
	}
}

// Shares are what they are called, and draws do not depend on each other.
func TestArmsAreSharesAndIndependent(t *testing.T) {
	t.Parallel()
	r := mustDefault(t)
	const n = 100_000
	now, next := at("2026-11-25T12:00:00Z"), at("2027-01-01T00:00:00Z")
	var held, heldTwice, controlled, controlledTwice int
	for i := range n {
		c := customer(i)
		global := r.GlobalArm(now, c)
		arm := Arm(global, "a", c, Control{Percent: 10})
		if (arm == plan.Holdout) != (global == plan.Holdout) {
			t.Fatal("the global holdout is not the campaign's")
		}
		if global == plan.Holdout {
			held++
			if r.GlobalArm(next, c) == plan.Holdout {
				heldTwice++
			}
		}
		if arm == plan.Control {
			controlled++
			if Arm(plan.Treatment, "b", c, Control{Percent: 10}) == plan.Control {
				controlledTwice++
			}
		}
		if Arm(plan.Treatment, "a", c, Control{}) != plan.Treatment {
			t.Fatal("a control where there is none")
		}
	}
	// Five standard deviations of the binomial.
	near := func(what string, got, of int, share float64) {
		t.Helper()
		mean := float64(of) * share
		if math.Abs(float64(got)-mean) > 5*math.Sqrt(mean*(1-share)) {
			t.Errorf("%s: %d of %d, want about %.0f", what, got, of, mean)
		}
	}
	near("holdout", held, n, 0.05)
	near("held out in the next quarter too", heldTwice, held, 0.05)
	near("control", controlled, n-held, 0.10)
	near("control of another campaign too", controlledTwice, controlled, 0.10)
}

func TestArmSizesArePublishedOnes(t *testing.T) {
	t.Parallel()
	// Two-sided 5 %, power 80 %, equal arms.
	for _, c := range []struct {
		from, to float64
		want     int
	}{
		{.08, .09, 12_208},
		{.15, .165, 9_257},
		{.65, .67, 8_806},
		{.06, .18, 114},
	} {
		if got := int(math.Ceil(armSize(c.from, c.to, 1))); got != c.want {
			t.Errorf("%v to %v needs %d, want %d", c.from, c.to, got, c.want)
		}
	}
}

func TestControlOnlyWhereItCanShowSomething(t *testing.T) {
	t.Parallel()
	r := mustDefault(t)
	needed := r.PlanControl(1, 0.02).Needed
	// 2 % to 3 % with nine treated to one control, by hand: p̄ = .029,
	// (1.959964·√(1.1111·.029·.971) + .841621·√(.0196 + .0291/9))² / .0001.
	if needed != 2246 {
		t.Errorf("2 %% to 3 %% needs a control of %d, want 2246", needed)
	}
	enough := int(math.Ceil(float64(needed) / 0.10 / 0.95))
	f := func(eligible int, baseline, percent float64, reason ControlReason) Control {
		t.Helper()
		c := r.PlanControl(eligible, baseline)
		if c.Percent != percent || c.Reason != reason {
			t.Errorf("%d customers at %v: %+v, want %v %% %q", eligible, baseline, c, percent, reason)
		}
		return c
	}
	if c := f(enough+10, 0.02, 10, ""); c.DetectableLift > 0.5 || c.DetectableLift < 0.49 {
		t.Errorf("just enough detects %v, want just under 0.5", c.DetectableLift)
	}
	if c := f(enough-20, 0.02, 0, AudienceTooSmall); c.DetectableLift < 0.5 {
		t.Errorf("too few detect %v", c.DetectableLift)
	}
	f(0, 0.02, 0, AudienceTooSmall)
	f(-1, 0.02, 0, AudienceTooSmall)
	f(1e6, 0, 0, BaselineUnknown)
	f(1e6, math.NaN(), 0, BaselineUnknown)
	f(1e6, 0.7, 0, BaselineTooHigh)
	off := *r
	off.Holdout.ControlPercent = 0
	if c := off.PlanControl(1e6, 0.02); c.Percent != 0 || c.Reason != ControlOff {
		t.Errorf("without a control: %+v", c)
	}
}
