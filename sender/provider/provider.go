package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/template"
)

// Provider is one account at a provider. It is safe for concurrent use.
type Provider interface {
	// Send hands over one message. The error is an *Error.
	Send(ctx context.Context, r Request) (Response, error)
	// Templates lists all of the account's templates. The error is an *Error.
	Templates(ctx context.Context) ([]template.Template, error)
	// VerifyWebhook says whether the provider has sent a webhook: nil, or
	// ErrSignature. Call it before ParseWebhook; answer 401 to what fails.
	VerifyWebhook(w Webhook) error
	// ParseWebhook turns a webhook into events. It returns all that it could
	// read; a *PayloadError beside them counts what it could not, and the raw
	// body should then be kept. A retry gives the same events with the same ids.
	ParseWebhook(w Webhook) ([]event.Event, error)
	// ChallengeWebhook answers the provider's question (a GET) whether a URL is
	// ours: the body to answer, as text/plain, or ErrChallenge: answer 403.
	ChallengeWebhook(query url.Values) (string, error)
}

// Webhook is a request of the provider to us, as it came.
type Webhook struct {
	// URL that the provider called, in full: some sign it.
	URL    string
	Header http.Header
	Body   []byte // not decoded, not changed in any way
}

// Errors of webhooks.
var (
	ErrSignature = errors.New("webhook's signature does not match: it is not from the provider, or the configured secret is another app's")
	ErrChallenge = errors.New("webhook's challenge does not match: enter the configured verify token at the provider")
)

// PayloadError says that a webhook could be read in part, or not at all.
type PayloadError struct {
	// Reasons, one for each item that could not be read; they never quote it.
	Reasons []string
}

func (e *PayloadError) Error() string {
	if len(e.Reasons) == 0 {
		return "webhook could not be read"
	}
	return fmt.Sprintf("webhook has %d items that could not be read, the first: %s", len(e.Reasons), e.Reasons[0])
}

// Address is whom a message goes to. Where both are set, the phone is used. It
// prints as [redacted].
type Address struct {
	Phone string // E.164: "+5511999990000"
	BSUID string // Meta's business-scoped user id: "BR.1349…"
}

// Format implements fmt.Formatter.
func (Address) Format(f fmt.State, _ rune) { writeRedacted(f) }

// MarshalText implements encoding.TextMarshaler: JSON is redacted too.
func (Address) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (Address) LogValue() slog.Value { return slog.StringValue(redacted) }

// Request is one message: a template or a text. It prints as its ids.
type Request struct {
	// MessageID is ours; the provider echoes it.
	MessageID string
	// NumberID is the sending number's id at the provider.
	NumberID string
	To       Address
	Category plan.Category
	Template *TemplateMessage // nil for a text
	Text     string           // free-form, inside the 24-hour window
}

// Format implements fmt.Formatter.
func (r Request) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "message %s from number %s (%s)", r.MessageID, r.NumberID, r.Category)
}

// MarshalText implements encoding.TextMarshaler: JSON has the ids only too.
func (r Request) MarshalText() ([]byte, error) { return []byte(fmt.Sprint(r)), nil }

// LogValue implements slog.LogValuer.
func (r Request) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// TemplateMessage is a template and the values it is sent with.
type TemplateMessage struct {
	Name, Language string
	Parameters     []Parameter
}

// Format implements fmt.Formatter.
func (m TemplateMessage) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "template %s (%s)", m.Name, m.Language)
}

// MarshalText implements encoding.TextMarshaler: JSON has the ids only too.
func (m TemplateMessage) MarshalText() ([]byte, error) { return []byte(fmt.Sprint(m)), nil }

// LogValue implements slog.LogValuer.
func (m TemplateMessage) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(m)) }

// Parameter is a template's parameter with its value, which is personal: it
// prints as [redacted].
type Parameter struct {
	template.Parameter
	Value string
}

// Format implements fmt.Formatter.
func (Parameter) Format(f fmt.State, _ rune) { writeRedacted(f) }

// MarshalText implements encoding.TextMarshaler: JSON is redacted too.
func (Parameter) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (Parameter) LogValue() slog.Value { return slog.StringValue(redacted) }

// NewTemplateMessage puts a message's frozen values into its template as it is
// now. The error says which value does not fit.
func NewTemplateMessage(t *template.Template, values map[string]string) (*TemplateMessage, error) {
	if _, err := t.Render(values); err != nil {
		return nil, err
	}
	m := &TemplateMessage{Name: t.Name, Language: t.Language}
	for _, p := range t.Parameters() {
		m.Parameters = append(m.Parameters, Parameter{Parameter: p, Value: values[p.Name]})
	}
	return m, nil
}

// Response is the provider's acceptance. It does not prove delivery.
type Response struct {
	ProviderMessageID string
	// Held: accepted, and kept back until the provider has judged the template
	// or the account. It may still fail.
	Held bool
	// Recipient is who the provider says got it; where it has both identifiers
	// they belong to one person.
	Recipient Address
}

// Check says whether a request is whole, as an *Error of class message.
func (r *Request) Check() error {
	var why string
	switch {
	case r.MessageID == "":
		why = "no message id"
	case r.NumberID == "":
		why = "no sending number"
	case r.To.Phone == "" && r.To.BSUID == "":
		why = "no recipient"
	case (r.Template == nil) == (r.Text == ""):
		why = "want a template or a text, one of them"
	case r.Template != nil && (r.Template.Name == "" || r.Template.Language == ""):
		why = "template without name or language"
	default:
		return nil
	}
	return &Error{Class: Message, Detail: why}
}
