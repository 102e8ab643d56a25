package meta

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/goodhour/goodhour/sender/provider"
	"github.com/goodhour/goodhour/sender/template"
)

// Limits of Meta (messages API reference, checked 2026-11-23).
const (
	textCharsMax   = 4096 // of text.body
	callbackBytes  = 512  // of biz_opaque_callback_data
	messageIDBytes = 512  // of a wamid, as far as we believe one
)

type sendRequest struct {
	Product       string        `json:"messaging_product"`
	RecipientType string        `json:"recipient_type"`
	To            string        `json:"to,omitempty"`
	Recipient     string        `json:"recipient,omitempty"` // a BSUID, where to is empty
	Type          string        `json:"type"`
	Callback      string        `json:"biz_opaque_callback_data"` // our message id; Meta echoes it
	Template      *wireTemplate `json:"template,omitempty"`
	Text          *wireText     `json:"text,omitempty"`
}

type wireText struct {
	PreviewURL bool   `json:"preview_url"`
	Body       string `json:"body"`
}

type wireTemplate struct {
	Name     string `json:"name"`
	Language struct {
		Code string `json:"code"`
	} `json:"language"`
	Components []*wireComponent `json:"components,omitempty"`
}

type wireComponent struct {
	Type       string          `json:"type"`
	SubType    string          `json:"sub_type,omitempty"`
	Index      string          `json:"index,omitempty"`
	Parameters []wireParameter `json:"parameters"`
}

type wireParameter struct {
	Type     string     `json:"type"`
	Name     string     `json:"parameter_name,omitempty"`
	Text     string     `json:"text,omitempty"`
	Coupon   string     `json:"coupon_code,omitempty"`
	Image    *wireMedia `json:"image,omitempty"`
	Video    *wireMedia `json:"video,omitempty"`
	Document *wireMedia `json:"document,omitempty"`
}

type wireMedia struct {
	Link string `json:"link"`
}

type sendAnswer struct {
	Contacts []struct {
		WhatsAppID string `json:"wa_id"`
		UserID     string `json:"user_id"`
	} `json:"contacts"`
	Messages []struct {
		ID     string `json:"id"`
		Status string `json:"message_status"`
	} `json:"messages"`
}

// Send implements provider.Provider: POST /{number}/messages.
func (m *Meta) Send(ctx context.Context, r provider.Request) (provider.Response, error) {
	if err := m.check(&r); err != nil {
		return provider.Response{}, err
	}
	body, err := json.Marshal(wireRequest(&r))
	if err != nil {
		return provider.Response{}, m.fail(provider.Message, "the message cannot be written as JSON")
	}
	answer, err := m.call(ctx, http.MethodPost, m.config.BaseURL+"/"+m.config.Version+"/"+r.NumberID+"/messages", body)
	if err != nil {
		return provider.Response{}, err
	}
	return m.accepted(answer)
}

// check refuses what Meta would refuse, before it costs a call.
func (m *Meta) check(r *provider.Request) error {
	if err := r.Check(); err != nil {
		return err
	}
	switch {
	case !isID(r.NumberID):
		return m.fail(provider.Number, "the number's id is not one of Meta's: want digits")
	case len(r.MessageID) > callbackBytes:
		return m.fail(provider.Message, "the message id is over 512 bytes")
	case utf8.RuneCountInString(r.Text) > textCharsMax:
		return m.fail(provider.Message, "the text is over 4096 characters")
	}
	return nil
}

func wireRequest(r *provider.Request) *sendRequest {
	wire := &sendRequest{Product: "whatsapp", RecipientType: "individual", To: r.To.Phone, Callback: r.MessageID}
	if r.To.Phone == "" {
		wire.Recipient = r.To.BSUID // in to it would be lost without an error
	}
	if r.Template == nil {
		wire.Type, wire.Text = "text", &wireText{Body: r.Text}
		return wire
	}
	wire.Type, wire.Template = "template", &wireTemplate{Name: r.Template.Name}
	wire.Template.Language.Code = r.Template.Language
	for i := range r.Template.Parameters {
		wire.Template.add(&r.Template.Parameters[i])
	}
	return wire
}

// add puts a parameter into its component: the header's and the body's come
// together, each button is its own.
func (t *wireTemplate) add(p *provider.Parameter) {
	c := &wireComponent{Type: string(p.Part)}
	if p.Part == template.Buttons {
		c.Type, c.SubType, c.Index = "button", "url", strconv.Itoa(p.Index)
		if p.Kind == template.CouponCode {
			c.SubType = "copy_code"
		}
	}
	if n := len(t.Components); n > 0 && t.Components[n-1].Type == c.Type && t.Components[n-1].Index == c.Index {
		c = t.Components[n-1]
	} else {
		t.Components = append(t.Components, c)
	}
	c.Parameters = append(c.Parameters, wireValue(p))
}

func wireValue(p *provider.Parameter) wireParameter {
	media := &wireMedia{Link: p.Value}
	switch p.Kind {
	case template.CouponCode:
		return wireParameter{Type: "coupon_code", Coupon: p.Value}
	case template.ImageValue:
		return wireParameter{Type: "image", Image: media}
	case template.VideoValue:
		return wireParameter{Type: "video", Video: media}
	case template.DocumentValue:
		return wireParameter{Type: "document", Document: media}
	case template.TextValue, template.URLSuffix:
	}
	w := wireParameter{Type: "text", Text: p.Value}
	if p.Named() && p.Kind == template.TextValue {
		w.Name = p.Placeholder
	}
	return w
}

// accepted reads a 2xx answer. Where it has no message id, the message may
// have gone nevertheless.
func (m *Meta) accepted(answer []byte) (provider.Response, error) {
	var parsed sendAnswer
	if json.Unmarshal(answer, &parsed) != nil || len(parsed.Messages) == 0 || !isMessageID(parsed.Messages[0].ID) {
		return provider.Response{}, m.fail(provider.Ambiguous, "accepted without a message id that can be read: a status may still tell")
	}
	message := parsed.Messages[0]
	if message.Status == "paused" {
		return provider.Response{}, m.fail(provider.Template, "the template is paused for low quality")
	}
	response := provider.Response{ProviderMessageID: message.ID, Held: message.Status == "held_for_quality_assessment"}
	if len(parsed.Contacts) == 1 {
		p := person(parsed.Contacts[0].WhatsAppID, parsed.Contacts[0].UserID, "")
		response.Recipient = provider.Address{Phone: p.Phone, BSUID: p.BSUID}
	}
	return response, nil
}

// isMessageID says whether a text can be an id: short and in visible ASCII.
func isMessageID(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= messageIDBytes
}
