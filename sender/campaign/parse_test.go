package campaign

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/sender/template"
)

const wholeFile = `
id: win_back
audience: audience.win_back
template:
  name: we_miss_you
  language: pt_BR
  parameters:
    "1": {field: name, default: cliente}
    2: {column: last_purchased_on, missing: skip}
    header.image: {value: "https://cdn.example/a.jpg"}
    button.0: {column: code, missing: refuse}
account: shop
numbers: [5511, "5512"]
schedule:
  send: best_time
  window: {from: 2026-12-01T10:00:00-03:00, to: "2026-12-08"}
  local_days: [mon, Tue, wed]
  local_hours: {from: "09:00", to: "21:30"}
  spread_days: 3
  time_zone: America/Sao_Paulo
holdout: {control_percent: 12.5, baseline: 0.02}
overrides: {include_cold: true}
needs: [quiet_hours, marketing_cap]
`

func wholeCampaign(t *testing.T) *Campaign {
	t.Helper()
	moment := func(text string) *Moment {
		var m Moment
		if err := m.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return &m
	}
	clock := func(text string) (c policy.Clock) {
		if err := c.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	percent, baseline := 12.5, 0.02
	return &Campaign{
		ID: "win_back", Audience: Audience{Relation: "audience.win_back"}, Account: "shop", Numbers: []string{"5511", "5512"},
		Template: Template{Name: "we_miss_you", Language: "pt_BR", Parameters: map[string]Parameter{
			"1":            {Field: "name", Missing: template.UseDefault, Default: "cliente"},
			"2":            {Column: "last_purchased_on", Missing: template.Skip},
			"header.image": {Value: "https://cdn.example/a.jpg"},
			"button.0":     {Column: "code", Missing: template.Refuse},
		}},
		Schedule: Schedule{
			Send: BestTime, Window: Window{moment("2026-12-01T10:00:00-03:00"), moment("2026-12-08")},
			LocalDays: []Weekday{1, 2, 3}, LocalHours: &LocalHours{clock("09:00"), clock("21:30")}, SpreadDays: 3, TimeZone: "America/Sao_Paulo",
		},
		Holdout: Holdout{&percent, &baseline}, Overrides: policy.Overrides{IncludeCold: true},
		Needs: []policy.Rule{policy.QuietHours, policy.MarketingCap},
	}
}

// compared looks at what a moment means, not at how its zone was written.
func compared() cmp.Options {
	return cmp.Options{cmp.AllowUnexported(Moment{}), cmpopts.EquateEmpty()}
}

func TestAFileIsReadWholeInBothForms(t *testing.T) {
	t.Parallel()
	got, err := Parse([]byte(wholeFile))
	if err != nil {
		t.Fatal(err)
	}
	want := wholeCampaign(t)
	if diff := cmp.Diff(want, got, compared()); diff != "" {
		t.Error(diff)
	}
	// What a plan keeps of it is a campaign's file again.
	raw, err := got.file()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(raw)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	if diff := cmp.Diff(want, again, compared()); diff != "" {
		t.Errorf("%s\n%s", raw, diff)
	}
	indented, err := json.MarshalIndent(got, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if again, err = Parse(indented); err != nil || !cmp.Equal(want, again, compared()) {
		t.Errorf("JSON with tabs: %v", err)
	}
}

func TestASelectIsAnAudienceToo(t *testing.T) {
	t.Parallel()
	for _, file := range []string{
		"id: a\naudience:\n  sql: |\n    select customer_id -- all\n    from marts.customers\ntemplate: {name: t, language: en}\naccount: s\nschedule: {send: now}\n",
		`{"id": "a", "audience": {"sql": "select customer_id -- all\nfrom marts.customers"}, "template": {"name": "t", "language": "en"}, "account": "s", "schedule": {"send": "now"}}`,
	} {
		c, err := Parse([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		if want := "select customer_id -- all\nfrom marts.customers"; c.Audience.SQL != want || c.Audience.String() != want {
			t.Errorf("%q", c.Audience)
		}
	}
}

// problems of a file, a line each.
func problems(t *testing.T, file string) string {
	t.Helper()
	_, err := Parse([]byte(file))
	var wrong *InvalidError
	if !errors.As(err, &wrong) {
		t.Fatalf("error %v of %q", err, file)
	}
	lines := make([]string, len(wrong.Problems))
	for i, p := range wrong.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func TestEverythingWrongIsToldAtOnceWithItsPlace(t *testing.T) {
	t.Parallel()
	got := problems(t, `id: Win Back
audience: {relation: "audience.win_back; drop table x", sql: select 1}
template:
  name: ""
  parameters:
    "1": {field: shoe_size, missing: perhaps}
    "2": {column: a, field: name, default: x}
    "3": {column: a}
    "4": {value: x, missing: skip}
    "5": {column: a, default: x, missing: refuse}
    "6": just this
    "7": {field: name, missing: default}
numbers: []
schedule:
  send: soon
  at: tomorrow
  window: {from: 2026-12-02, to: 2026-12-01}
  local_days: [monday]
  local_hours: {from: "9", to: "24:00"}
  spread_days: 2.5
  time_zone: Local
holdout: {control_percent: 80, baseline: -1, global_percent: 0}
overrides: {include_cold: maybe, opted_out: false}
needs: [delivery_guard, no_such_rule, quiet_hours]
budget: 100
mode: live
id: again
`)
	want := `line 1: id: want at most 64 small letters, digits, _ and -, not beginning with plan_, such as win_back
line 1: account: missing
line 2: audience.relation: want a relation's full name such as audience.win_back, or sql: with a select
line 2: audience: want one of relation and sql
line 4: template.name: empty: give a value, or leave it out
line 4: template.language: missing
line 6: template.parameters.1.field: want one of name, phone, email
line 6: template.parameters.1.missing: want default, skip or refuse
line 7: template.parameters.2: want one of column, field and value
line 8: template.parameters.3: say what a missing value does: default: with a text, missing: skip (this customer), or missing: refuse (the plan)
line 9: template.parameters.4: a value is the same for all and never missing: leave missing and default out
line 10: template.parameters.5: want a default, or missing: refuse, not both
line 11: template.parameters.6: want a mapping, not a value
line 12: template.parameters.7: want a default to use
line 13: numbers: empty: give a value, or leave it out
line 15: schedule.send: want best_time, at or now
line 15: schedule: at: and send: at go together
line 16: schedule.at: want an instant like 2026-12-01T10:00:00-03:00, or a time on each customer's clock like 2026-12-01T10:00
line 17: schedule.window: want from before to
line 18: schedule.local_days.0: want days like mon, tue, wed, thu, fri, sat, sun, not "monday"
line 19: schedule.local_hours.from: a time of day is written like 22:00, not "9"
line 19: schedule.local_hours.to: a time of day is written like 22:00, not "24:00"
line 20: schedule.spread_days: want a whole number of days
line 21: schedule.time_zone: want a name of the IANA time zones such as America/Sao_Paulo
line 22: holdout.control_percent: want a number from 0 to 50
line 22: holdout.baseline: want a number from 0 to 1
line 22: holdout.global_percent: unknown: want baseline, control_percent
line 23: overrides.include_cold: want true or false
line 23: overrides.opted_out: unknown: want include_cold
line 24: needs.0: this version has no rule "delivery_guard", and would send without it: leave it out
line 24: needs.1: this version has no rule "no_such_rule", and would send without it: leave it out
line 25: budget: this version has no rule "budget", and would send without it: leave it out
line 26: mode: unknown: want account, audience, budget, holdout, id, needs, numbers, overrides, schedule, template
line 27: id: stands twice`
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	t.Parallel()
	f := func(file, want string) {
		t.Helper()
		if got := problems(t, file); !strings.Contains(got, want) {
			t.Errorf("%.40q: %s, want %q", file, got, want)
		}
	}
	f("", "empty")
	f(" \n", "empty")
	f("# nothing\n", "empty")
	f("- a\n", "want a mapping, not a list")
	f("just text", "want a mapping, not a value")
	f("id: [", "cannot be read")
	f("a: 1\n---\nb: 2\n", "more than one YAML document")
	f("id: &x a\naccount: *x\n", "is not used in a campaign")
	f("id: !!binary aGk=\n", "is not used in a campaign")
	f(`{"id": "a"`, "unexpected EOF")
	f(`{"id": "a"} {}`, "there is more")
	f("{\n\"id\": \"a\",\n\"id\": \"b\"}", "line 3: id: stands twice")
	f(`{"id": `+strings.Repeat("[", 10_000), "levels deep")
	f(`{"id": null}`, "id: empty")
	f("id: "+strings.Repeat("x", 300<<10), "over 262144 bytes")
	f("id: "+strings.Repeat("x", 65), "at most 64")
	f("id: plan_x", "not beginning with plan_")
	f("id: \"a\\nb\"", "small letters")
	f("id: ../../etc/passwd", "small letters")
	f("id: \"'; drop table ledger.plans; --\"", "small letters")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(wholeFile))
	f.Add([]byte(`{"id":"a","audience":{"sql":"select 1"},"schedule":{"send":"at","at":"2026-12-01T10:00"}}`))
	f.Add([]byte("a: [b, {c: d}]\n? x\n: y\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		c, err := Parse(file)
		if err != nil {
			var wrong *InvalidError
			if !errors.As(err, &wrong) || len(wrong.Problems) == 0 {
				t.Fatalf("no problem told: %v", err)
			}
			return
		}
		raw, err := c.file()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(raw)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if diff := cmp.Diff(c, again, compared()); diff != "" {
			t.Fatal(diff)
		}
	})
}
