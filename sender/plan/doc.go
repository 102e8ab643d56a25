// Package plan is the nouns that the sender's parts share: a plan, its
// messages, their states, arms and decisions. campaign makes plans, ledger
// keeps them, policy judges their messages, sender sends them.
//
// The package does no I/O and reads no clock.
package plan
