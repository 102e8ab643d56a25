package stream

import (
	"errors"
	"strings"
)

// ErrEmpty says that a text has no statement in it.
var ErrEmpty = errors.New("there is no statement in it")

// ErrNotOneSelect says that a text is something else than one select.
var ErrNotOneSelect = errors.New("one select is needed here")

// Error is DuckDB's own error.
type Error struct {
	// Class is what DuckDB puts before the first colon: "Parser Error",
	// "Out of Memory Error"; empty where there is none.
	Class string
	// Message is the rest, which may have several lines.
	Message string
}

func (e *Error) Error() string {
	if e.Class == "" {
		return e.Message
	}
	return e.Class + ": " + e.Message
}

// ParseError splits DuckDB's error text.
func ParseError(text string) *Error {
	class, message, ok := strings.Cut(text, ": ")
	if !ok || !strings.HasSuffix(class, "Error") || strings.ContainsAny(class, "\n\"'") {
		return &Error{Message: text}
	}
	return &Error{Class: class, Message: message}
}
