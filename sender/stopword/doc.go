// Package stopword reads whether an inbound message asks to be written to no
// more, or again. It comes before every other reading of a message.
//
// Only a whole message counts: "stop" does, "please stop the delivery" does
// not. Case, accents, width, punctuation, spaces and emoji make no difference.
// All words, and what is ambiguous about them, are in one table, words.go.
//
// The package does no I/O, keeps no state and never returns the message's text.
package stopword
