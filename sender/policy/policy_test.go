package policy

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/plan"
)

func mustDefault(t testing.TB) *Rules {
	t.Helper()
	r, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func at(text string) time.Time {
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return parsed
}

// bundle is a message that every rule allows: at noon in São Paulo.
type bundle struct {
	now      time.Time
	message  plan.Message
	customer Customer
	account  Account
	rules    *Rules
}

func setup(t testing.TB) *bundle {
	t.Helper()
	now := at("2026-11-25T15:00:00Z")
	return &bundle{
		now: now,
		message: plan.Message{
			Category: plan.Marketing, Arm: plan.Treatment, SendAt: now, Deadline: now.Add(6 * time.Hour),
			CustomerID: identity.ID{0xc0, 0xff, 0xee}, To: identity.ID{0xbe, 0xef},
			TimeZone: "America/Sao_Paulo", HeatClass: "hot", Parameters: map[string]string{"first_name": "Aninha"},
		},
		customer: Customer{OptedIn: map[plan.Category]time.Time{plan.Marketing: now.AddDate(-1, 0, 0)}},
		account: Account{Mode: plan.Sandbox, Template: TemplateState{
			Status: TemplateApproved, Category: plan.Marketing, BodyHash: "b1", PlannedBodyHash: "b1", Parameters: []string{"first_name"},
		}},
		rules: mustDefault(t),
	}
}

func (b *bundle) decide() Verdict { return Decide(b.now, &b.message, &b.customer, &b.account, b.rules) }

func TestEachRuleDecides(t *testing.T) {
	t.Parallel()
	f := func(name string, change func(*bundle), verdict plan.Verdict, rule Rule, until string) {
		t.Helper()
		b := setup(t)
		change(b)
		got := b.decide()
		var want time.Time
		if until != "" {
			want = at(until)
		}
		if got.Verdict != verdict || got.Rule != rule || !got.Until.Equal(want) {
			t.Errorf("%s: %s by %q until %s, want %s by %q until %s", name, got.Verdict, got.Rule, got.Until, verdict, rule, want)
		}
		if inputs := map[string]any{}; json.Unmarshal(got.Inputs, &inputs) != nil || len(inputs) == 0 {
			t.Errorf("%s: inputs are %s, want an object", name, got.Inputs)
		}
	}
	allow := func(name string, change func(*bundle)) { t.Helper(); f(name, change, plan.Allow, "", "") }
	suppress := func(name string, rule Rule, change func(*bundle)) {
		t.Helper()
		f(name, change, plan.Suppress, rule, "")
	}
	utility := func(b *bundle) { b.message.Category, b.account.Template.Category = plan.Utility, plan.Utility }
	service := func(b *bundle) {
		b.message.Category, b.account.Template = plan.Service, TemplateState{}
		b.customer.LastInboundAt = b.now.Add(-time.Hour)
	}

	allow("nothing objects", func(*bundle) {})

	suppress("no phone and no BSUID", NoRecipient, func(b *bundle) { b.message.To = identity.ID{} })
	suppress("test mode, not listed", NotATestRecipient, func(b *bundle) { b.account.Mode = plan.Test })
	allow("test mode, listed", func(b *bundle) { b.account.Mode, b.customer.IsTestRecipient = plan.Test, true })
	suppress("live is not built", NotATestRecipient, func(b *bundle) { b.account.Mode, b.customer.IsTestRecipient = plan.Live, true })
	suppress("no mode", NotATestRecipient, func(b *bundle) { b.account.Mode = "" })

	stopped := map[plan.Category]time.Time{plan.Marketing: at("2026-01-01T00:00:00Z")}
	suppress("opted out before the opt-in", OptedOut, func(b *bundle) { b.customer.OptedOut = stopped })
	suppress("a category of marketing unheard of", OptedOut, func(b *bundle) {
		b.message.Category, b.account.Template.Category, b.customer.OptedOut = "marketing_lite", "marketing_lite", stopped
	})
	allow("utility after a marketing opt-out", func(b *bundle) { utility(b); b.customer.OptedOut = stopped })
	suppress("utility after an opt-out of all", OptedOut, func(b *bundle) {
		utility(b)
		b.customer.OptedOut = map[plan.Category]time.Time{plan.Utility: {}, plan.Marketing: {}}
	})

	suppress("no opt-in", ConsentRequired, func(b *bundle) { b.customer.OptedIn = nil })
	allow("utility without an opt-in", func(b *bundle) { utility(b); b.customer.OptedIn = nil })

	f("holdout", func(b *bundle) { b.message.Arm = plan.Holdout }, plan.HoldOut, Holdout, "")
	f("control", func(b *bundle) { b.message.Arm = plan.Control }, plan.HoldOut, Holdout, "")
	f("both arms after a merge", func(b *bundle) { b.customer.HoldoutArm = plan.Holdout }, plan.HoldOut, Holdout, "")
	allow("stored treatment", func(b *bundle) { b.customer.HoldoutArm = plan.Treatment })
	allow("utility has no arms", func(b *bundle) { utility(b); b.message.Arm, b.customer.HoldoutArm = plan.Holdout, plan.Holdout })

	suppress("merged", Merged, func(b *bundle) {
		b.customer.AlreadyMessagedByPlan, b.customer.MarketingClaims = true, []time.Time{b.now}
	})

	cold := func(b *bundle) { b.message.HeatClass, b.message.DeliveredSinceEngagement = "cold", true }
	suppress("cold", ColdExcluded, cold)
	allow("cold and never written to", func(b *bundle) { b.message.HeatClass = "cold" })
	allow("cold, included", func(b *bundle) { cold(b); b.rules = b.rules.With(Overrides{IncludeCold: true}) })
	allow("cold, utility", func(b *bundle) { cold(b); utility(b) })

	suppress("no parameter", ParameterMissing, func(b *bundle) { b.message.Parameters = nil })
	suppress("blank parameter", ParameterMissing, func(b *bundle) { b.message.Parameters = map[string]string{"first_name": " \n"} })

	for _, status := range []TemplateStatus{TemplateMissing, TemplateRejected, TemplateDisabled, TemplateDeleted, TemplateArchived} {
		suppress(string(status), TemplateReady, func(b *bundle) { b.account.Template.Status = status })
	}
	for _, status := range []TemplateStatus{TemplateUnknown, TemplatePaused, TemplatePending, "FLAGGED", "SOMETHING_NEW"} {
		f("template "+string(status), func(b *bundle) { b.account.Template.Status = status }, plan.Delay, TemplateReady, "2026-11-25T15:10:00Z")
	}
	allow("approved in small letters", func(b *bundle) { b.account.Template.Status = "approved" })
	suppress("other content", TemplateReady, func(b *bundle) { b.account.Template.BodyHash = "b2" })
	f("missing for the first time", func(b *bundle) {
		b.account.Template = TemplateState{Status: TemplateMissing, Unconfirmed: true}
	}, plan.Delay, TemplateReady, "2026-11-25T15:10:00Z")
	f("other content for the first time", func(b *bundle) {
		b.account.Template.BodyHash, b.account.Template.Unconfirmed = "b2", true
	}, plan.Delay, TemplateReady, "2026-11-25T15:10:00Z")
	f("other parameters for the first time", func(b *bundle) {
		b.account.Template.BodyHash, b.account.Template.Unconfirmed = "b2", true
		b.account.Template.Parameters = []string{"first_name", "city"}
	}, plan.Delay, TemplateReady, "2026-11-25T15:10:00Z")
	allow("the planned content, since a moment ago", func(b *bundle) { b.account.Template.Unconfirmed = true })
	allow("content that nobody approved", func(b *bundle) { b.account.Template.PlannedBodyHash = "" })
	suppress("recategorised", TemplateReady, func(b *bundle) { b.message.Category = plan.Utility })
	f("paused until too late", func(b *bundle) {
		b.account.Template.Status, b.message.Deadline = TemplatePaused, b.now.Add(10*time.Minute)
	}, plan.Expire, TemplateReady, "")

	allow("inside the window", service)
	allow("last instant of the window", func(b *bundle) {
		service(b)
		b.customer.LastInboundAt = b.now.Add(-24*time.Hour + 5*time.Minute + 1)
	})
	suppress("inside the margin", SessionWindow, func(b *bundle) {
		service(b)
		b.customer.LastInboundAt = b.now.Add(-24*time.Hour + 5*time.Minute)
	})
	suppress("never wrote", SessionWindow, func(b *bundle) { service(b); b.customer.LastInboundAt = time.Time{} })
	allow("free-form has no quiet hours", func(b *bundle) { b.now = at("2026-11-26T03:00:00Z"); service(b); b.message.Deadline = time.Time{} })

	allow("last instant before the deadline", func(b *bundle) { b.message.Deadline = b.now.Add(1) })
	f("at the deadline", func(b *bundle) { b.message.Deadline = b.now }, plan.Expire, MaxLateness, "")

	tomorrow := func(b *bundle) { b.message.Deadline = b.now.AddDate(0, 0, 2) }
	night := func(clock string) func(*bundle) {
		return func(b *bundle) { b.now = at(clock); tomorrow(b) }
	}
	allow("21:59:59", night("2026-11-25T21:59:59-03:00"))
	f("22:00", night("2026-11-25T22:00:00-03:00"), plan.Delay, QuietHours, "2026-11-26T08:00:00-03:00")
	f("07:59:59", night("2026-11-26T07:59:59-03:00"), plan.Delay, QuietHours, "2026-11-26T08:00:00-03:00")
	allow("08:00", night("2026-11-26T08:00:00-03:00"))
	f("08:00 is the deadline", func(b *bundle) {
		b.now, b.message.Deadline = at("2026-11-26T01:00:00-03:00"), at("2026-11-26T08:00:00-03:00")
	}, plan.Expire, QuietHours, "")
	suppress("no zone", QuietHours, func(b *bundle) { b.message.TimeZone = "" })
	suppress("the machine's zone", QuietHours, func(b *bundle) { b.message.TimeZone = "Local" })
	suppress("a path", QuietHours, func(b *bundle) { b.message.TimeZone = "../../etc/passwd" })

	f("cap", func(b *bundle) {
		tomorrow(b)
		b.customer.MarketingClaims = []time.Time{b.now.Add(-time.Hour)}
	}, plan.Delay, MarketingCap, "2026-11-26T14:00:00Z")
	f("one claim the rules would not have made", func(b *bundle) {
		tomorrow(b)
		b.customer.MarketingClaims = []time.Time{b.now.Add(-3 * time.Hour), b.now.Add(-time.Hour), b.now.Add(-2 * time.Hour)}
	}, plan.Delay, MarketingCap, "2026-11-26T14:00:00Z")
	f("the cap ends in the night", func(b *bundle) {
		tomorrow(b)
		b.customer.MarketingClaims = []time.Time{at("2026-11-25T02:00:00Z")} // 23:00 local
	}, plan.Delay, MarketingCap, "2026-11-26T11:00:00Z") // 08:00 local
	allow("24 h ago to the instant", func(b *bundle) { b.customer.MarketingClaims = []time.Time{b.now.Add(-24 * time.Hour)} })
	f("a nanosecond less", func(b *bundle) { b.customer.MarketingClaims = []time.Time{b.now.Add(1 - 24*time.Hour)} },
		plan.Delay, MarketingCap, b1ns)
	f("until too late", func(b *bundle) { b.customer.MarketingClaims = []time.Time{b.now.Add(-18 * time.Hour)} }, plan.Expire, MarketingCap, "")
	allow("utility is not capped", func(b *bundle) { utility(b); b.customer.MarketingClaims = []time.Time{b.now} })
}

const b1ns = "2026-11-25T15:00:00.000000001Z"

// What decides first is fixed: break everything, then mend rule by rule.
func TestOrderIsFixed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.message.To = identity.ID{}
	b.account.Mode = plan.Test
	b.customer.OptedOut = map[plan.Category]time.Time{plan.Marketing: {}}
	b.customer.OptedIn = nil
	b.message.Arm = plan.Holdout
	b.customer.AlreadyMessagedByPlan = true
	b.message.HeatClass, b.message.DeliveredSinceEngagement = "cold", true
	b.message.Parameters = nil
	b.account.Template.Status = TemplateRejected
	b.message.Deadline = b.now
	b.now = at("2026-11-26T03:00:00Z")
	b.customer.MarketingClaims = []time.Time{at("2026-11-26T10:30:00Z")}
	for _, step := range []struct {
		rule Rule
		mend func()
	}{
		{NoRecipient, func() { b.message.To = identity.ID{1} }},
		{NotATestRecipient, func() { b.account.Mode = plan.Sandbox }},
		{OptedOut, func() { b.customer.OptedOut = nil }},
		{ConsentRequired, func() { b.customer.OptedIn = map[plan.Category]time.Time{plan.Marketing: {}} }},
		{Holdout, func() { b.message.Arm = plan.Treatment }},
		{Merged, func() { b.customer.AlreadyMessagedByPlan = false }},
		{ColdExcluded, func() { b.message.HeatClass = "warm" }},
		{ParameterMissing, func() { b.message.Parameters = map[string]string{"first_name": "Aninha"} }},
		{TemplateReady, func() { b.account.Template.Status = TemplateApproved }},
		{MaxLateness, func() { b.message.Deadline = b.now.AddDate(0, 0, 3) }},
		{QuietHours, func() { b.now = at("2026-11-26T15:00:00Z") }},
		{MarketingCap, func() { b.customer.MarketingClaims = nil }},
	} {
		if got := b.decide(); got.Rule != step.rule {
			t.Fatalf("%q decided, want %q", got.Rule, step.rule)
		}
		eligible := Eligible(b.now, &b.message, &b.customer, &b.account, b.rules)
		if before := slices.Index(Built(), step.rule) < slices.Index(Built(), Holdout); eligible == before {
			t.Errorf("eligible is %v when %s objects", eligible, step.rule)
		}
		step.mend()
	}
	if got := b.decide(); got.Verdict != plan.Allow {
		t.Errorf("all mended: %s by %s", got.Verdict, got.Rule)
	}
}

