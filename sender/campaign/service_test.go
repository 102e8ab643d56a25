package campaign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/ledger"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/warehouse"
)

func sum[K comparable](counts map[K]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// The audience is everybody: each customer has one message, one state and one
// reason, and the reasons add up.
func TestEveryCustomerOfTheAudienceGetsOneVerdict(t *testing.T) {
	t.Parallel()
	b := setup(t)
	report := b.plan(everyone("all", "plain", "holdout: {control_percent: 0}"))
	want := map[policy.Rule]int{
		policy.NoRecipient: 1, policy.ConsentRequired: 1, policy.OptedOut: 1, policy.QuietHours: 1, policy.ColdExcluded: 1,
	}
	held := report.Rules[policy.Holdout]
	got := maps.Clone(report.Rules)
	delete(got, policy.Holdout)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if held == 0 || held != report.Arms[plan.Holdout] || held != report.States[plan.HeldOut] || report.Arms[plan.Control] != 0 {
		t.Errorf("%d held out, arms %v, states %v", held, report.Arms, report.States)
	}
	people := len(population())
	if report.Audience != people || report.ToSend+sum(report.Rules) != people || sum(report.States) != people {
		t.Errorf("%d customers: %d to send, rules %v, states %v", people, report.ToSend, report.Rules, report.States)
	}
	// Arms are of the eligible: who has no address, no consent or said stop is none.
	if sum(report.Arms) != people-3 || report.Control.Percent != 0 || report.Control.Reason != policy.ControlOff {
		t.Errorf("arms %v, control %+v", report.Arms, report.Control)
	}
	if report.ToSend != report.States[plan.Waiting] || sum(report.Hours) != report.ToSend || sum(report.HourReasons) != report.ToSend {
		t.Errorf("%d to send, states %v, hours %v, reasons %v", report.ToSend, report.States, report.Hours, report.HourReasons)
	}
	if report.TimeZonesUnknown != 1 || report.PredictedCost != "unknown" || report.TemplateHash == "" || report.Mode != plan.Sandbox ||
		!report.AsOf.Equal(asOf) || !report.PlannedAt.Equal(planned) || report.RulesVersion != defaultRules(t).Version {
		t.Errorf("report %+v", report)
	}

	for _, c := range []struct {
		key, rule string
		state     plan.State
	}{
		{"x-noaddress", "no_recipient", plan.Suppressed},
		{"x-noconsent", "consent_required", plan.Suppressed},
		{"x-stopped", "opted_out", plan.Suppressed},
		{"x-nozone", "quiet_hours", plan.Suppressed},
		{"x-cold", "cold_excluded", plan.Suppressed},
		{"x-berlin", "", plan.Waiting},
	} {
		m := b.message(report.PlanID, c.key)
		if m.State != c.state || m.Rule != c.rule || m.StateNow != c.state || len(m.Decisions) != 1 || m.Decisions[0].Rule != c.rule {
			t.Errorf("%s is %s by %q: %+v", c.key, m.State, m.Rule, m.Decisions)
		}
		if !json.Valid(m.Inputs) {
			t.Errorf("%s: inputs %s", c.key, m.Inputs)
		}
	}
	ids := map[string]bool{}
	for _, m := range b.messages(report.PlanID) {
		if ids[m.ID] || m.ID != plan.MessageID(report.PlanID, m.CustomerID, plan.FirstStep) {
			t.Errorf("message %s of %s", m.ID, m.CustomerID)
		}
		ids[m.ID] = true
	}
	if len(ids) != people {
		t.Errorf("%d messages of %d customers", len(ids), people)
	}
}

func TestEachCustomerGetsTheirHourInTheirZone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	report := b.plan(everyone("hours", "plain", ""))
	for _, m := range b.messages(report.PlanID) {
		zone, err := time.LoadLocation(m.TimeZone)
		if err != nil {
			t.Fatal(err)
		}
		if local := m.SendAt.In(zone); m.TimeZone != "" && (local.Hour() != m.SendHourLocal || local.Minute() != 0 || m.SendAt.Before(b.now)) {
			t.Errorf("%s is sent at %s, hour %d", m.CustomerID, local, m.SendHourLocal)
		}
		if m.Deadline.Sub(m.SendAt) != 6*time.Hour {
			t.Errorf("from %s to %s", m.SendAt, m.Deadline)
		}
	}
	f := func(key string, want string, hour int, reason string, propensity float64) {
		t.Helper()
		m := b.message(report.PlanID, key)
		if !m.SendAt.Equal(instant(t, want)) || m.SendHourLocal != hour || m.HourReason != reason || m.Propensity != propensity {
			t.Errorf("%s: %s, hour %d (%s, %v)", key, m.SendAt, m.SendHourLocal, m.HourReason, m.Propensity)
		}
	}
	f("c-000", "2026-11-25T23:00:00Z", 20, "segment", 0.9)
	f("c-150", "2026-11-25T14:00:00Z", 11, "default", 1)
	f("x-berlin", "2026-11-26T10:00:00Z", 11, "default", 1) // 13:10 there: tomorrow
	if !report.FirstSendAt.Equal(instant(t, "2026-11-25T14:00:00Z")) || report.Numbers != 2 || report.PacePerMinute != 30 {
		t.Errorf("first %s, %d numbers at %d", report.FirstSendAt, report.Numbers, report.PacePerMinute)
	}
	if report.Hours[20] == 0 || report.Hours[11] == 0 || report.HourReasons["segment"] != report.Hours[20] {
		t.Errorf("hours %v, reasons %v", report.Hours, report.HourReasons)
	}
}

