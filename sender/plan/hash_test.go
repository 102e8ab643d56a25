package plan

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/identity"
)

var customerA = identity.ID{0xa0, 1, 2, 3, 4, 5, 0x86, 7, 0x88, 9, 10, 11, 12, 13, 14, 15}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

// example is a plan with a value in every field.
func example() *Plan {
	return &Plan{
		CampaignID: "win_back", Campaign: json.RawMessage(`{"id":"win_back"}`), CreatedAt: at("2026-11-25T12:00:00Z"),
		Author: "ana", Audience: "audience.win_back", AsOf: at("2026-11-25T11:50:00Z"), PublishedAt: at("2026-11-25T11:51:00.25Z"),
		ModelVersion: "m1", Template: Template{Name: "back", Language: "pt_BR", Category: Marketing, BodyHash: "b1"},
		Provider: "meta", Account: "shop", Mode: Sandbox, RulesVersion: "r1", Report: json.RawMessage(`{"audience":1}`),
		Messages: []Message{{
			CampaignID: "win_back", CustomerID: customerA, To: identity.ID{0xb0, 15: 1}, Category: Marketing, NumberID: "551",
			Arm: Treatment, State: Waiting, Rule: "template_ready", Inputs: json.RawMessage(`{"mode":"sandbox"}`),
			SendAt: at("2026-11-26T14:00:00Z"), Deadline: at("2026-11-26T20:00:00Z"), SendHourLocal: 11, TimeZone: "America/Sao_Paulo",
			HourReason: "segment", Propensity: 0.9, Parameters: map[string]string{"1": "Ana", "2": "café"}, HeatClass: "cool",
			DeliveredSinceEngagement: true, Priority: 12.5,
		}},
	}
}

// The values were computed apart from this code, with Python's hashlib and
// struct: changing them would send a plan's messages again under other ids.
func TestIDsArePinned(t *testing.T) {
	t.Parallel()
	if got := MessageID("plan_0123456789abcdef01234567", customerA, FirstStep); got != pinnedMessage {
		t.Errorf("message id %s, want %s", got, pinnedMessage)
	}
	p := example()
	p.Seal()
	if p.Hash != pinnedHash {
		t.Errorf("hash %s, want %s", p.Hash, pinnedHash)
	}
	if p.ID != "plan_"+pinnedHash[:24] || p.Messages[0].PlanID != p.ID || p.Messages[0].ID != MessageID(p.ID, customerA, FirstStep) {
		t.Errorf("plan %s, message %s of %s", p.ID, p.Messages[0].ID, p.Messages[0].PlanID)
	}
	if !p.Sealed() {
		t.Error("sealed, and does not say so")
	}
}

func TestAMessageIDIsOfPlanCustomerAndStep(t *testing.T) {
	t.Parallel()
	ids := map[string]bool{
		MessageID("plan_a", customerA, 1):           true,
		MessageID("plan_b", customerA, 1):           true,
		MessageID("plan_a", identity.ID{15: 1}, 1):  true,
		MessageID("plan_a", customerA, 2):           true,
		MessageID("plan_a\x00", customerA, 1):       true,
		MessageID("", identity.ID{}, 0):             true,
		MessageID("plan_a", identity.ID{0: 1}, 256): true,
	}
	if len(ids) != 7 {
		t.Errorf("%d different ids of 7", len(ids))
	}
	for id := range ids {
		if len(id) != 32 {
			t.Errorf("%q is not 32 digits", id)
		}
	}
}

// The hash is over everything after it but what is made of it: a field that is
// added and forgotten in the encoding fails here.
func TestEveryFieldCounts(t *testing.T) {
	t.Parallel()
	made := map[string]bool{"ID": true, "Hash": true, "PlanID": true}
	base := example()
	base.Seal()
	var change func(path string, of func(*Plan) reflect.Value)
	change = func(path string, of func(*Plan) reflect.Value) {
		kind := of(example()).Type()
		if kind.Kind() == reflect.Struct && kind != reflect.TypeFor[time.Time]() {
			for i := range kind.NumField() {
				field := kind.Field(i).Name
				change(path+"."+field, func(p *Plan) reflect.Value { return of(p).Field(i) })
			}
			return
		}
		p := example()
		v := of(p)
		switch value := v.Interface().(type) {
		case time.Time:
			v.Set(reflect.ValueOf(value.Add(time.Microsecond)))
		case json.RawMessage:
			v.SetBytes([]byte(`{}`))
		case identity.ID:
			value[15]++
			v.Set(reflect.ValueOf(value))
		case map[string]string:
			v.Set(reflect.ValueOf(map[string]string{"1": "Ana", "2": "cafés"}))
		case []Message:
			change(path+"[0]", func(p *Plan) reflect.Value { return of(p).Index(0) })
			v.Set(reflect.ValueOf(append(value, value...)))
		case string, Category, State, Arm, Mode:
			v.SetString(v.String() + "x")
		case int:
			v.SetInt(v.Int() + 1)
		case float64:
			v.SetFloat(v.Float() + 1)
		case bool:
			v.SetBool(!value)
		default:
			t.Fatalf("%s: the test does not know %s", path, kind)
		}
		p.Seal()
		name := path[strings.LastIndexByte(path, '.')+1:]
		if differs := p.Hash != base.Hash; differs == made[name] {
			t.Errorf("%s changed: the hash differs: %v", path, differs)
		}
	}
	change("", func(p *Plan) reflect.Value { return reflect.ValueOf(p).Elem() })
}

func TestTextsDoNotRunIntoEachOther(t *testing.T) {
	t.Parallel()
	f := func(change func(*Plan)) string {
		p := example()
		change(p)
		p.Seal()
		return p.Hash
	}
	if f(func(p *Plan) { p.Provider, p.Account = "meta", "shop" }) == f(func(p *Plan) { p.Provider, p.Account = "metas", "hop" }) {
		t.Error("two neighbours share their bytes")
	}
	if f(func(p *Plan) { p.Messages[0].Parameters = map[string]string{"1": "2", "3": ""} }) ==
		f(func(p *Plan) { p.Messages[0].Parameters = map[string]string{"1": "", "3": "2"} }) {
		t.Error("keys and values share their bytes")
	}
}

func TestAChangeAfterTheSealShows(t *testing.T) {
	t.Parallel()
	p := example()
	if p.Sealed() {
		t.Error("sealed before it was")
	}
	p.Seal()
	p.Messages[0].Parameters["1"] = "Bia"
	if p.Sealed() {
		t.Error("a changed parameter does not show")
	}
}

func BenchmarkSeal(b *testing.B) {
	const n = 100_000
	p := example()
	one := p.Messages[0]
	p.Messages = make([]Message, n)
	for i := range p.Messages {
		p.Messages[i] = one
		p.Messages[i].CustomerID[0], p.Messages[i].CustomerID[1] = byte(i), byte(i>>8)
	}
	for b.Loop() {
		p.Seal()
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

const (
	pinnedMessage = "9a5c36c51ea523c8bf87b6ceb69f7ef9"
	pinnedHash    = "e10f1249fb1fad16b39247871742411ac97b26e809c599ecdf35d943511ef723"
)
