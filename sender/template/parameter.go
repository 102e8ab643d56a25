package template

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Parameter is a place in a template that a value goes into.
type Parameter struct {
	// Name is unique in the template and what a campaign maps: "1" or
	// "first_name" in the body, "header.1" or "header.image" in the header,
	// "button.0" of the button at that index.
	Name string
	Part Part
	// Index of the button, from 0; otherwise 0.
	Index int
	// Placeholder as the template has it, "1" or "first_name"; empty for media
	// and codes.
	Placeholder string
	Kind        ParameterKind
	// CharsMax is the most characters that a value may have.
	CharsMax int
}

// ParameterKind says what a value is.
type ParameterKind string

// The kinds. Media are https links to files; the provider fetches them.
const (
	TextValue     ParameterKind = "text"
	URLSuffix     ParameterKind = "url_suffix" // takes the placeholder's place in a button's URL
	CouponCode    ParameterKind = "coupon_code"
	ImageValue    ParameterKind = "image"
	VideoValue    ParameterKind = "video"
	DocumentValue ParameterKind = "document"
)

// Named says whether the template names the parameter instead of counting it.
func (p *Parameter) Named() bool {
	_, err := strconv.Atoi(p.Placeholder)
	return p.Placeholder != "" && err != nil
}

// Limits in characters, of the text after the parameters, so that they bound a
// value too. Header and body: Meta, templates/components and coupon-templates
// pages, checked 2026-11-25. Coupon: Meta's page says 20, its partners' pages
// say 15; the smaller holds. URL: convention, no page was found. See
// provider/PROVIDERS.md.
const (
	HeaderCharsMax = 60
	BodyCharsMax   = 1024
	URLCharsMax    = 2000
	CouponCharsMax = 15
	// SpacesMax is the longest run of spaces. Meta's error says "more than 4
	// consecutive spaces"; one less costs nothing and is safe with all.
	SpacesMax = 3
)

// placeholder is {{1}} or {{first_name}}.
var placeholder = regexp.MustCompile(`\{\{\s*([A-Za-z0-9_]+)\s*\}\}`)

// Parameters returns all that the template takes, in its order. A placeholder
// that stands twice in a component is one parameter.
func (t *Template) Parameters() []Parameter {
	var all []Parameter
	for _, c := range t.Components {
		switch c.Part {
		case Header:
			all = append(all, headerParameters(c)...)
		case Body:
			all = append(all, textParameters(c.Text, Body, "", BodyCharsMax)...)
		case Buttons:
			for i, b := range c.Buttons {
				all = append(all, buttonParameters(b, i)...)
			}
		case Footer: // takes none
		}
	}
	return all
}

func headerParameters(c Component) []Parameter {
	kind := ImageValue
	switch c.Format {
	case Image:
	case Video:
		kind = VideoValue
	case Document:
		kind = DocumentValue
	default:
		return textParameters(c.Text, Header, "header.", HeaderCharsMax)
	}
	return []Parameter{{Name: "header." + string(c.Format), Part: Header, Kind: kind, CharsMax: URLCharsMax}}
}

func textParameters(text string, part Part, prefix string, charsMax int) []Parameter {
	var all []Parameter
	seen := map[string]bool{}
	for _, match := range placeholder.FindAllStringSubmatch(text, -1) {
		if name := match[1]; !seen[name] {
			seen[name] = true
			all = append(all, Parameter{Name: prefix + name, Part: part, Placeholder: name, Kind: TextValue, CharsMax: charsMax})
		}
	}
	return all
}

func buttonParameters(b Button, index int) []Parameter {
	p := Parameter{Name: "button." + strconv.Itoa(index), Part: Buttons, Index: index}
	switch {
	case b.Action == CopyCode:
		p.Kind, p.CharsMax = CouponCode, CouponCharsMax
	case b.Action == OpenURL && placeholder.MatchString(b.URL):
		p.Kind, p.CharsMax = URLSuffix, URLCharsMax
		p.Placeholder = placeholder.FindStringSubmatch(b.URL)[1]
	default:
		return nil
	}
	return []Parameter{p}
}