// Arms are the policy's, stored at first assignment, and the same in the next campaign.
func TestArmsAreThePolicysAndStay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const sure = "holdout: {control_percent: 40, baseline: 0.5}"
	first := b.plan(everyone("first", "plain", sure))
	if first.Control.Percent != 40 || first.Arms[plan.Control] < 40 || first.Baseline != 0.5 || first.BaselineFrom != "campaign" {
		t.Fatalf("control %+v, arms %v", first.Control, first.Arms)
	}
	rules := defaultRules(t)
	arms := func(report *Report) map[identity.ID]plan.Arm {
		out := map[identity.ID]plan.Arm{}
		for _, m := range b.messages(report.PlanID) {
			out[m.CustomerID] = m.Arm
			if m.Arm == "" {
				continue
			}
			global := rules.GlobalArm(b.now, m.CustomerID)
			if want := policy.Arm(global, report.CampaignID, m.CustomerID, report.Control); m.Arm != want {
				t.Errorf("%s is in %s, want %s", m.CustomerID, m.Arm, want)
			}
			if held := m.Arm != plan.Treatment; held != (m.State == plan.HeldOut) && m.Rule != "cold_excluded" && m.Rule != "quiet_hours" {
				t.Errorf("%s in %s is %s by %s", m.CustomerID, m.Arm, m.State, m.Rule)
			}
			stored, _ := b.ledger.HoldoutArm(b.ledger.Person(m.CustomerID), policy.Quarter(b.now))
			if stored == "" || (stored == plan.Holdout) != (m.Arm == plan.Holdout) {
				t.Errorf("%s in %s is stored as %q", m.CustomerID, m.Arm, stored)
			}
		}
		return out
	}
	one, two := arms(first), arms(b.plan(everyone("second", "plain", sure)))
	same := 0
	for id, arm := range one {
		if (arm == plan.Holdout) != (two[id] == plan.Holdout) {
			t.Errorf("%s was in %s, then in %s", id, arm, two[id])
		}
		if arm == plan.Control && two[id] == plan.Control {
			same++
		}
	}
	if same == first.Arms[plan.Control] {
		t.Error("two campaigns have the same control")
	}
}

// Nobody bought in the week before: nothing can be compared with, and the
// report says so. Of the world's customers most did.
func TestTheBaselineIsReadAndSaid(t *testing.T) {
	t.Parallel()
	b := setup(t)
	report := b.plan(everyone("baseline", "plain", ""))
	reachable := float64(len(population()) - 3)
	if want := ordinary / reachable; report.Baseline != want || report.BaselineFrom != "customers" {
		t.Errorf("baseline %v from %s, want %v", report.Baseline, report.BaselineFrom, want)
	}
	if report.Control.Reason != policy.BaselineTooHigh || report.Arms[plan.Control] != 0 {
		t.Errorf("control %+v", report.Control)
	}
	report = b.plan(everyone("unknown", "plain", "holdout: {baseline: 0}"))
	if report.Control.Reason != policy.BaselineUnknown {
		t.Errorf("control %+v", report.Control)
	}
	report = b.plan(everyone("small", "plain", "holdout: {baseline: 0.01}"))
	if report.Control.Reason != policy.AudienceTooSmall || report.Control.Needed == 0 {
		t.Errorf("control %+v", report.Control)
	}
}

