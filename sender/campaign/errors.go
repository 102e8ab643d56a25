package campaign

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNotFound says that there is no campaign, plan or customer of that id: every
// *NotFoundError is it.
var ErrNotFound = errors.New("there is none of that id")

// NotFoundError says what there is not, and how to find what there is.
type NotFoundError struct{ Text string }

func (e *NotFoundError) Error() string { return e.Text }

// Is says that it is ErrNotFound.
func (e *NotFoundError) Is(target error) bool { return target == ErrNotFound }

func notFound(format string, args ...any) error {
	return &NotFoundError{fmt.Sprintf(format, args...)}
}

// Problem is one thing that is wrong, and where.
type Problem struct {
	// Line of the file, from 1; 0 where the file is not to blame.
	Line int `json:"line,omitempty"`
	// Field is the place: "template.parameters.1.missing".
	Field string `json:"field,omitempty"`
	// Text says what is wrong and how to mend it. It never quotes personal data.
	Text string `json:"text"`
}

func (p Problem) String() string {
	text := p.Text
	if p.Field != "" {
		text = p.Field + ": " + text
	}
	if p.Line > 0 {
		text = fmt.Sprintf("line %d: %s", p.Line, text)
	}
	return text
}

// InvalidError says everything that is wrong with a campaign's file, or that
// keeps it from being planned. Its author can mend it.
type InvalidError struct{ Problems []Problem }

func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return "the campaign cannot be planned as it is: " + strings.Join(lines, "; ")
}

// invalid is an InvalidError of one problem.
func invalid(field, format string, args ...any) error {
	return &InvalidError{Problems: []Problem{{Field: field, Text: fmt.Sprintf(format, args...)}}}
}

// ConflictError says that what was asked does not fit how things stand: another
// plan is unfinished, the hash is another, the status does not allow it.
type ConflictError struct {
	Text string
	err  error
}

func (e *ConflictError) Error() string { return e.Text }

// Unwrap gives the ledger's error, if it was one.
func (e *ConflictError) Unwrap() error { return e.err }
