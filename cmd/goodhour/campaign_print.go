package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goodhour/goodhour/sender/campaign"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
)

// campaignList is the API's answer to GET /v1/campaigns.
type campaignList struct {
	Campaigns []campaign.Summary `json:"campaigns"`
}

func printCampaigns(out io.Writer, list *campaignList) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CAMPAIGN\tPLAN\tSTATUS\tCUSTOMERS\tWAITING\tACCEPTED\tREAD")
	for _, s := range list.Campaigns {
		if len(s.Plans) == 0 {
			fmt.Fprintf(w, "%s\t-\tnot planned\t-\t-\t-\t-\n", s.ID)
		}
		for i := range s.Plans {
			p := &s.Plans[i]
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%d\n",
				s.ID, p.ID, p.Status, p.Messages, p.States[plan.Waiting], p.States[plan.Accepted], p.Delivery[ledger.Read])
		}
	}
	return w.Flush()
}

// pausedPlans is the API's answer to POST /v1/campaigns/pause-all.
type pausedPlans struct {
	Paused int `json:"paused"`
}

func printPaused(w io.Writer, p *pausedPlans) error {
	_, err := fmt.Fprintf(w, "%d plans are paused now that were approved or running. goodhour campaign resume lets one go on.\n", p.Paused)
	return err
}

// printReport says what a plan would do, before anybody approves it.
func printReport(w io.Writer, r *campaign.Report) error {
	fmt.Fprintf(w, "Plan %s of campaign %s, mode %s\n", r.PlanID, r.CampaignID, r.Mode)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-12s "+format+"\n", append([]any{name}, args...)...)
	}
	line("audience", "%d as of %s, in the file published %s", r.Audience, instant(r.AsOf), instant(r.PublishedAt))
	line("to send", "%d, template %s in %s, account %s", r.ToSend, r.Template.Name, r.Template.Language, r.Account)
	if r.AlsoPlanned > 0 {
		line("other plans", "%d of them are in other plans too: the marketing cap will hold back whoever comes second", r.AlsoPlanned)
	}
	printCounts(w, "not sent", r.Rules)
	if r.TimeZonesUnknown > 0 {
		line("time zone", "%s", unknownZones(r))
	}
	printCounts(w, "delayed", r.Delayed)
	printCounts(w, "arms", r.Arms)
	if len(r.Arms) > 0 {
		line("kept back", "%d in control, %d in holdout, to tell what messages bring", r.Arms[plan.Control], r.Arms[plan.Holdout])
	}
	if r.Control.Reason != "" && r.Template.Category == plan.Marketing {
		line("control", "none: %s", controlReason(r.Control.Reason))
	}
	if !r.FirstSendAt.IsZero() {
		line("time", "%s to about %s, at %d a minute and number", instant(r.FirstSendAt), instant(r.LastSendAt), r.PacePerMinute)
	}
	if r.LateAtPace > 0 {
		line("too late", "%d would miss their deadline, or the end of the local hours, at this pace: give the schedule more days, or more numbers", r.LateAtPace)
	}
	printHours(w, r.Hours)
	printCounts(w, "hour from", r.HourReasons)
	line("cost", "%s", r.PredictedCost)
	_, err := fmt.Fprintf(w, "Nothing is sent before somebody approves exactly this:\n  goodhour campaign approve %s --hash %s\n", r.PlanID, r.Hash)
	return err
}

// unknownZones says what becomes of customers without a known time zone: no
// marketing, unless the schedule gives one.
func unknownZones(r *campaign.Report) string {
	if r.Rules[policy.QuietHours] == 0 {
		return fmt.Sprintf("%d have no known time zone of their own", r.TimeZonesUnknown)
	}
	return fmt.Sprintf("%d have no known time zone: that is quiet_hours; give schedule.time_zone", r.TimeZonesUnknown)
}

func controlReason(reason policy.ControlReason) string {
	switch reason {
	case policy.ControlOff:
		return "the campaign or the rules want none"
	case policy.BaselineUnknown:
		return "it is not known how many such customers buy without a message"
	case policy.BaselineTooHigh:
		return "so many buy without a message that no such lift is possible"
	case policy.AudienceTooSmall:
		return "the audience is too small to show a lift"
	}
	return string(reason)
}