// Two customers of the audience turn out to be one person after the models ran.
func TestOfTwoWhoAreOnePersonOneGetsTheMessage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.arriving = []event.Event{newEvent("merge", "x-twin-a", planned, event.CustomerUpdatedData{
		Person: event.Person{Phone: "+5511920000008", ExternalIDs: map[string]string{"customer": "x-twin-a"}},
	})}
	report := b.plan(everyone("twins", "plain", ""))
	if report.Rules[policy.Merged] != 1 || report.Audience != len(population()) {
		t.Errorf("rules %v", report.Rules)
	}
	list, err := b.Explain(t.Context(), report.PlanID, "x-twin-b")
	if err != nil || len(list) != 2 {
		t.Fatalf("%d messages, %v", len(list), err)
	}
	slices.SortFunc(list, func(x, y ledger.MessageDetail) int { return int(y.Priority - x.Priority) })
	// The one of the higher score goes.
	if list[0].CustomerID != b.customer("x-twin-a") || list[0].Rule == "merged" || list[1].Rule != "merged" || list[1].Arm != "" {
		t.Errorf("%s by %q in %q, %s by %q in %q", list[0].State, list[0].Rule, list[0].Arm, list[1].State, list[1].Rule, list[1].Arm)
	}
}

func TestAnOptOutOnItsWayIsKnown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.arriving = []event.Event{newEvent("stop", "c-007", planned, event.MessageReceivedData{
		Person: event.Person{Phone: "+5511910000007"}, ProviderMessageID: "in-1", Provider: "meta", NumberID: number, MessageKind: "text", Text: "SAIR",
	})}
	report := b.plan(everyone("stop", "plain", ""))
	if m := b.message(report.PlanID, "c-007"); m.Rule != "opted_out" {
		t.Errorf("%s by %q", m.State, m.Rule)
	}
}

// offer maps a name and a column.
func offer(id, first, second, audience string) string {
	return fmt.Sprintf(`
id: %s
audience: {sql: "%s"}
template:
  name: offer
  language: pt_BR
  parameters: {"1": %s, "2": %s}
account: shop
schedule: {send: now, time_zone: America/Sao_Paulo}
holdout: {control_percent: 0}
`, id, audience, first, second)
}

const (
	three = "select customer_id, external_id as code from marts.customers where external_id in ('c-001', 'c-002', 'x-noname', 'x-stopped')"
	name  = "{field: name, default: cliente}"
)

func TestParametersAreFrozenDefaultedSkippedOrRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	parameters := func(report *Report, key string) map[string]string {
		t.Helper()
		m := b.message(report.PlanID, key)
		values, err := b.ledger.Parameters(t.Context(), []string{m.ID})
		if err != nil {
			t.Fatal(err)
		}
		return values[m.ID]
	}
	report := b.plan(offer("defaulted", name, "{column: code, missing: refuse}", three))
	for key, want := range map[string]map[string]string{
		"c-001":    {"1": "Nome001", "2": "c-001"},
		"x-noname": {"1": "cliente", "2": "x-noname"},
		// Nothing personal is kept of who gets no message.
		"x-stopped": nil,
	} {
		if m := b.message(report.PlanID, key); m.State == plan.HeldOut {
			t.Logf("%s is held out", key)
		} else if diff := cmp.Diff(want, parameters(report, key)); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}

	report = b.plan(offer("skipped", "{field: name, missing: skip}", "{value: PROMO10}", three))
	if m := b.message(report.PlanID, "x-noname"); m.Rule != "parameter_missing" && m.State != plan.HeldOut {
		t.Errorf("%s by %q", m.State, m.Rule)
	}
	if got := parameters(report, "c-001"); got["2"] != "PROMO10" {
		t.Errorf("the value for all: %v", got)
	}

	id := b.create(offer("refused", "{field: name, missing: refuse}", "{column: code, missing: refuse}", three))
	_, err := b.Plan(t.Context(), id, "ana")
	var wrong *InvalidError
	if !errors.As(err, &wrong) || len(wrong.Problems) != 1 || wrong.Problems[0].Field != "template.parameters.1" ||
		!strings.HasPrefix(wrong.Problems[0].Text, "1 customers have no value") {
		t.Errorf("refused: %v", err)
	}
	// Who is not written to needs no name.
	b.plan(offer("not_sent", "{field: name, missing: refuse}", "{column: code, missing: refuse}",
		"select customer_id, nullif(external_id, 'x-stopped') as code from marts.customers where external_id in ('c-001', 'x-stopped')"))
}

