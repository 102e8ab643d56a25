package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/goodhour/goodhour/ingest/identity"
)

// jsonMember is a member of a JSON object, both parts as JSON text.
type jsonMember struct{ key, value string }

func objectText(members []jsonMember) string {
	var out strings.Builder
	out.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, "%s:%s", m.key, m.value)
	}
	out.WriteByte('}')
	return out.String()
}

// goodValues are JSON texts that a column accepts.
func goodValues(c *Column) *rapid.Generator[string] {
	if c.Enum != nil {
		return rapid.Map(rapid.SampledFrom(c.Enum), func(v string) string { return `"` + v + `"` })
	}
	switch c.Form {
	case FormCurrency:
		return rapid.SampledFrom([]string{`"BRL"`, `"EUR"`, `"JPY"`})
	case FormURL:
		return rapid.SampledFrom([]string{`"https://shop.example/p"`, `"https://shop.example/p?x=1"`, `"mailto:a@b.cc"`})
	case FormTags:
		return rapid.SampledFrom([]string{`[]`, `["vip"]`, `[ "a" , "é" ]`})
	case FormItems:
		return rapid.SampledFrom([]string{`[]`, `[{}]`, `[{"sku":"a","price":"1.5","note":"x"},{"quantity":2}]`})
	case FormMessageID, FormOwnMessageID:
		return rapid.SampledFrom([]string{`"SM12"`, `"` + documentedWamid + `"`, `77`})
	case FormAny:
	}
	switch c.Type {
	case Text:
		return rapid.SampledFrom([]string{`"x"`, `"olá \"\u00e9\ud83d\ude00\n"`, `12345`, `-1`, `7.0`, `1e3`, `" "`})
	case JSON:
		return rapid.SampledFrom([]string{`{}`, `{"a":[1,{"b":null}]}`, `[]`, `"x"`, `1.5`, `false`})
	case Int:
		return rapid.SampledFrom([]string{`0`, `20`, `2.0`, `0.1e1`})
	case Float:
		return rapid.SampledFrom([]string{`0`, `1`, `0.905`, `5e-1`})
	case Bool:
		return rapid.SampledFrom([]string{`true`, `false`})
	case Decimal:
		return rapid.SampledFrom([]string{`1`, `"19.90"`, `0.0001`, `99999999999999.9999`, `"0099999999999999.999900"`, `15e-1`})
	default:
		return rapid.SampledFrom([]string{`"2026-11-25T08:00:00-03:00"`, `"2026-11-25t08:00:00.123456789z"`, `"1971-01-01T00:00:00Z"`})
	}
}

// oddValues are JSON texts that some columns accept and others do not.
var oddValues = []string{
	`null`, `true`, `""`, `" "`, `"x"`, `"0"`, `"0.00"`, `"-1"`, `"1,5"`, `"1e2"`, `"EUR"`, `"eur"`, `"EUROS"`, `"true"`, `"a\u0000b"`, `"\u0000"`,
	`0`, `-0`, `-0.0`, `-1`, `1`, `1.5`, `0.00005`, `24`, `23.0`, `1e2`, `1e-5`, `2147483648`, `9223372036854775808`, `-9223372036854775809`,
	`100000000000000`, `99999999999999.99991`, `1e300`, `1e400`, `{}`, `{"a":1}`, `[]`, `["a"]`, `[1]`, `[null]`, `[{}]`, `[[]]`, `[{"sku":{}}]`,
	`"2026-02-29T00:00:00Z"`, `"2026-11-24T10:20:30"`, `"1970-12-31T23:59:59Z"`, `"2026-11-24T23:59:60Z"`, `"2026-11-24T24:00:00Z"`,
	`"2026-11-24T10:20:30.Z"`, `"2026-11-24T10:20:30+24:00"`, `"opted_in"`, `"marketing"`,
}

