package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/template"
)

func TestSecretsAndPersonsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	secret := NewSecret("EAAJB-very-secret")
	to := Address{Phone: "+5511999990000", BSUID: "BR.1349"}
	request := Request{
		MessageID: "m1", NumberID: "n1", To: to, Category: plan.Utility, Text: "hello Ana",
		Template: &TemplateMessage{Name: "t", Language: "en_US", Parameters: []Parameter{{Value: "Ana"}}},
	}
	var out strings.Builder
	for _, value := range []any{secret, &secret, to, &to, request, &request, struct{ S Secret }{secret}, *request.Template, request.Template.Parameters, []Request{request}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
		for _, logger := range []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))} {
			logger.Info("test", "value", value)
		}
	}
	raw, err := json.Marshal(map[string]any{"secret": secret})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(raw)
	for _, hidden := range []string{"EAAJB", "4541414a42", "5511999990000", "BR.1349", "Ana"} {
		if strings.Contains(out.String(), hidden) {
			t.Errorf("%q is printed in:\n%s", hidden, out.String())
		}
	}
	if secret.Reveal() != "EAAJB-very-secret" || secret.IsZero() {
		t.Error("the secret is lost")
	}
	var read Secret
	if err := json.Unmarshal([]byte(`"abc"`), &read); err != nil || read.Reveal() != "abc" {
		t.Errorf("read %q, %v", read.Reveal(), err)
	}
}

func TestARequestIsWhole(t *testing.T) {
	t.Parallel()
	f := func(want string, change func(*Request)) {
		t.Helper()
		r := Request{MessageID: "m", NumberID: "n", To: Address{Phone: "+1"}, Text: "x"}
		change(&r)
		err := r.Check()
		var refusal *Error
		switch {
		case want == "" && err != nil:
			t.Errorf("refused: %v", err)
		case want != "" && (!errors.As(err, &refusal) || refusal.Class != Message || refusal.Detail != want):
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f("", func(*Request) {})
	f("", func(r *Request) { r.To = Address{BSUID: "BR.1"} })
	f("", func(r *Request) { r.Text, r.Template = "", &TemplateMessage{Name: "t", Language: "en"} })
	f("no message id", func(r *Request) { r.MessageID = "" })
	f("no sending number", func(r *Request) { r.NumberID = "" })
	f("no recipient", func(r *Request) { r.To = Address{} })
	f("want a template or a text, one of them", func(r *Request) { r.Text = "" })
	f("want a template or a text, one of them", func(r *Request) { r.Template = &TemplateMessage{} })
	f("template without name or language", func(r *Request) { r.Text, r.Template = "", &TemplateMessage{Name: "t"} })
}

func TestATemplateMessageNeedsEveryValue(t *testing.T) {
	t.Parallel()
	tpl := &template.Template{Name: "t", Language: "en", Components: []template.Component{{Part: template.Body, Text: "Hi {{1}}"}}}
	m, err := NewTemplateMessage(tpl, map[string]string{"1": "Ana"})
	if err != nil || len(m.Parameters) != 1 || m.Parameters[0].Value != "Ana" || m.Parameters[0].Placeholder != "1" {
		t.Errorf("%v, %v", m, err)
	}
	if _, err = NewTemplateMessage(tpl, nil); err == nil {
		t.Error("a message without its value")
	}
}

func TestAnErrorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	err := error(&Error{Provider: "meta", Class: RetrySafe, Code: "130429", Detail: "too fast", Trace: "Az8", Cause: context.Canceled})
	if got := err.Error(); got != "meta retry_safe 130429: too fast (trace Az8)" {
		t.Error(got)
	}
	if !errors.Is(err, context.Canceled) {
		t.Error("the cause is lost")
	}
}
