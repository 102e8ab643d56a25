package provider

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

func writeRedacted(w io.Writer) { _, _ = io.WriteString(w, redacted) }

// Secret is a token or key. However it is printed, logged or encoded, it is
// [redacted]; only Reveal returns it.
type Secret struct{ value string }

// NewSecret wraps a token or key.
func NewSecret(value string) Secret { return Secret{value: value} }

// Reveal returns the secret, for the place that signs or sends it.
func (s Secret) Reveal() string { return s.value }

// IsZero says whether there is none.
func (s Secret) IsZero() bool { return s.value == "" }

// Format implements fmt.Formatter, for every verb.
func (Secret) Format(f fmt.State, _ rune) { writeRedacted(f) }

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler, and so JSON and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText reads a secret from a configuration.
func (s *Secret) UnmarshalText(text []byte) error {
	s.value = string(text)
	return nil
}
