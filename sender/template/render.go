package template

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goodhour/goodhour/ingest/event"
)

// Rendered is a message as the customer reads it.
type Rendered struct {
	Header, Body, Footer string
	Buttons              []Button // with their URLs filled
	// MediaKind of the header: none, image, video, document.
	MediaKind string
}

// MediaNone is the MediaKind of a message without a file.
const MediaNone = "none"

// Render puts the values in. It needs every parameter, and checks each value
// and that the whole stays within the template's limits, which the provider
// would else refuse (Meta: 132005).
func (t *Template) Render(values map[string]string) (Rendered, error) {
	if why := t.Unsupported(); why != "" {
		return Rendered{}, fmt.Errorf("template %s has %s, which goodhour cannot send", t.Name, why)
	}
	for _, p := range t.Parameters() {
		if err := p.Check(values[p.Name]); err != nil {
			return Rendered{}, fmt.Errorf("parameter %s of template %s: %w", p.Name, t.Name, err)
		}
	}
	r := Rendered{MediaKind: MediaNone}
	for _, c := range t.Components {
		switch c.Part {
		case Header:
			if c.Format != Text {
				r.MediaKind = string(c.Format)
				continue
			}
			r.Header = substitute(c.Text, "header.", values)
		case Body:
			r.Body = substitute(c.Text, "", values)
		case Footer:
			r.Footer = c.Text
		case Buttons:
			for i, b := range c.Buttons {
				b.URL = placeholder.ReplaceAllLiteralString(b.URL, values[fmt.Sprintf("button.%d", i)])
				r.Buttons = append(r.Buttons, b)
			}
		}
	}
	return r, r.checkLength(t.Name)
}

func substitute(text, prefix string, values map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(mark string) string {
		return values[prefix+placeholder.FindStringSubmatch(mark)[1]]
	})
}

func (r *Rendered) checkLength(name string) error {
	if utf8.RuneCountInString(r.Header) > HeaderCharsMax {
		return fmt.Errorf("template %s: header over %d characters with its parameters", name, HeaderCharsMax)
	}
	if utf8.RuneCountInString(r.Body) > BodyCharsMax {
		return fmt.Errorf("template %s: body over %d characters with its parameters", name, BodyCharsMax)
	}
	for _, b := range r.Buttons {
		if utf8.RuneCountInString(b.URL) > URLCharsMax {
			return fmt.Errorf("template %s: a button's URL over %d characters with its parameter", name, URLCharsMax)
		}
	}
	return nil
}

// Features are what the models learn of a message's content, without the
// content. nameParameters are the parameters that hold the customer's name.
func (t *Template) Features(values map[string]string, nameParameters ...string) (event.Content, error) {
	r, err := t.Render(values)
	if err != nil {
		return event.Content{}, err
	}
	chars := int64(utf8.RuneCountInString(r.Header) + utf8.RuneCountInString(r.Body) + utf8.RuneCountInString(r.Footer))
	opens, action, link := t.opensWith(nameParameters), len(r.Buttons) > 0, r.hasLink()
	return event.Content{Chars: &chars, OpensWithName: &opens, HasCallToAction: &action, HasLink: &link, MediaKind: r.MediaKind}, nil
}

// greetingWordsMax is how many words may stand before a name that a message
// opens with: "Olá Ana", "Good morning, dear Ana".
const greetingWordsMax = 3

// opensWith says whether a name is the first parameter of the body, after no
// more than a greeting.
func (t *Template) opensWith(nameParameters []string) bool {
	for _, c := range t.Components {
		if c.Part != Body {
			continue
		}
		first := placeholder.FindStringSubmatchIndex(c.Text)
		if first == nil {
			return false
		}
		before, name := c.Text[:first[0]], c.Text[first[2]:first[3]]
		if strings.ContainsAny(before, ".!?\n。！？") || len(strings.Fields(before)) > greetingWordsMax {
			return false
		}
		if slices.Contains(nameParameters, name) {
			return true
		}
	}
	return false
}

// link is what WhatsApp makes tappable in a text.
var link = regexp.MustCompile(`(?i)\b(https?://|www\.)\S`)

func (r *Rendered) hasLink() bool {
	for _, b := range r.Buttons {
		if b.Action == OpenURL {
			return true
		}
	}
	return link.MatchString(r.Body) || link.MatchString(r.Header) || link.MatchString(r.Footer)
}
