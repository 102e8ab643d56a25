// Package limit paces: how often something may happen, per number and per
// (number, customer). It is the quotas of the policy, pair_rate and
// number_rate, which are consumed last, after every rule allowed.
//
// Its promise: whatever is asked when, in no window more permits are given than
// the limit allows, and never more after a restart than without one. A clock
// that jumps back only makes it wait longer.
//
// All time is passed in; there are no goroutines and no timers, so a virtual
// clock works as well as the wall's. Permits are not given back: one that was
// taken and not used makes the next wait, which is the safe side.
//
//	number, err := limit.NewNumber(limit.NumberRate{CampaignPerMinute: 30, PerSecond: 50, ProviderPerSecond: 80})
//	...
//	if ok, nextAt := number.TakeCampaign(now); !ok {
//		// wait until nextAt
//	}
package limit