func TestWhatCannotBePlannedSaysWhy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := func(name, file, field, want string) {
		t.Helper()
		stored, err := b.Create(t.Context(), []byte(file), "ana")
		if err == nil {
			_, err = b.Plan(t.Context(), stored.ID, "ana")
		}
		var wrong *InvalidError
		if !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
			return
		}
		if p := wrong.Problems[0]; p.Field != field || !strings.Contains(p.Text, want) {
			t.Errorf("%s: %s, want %q at %s", name, p, want, field)
		}
	}
	relation := func(name string) string {
		return "id: a\naudience: " + name + "\ntemplate: {name: plain, language: pt_BR}\naccount: shop\nschedule: {send: now}\n"
	}
	sql := func(text string) string {
		raw, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		return relation("{sql: " + string(raw) + "}")
	}
	f("no such relation", relation("audience.nobody"), "audience", "no relation audience.nobody: its audiences are audience.all_reachable, audience.high_value_active_7d, audience.win_back")
	f("hostile relation", relation(`'audience."x"; drop table y'`), "audience", "full name")
	f("quoted relation", relation(`'audience."all_reachable"'`), "audience", "full name")
	f("no customers in it", relation("staging.settings"), "audience", "no column customer_id")
	f("not even SQL", sql("selec 1"), "audience.sql", "want one select")
	f("two selects", sql("select 1; select 2"), "audience.sql", "want one select")
	f("a semicolon", sql("select customer_id from marts.customers;"), "audience.sql", "without a semicolon")
	f("not a select", sql("drop table marts.customers"), "audience.sql", "want one select")
	f("out of the parenthesis", sql("select customer_id from marts.customers) as x; create table y as (select 1"), "audience.sql", "want one select")
	f("reads a file", sql("select customer_id from read_csv('/etc/passwd')"), "audience", "")
	f("runs SQL unseen", sql("select * from query('select 1')"), "audience", "not allowed")
	f("a parameter of its own", sql("select customer_id from marts.customers where external_id = $1"), "audience", "")
	f("no such column in its line", sql("select customer_id, -- who\nnothing\nfrom marts.customers"), "audience", "(line 2 of the select)")
	f("a wrong value in its line", sql("select customer_id,\nexternal_id::bigint::varchar as x\nfrom marts.customers where external_id::bigint > 0"), "audience", "Conversion Error")
	f("a score that is a text", sql("select customer_id, external_id as Score from marts.customers"), "audience", "its column score is of the type VARCHAR: want a number")
	f("a score that is a list", sql("select customer_id, [1] as score from marts.customers"), "audience", "of the type INTEGER[]")
	f("a score that is a day", sql("select customer_id, date '2026-01-01' as score from marts.customers"), "audience", "of the type DATE")
	f("a time of another age", strings.Replace(relation("audience.all_reachable"), "send: now", "send: at, at: 9999-12-31T10:00", 1), "schedule.at", "want a year from 2000 to 2100, not 9999")
	f("a window of another age", strings.Replace(relation("audience.all_reachable"), "send: now", "send: now, window: {to: 2101-01-01T00:00:00Z}", 1), "schedule.window.to", "not 2101")
	f("no such column", sql("select nothing from marts.customers"), "audience", "nothing")
	f("nobody", sql("select customer_id from marts.customers where false"), "audience", "nobody is in it")
	f("no ids", sql("select external_id as customer_id from marts.customers"), "audience", fmt.Sprint(len(population())))
	f("customers twice", sql("select customer_id from marts.customers union all select customer_id from marts.customers"), "audience", "each customer once")
	f("no parameter mapping", strings.Replace(relation("audience.all_reachable"), "plain", "offer", 1), "template.parameters", "has no mapping")
	f("no such parameter", strings.Replace(relation("audience.all_reachable"), "language: pt_BR", `language: pt_BR, parameters: {"7": {value: x}}`, 1),
		"template.parameters", `no parameter "7"`)
	f("no such parameter column", offer("a", name, "{column: shoe_size, missing: skip}", three), "template.parameters", `no column "shoe_size"`)
	f("a hostile column", offer("a", name, `{column: 'code"; drop table x; --', missing: skip}`, three), "template.parameters", "no column")
	f("a value too long", offer("a", name, "{value: "+strings.Repeat("x", 1025)+"}", three), "template.parameters", "over 1024")
	f("no such template", everyone("a", "nothing", ""), "template", "no template nothing in pt_BR: it has offer (pt_BR), plain (pt_BR)")
	f("rejected", everyone("a", "rejected", ""), "template", "REJECTED")
	f("no such account", strings.Replace(everyone("a", "plain", ""), "account: shop", "account: other", 1), "account", `no account is called "other": there are shop`)
	f("no such number", everyone("a", "plain", "numbers: [1, 5511000]"), "numbers", `no number "1"`)
	f("only at night", strings.Replace(everyone("a", "plain", ""), "best_time}", `best_time, local_hours: {from: "23:00", to: "06:00"}}`, 1),
		"schedule.local_hours", "quiet hours, 22:00 to 08:00")

	if _, err := b.Plan(t.Context(), "no_such", "ana"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such campaign: %v", err)
	}
	b.account.Mode = plan.Live
	b.start()
	f("live", everyone("a", "plain", ""), "account", "needs rules that this version does not have: account_stopped")
	b.account.Mode = plan.Sandbox
	b.account.Name = "unsynced"
	b.start()
	f("never synced", strings.Replace(everyone("a", "plain", ""), "account: shop", "account: unsynced", 1), "template", "run goodhour template sync unsynced")
}