func TestInputsHoldNothingPersonal(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*bundle){
		func(*bundle) {},
		func(b *bundle) { b.account.Template.Parameters = append(b.account.Template.Parameters, "city") },
		func(b *bundle) { b.message.Arm = plan.Control },
		func(b *bundle) { b.customer.MarketingClaims = []time.Time{b.now} },
	} {
		b := setup(t)
		change(b)
		inputs := string(b.decide().Inputs)
		for _, secret := range []string{"Aninha", b.message.To.String(), b.message.CustomerID.String()} {
			if strings.Contains(inputs, secret) {
				t.Errorf("%s tells %q", inputs, secret)
			}
		}
	}
}

func TestTableInTheDocumentationIsTheCode(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	var rows []Rule
	for line := range strings.Lines(file.Doc.Text()) {
		// A rule's row is indented by one tab and begins with its name.
		if name, isRow := strings.CutPrefix(line, "\t"); isRow && name[0] != ' ' {
			rows = append(rows, Rule(strings.Fields(name)[0]))
		}
	}
	if want := append([]Rule{"rule"}, Built()...); !slices.Equal(rows, want) {
		t.Errorf("doc.go lists %v, the code %v", rows, want)
	}
}

func TestPlansThatNeedAbsentRulesAreRefused(t *testing.T) {
	t.Parallel()
	for _, r := range Built() {
		if Unbuilt(r) || slices.Contains(Absent(), r) {
			t.Errorf("%s is built", r)
		}
	}
	for _, r := range append(Absent(), "no_such_rule") {
		if !Unbuilt(r) {
			t.Errorf("%s is not built", r)
		}
	}
	if err := Refuse(plan.Sandbox, QuietHours, NumberRate); err != nil {
		t.Errorf("built rules are refused: %v", err)
	}
	if err := Refuse(plan.Test, "budget"); err == nil || !strings.Contains(err.Error(), "budget") {
		t.Errorf("a budget is not refused: %v", err)
	}
	err := Refuse(plan.Live)
	for _, r := range Absent() {
		if err == nil || !strings.Contains(err.Error(), string(r)) {
			t.Errorf("live without %s: %v", r, err)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	bundle := setup(b)
	b.ReportAllocs()
	for b.Loop() {
		if bundle.decide().Verdict != plan.Allow {
			b.Fatal("not allowed")
		}
	}
}
