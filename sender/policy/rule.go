package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goodhour/goodhour/sender/plan"
)

// Rule is a rule's name, as decisions record it.
type Rule string

// The rules that are built. doc.go says what each does.
const (
	NoRecipient       Rule = "no_recipient"
	NotATestRecipient Rule = "not_a_test_recipient"
	OptedOut          Rule = "opted_out"
	ConsentRequired   Rule = "consent_required"
	Holdout           Rule = "holdout"
	Merged            Rule = "merged"
	ColdExcluded      Rule = "cold_excluded"
	ParameterMissing  Rule = "parameter_missing"
	TemplateReady     Rule = "template_ready"
	SessionWindow     Rule = "session_window"
	MaxLateness       Rule = "max_lateness"
	QuietHours        Rule = "quiet_hours"
	MarketingCap      Rule = "marketing_cap"
	// PairRate and NumberRate are quotas: limit keeps them, and they are
	// consumed after Decide allowed.
	PairRate   Rule = "pair_rate"
	NumberRate Rule = "number_rate"
)

// Built returns the rules that are built, in the order in which they are judged.
func Built() []Rule {
	var built []Rule
	for _, c := range checks() {
		built = append(built, c.rule)
	}
	return append(built, PairRate, NumberRate)
}

// Absent returns the rules that are known and not built. Sending live needs
// every one of them.
func Absent() []Rule {
	return []Rule{
		"account_stopped", "number_stopped", "country_blocked", "us_marketing", "provider_cooldown",
		"delivery_guard", "reply_guard", "budget", "portfolio_limit",
	}
}

// Unbuilt says that nothing here keeps the rule, whether its name is known or
// not.
func Unbuilt(r Rule) bool { return !slices.Contains(Built(), r) }

// Refuse returns an error that names what is missing where a plan in this mode
// needs rules that are not built: those that it asks for, and in live mode all.
func Refuse(mode plan.Mode, needed ...Rule) error {
	if mode == plan.Live {
		needed = append(slices.Clone(needed), Absent()...)
	}
	var missing []string
	for _, r := range needed {
		if Unbuilt(r) && !slices.Contains(missing, string(r)) {
			missing = append(missing, string(r))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("a plan in mode %s needs rules that this version does not have: %s; plan it in mode sandbox or test, without them",
		mode, strings.Join(missing, ", "))
}