// A relation, a comment at the end of a select and capital letters all read well.
func TestAudiencesAreReadHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, audience := range []string{
		"audience.all_reachable",
		"{relation: audience.all_reachable}",
		"{sql: \"select CUSTOMER_ID, 'NaN'::double as Score from audience.all_reachable -- all of them\"}",
		"{sql: \"with a as (select * from audience.all_reachable) select customer_id::varchar as customer_id from a order by score\"}",
		"{sql: \"select customer_id, null as score from audience.all_reachable\"}",
		"{sql: \"select customer_id, 1.5::decimal(9,2) as score from audience.all_reachable\"}",
		"{sql: \"select customer_id, true::utinyint as score from audience.all_reachable\"}",
		"{sql: \"select customer_id, 'x' as \\\"a \\\"\\\" b\\\" from audience.all_reachable\"}",
	} {
		report := b.plan(fmt.Sprintf("id: a%d\naudience: %s\ntemplate: {name: plain, language: pt_BR}\naccount: shop\nschedule: {send: now}\n", i, audience))
		if report.Audience != len(population())-3 {
			t.Errorf("%s: %d customers", audience, report.Audience)
		}
	}
}

func TestUtilityHasNoArmsAndNoQuietHours(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.now = instant(t, "2026-11-25T03:00:00Z") // midnight
	report := b.plan(`
id: shipped
audience: {sql: "select customer_id, external_id as order_id from marts.customers"}
template: {name: shipped, language: pt_BR, parameters: {"1": {column: order_id, missing: skip}}}
account: shop
schedule: {send: now}
`)
	if len(report.Arms) != 0 || report.States[plan.HeldOut] != 0 || report.Rules[policy.NoRecipient] != 1 || sum(report.Rules) != 1 {
		t.Errorf("arms %v, rules %v", report.Arms, report.Rules)
	}
	if !report.FirstSendAt.Equal(b.now) || report.HourReasons["now"] != report.ToSend {
		t.Errorf("first at %s, reasons %v", report.FirstSendAt, report.HourReasons)
	}
	if arm, stored := b.ledger.HoldoutArm(b.customer("c-001"), policy.Quarter(b.now)); stored {
		t.Errorf("a receipt assigned an arm: %s", arm)
	}
}

func TestInTestModeOnlyListedRecipientsWait(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.account.Mode = plan.Test
	b.account.TestRecipients = []identity.ID{b.world.keyer.ID(identity.NamespacePhone, "+5511910000003")}
	b.start()
	report := b.plan(everyone("test", "plain", ""))
	if report.ToSend+report.Rules[policy.Holdout] != 1 || report.Rules[policy.NotATestRecipient] != len(population())-2 {
		t.Errorf("%d to send, rules %v", report.ToSend, report.Rules)
	}
}

// A template in review may be approved by then: its messages wait, and the
// report says for what.
func TestATemplateInReviewDelays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	report := b.plan(everyone("review", "in_review", ""))
	if report.ToSend == 0 || report.Delayed[policy.TemplateReady] != report.ToSend {
		t.Errorf("%d to send, delayed %v", report.ToSend, report.Delayed)
	}
}

// The cap counts what was claimed: the next campaign's message goes at the same
// hour of the next day.
func TestTheCapMovesAMessageToTheNextDay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.plan(strings.Replace(everyone("cap_first", "plain", "holdout: {control_percent: 0}"), "best_time", "now", 1))
	if err := b.Approve(t.Context(), first.PlanID, first.Hash, "bob"); err != nil {
		t.Fatal(err)
	}
	claimed := b.message(first.PlanID, "c-001")
	if claimed.State != plan.Waiting {
		t.Fatalf("%s by %q", claimed.State, claimed.Rule)
	}
	err := b.ledger.Claim(t.Context(), []ledger.Claim{{
		MessageID: claimed.ID, AttemptID: b.ledger.NextAttempt(claimed.ID), At: b.now,
		Decision: plan.Decision{MessageID: claimed.ID, Stage: plan.AtClaim, Verdict: plan.Allow, At: b.now},
	}})
	if err != nil {
		t.Fatal(err)
	}
	report := b.plan(everyone("cap_second", "plain", "holdout: {control_percent: 0}"))
	m := b.message(report.PlanID, "c-001")
	if want := instant(t, "2026-11-26T23:00:00Z"); m.State != plan.Waiting || !m.SendAt.Equal(want) || m.SendHourLocal != 20 || m.HourReason != "segment" {
		t.Errorf("%s by %q at %s (%s), want %s: %s", m.State, m.Rule, m.SendAt, m.HourReason, want, m.Inputs)
	}
	// Without a best hour it goes when the cap lets it.
	report = b.plan(strings.Replace(everyone("cap_third", "plain", "holdout: {control_percent: 0}"), "best_time", "now, window: {to: 2026-11-28}", 1))
	m = b.message(report.PlanID, "c-001")
	if want := b.now.Add(24 * time.Hour); m.State != plan.Waiting || m.Rule != "" || !m.SendAt.Equal(want) || m.HourReason != "schedule" {
		t.Errorf("%s by %q at %s (%s), want %s", m.State, m.Rule, m.SendAt, m.HourReason, want)
	}
}

func TestWhatIsTooLateFromTheStartIsNotSent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	report := b.plan(strings.Replace(everyone("late", "plain", ""), "best_time", "at, at: 2026-11-20T10:00", 1))
	if report.ToSend != 0 || report.Rules[policy.MaxLateness] < ordinary/2 || !report.FirstSendAt.IsZero() {
		t.Errorf("%d to send, rules %v, first %s", report.ToSend, report.Rules, report.FirstSendAt)
	}
}

func TestSpreadDaysShareTheCustomersOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	report := b.plan(strings.Replace(everyone("spread", "plain", ""), "best_time", "best_time, spread_days: 4", 1))
	days := map[string]int{}
	for _, m := range b.messages(report.PlanID) {
		if m.State == plan.Waiting {
			days[m.SendAt.Format(time.DateOnly)]++
		}
	}
	if len(days) < 4 || len(days) > 5 {
		t.Errorf("days %v", days)
	}
	if span := report.LastSendAt.Sub(report.FirstSendAt); span < 72*time.Hour || span > 100*time.Hour {
		t.Errorf("from %s to %s", report.FirstSendAt, report.LastSendAt)
	}
}

// The life of a plan: reported as it was planned, approved by another key and
// by its hash, one at a time.
func TestAPlanIsApprovedByItsHashAndAnotherKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	report := b.plan(everyone("life", "plain", ""))
	var conflict *ConflictError
	isConflict := func(what string, err error, text string) {
		t.Helper()
		if !errors.As(err, &conflict) || !strings.Contains(conflict.Text, text) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := b.Plan(ctx, "life", "bob")
	isConflict("a second plan", err, "which is planned: let it end, or cancel it first")
	isConflict("the author approves", b.Approve(ctx, report.PlanID, report.Hash, "ana"), "cannot approve it too")
	isConflict("another hash", b.Approve(ctx, report.PlanID, strings.Repeat("0", 64), "bob"), "hash")
	if status, err := b.Status(ctx, "life"); err != nil || status.Status != plan.Planned || status.ID != report.PlanID {
		t.Errorf("status %s of %s, %v", status.Status, status.ID, err)
	}

	// Another process reads the same report.
	if err := b.ledger.Close(); err != nil {
		t.Fatal(err)
	}
	b.open()
	again, err := b.Report(ctx, report.PlanID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(report, again, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if err := b.Approve(ctx, report.PlanID, report.Hash, "bob"); err != nil {
		t.Fatal(err)
	}
	isConflict("approved twice", b.Approve(ctx, report.PlanID, report.Hash, "bob"), "approve")
	if n, err := b.PauseAll(ctx, "carla"); n != 1 || err != nil {
		t.Errorf("paused %d, %v", n, err)
	}
	if status, err := b.Status(ctx, report.PlanID); err != nil || status.Status != plan.Paused {
		t.Errorf("status %s, %v", status.Status, err)
	}
	if err := b.Resume(ctx, report.PlanID, "carla"); err != nil {
		t.Error(err)
	}
	if err := b.Cancel(ctx, report.PlanID, "carla"); err != nil {
		t.Error(err)
	}
	status, err := b.Status(ctx, report.PlanID)
	if err != nil || status.Status != plan.CancelledPlan || status.States[plan.Cancelled] != report.ToSend || status.ApprovedBy != "bob" {
		t.Errorf("%+v, %v", status, err)
	}
	isConflict("goes on after its end", b.Resume(ctx, report.PlanID, "carla"), "resume")
	next, err := b.Plan(ctx, "life", CommandLine)
	if err != nil || next.PlanID == report.PlanID {
		t.Fatalf("the next plan: %v", err)
	}
	// Without keys one person may do both.
	if err := b.Approve(ctx, next.PlanID, next.Hash, CommandLine); err != nil {
		t.Error(err)
	}
	summaries, err := b.Campaigns(ctx)
	if err != nil || len(summaries) != 1 || len(summaries[0].Plans) != 2 || summaries[0].Plans[0].ID != next.PlanID {
		t.Errorf("summaries %+v, %v", summaries, err)
	}
}

func TestALaterFileTakesTheOlderOnesPlace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	b.create(everyone("twice", "plain", ""))
	b.now = b.now.Add(time.Minute)
	if _, err := b.Create(ctx, []byte(everyone("twice", "in_review", "")), "bob"); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(time.Minute)
	b.create(everyone("once", "plain", ""))
	summaries, err := b.Campaigns(ctx)
	if err != nil || len(summaries) != 2 || summaries[0].ID != "once" || summaries[1].ID != "twice" || summaries[1].Author != "bob" {
		t.Fatalf("%+v, %v", summaries, err)
	}
	if report, err := b.Plan(ctx, "twice", "ana"); err != nil || report.Template.Name != "in_review" || report.Author != "ana" {
		t.Errorf("%+v, %v", report, err)
	}
}

// held is a barrier that says when it is waited at, and lets go when told to.
type held struct{ waiting, release chan struct{} }

func (h *held) WaitForEnd(ctx context.Context) error {
	h.waiting <- struct{}{}
	select {
	case <-h.release:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// While one plan is made, whoever asks for another is told at once.
func TestASlowPlanKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	b := setup(t)
	slow, other := b.create(everyone("slow", "plain", "")), b.create(everyone("other", "plain", ""))
	barrier := &held{make(chan struct{}), make(chan struct{})}
	b.config.Barrier = barrier
	done := make(chan error)
	go func() {
		_, err := b.Plan(t.Context(), slow, "ana")
		done <- err
	}()
	<-barrier.waiting
	for id, want := range map[string]string{
		slow:  "campaign slow is being planned already: its report comes when that is done",
		other: "another campaign is being planned: slow. Try again when it is done",
	} {
		_, err := b.Plan(t.Context(), id, "ana")
		if conflict, ok := errors.AsType[*ConflictError](err); !ok || conflict.Text != want {
			t.Errorf("%s: %v", id, err)
		}
	}
	close(barrier.release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	b.config.Barrier = b
	if _, err := b.Plan(t.Context(), other, "ana"); err != nil {
		t.Error(err)
	}
}

// An audience may take no longer than any other query of the published file.
func TestAnAudienceEndsAtTheQueriesTimeout(t *testing.T) {
	t.Parallel()
	w, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	hasty := *w
	if hasty.library, err = warehouse.OpenLibrary(t.Context(), w.dir, warehouse.Limits{Timeout: time.Second}, quiet); err != nil {
		t.Fatal(err)
	}
	b := setupIn(t, &hasty)
	t.Cleanup(func() {
		if err := hasty.library.Close(); err != nil {
			t.Error(err)
		}
	})
	id := b.create(strings.Replace(everyone("endless", "plain", ""), "spend_amount as score",
		"(select count(*) from range(100000) as a, range(100000) as b where hash(a.range, b.range) % 7 = hash(external_id) % 7) as score", 1))
	_, err = b.Plan(t.Context(), id, "ana")
	if wrong, ok := errors.AsType[*InvalidError](err); !ok || !strings.Contains(wrong.Problems[0].Text, "a query may take 1s") {
		t.Errorf("%v", err)
	}
}

// Whoever is in another unfinished plan of marketing too is counted, if both
// would come within the cap's window.
func TestAReportCountsWhoIsInOtherPlansToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	const none = "holdout: {control_percent: 0}"
	first := b.plan(everyone("one", "plain", none))
	if first.AlsoPlanned != 0 {
		t.Errorf("the only plan shares %d customers", first.AlsoPlanned)
	}
	some := strings.Replace(everyone("some", "plain", none), "from marts.customers", "from marts.customers where external_id between 'c-100' and 'c-149'", 1)
	second := b.plan(some)
	if second.ToSend == 0 || second.AlsoPlanned != second.ToSend {
		t.Errorf("%d of %d are in other plans", second.AlsoPlanned, second.ToSend)
	}
	third := b.plan(everyone("three", "plain", none))
	if third.AlsoPlanned != third.ToSend {
		t.Errorf("%d of %d are in other plans", third.AlsoPlanned, third.ToSend)
	}
	// Weeks later the cap does not bind, and a receipt does not count.
	later := b.plan(strings.Replace(everyone("later", "plain", none), "best_time", "at, at: 2026-12-20T10:00", 1))
	receipt := b.plan("id: receipt\naudience: audience.all_reachable\naccount: shop\nschedule: {send: now}\n" +
		"template: {name: shipped, language: pt_BR, parameters: {\"1\": {value: x}}}\n")
	if later.ToSend == 0 || later.AlsoPlanned != 0 || receipt.ToSend == 0 || receipt.AlsoPlanned != 0 {
		t.Errorf("%d of %d later, %d of %d receipts are in other plans", later.AlsoPlanned, later.ToSend, receipt.AlsoPlanned, receipt.ToSend)
	}
	// What is cancelled sends nothing: only the fifty are left.
	for _, id := range []string{first.PlanID, third.PlanID} {
		if err := b.Cancel(ctx, id, "ana"); err != nil {
			t.Fatal(err)
		}
	}
	if again := b.plan(everyone("one", "plain", none)); again.AlsoPlanned != second.ToSend {
		t.Errorf("%d are in other plans, want %d", again.AlsoPlanned, second.ToSend)
	}
}

// A slow number's queue does not run on after the marketer's hours, and the
// report says how many that is.
func TestTheReportSaysWhoComesAfterTheLocalHours(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.account.Numbers = b.account.Numbers[:1]
	b.start()
	// From 09:10 there are five minutes, at 30 a minute: 150 messages.
	report := b.plan(strings.Replace(everyone("short", "plain", "holdout: {control_percent: 0}"),
		"best_time", `now, window: {to: 2026-11-30}, local_hours: {from: "09:00", to: "09:15"}`, 1))
	today := 0
	for _, m := range b.messages(report.PlanID) {
		if m.State != plan.Waiting || m.TimeZone != paulo {
			continue
		}
		if end := instant(t, "2026-11-25T12:15:00Z"); !m.Deadline.Equal(end) {
			t.Errorf("from %s to %s, want %s", m.SendAt, m.Deadline, end)
		}
		today++
	}
	if today <= 150 || report.LateAtPace != today-150 {
		t.Errorf("%d late of %d today", report.LateAtPace, today)
	}
}

// Two at once: one makes the plan, the other is told of it.
func TestTwoPlansAtOnceAreOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.create(everyone("race", "plain", ""))
	errs := make(chan error)
	for range 2 {
		go func() {
			_, err := b.Plan(t.Context(), id, "ana")
			errs <- err
		}()
	}
	first, second := <-errs, <-errs
	var conflict *ConflictError
	if (first == nil) == (second == nil) || !errors.As(errors.Join(first, second), &conflict) {
		t.Errorf("%v and %v", first, second)
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	report := b.plan(everyone("there", "plain", ""))
	const none = "plan_000000000000000000000000"
	_, reportErr := b.Report(ctx, none)
	_, statusErr := b.Status(ctx, none)
	_, campaignErr := b.Status(ctx, "no_such_campaign")
	_, decisionsErr := b.Decisions(ctx, none, "", "", 10)
	_, explainErr := b.Explain(ctx, none, "c-001")
	_, customerErr := b.Explain(ctx, report.PlanID, "nobody'; drop table x; --")
	for what, err := range map[string]error{
		"report": reportErr, "status": statusErr, "campaign": campaignErr, "decisions": decisionsErr, "explain": explainErr,
		"customer": customerErr, "approve": b.Approve(ctx, none, "x", "bob"), "pause": b.Pause(ctx, none, "bob"),
		"resume": b.Resume(ctx, none, "bob"), "cancel": b.Cancel(ctx, none, "bob"), "hostile": b.Pause(ctx, "' or 1=1 --", "bob"),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	var wrong *InvalidError
	if _, err := b.Decisions(ctx, report.PlanID, "sideways", "", 10); !errors.As(err, &wrong) {
		t.Errorf("no such state: %v", err)
	}
	held, err := b.Decisions(ctx, report.PlanID, "held_out", "", 1000)
	if err != nil || len(held) != report.States[plan.HeldOut] {
		t.Errorf("%d held out of %d, %v", len(held), report.States[plan.HeldOut], err)
	}
	// By our id, the caller's key, or a phone.
	for _, who := range []string{b.customer("c-001").String(), "c-001", "phone:+5511910000001"} {
		if m := b.message(report.PlanID, who); m.CustomerID != b.customer("c-001") {
			t.Errorf("%s is %s", who, m.CustomerID)
		}
	}
}

func TestAReportHoldsNothingPersonal(t *testing.T) {
	t.Parallel()
	b := setup(t)
	report := b.plan(offer("personal", name, "{field: phone, missing: skip}", strings.Replace(three, "external_id as code", "external_id", 1)))
	raw, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	status, err := b.Status(t.Context(), report.PlanID)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(raw), fmt.Sprintf("%+v", status), string(status.Report), string(status.Campaign)} {
		for _, secret := range []string{"Nome001", "5511910000001"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in %s", secret, text)
			}
		}
	}
}

func TestAServiceNeedsEverything(t *testing.T) {
	t.Parallel()
	if _, err := NewService(Config{}); err == nil || !strings.Contains(err.Error(), "Barrier, Keyer, Ledger, Library, Now, Personal, Rules") {
		t.Error(err)
	}
}
