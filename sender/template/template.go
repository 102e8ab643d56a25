package template

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/policy"
)

// Template is a template as a provider has it now.
type Template struct {
	// ID is the provider's, where it has one beside the name.
	ID       string
	Name     string
	Language string // as the provider writes it: "en_US"
	Category plan.Category
	// Status as the provider says.
	Status policy.TemplateStatus
	// Components in the provider's order.
	Components []Component
}

// Component is a part of a template. The JSON is what BodyHash is taken over.
type Component struct {
	Part Part `json:"part"`
	// Format of a header: text or a kind of media. Empty for the others.
	Format Format `json:"format,omitempty"`
	// Text with placeholders, {{1}} or {{first_name}}.
	Text    string   `json:"text,omitempty"`
	Buttons []Button `json:"buttons,omitempty"`
}

// Part says which part of a message a component is.
type Part string

// The parts that are understood. Another one makes a template Unsupported.
const (
	Header  Part = "header"
	Body    Part = "body"
	Footer  Part = "footer"
	Buttons Part = "buttons" // as a component: all of them; of a parameter: the one at its Index
)

// Format is what a header is made of.
type Format string

// The formats. A location needs coordinates, which no campaign has: Unsupported.
const (
	Text     Format = "text"
	Image    Format = "image"
	Video    Format = "video"
	Document Format = "document"
	Location Format = "location"
)

// Button is something to tap.
type Button struct {
	Action Action `json:"action"`
	Text   string `json:"text,omitempty"` // its label
	// URL of a URL button, with at most one placeholder, at its end.
	URL string `json:"url,omitempty"`
}

// Action is what tapping a button does.
type Action string

// The actions that are understood. Another one (flow, catalog, multi-product)
// makes a template Unsupported.
const (
	QuickReply Action = "quick_reply"
	OpenURL    Action = "url"
	CallPhone  Action = "phone_number"
	CallVoice  Action = "voice_call" // a call inside WhatsApp
	CopyCode   Action = "copy_code"
)

// BodyHash is SHA-256, hex, over the components: it changes when what a
// customer would read changes, and not with status, quality or category.
func (t *Template) BodyHash() string {
	raw, _ := json.Marshal(t.Components) // strings only: cannot go wrong
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// Unsupported names the first part, format or button that goodhour cannot give
// parameters to; empty means that the template can be sent.
func (t *Template) Unsupported() string {
	bodies := 0
	for _, c := range t.Components {
		switch c.Part {
		case Header:
			switch c.Format {
			case Text, Image, Video, Document:
			default:
				return "a header of format " + string(c.Format)
			}
		case Body:
			bodies++
		case Footer:
		case Buttons:
			for _, b := range c.Buttons {
				switch b.Action {
				case QuickReply, OpenURL, CallPhone, CallVoice, CopyCode:
				default:
					return "a button of type " + string(b.Action)
				}
			}
		default:
			return "a component of type " + string(c.Part)
		}
	}
	if bodies != 1 {
		return "other than one body"
	}
	return ""
}

// Planned is the template as a plan freezes it.
func (t *Template) Planned() plan.Template {
	return plan.Template{Name: t.Name, Language: t.Language, Category: t.Category, BodyHash: t.BodyHash()}
}

// State is what the policy reads of the template as it is now, beside the
// hash that was planned (empty for a single send).
func (t *Template) State(plannedBodyHash string) policy.TemplateState {
	state := policy.TemplateState{
		Status: t.Status, Category: t.Category, BodyHash: t.BodyHash(), PlannedBodyHash: plannedBodyHash,
	}
	for _, p := range t.Parameters() {
		state.Parameters = append(state.Parameters, p.Name)
	}
	return state
}
