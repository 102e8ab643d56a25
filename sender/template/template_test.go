package template

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
)

func offer() *Template {
	return &Template{
		Name: "new_offer", Language: "pt_BR", Category: plan.Marketing, Status: policy.TemplateApproved,
		Components: []Component{
			{Part: Header, Format: Image},
			{Part: Body, Text: "Olá {{first_name}}, temos {{product}} por menos, {{first_name}}!"},
			{Part: Footer, Text: "Responda SAIR para parar"},
			{Part: Buttons, Buttons: []Button{
				{Action: QuickReply, Text: "Parar promoções"},
				{Action: OpenURL, Text: "Ver", URL: "https://shop.example/p/{{1}}"},
				{Action: CopyCode, Text: "Copiar"},
			}},
		},
	}
}

func offerValues() map[string]string {
	return map[string]string{
		"header.image": "https://cdn.example/a.jpg", "first_name": "Ana", "product": "café", "button.1": "A-991", "button.2": "CAFE10",
	}
}

func TestParametersAreNamedByWhereTheyStand(t *testing.T) {
	t.Parallel()
	want := []Parameter{
		{Name: "header.image", Part: Header, Kind: ImageValue, CharsMax: 2000},
		{Name: "first_name", Part: Body, Placeholder: "first_name", Kind: TextValue, CharsMax: 1024},
		{Name: "product", Part: Body, Placeholder: "product", Kind: TextValue, CharsMax: 1024},
		{Name: "button.1", Part: Buttons, Index: 1, Placeholder: "1", Kind: URLSuffix, CharsMax: 2000},
		{Name: "button.2", Part: Buttons, Index: 2, Kind: CouponCode, CharsMax: 15},
	}
	if diff := cmp.Diff(want, offer().Parameters()); diff != "" {
		t.Error(diff)
	}
	counted := Template{Components: []Component{{Part: Header, Format: Text, Text: "{{1}}"}, {Part: Body, Text: "{{1}} and {{2}}"}}}
	want = []Parameter{
		{Name: "header.1", Part: Header, Placeholder: "1", Kind: TextValue, CharsMax: 60},
		{Name: "1", Part: Body, Placeholder: "1", Kind: TextValue, CharsMax: 1024},
		{Name: "2", Part: Body, Placeholder: "2", Kind: TextValue, CharsMax: 1024},
	}
	if diff := cmp.Diff(want, counted.Parameters()); diff != "" {
		t.Error(diff)
	}
	if named := want[1]; named.Named() {
		t.Error("{{1}} is called named")
	}
}

