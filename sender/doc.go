// Package sender takes approved messages out of the ledger, hands them to the
// providers at the pace that the limits allow, and writes down what became of
// each.
//
// Its promise: no message is handed to a provider twice unless the provider
// definitely refused it, with an error that is safe to repeat, in between; and
// none is lost from view. The way of a message, with the places at which a
// crash is tested (KillPoint):
//
//	step                                                after a crash here, the message is
//	due: approved, its time has come                    waiting
//	barrier: every opt-out in the topics is read        waiting
//	decided: policy.Decide, then the pair's quota       waiting
//	claimed: one commit for a group                     after_claim_commit  unknown, never submitted
//	opt-outs once more, from memory; the number's turn
//	provider.Send, once                                 before_call         unknown, never submitted
//	                                                    after_response      unknown, until a status tells
//	settled: one commit for the answers that came       before_settle       unknown, until a status tells
//	published: by a stored cursor, ids from the rows    before_publish      settled; published at the next start
//
// Of all errors only provider.RetrySafe puts a message back: it waits, longer
// with each refusal. Ambiguous is unknown, everything else has failed. What
// concerns more than the message halts more than the message: a number, an
// account or a template, for a time that grows, told once; Resume ends it.
//
// A claim takes what the limits allow until the next claim can be made, at most
// a second's worth; each call then takes its own permit from its number. So in
// no window more is sent than the number's limits allow, and a claim that is not
// called within seconds (a machine that slept) is put back and decided anew.
//
// What it does not do: it plans nothing, judges nothing that policy can judge,
// reads no topic, and knows of time only what its Clock says. One Sender owns a
// ledger.
package sender
