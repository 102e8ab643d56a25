package sandbox

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/sender/template"
)

// textCharsMax is Meta's limit of a text (messages API; checked 2026-11-23).
const textCharsMax = 4096

// findTemplate returns a template that may be sent now.
func (s *Sandbox) findTemplate(sent *sentTemplate) (*template.Template, *refusal) {
	for i := range s.config.Templates {
		t := &s.config.Templates[i]
		if t.Name != sent.Name || t.Language != sent.Language.Code {
			continue
		}
		switch t.Status {
		case policy.TemplateApproved:
			return t, nil
		case policy.TemplatePaused:
			return nil, refuseWith(132015, "Template is paused due to low quality so it cannot be sent in a template message.")
		case policy.TemplateDisabled:
			return nil, refuseWith(132016, "Template has been paused too many times due to low quality and is now permanently disabled.")
		default: // in review, rejected, deleted: as good as none
		}
	}
	return nil, refuseWith(132001, "The template does not exist in the specified language or the template has not been approved.")
}

// checkParameters holds what was sent to what the template takes.
func checkParameters(t *template.Template, sent []sentComponent) *refusal {
	given := make(map[string]string)
	counts := make(map[template.Part]int)
	wanted := make(map[template.Part]int)
	for _, p := range t.Parameters() {
		wanted[p.Part]++
	}
	for _, c := range sent {
		part, prefix, e := placeOf(&c)
		if e != nil {
			return e
		}
		for i := range c.Parameters {
			name, value, e := valueOf(t, part, prefix, i, &c.Parameters[i])
			if e != nil {
				return e
			}
			given[name] = value
			counts[part]++
		}
	}
	for _, part := range []template.Part{template.Header, template.Body, template.Buttons} {
		if counts[part] != wanted[part] {
			return refuseWith(132000, fmt.Sprintf("%s: number of localizable_params (%d) does not match the expected number of params (%d)", part, counts[part], wanted[part]))
		}
	}
	for _, p := range t.Parameters() {
		value := given[p.Name]
		if utf8.RuneCountInString(value) > p.CharsMax {
			return refuseWith(132005, "Translated text too long")
		}
		if p.Check(value) != nil {
			return refuseWith(132012, "Parameter format does not match format in the created template")
		}
	}
	if _, err := t.Render(given); err != nil { // each value is fine: together they are too long
		return refuseWith(132005, "Translated text too long")
	}
	return nil
}

// placeOf says which part of a template a component fills, and how the names of
// its parameters begin.
func placeOf(c *sentComponent) (template.Part, string, *refusal) {
	switch strings.ToLower(c.Type) {
	case "header":
		return template.Header, "header.", nil
	case "body":
		return template.Body, "", nil
	case "button":
		index := strings.Trim(string(c.Index), `"`)
		if index == "" || strings.Trim(index, "0123456789") != "" {
			return "", "", refuseWith(131008, "Button component needs an index")
		}
		return template.Buttons, "button." + index, nil
	}
	return "", "", refuseWith(100, "Unexpected component type")
}

// valueOf returns a parameter's name in the template and its value.
func valueOf(t *template.Template, part template.Part, prefix string, nth int, p *sentParameter) (name, value string, e *refusal) {
	name = prefix
	switch {
	case part == template.Buttons:
	case p.Name != "":
		name += p.Name
	case p.Type == "text":
		name += fmt.Sprint(nth + 1)
	default:
		name += p.Type
	}
	known := parameter(t, name)
	if known == nil {
		// The count tells of too many; a name that is none is another form.
		if p.Name != "" {
			return "", "", refuseWith(132012, "Parameter name does not match the created template")
		}
		return name, "", nil
	}
	value, ok := p.of(known.Kind)
	if !ok {
		return "", "", refuseWith(132012, "Parameter format does not match format in the created template")
	}
	if value == "" || !utf8.ValidString(value) {
		return "", "", refuseWith(131008, "Parameter of type "+p.Type+" is missing its value")
	}
	return name, value, nil
}

func parameter(t *template.Template, name string) *template.Parameter {
	all := t.Parameters()
	for i := range all {
		if all[i].Name == name {
			return &all[i]
		}
	}
	return nil
}

// of returns the value if the parameter is of the kind.
func (p *sentParameter) of(kind template.ParameterKind) (string, bool) {
	link := func(m *sentMedia) (string, bool) {
		if m == nil {
			return "", false
		}
		return m.Link, true
	}
	text := func(s *string) (string, bool) {
		if s == nil {
			return "", false
		}
		return *s, true
	}
	switch {
	case (kind == template.TextValue || kind == template.URLSuffix) && p.Type == "text":
		return text(p.Text)
	case kind == template.CouponCode && p.Type == "coupon_code":
		return text(p.Coupon)
	case kind == template.ImageValue && p.Type == "image":
		return link(p.Image)
	case kind == template.VideoValue && p.Type == "video":
		return link(p.Video)
	case kind == template.DocumentValue && p.Type == "document":
		return link(p.Document)
	}
	return "", false
}