// genData draws the data of a kind. With odd, one value may be anything.
func genData(t *rapid.T, kind Kind, odd bool) []jsonMember {
	groups := map[string][]jsonMember{}
	var members []jsonMember
	put := func(field, value string) {
		group, name, nested := strings.Cut(field, ".")
		if !nested {
			members = append(members, jsonMember{`"` + field + `"`, value})
			return
		}
		groups[group] = append(groups[group], jsonMember{`"` + name + `"`, value})
	}
	columns := kind.Spec().Columns
	chosen := -1
	if odd {
		chosen = rapid.IntRange(0, len(columns)).Draw(t, "odd column")
	}
	for i := range columns {
		switch {
		case i == chosen:
			if rapid.Bool().Draw(t, "present") {
				put(columns[i].Field, rapid.SampledFrom(oddValues).Draw(t, columns[i].Name))
			}
		case columns[i].Required || rapid.Bool().Draw(t, "present"):
			put(columns[i].Field, goodValues(&columns[i]).Draw(t, columns[i].Name))
		case rapid.IntRange(0, 9).Draw(t, "null") == 0:
			put(columns[i].Field, "null")
		}
	}
	if rapid.Bool().Draw(t, "unknown fields") {
		put("unknown_b", `{ "deep" : [ 1 ] }`)
		put("unknown_a", `"x"`)
		put("pricing.unknown", `7`)
	}
	identifiers := rapid.SampledFrom([]string{"", `"+5511900000001"`, `5511900000001`, `"nobody"`, `null`, `""`})
	if phone := identifiers.Draw(t, "phone"); phone != "" {
		put(FieldPhone, phone)
	}
	put(FieldEmail, `"a@b.cc"`)
	if ids := rapid.SampledFrom([]string{"", `{}`, `{"shop":1,"crm":"a"}`, `{"my shop":"a"}`, `null`}).Draw(t, "external ids"); ids != "" {
		put(FieldExternalIDs, ids)
	}
	for group, inner := range groups {
		members = append(members, jsonMember{`"` + group + `"`, objectText(inner)})
	}
	slices.SortFunc(members, func(a, b jsonMember) int { return strings.Compare(a.key, b.key) })
	return members
}

func genKind(t *rapid.T) Kind { return rapid.SampledFrom(Kinds()).Draw(t, "kind") }

func TestBothFormsAndAnyOrderGiveTheSameRow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		kind := genKind(t)
		members := genData(t, kind, false)
		data := objectText(members)
		binary := mustRow(t, binaryRecord(kind, "c-1", data))
		if diff := cmp.Diff(binary, mustRow(t, structuredRecord(kind, "c-1", data))); diff != "" {
			t.Fatalf("binary and structured form differ:\n%s", diff)
		}
		shuffled := objectText(rapid.Permutation(members).Draw(t, "order"))
		if diff := cmp.Diff(sortedLines(binary), sortedLines(mustRow(t, binaryRecord(kind, "c-1", shuffled)))); diff != "" {
			t.Fatalf("another order of the fields gives another row:\n%s", diff)
		}
		var spaced bytes.Buffer
		if err := json.Indent(&spaced, []byte(data), "\t", " \r\n"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(binary, mustRow(t, binaryRecord(kind, "c-1", spaced.String()))); diff != "" {
			t.Fatalf("white space gives another row:\n%s", diff)
		}
	})
}

func compileSchemas(tb tester) map[Kind]*jsonschema.Schema {
	tb.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	out := map[Kind]*jsonschema.Schema{}
	for _, kind := range Kinds() {
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema(kind)))
		if err != nil {
			tb.Fatal(err)
		}
		if err := compiler.AddResource(kind.String(), schema); err != nil {
			tb.Fatal(err)
		}
		if out[kind], err = compiler.Compile(kind.String()); err != nil {
			tb.Fatal(err)
		}
	}
	return out
}

func schemaError(tb tester, schema *jsonschema.Schema, data string) error {
	tb.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(data))
	if err != nil {
		tb.Fatalf("%v: %s", err, data)
	}
	return schema.Validate(value)
}

