package policy

import "math"

// Control is a campaign's own control arm, or why it has none.
type Control struct {
	// Percent of the customers outside the global holdout; 0 means no control.
	Percent float64 `json:"percent"`
	// Reason says why there is none.
	Reason ControlReason `json:"reason,omitempty"`
	// Customers is the expected size of the arm before anybody is drawn: how many
	// are in it, only the arms themselves tell. Needed is the size that detects
	// the rules' lift (80 % power, 5 % two-sided); 0 means not known.
	Customers int `json:"expected_customers"`
	Needed    int `json:"needed"`
	// DetectableLift is the smallest relative lift that such an arm can detect:
	// 0.5 is 50 %. 0 means not known, or none.
	DetectableLift float64 `json:"detectable_lift"`
}

// ControlReason is why a campaign has no control.
type ControlReason string

// The reasons.
const (
	ControlOff       ControlReason = "control_off"        // the rules have none
	BaselineUnknown  ControlReason = "baseline_unknown"   // no conversion rate to compare with
	BaselineTooHigh  ControlReason = "baseline_too_high"  // there is no room for such a lift
	AudienceTooSmall ControlReason = "audience_too_small" // it could not detect such a lift
)

// The test that a control is planned for.
const (
	power        = 0.80
	significance = 0.05 // two-sided
)

// PlanControl decides whether a campaign has a control: only where the audience
// can detect the rules' lift over the baseline, the conversion rate without a
// message, 0 if unknown. eligible counts all eligible customers, those of the
// global holdout included.
func (r *Rules) PlanControl(eligible int, baseline float64) Control {
	share := r.Holdout.ControlPercent / 100
	others := float64(max(0, eligible)) * (1 - r.Holdout.GlobalPercent/100)
	target := baseline * (1 + r.Holdout.DetectableLiftPercent/100)
	c := Control{Customers: int(others * share)}
	switch {
	case share == 0:
		c.Reason = ControlOff
		return c
	case math.IsNaN(baseline) || baseline <= 0:
		c.Reason = BaselineUnknown
		return c
	case target >= 1:
		c.Reason = BaselineTooHigh
		return c
	}
	treatedPerControl := (1 - share) / share
	c.Needed = int(math.Ceil(armSize(baseline, target, treatedPerControl)))
	c.DetectableLift = detectableLift(float64(c.Customers), baseline, treatedPerControl)
	if c.Customers < c.Needed {
		c.Reason = AudienceTooSmall
		return c
	}
	c.Percent = r.Holdout.ControlPercent
	return c
}

// armSize is how many customers the control needs, with ratio times as many
// treated, to tell two proportions apart with 80 % power at 5 % two-sided (Fleiss,
// Levin and Paik, Statistical Methods for Rates and Proportions, 3rd ed., §4,
// without continuity correction).
func armSize(control, treated, ratio float64) float64 {
	pooled := (control + ratio*treated) / (1 + ratio)
	root := quantile(1-significance/2)*math.Sqrt((1+1/ratio)*pooled*(1-pooled)) +
		quantile(power)*math.Sqrt(control*(1-control)+treated*(1-treated)/ratio)
	return root * root / ((treated - control) * (treated - control))
}

// detectableLift is the smallest relative lift that a control of that size can
// detect, by bisection; 0 if it can detect none.
func detectableLift(size, baseline, ratio float64) float64 {
	low, high := baseline, 1.0
	if size < 1 || armSize(baseline, high, ratio) > size {
		return 0
	}
	for range 60 {
		if mid := (low + high) / 2; armSize(baseline, mid, ratio) > size {
			low = mid
		} else {
			high = mid
		}
	}
	return high/baseline - 1
}

// quantile of the standard normal distribution.
func quantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }
