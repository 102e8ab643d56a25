package event

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// allData has one value of each kind's struct.
func allData() []Data {
	return []Data{
		MessageSentData{},
		MessageDeliveredData{},
		MessageFailedData{},
		MessageReadData{},
		LinkClickedData{},
		MessageReceivedData{},
		OrderCompletedData{},
		OrderRefundedData{},
		CustomerUpdatedData{},
		ConsentChangedData{},
		IdentityUnlinkedData{},
		MessageAttemptedData{},
		DecisionMadeData{},
	}
}

// dataField is a field of a struct as a Column knows it.
type dataField struct {
	Field    string
	Type     ColumnType
	Required bool
}

var jsonTypes = map[reflect.Type]ColumnType{
	reflect.TypeFor[string]():          Text,
	reflect.TypeFor[int64]():           Int,
	reflect.TypeFor[float64]():         Float,
	reflect.TypeFor[bool]():            Bool,
	reflect.TypeFor[Amount]():          Decimal,
	reflect.TypeFor[time.Time]():       Timestamp,
	reflect.TypeFor[json.RawMessage](): JSON,
	reflect.TypeFor[[]string]():        JSON,
	reflect.TypeFor[[]Item]():          JSON,
}

func fieldsOf(tb tester, structType reflect.Type, prefix string) (out []dataField) {
	tb.Helper()
	for _, field := range reflect.VisibleFields(structType) {
		if field.Anonymous || len(field.Index) == 2 && structType.Field(field.Index[0]).Type == reflect.TypeFor[Person]() {
			continue
		}
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		fieldType := field.Type
		if fieldType.Kind() == reflect.Pointer {
			fieldType = fieldType.Elem()
			if options == "" {
				tb.Errorf("%s.%s: a pointer that is always written", structType, field.Name)
			}
		}
		columnType, known := jsonTypes[fieldType]
		if !known {
			out = append(out, fieldsOf(tb, fieldType, name+".")...)
			continue
		}
		out = append(out, dataField{Field: prefix + name, Type: columnType, Required: options == ""})
	}
	return out
}

func TestDataStructsAreTheTable(t *testing.T) {
	t.Parallel()
	var kinds []Kind
	for _, data := range allData() {
		kinds = append(kinds, data.Kind())
		var want []dataField
		for _, c := range data.Kind().Spec().Columns {
			want = append(want, dataField{Field: c.Field, Type: c.Type, Required: c.Required})
		}
		got := fieldsOf(t, reflect.TypeOf(data), "")
		byField := func(a, b dataField) int { return strings.Compare(a.Field, b.Field) }
		slices.SortFunc(want, byField)
		slices.SortFunc(got, byField)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%T (-table +struct):\n%s", data, diff)
		}
	}
	if !slices.Equal(kinds, Kinds()) {
		t.Errorf("structs for %v", kinds)
	}
}

// The golden data, read into a struct and written again, is the same but for
// the unknown fields, which a struct has no place for.
func TestDataStructsHoldTheGoldenEvents(t *testing.T) {
	t.Parallel()
	withoutExtra := func(dump string) string {
		var out []string
		for line := range strings.Lines(dump) {
			if !strings.Contains(line, "pii.extra") && !strings.Contains(line, "personal rows") {
				out = append(out, line)
			}
		}
		return sortedLines(strings.Join(out, ""))
	}
	for _, data := range allData() {
		golden := goldenRecord(t, data.Kind())
		var ev Event
		if err := json.Unmarshal(golden.Value, &ev); err != nil {
			t.Fatal(err)
		}
		typed := reflect.New(reflect.TypeOf(data))
		if err := json.Unmarshal(numbersAsText(t, data.Kind(), ev.Data), typed.Interface()); err != nil {
			t.Fatalf("%T: %v", data, err)
		}
		again, err := New(ev.ID, ev.Source, ev.Subject, ev.Time, typed.Elem().Interface().(Data))
		if err != nil {
			t.Fatal(err)
		}
		rec, err := again.Record("goodhour.")
		if err != nil {
			t.Fatal(err)
		}
		rec.Partition, rec.Offset, rec.Time = golden.Partition, golden.Offset, golden.Time
		want := strings.ReplaceAll(withoutExtra(mustRow(t, golden)), `"price":50`, `"price":"50.00"`)
		if diff := cmp.Diff(want, withoutExtra(mustRow(t, rec))); diff != "" {
			t.Errorf("%T (-golden +struct):\n%s", data, diff)
		}
	}
}

