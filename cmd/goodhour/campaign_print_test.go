package main

import (
	"strings"
	"testing"

	"github.com/goodhour/goodhour/sender/campaign"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
)

// What an approver reads is what was counted, and says what to do about it.
func TestAReportSaysWhatWasCounted(t *testing.T) {
	t.Parallel()
	report := &campaign.Report{
		Template: plan.Template{Category: plan.Marketing}, ToSend: 9000, AlsoPlanned: 120, LateAtPace: 7, TimeZonesUnknown: 256,
		Rules:   map[policy.Rule]int{policy.QuietHours: 256},
		Arms:    map[plan.Arm]int{plan.Treatment: 9000, plan.Control: 496, plan.Holdout: 50},
		Control: policy.Control{Percent: 5, Customers: 475},
	}
	text := func() string {
		var out strings.Builder
		if err := printReport(&out, report); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	got := text()
	for _, want := range []string{
		"  not sent     256 quiet_hours\n  time zone    256 have no known time zone: that is quiet_hours; give schedule.time_zone\n",
		"  kept back    496 in control, 50 in holdout, to tell what messages bring\n",
		"  other plans  120 of them are in other plans too: the marketing cap will hold back whoever comes second\n",
		"  too late     7 would miss their deadline, or the end of the local hours, at this pace: ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "475") {
		t.Errorf("the expected size is shown as if it were the arm's:\n%s", got)
	}
	report.Rules, report.AlsoPlanned = nil, 0
	if got = text(); strings.Contains(got, "quiet_hours") || strings.Contains(got, "other plans") || !strings.Contains(got, "256 have no known time zone of their own\n") {
		t.Errorf("with the schedule's time zone, and no other plan:\n%s", got)
	}
}
