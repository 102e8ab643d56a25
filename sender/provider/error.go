package provider

import (
	"strings"
	"time"
)

// Class says what an error means for what happens next.
type Class string

// The classes. Only RetrySafe is ever sent again by itself.
const (
	// RetrySafe: the provider has not taken the message, and may later.
	RetrySafe Class = "retry_safe"
	// Ambiguous: it may have been taken. The message becomes unknown until a
	// status tells.
	Ambiguous Class = "ambiguous"
	// Recipient: not to this person, now (RetryAfter) or at all.
	Recipient Class = "recipient"
	// Message: this message will never go as it is.
	Message Class = "message"
	// Template: no message of this template will go.
	Template Class = "template"
	// Number: this sending number must stop.
	Number Class = "number"
	// Account: the whole account must stop, or with Scope Country one country.
	Account Class = "account"
)

// Classes returns all of them.
func Classes() []Class {
	return []Class{RetrySafe, Ambiguous, Recipient, Message, Template, Number, Account}
}

// Scope says what has to wait, or stop, where the class alone does not.
type Scope string

// The scopes. Empty means the message alone.
const (
	ScopePair    Scope = "pair"    // this number to this person
	ScopeNumber  Scope = "number"  // all of this number
	ScopeAccount Scope = "account" // all of the account
	ScopeCountry Scope = "country" // all to the recipient's country
)

// Error is a provider's refusal, or the loss of its answer. It holds nothing
// that the provider wrote but its code and trace: what a provider writes may
// quote the recipient.
type Error struct {
	Provider string
	Class    Class
	Scope    Scope
	// Code is the provider's; empty where it gave none.
	Code string
	// Detail says in our words what is wrong and what to do.
	Detail string
	// RetryAfter is how long to wait at least; 0 means that the caller's own
	// back-off does. For Recipient, 0 means not again.
	RetryAfter time.Duration
	// OptedOut: the customer stopped marketing of this business at the provider.
	OptedOut bool
	// Trace is the provider's id of the request, for its support.
	Trace string
	// Cause is context.Canceled or DeadlineExceeded, where one of them is.
	Cause error
}

func (e *Error) Error() string {
	var b strings.Builder
	for _, part := range []string{e.Provider, string(e.Class), e.Code} {
		if part != "" {
			b.WriteString(part + " ")
		}
	}
	text := strings.TrimSpace(b.String()) + ": " + e.Detail
	if e.Trace != "" {
		text += " (trace " + e.Trace + ")"
	}
	return text
}

// Unwrap returns Cause.
func (e *Error) Unwrap() error { return e.Cause }
