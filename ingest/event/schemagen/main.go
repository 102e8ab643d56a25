// Command schemagen writes the JSON Schemas of the event package from its
// table of kinds: go generate ./ingest/event.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goodhour/goodhour/ingest/event"
)

func main() {
	for _, kind := range event.Kinds() {
		name := filepath.Join("schema", fileName(kind))
		if err := os.WriteFile(name, render(kind), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "schemagen:", err)
			os.Exit(1)
		}
	}
}

func fileName(kind event.Kind) string { return kind.Spec().Type + ".json" }

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	key   string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			out.WriteByte(',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		out.Write(key)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// render returns the schema of a kind's data.
func render(kind event.Kind) []byte {
	spec := kind.Spec()
	root := newGroup()
	for i := range spec.Columns {
		column := &spec.Columns[i]
		at, name := root, column.Field
		if group, rest, nested := strings.Cut(name, "."); nested {
			at, name = root.child(group), rest
		}
		at.add(name, columnSchema(column), column.Required)
	}
	for _, identifier := range identifiers() {
		root.add(identifier.key, identifier.value, false)
	}
	schema := append(object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", "urn:goodhour:event:" + spec.Type},
		{"title", spec.Type},
		{"description", spec.Doc},
		{"type", "object"},
	}, root.schema()...)

	compact, err := json.Marshal(schema)
	if err != nil {
		panic(err) // the table holds nothing that JSON cannot say
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		panic(err)
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// group is an object that has columns.
type group struct {
	properties object
	required   []string
	children   map[string]*group
}

func newGroup() *group { return &group{children: map[string]*group{}} }

func (g *group) add(name string, schema any, required bool) {
	g.properties = append(g.properties, member{name, schema})
	if required {
		g.required = append(g.required, name)
	}
}

// child returns a group inside, which is rendered when all is known.
func (g *group) child(name string) *group {
	if g.children[name] == nil {
		g.children[name] = newGroup()
		g.add(name, g.children[name], false)
	}
	return g.children[name]
}

func (g *group) MarshalJSON() ([]byte, error) {
	return json.Marshal(append(object{{"type", []string{"object", "null"}}}, g.schema()...))
}

func (g *group) schema() object {
	out := object{{"maxProperties", event.MaxFields}, {"properties", g.properties}}
	if g.required != nil {
		out = append(out, member{"required", g.required})
	}
	return out
}

const (
	patternNoNUL   = `^[^\x00]*$`
	patternDecimal = `^0*[0-9]{1,14}(\.[0-9]{1,4}0*)?$`
	patternTime    = `^(19(7[1-9]|[89][0-9])|[2-9][0-9]{3})-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-5][0-9](\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$`
	maxDecimal     = json.Number("99999999999999.9999")
	minInt         = json.Number("-9223372036854775808")
	maxInt         = json.Number("9223372036854775807")
	maxDouble      = json.Number("1.7976931348623157e308")
)

// columnSchema says what a column accepts. An optional one accepts null, which
// is the same as an absent field.
func columnSchema(c *event.Column) object {
	out := object{{"description", c.Doc}}
	if c.Personal {
		out = append(out, member{"x-personal", true})
	}
	if c.Enum != nil {
		return append(out, member{"enum", c.Enum})
	}
	types := func(names ...string) {
		if !c.Required {
			names = append(names, "null")
		}
		out = append(out, member{"type", names})
	}
	switch c.Type {
	case event.Text:
		if c.Form != event.FormAny && c.Form != event.FormMessageID && c.Form != event.FormOwnMessageID {
			types("string")
			out = append(out, formSchema(c)...)
			break
		}
		types("string", "integer")
		if c.Required {
			out = append(out, member{"minLength", 1})
		}
		out = append(out, textLimits()...)
	case event.JSON:
		if c.Form != event.FormAny {
			types("array")
			out = append(out, formSchema(c)...)
		}
	case event.Int:
		types("integer")
		out = append(out, rangeSchema(c.Range, minInt, maxInt)...)
	case event.Float:
		types("number")
		out = append(out, rangeSchema(c.Range, "-"+maxDouble, maxDouble)...)
	case event.Bool:
		types("boolean")
	case event.Decimal:
		types("string", "number")
		out = append(out, decimalSchema(c.Positive)...)
	case event.Timestamp:
		types("string")
		out = append(out, member{"format", "date-time"}, member{"pattern", patternTime})
	}
	return out
}

func formSchema(c *event.Column) object {
	switch c.Form {
	case event.FormURL:
		return object{{"maxLength", event.MaxTextChars}, {"pattern", patternNoNUL}}
	case event.FormCurrency:
		return object{{"pattern", "^[A-Z]{3}$"}}
	case event.FormTags:
		return object{{"items", object{{"type", "string"}}}}
	case event.FormItems:
		return object{{"items", object{
			{"type", "object"},
			{"description", "Kept beside the order, where they are text, numbers, booleans or null: " +
				strings.Join(event.ItemFields(), ", ") + ". Other members are kept as unknown fields."},
		}}}
	case event.FormAny, event.FormMessageID, event.FormOwnMessageID:
	}
	return nil
}

// textLimits bound a text, or an integer that stands for one.
func textLimits() object {
	return object{
		{"maxLength", event.MaxTextChars},
		{"pattern", patternNoNUL},
		{"minimum", minInt},
		{"maximum", maxInt},
	}
}

func rangeSchema(r *event.Range, low, high json.Number) object {
	if r != nil {
		return object{{"minimum", r.Min}, {"maximum", r.Max}}
	}
	return object{{"minimum", low}, {"maximum", high}}
}

// decimalSchema: the keywords for numbers do not bind a string, nor the other
// way round.
func decimalSchema(positive bool) object {
	out := object{
		{"maximum", maxDecimal},
		{"multipleOf", json.Number("0.0001")},
		{"pattern", patternDecimal},
	}
	if positive {
		return append(out, member{"exclusiveMinimum", 0}, member{"allOf", []object{{{"pattern", "[1-9]"}}}})
	}
	return append(out, member{"minimum", 0})
}

// identifiers are the fields that any event may carry.
func identifiers() object {
	text := func(doc string) object {
		out := object{{"type", []string{"string", "integer", "null"}}}
		if doc != "" {
			out = append(object{{"description", doc}, {"x-personal", true}}, out...)
		}
		return append(out, textLimits()...)
	}
	return object{
		{event.FieldPhone, text("the person's phone, international: +5511999990000; or a wa_id")},
		{event.FieldBSUID, text("Meta's business-scoped user id of the person")},
		{event.FieldEmail, text("the person's e-mail address")},
		{event.FieldExternalIDs, object{
			{"description", "the key that each system has for the person: {\"shop\": \"1234\"}"},
			{"type", []string{"object", "null"}},
			{"maxProperties", event.MaxExternalIDs},
			{"additionalProperties", text("")},
		}},
	}
}