func TestAValueThatTheProviderWouldRefuseIsRefusedFirst(t *testing.T) {
	t.Parallel()
	f := func(kind ParameterKind, value, want string) {
		t.Helper()
		p := Parameter{Kind: kind, CharsMax: 15}
		if kind == ImageValue {
			p.CharsMax = URLCharsMax
		}
		got := ""
		if err := p.Check(value); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
	const breaks = "a line break, tab or other control character"
	f(TextValue, "Ana Lúcia", "")
	f(TextValue, "a   b", "")
	f(TextValue, "a    b", "over 3 spaces in a row")
	f(TextValue, " ", "empty")
	f(TextValue, "a\nb", breaks)
	f(TextValue, "a\tb", breaks)
	f(TextValue, "a\u2028b", breaks)
	f(TextValue, "\xff", "broken UTF-8")
	f(TextValue, strings.Repeat("é", 15), "")
	f(TextValue, strings.Repeat("é", 16), "over 15 characters")
	f(ImageValue, "https://cdn.example/a.jpg", "")
	f(ImageValue, "http://cdn.example/a.jpg", "no https link")
	f(ImageValue, "a.jpg", "no https link")
	f(CouponCode, "CAFE 10", "a space")
	f(URLSuffix, "A-991?x=1", "")
}

func TestAMissingValueIsDefaultedSkippedOrRefused(t *testing.T) {
	t.Parallel()
	tpl := Template{Name: "t", Components: []Component{{Part: Body, Text: "Hi {{1}}"}}}
	f := func(value string, rule Rule, want map[string]string, refused bool) {
		t.Helper()
		got, err := tpl.Fill(map[string]string{"1": value, "other": "x"}, map[string]Rule{"1": rule})
		var refusal *RefusedError
		if errors.As(err, &refusal) != refused || !cmp.Equal(got, want) {
			t.Errorf("Fill(%q, %v) = %v, %v", value, rule, got, err)
		}
		if value == "An\na" && err != nil && strings.Contains(err.Error(), value) {
			t.Errorf("the error quotes the value: %v", err)
		}
	}
	f("Ana", Rule{Missing: Refuse}, map[string]string{"1": "Ana"}, false)
	f("", Rule{Missing: UseDefault, Default: "friend"}, map[string]string{"1": "friend"}, false)
	f("An\na", Rule{Missing: UseDefault, Default: "friend"}, map[string]string{"1": "friend"}, false)
	f("", Rule{Missing: Skip}, map[string]string{}, false)
	f("An\na", Rule{Missing: Skip}, map[string]string{}, false)
	f("", Rule{Missing: Refuse}, nil, true)
	f("An\na", Rule{Missing: Refuse}, nil, true)
	f("", Rule{}, nil, true)
	f("", Rule{Missing: UseDefault}, nil, true)
}

func TestRulesAreCheckedAllAtOnce(t *testing.T) {
	t.Parallel()
	tpl := offer()
	good := map[string]Rule{
		"header.image": {Missing: Refuse}, "first_name": {Missing: UseDefault, Default: "amiga"}, "product": {Missing: Skip},
		"button.1": {Missing: Skip}, "button.2": {Missing: Skip},
	}
	if err := tpl.CheckRules(good); err != nil {
		t.Error(err)
	}
	tpl.Components = append(tpl.Components, Component{Part: "carousel"})
	err := tpl.CheckRules(map[string]Rule{
		"header.image": {Missing: UseDefault, Default: "x"}, "first_name": {Missing: "maybe"}, "product": {Missing: Skip},
		"button.1": {Missing: Skip}, "button.9": {Missing: Skip},
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"carousel", "default of parameter header.image: no https link", "parameter first_name: missing", "parameter button.2 of template new_offer has no mapping", `no parameter "button.9"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in: %v", want, err)
		}
	}
}

func TestRenderReadsAsTheCustomerReadsIt(t *testing.T) {
	t.Parallel()
	got, err := offer().Render(offerValues())
	if err != nil {
		t.Fatal(err)
	}
	want := Rendered{
		Body: "Olá Ana, temos café por menos, Ana!", Footer: "Responda SAIR para parar", MediaKind: "image",
		Buttons: []Button{
			{Action: QuickReply, Text: "Parar promoções"},
			{Action: OpenURL, Text: "Ver", URL: "https://shop.example/p/A-991"},
			{Action: CopyCode, Text: "Copiar"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// A value is never read as a template, whatever it holds.
	values := offerValues()
	values["first_name"], values["button.1"] = "{{product}} $1", "$1"
	got, err = offer().Render(values)
	if err != nil || !strings.HasPrefix(got.Body, "Olá {{product}} $1, temos") || got.Buttons[1].URL != "https://shop.example/p/$1" {
		t.Errorf("%+v, %v", got, err)
	}
	values["product"] = strings.Repeat("x", 1020)
	if _, err = offer().Render(values); err == nil || !strings.Contains(err.Error(), "body over 1024") {
		t.Errorf("a body too long with its parameters: %v", err)
	}
}

func TestFeaturesSayWhatTheContentWasWithoutIt(t *testing.T) {
	t.Parallel()
	f := func(name string, components []Component, chars int64, opens, action, hasLink bool, media string) {
		t.Helper()
		tpl := Template{Components: components}
		values := offerValues()
		values["1"], values["2"] = "Ana", "x"
		got, err := tpl.Features(values, "1", "first_name")
		want := event.Content{Chars: &chars, OpensWithName: &opens, HasCallToAction: &action, HasLink: &hasLink, MediaKind: media}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	body := func(text string) []Component { return []Component{{Part: Body, Text: text}} }
	f("everything", offer().Components, 59, true, true, true, "image")
	f("name later", body("Your order. Thanks {{1}}"), 22, false, false, false, "none")
	f("name after four words", body("We are so glad {{1}}"), 18, false, false, false, "none")
	f("another parameter first", body("{{2}} for {{1}}"), 9, false, false, false, "none")
	f("link in the text", body("See www.shop.example"), 20, false, false, true, "none")
	f("no parameter", body("Olá"), 3, false, false, false, "none")
}

func TestTheHashFollowsTheContentOnly(t *testing.T) {
	t.Parallel()
	before := offer().BodyHash()
	same := offer()
	same.Status, same.Category, same.ID = policy.TemplatePaused, plan.Utility, "7"
	if same.BodyHash() != before {
		t.Error("status or category changed the hash")
	}
	other := offer()
	other.Components[3].Buttons[1].URL += "x"
	if other.BodyHash() == before {
		t.Error("another URL has the same hash")
	}
	if got := other.State(before); got.BodyHash == got.PlannedBodyHash || len(got.Parameters) != 5 || got.Status != policy.TemplateApproved {
		t.Errorf("state %+v", got)
	}
	if got := offer().Planned(); got.BodyHash != before || got.Name != "new_offer" {
		t.Errorf("planned %+v", got)
	}
}

func TestWhatFillReturnsCanBeSent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tpl := Template{Name: "t", Components: []Component{{Part: Body, Text: "{{1}} {{2}}"}}}
		rules := map[string]Rule{"1": {Missing: Skip}, "2": {Missing: UseDefault, Default: "you"}}
		filled, err := tpl.Fill(map[string]string{"1": rapid.String().Draw(t, "1"), "2": rapid.String().Draw(t, "2")}, rules)
		if err != nil {
			t.Fatal(err)
		}
		if _, given := filled["1"]; !given {
			return
		}
		r, err := tpl.Render(filled)
		if err != nil && utf8.RuneCountInString(r.Body) <= BodyCharsMax {
			t.Fatal(err)
		}
	})
}