func TestDecodeAcceptsWhatTheSchemaAccepts(t *testing.T) {
	t.Parallel()
	schemas := compileSchemas(t)
	check := func(t tester, kind Kind, data string) {
		t.Helper()
		b := decodeOne(t, binaryRecord(kind, "c-1", data))
		reason := ""
		if len(b.DeadLetters) > 0 {
			reason = b.DeadLetters[0].Reason
		}
		err := schemaError(t, schemas[kind], data)
		if (err == nil) != (reason == "") {
			t.Fatalf("%s of %.300s\nDecode: %q\nschema: %v", kind, data, reason, err)
		}
	}
	for _, kind := range Kinds() {
		var golden struct{ Data json.RawMessage }
		if err := json.Unmarshal(goldenRecord(t, kind).Value, &golden); err != nil {
			t.Fatal(err)
		}
		check(t, kind, string(golden.Data))
	}
	for _, n := range []int{MaxTextChars, MaxTextChars + 1} {
		check(t, CustomerUpdated, `{"name":"`+strings.Repeat("é", n)+`"}`)
	}
	for _, n := range []int{MaxFields, MaxFields + 1} {
		members := make([]jsonMember, n)
		for i := range members {
			members[i] = jsonMember{fmt.Sprintf(`"f%d"`, i), "1"}
		}
		check(t, CustomerUpdated, objectText(members))
	}
	rapid.Check(t, func(t *rapid.T) {
		kind := genKind(t)
		check(t, kind, objectText(genData(t, kind, true)))
	})
	for _, kind := range Kinds() { // every odd value in every column, the others good
		columns := kind.Spec().Columns
		for i := range columns {
			members := []jsonMember{{`"phone"`, `"+5511900000001"`}}
			for j := range columns {
				if columns[j].Required && j != i {
					members = append(members, jsonMember{`"` + columns[j].Field + `"`, goodValues(&columns[j]).Example(0)})
				}
			}
			for _, value := range oddValues {
				odd := jsonMember{`"` + columns[i].Field + `"`, value}
				if group, name, nested := strings.Cut(columns[i].Field, "."); nested {
					odd = jsonMember{`"` + group + `"`, `{"` + name + `":` + value + `}`}
				}
				check(t, kind, objectText(append(members, odd)))
			}
		}
	}
}

// What the schema cannot say is what Schema's comment lists.
func TestSchemaRefusesBadDataButForWhatItCannotSay(t *testing.T) {
	t.Parallel()
	schemas := compileSchemas(t)
	for _, c := range readCases(t, "bad_data.txtar") {
		reason, rest, _ := strings.Cut(string(c.Data), "\n")
		name, data, _ := strings.Cut(rest, "\n")
		kind, _ := KindOf(name)
		if !json.Valid([]byte(data)) || strings.Contains(data, "999999999999") {
			continue // the validator cannot hold 1e999999999999
		}
		cannotSay := slices.ContainsFunc([]string{"given twice", "surrogates", "nested", "one identifier only"},
			func(part string) bool { return strings.Contains(reason, part) })
		if err := schemaError(t, schemas[kind], data); err == nil && !cannotSay {
			t.Errorf("%s: the schema accepts what Decode refuses: %s", c.Name, reason)
		}
	}
}

// checkBatch checks what must hold of any batch.
func checkBatch(tb tester, b *Batch) {
	tb.Helper()
	for _, letter := range b.DeadLetters {
		if letter.Reason == "" || !utf8.ValidString(letter.Reason) || strings.Contains(letter.Reason, "\n") {
			tb.Fatalf("reason %q", letter.Reason)
		}
	}
	for kind, rows := range b.Rows {
		if rows == nil {
			continue
		}
		n := rows.Len()
		if int(rows.Kind) != kind || len(rows.Source.Ends) != n || len(rows.ID.Ends) != n || len(rows.Identity) != n ||
			len(rows.Topic) != n || len(rows.Partition) != n || len(rows.Offset) != n || len(rows.ReceivedAt) != n || len(rows.Extra.Valid) != n {
			tb.Fatalf("%s: columns of different length", rows.Kind)
		}
		for i := range n {
			checkText(tb, rows.Source.At(i))
			checkText(tb, rows.ID.At(i))
			if len(rows.ID.At(i)) == 0 || len(rows.Source.At(i)) == 0 || rows.Identity[i].IsZero() {
				tb.Fatal("a row without id, source or identity")
			}
			if rows.Extra.Valid[i] {
				canonical(tb, rows.Extra.Text.At(i))
			}
			for c := range rows.Columns {
				checkCell(tb, &rows.Kind.Spec().Columns[c], &rows.Columns[c], i)
			}
		}
	}
	known := map[identity.ID]bool{}
	for _, id := range b.Identities {
		checkText(tb, []byte(id.Value))
		if known[id.ID] || id.Value == "" || identity.CheckNamespace(id.Namespace) != nil {
			tb.Fatalf("identity %q in %q", id.Value, id.Namespace)
		}
		known[id.ID] = true
	}
	for _, l := range append(slices.Clone(b.Links), b.Unlinks...) {
		if !l.A.Less(l.B) || !known[l.A] || !known[l.B] {
			tb.Fatalf("link %v", l)
		}
	}
}