// printCounts prints counts by name on one line, the largest first.
func printCounts[K ~string](w io.Writer, name string, counts map[K]int) {
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b K) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(string(a), string(b)))
	})
	var parts []string
	for _, key := range keys {
		if counts[key] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[key], key))
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(w, "  %-12s %s\n", name, strings.Join(parts, ", "))
	}
}

// printHours prints how many messages come at which local hour.
func printHours(w io.Writer, hours map[int]int) {
	var parts []string
	for _, hour := range slices.Sorted(maps.Keys(hours)) {
		parts = append(parts, fmt.Sprintf("%d at %02d:00", hours[hour], hour))
	}
	if len(parts) > 0 {
		fmt.Fprintf(w, "  %-12s %s\n", "local hour", strings.Join(parts, ", "))
	}
}

func instant(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") }

func printPlanStatus(w io.Writer, s *ledger.PlanStatus) error {
	fmt.Fprintf(w, "Plan %s of campaign %s is %s, mode %s\n", s.ID, s.CampaignID, s.Status, s.Mode)
	printCounts(w, "messages", s.States)
	printCounts(w, "rules", s.Rules)
	printCounts(w, "delivery", s.Delivery)
	if !s.FirstSendAt.IsZero() {
		fmt.Fprintf(w, "  %-12s %s to %s\n", "time", instant(s.FirstSendAt), instant(s.LastSendAt))
	}
	if s.ApprovedBy != "" {
		fmt.Fprintf(w, "  %-12s by %s at %s\n", "approved", s.ApprovedBy, instant(s.ApprovedAt))
	}
	_, err := fmt.Fprintf(w, "  %-12s %s\n", "hash", s.Hash)
	return err
}

// messageList is the API's answer to GET /v1/campaigns/{id}/explain.
type messageList struct {
	Messages []ledger.MessageDetail `json:"messages"`
}

func printMessages(w io.Writer, list *messageList) error {
	var text strings.Builder
	for i := range list.Messages {
		printMessage(&text, &list.Messages[i])
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// printMessage tells one message's life.
func printMessage(w io.Writer, m *ledger.MessageDetail) {
	fmt.Fprintf(w, "Message %s to customer %s is %s", m.ID, m.CustomerNow, m.StateNow)
	if m.RuleNow != "" {
		fmt.Fprintf(w, " by rule %s", m.RuleNow)
	}
	if m.Arm != "" {
		fmt.Fprintf(w, ", arm %s", m.Arm)
	}
	fmt.Fprintln(w)
	if m.State == plan.Waiting {
		fmt.Fprintf(w, "  %-21s planned for %02d:00 in %s: %s\n", instant(m.SendAt), m.SendHourLocal, m.TimeZone, m.HourReason)
	}
	for _, d := range m.Decisions {
		fmt.Fprintf(w, "  %-21s %s at the %s", instant(d.At), d.Verdict, d.Stage)
		if d.Rule != "" {
			fmt.Fprintf(w, " by %s, from %s", d.Rule, d.Inputs)
		}
		fmt.Fprintln(w)
	}
	for i := range m.Attempts {
		printAttempt(w, &m.Attempts[i])
	}
	if m.Delivery != "" && m.Delivery != ledger.DeliveryNone {
		fmt.Fprintf(w, "  %-21s %s\n", "delivery", m.Delivery)
	}
}

func printAttempt(w io.Writer, a *ledger.Attempt) {
	outcome := cmp.Or(string(a.Outcome), "under way")
	fmt.Fprintf(w, "  %-21s attempt %s: %s", instant(a.ClaimedAt), a.ID, outcome)
	if a.ErrorCode != "" || a.ErrorClass != "" {
		fmt.Fprintf(w, ", code %s, of class %s", cmp.Or(a.ErrorCode, "none"), a.ErrorClass)
	}
	fmt.Fprintln(w)
	if r := a.Resolution; r != nil {
		fmt.Fprintf(w, "  %-21s %s, said %s\n", instant(r.At), r.Outcome, r.By)
	}
}