// numbersAsText turns the numbers that the golden files write for text and
// amounts into strings, which Go's structs want.
func numbersAsText(tb tester, kind Kind, data []byte) []byte {
	tb.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		tb.Fatal(err)
	}
	quote := func(raw json.RawMessage) json.RawMessage {
		if len(raw) > 0 && (isDigit(raw[0]) || raw[0] == '-') {
			return json.RawMessage(`"` + string(raw) + `"`)
		}
		return raw
	}
	for _, c := range kind.Spec().Columns {
		if members[c.Field] != nil && (c.Type == Text || c.Type == Decimal) {
			members[c.Field] = quote(members[c.Field])
		}
	}
	if ids := members[FieldExternalIDs]; ids != nil {
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(ids, &keys); err != nil {
			tb.Fatal(err)
		}
		for system := range keys {
			keys[system] = quote(keys[system])
		}
		members[FieldExternalIDs], _ = json.Marshal(keys)
	}
	if items := members["items"]; items != nil {
		members["items"] = json.RawMessage(strings.ReplaceAll(string(items), `"price": 50`, `"price": "50.00"`))
	}
	out, err := json.Marshal(members)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func TestItemFieldsAreTheItemsMembers(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, name := range ItemFields() {
		bit := itemField(token{raw: []byte(`"` + name + `"`)})
		if bit == 0 || seen&bit != 0 {
			t.Errorf("item field %s has bit %d", name, bit)
		}
		seen |= bit
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Item]()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !slices.Contains(ItemFields(), name) {
			t.Errorf("Item has %s, raw does not keep it", name)
		}
	}
	if got := len(ItemFields()); got != reflect.TypeFor[Item]().NumField() {
		t.Errorf("%d item fields", got)
	}
}

func TestTheTableIsSound(t *testing.T) {
	t.Parallel()
	types, tables := map[string]bool{}, map[string]bool{}
	for _, kind := range Kinds() {
		spec := kind.Spec()
		if spec.Kind != kind || types[spec.Type] || tables[spec.Table] || spec.Topic == "" || spec.Doc == "" {
			t.Errorf("%s: kind %d, table %s, topic %s", spec.Type, spec.Kind, spec.Table, spec.Topic)
		}
		types[spec.Type], tables[spec.Table] = true, true
		if got, known := KindOf(spec.Type); !known || got != kind || kind.TopicName("p.") != "p."+string(spec.Topic) {
			t.Errorf("%s is kind %d, topic %s", spec.Type, got, kind.TopicName("p."))
		}
		names := map[string]bool{ExtraColumn: true}
		fields := 4 // the identifiers
		for i := range spec.Columns {
			c := &spec.Columns[i]
			if names[c.Name] || c.Doc == "" || spec.Column(c.Name) != i {
				t.Errorf("%s: column %s", spec.Type, c.Name)
			}
			names[c.Name] = true
			fields++
			if strings.Contains(c.Field, ".") {
				fields++ // at most one more for its group
			}
			wantType := map[Form]ColumnType{FormAny: c.Type, FormCurrency: Text, FormURL: Text, FormItems: JSON, FormTags: JSON, FormMessageID: Text, FormOwnMessageID: Text}[c.Form]
			if c.Type != wantType || c.Enum != nil && (c.Type != Text || c.Form != FormAny) || c.Positive && c.Type != Decimal ||
				(c.Range != nil) != (c.Type == Int || c.Type == Float) || strings.Count(c.Field, ".") > 1 {
				t.Errorf("%s: column %s: a rule that its type has not", spec.Type, c.Name)
			}
		}
		if fields > 64 {
			t.Errorf("%s: %d fields, Decoder.seen has 64 bits", spec.Type, fields)
		}
	}
	if _, known := KindOf("whatsapp.message.sent.v2"); known || Kind(0).String() != "invalid" || Kind(NumKinds).String() != "invalid" {
		t.Error("there is a kind too many")
	}
}