func checkText(tb tester, text []byte) {
	tb.Helper()
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		tb.Fatalf("text %q", text)
	}
}

func checkCell(tb tester, column *Column, data *ColumnData, i int) {
	tb.Helper()
	if !data.Valid[i] {
		if column.Required {
			tb.Fatalf("%s is null", column.Name)
		}
		return
	}
	switch column.Type {
	case Text:
		checkText(tb, data.Text.At(i))
	case JSON:
		if !json.Valid(data.Text.At(i)) || !utf8.Valid(data.Text.At(i)) {
			tb.Fatalf("%s is %q", column.Name, data.Text.At(i))
		}
	case Decimal:
		if data.Int[i] < 0 || data.Int[i] >= decimalMax {
			tb.Fatalf("%s is %d", column.Name, data.Int[i])
		}
	case Float:
		if v := data.Float[i]; !(v >= column.Range.Min && v <= column.Range.Max) {
			tb.Fatalf("%s is %g", column.Name, v)
		}
	case Int, Bool, Timestamp: // any is good
	}
}

// Whatever comes, it becomes one good row or one dead letter; and the same row
// if it comes in the other form.
func FuzzDecode(f *testing.F) {
	for _, kind := range Kinds() {
		golden := goldenRecord(f, kind)
		f.Add(uint8(kind), "c-1", []byte("k"), "application/cloudevents+json", golden.Value)
		var ev struct{ Data json.RawMessage }
		if err := json.Unmarshal(golden.Value, &ev); err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(kind), "phone:5511900000001", []byte(nil), "application/json", []byte(ev.Data))
	}
	for _, name := range []string{"bad_data.txtar", "bad_event.txtar"} {
		for _, c := range readCases(f, name) {
			lines := bytes.SplitN(c.Data, []byte("\n"), 3)
			f.Add(uint8(OrderCompleted), "", []byte("c-1"), "", lines[len(lines)-1])
		}
	}
	keyer := newTestKeyer(f)
	f.Fuzz(func(t *testing.T, kind uint8, subject string, key []byte, contentType string, value []byte) {
		rec := Record{Topic: testTopic, Time: testTime, Key: key, Value: value, Headers: []Header{{"content-type", []byte(contentType)}}}
		if k := Kind(kind); k > 0 && k < NumKinds {
			rec = binaryRecord(k, subject, string(value))
			rec.Key = key
			rec.Headers[5].Value = []byte(contentType)
		}
		d := NewDecoder(keyer)
		var b Batch
		d.Decode(&rec, &b)
		if b.Records != 1 || b.EventCount()+len(b.DeadLetters) != 1 || b.Bytes <= 0 {
			t.Fatalf("%d rows, %d dead letters, %d bytes", b.EventCount(), len(b.DeadLetters), b.Bytes)
		}
		checkBatch(t, &b)
		if b.EventCount() == 0 || Kind(kind) == 0 || Kind(kind) >= NumKinds || strings.Contains(strings.ToLower(contentType), "cloudevents") {
			return
		}
		again := structuredRecord(Kind(kind), subject, string(value))
		again.Key = key
		if len(again.Value) > MaxValueBytes {
			return
		}
		if diff := cmp.Diff(dump(t, &b), mustRow(t, again)); diff != "" {
			t.Fatalf("the structured form differs:\n%s", diff)
		}
	})
}