// Check says what is wrong with a value, nil if nothing is. It never quotes it.
func (p *Parameter) Check(value string) error {
	switch {
	case strings.TrimSpace(value) == "":
		return errors.New("empty")
	case !utf8.ValidString(value):
		return errors.New("broken UTF-8")
	case utf8.RuneCountInString(value) > p.CharsMax:
		return fmt.Errorf("over %d characters", p.CharsMax)
	// Meta refuses line breaks, tabs and runs of spaces in a parameter; other
	// control characters have no business in one.
	case strings.ContainsFunc(value, isBreak):
		return errors.New("a line break, tab or other control character")
	case strings.Contains(value, strings.Repeat(" ", SpacesMax+1)):
		return fmt.Errorf("over %d spaces in a row", SpacesMax)
	}
	switch p.Kind {
	case ImageValue, VideoValue, DocumentValue:
		if link, err := url.Parse(value); err != nil || link.Scheme != "https" || link.Host == "" {
			return errors.New("no https link")
		}
	case URLSuffix, CouponCode:
		if strings.ContainsFunc(value, unicode.IsSpace) {
			return errors.New("a space")
		}
	case TextValue: // any text that passed the above
	}
	return nil
}

func isBreak(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }

// Missing is what to do with a message whose parameter has no value.
type Missing string

// The policies. A campaign gives one to each parameter; there is no default.
const (
	UseDefault Missing = "default" // the rule's Default stands in
	Skip       Missing = "skip"    // this customer gets no message: parameter_missing
	Refuse     Missing = "refuse"  // no plan is made
)

// Rule is a campaign's word on one parameter.
type Rule struct {
	Missing Missing
	Default string // for UseDefault
}

// CheckRules says what is wrong with a campaign's rules, everything at once: a
// parameter without one, one without parameter, a default that cannot be sent.
func (t *Template) CheckRules(rules map[string]Rule) error {
	var faults []error
	if why := t.Unsupported(); why != "" {
		faults = append(faults, fmt.Errorf("template %s has %s, which goodhour cannot send: use another", t.Name, why))
	}
	known := map[string]bool{}
	for _, p := range t.Parameters() {
		known[p.Name] = true
		rule, given := rules[p.Name]
		switch {
		case !given:
			faults = append(faults, fmt.Errorf("parameter %s of template %s has no mapping: add one", p.Name, t.Name))
		case rule.Missing == UseDefault:
			if err := p.Check(rule.Default); err != nil {
				faults = append(faults, fmt.Errorf("default of parameter %s: %w", p.Name, err))
			}
		case rule.Missing != Skip && rule.Missing != Refuse:
			faults = append(faults, fmt.Errorf("parameter %s: missing: want default, skip or refuse", p.Name))
		}
	}
	for name := range rules {
		if !known[name] {
			faults = append(faults, fmt.Errorf("template %s has no parameter %q: it takes %s", t.Name, name, t.names()))
		}
	}
	return errors.Join(faults...)
}

func (t *Template) names() string {
	var names []string
	for _, p := range t.Parameters() {
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// RefusedError says that a parameter marked refuse has no value that can be
// sent.
type RefusedError struct {
	Parameter string
	Reason    string // what Check says; never the value
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("parameter %s has no value that can be sent: %s; give one, or set missing to skip or default", e.Parameter, e.Reason)
}

// Fill returns the values of one message by parameter name. A value that Check
// objects to counts as none; where the rule says skip, the parameter is left
// out, which policy reads as parameter_missing. Where it says refuse, or there
// is no rule, Fill returns a *RefusedError.
func (t *Template) Fill(values map[string]string, rules map[string]Rule) (map[string]string, error) {
	filled := map[string]string{}
	for _, p := range t.Parameters() {
		fault := p.Check(values[p.Name])
		switch rule := rules[p.Name]; {
		case fault == nil:
			filled[p.Name] = values[p.Name]
		case rule.Missing == UseDefault && p.Check(rule.Default) == nil:
			filled[p.Name] = rule.Default
		case rule.Missing == Skip:
		default:
			return nil, &RefusedError{Parameter: p.Name, Reason: fault.Error()}
		}
	}
	return filled, nil
}
