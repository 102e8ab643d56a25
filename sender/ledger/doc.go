// Package ledger is the sender's memory: a DuckDB file of its own with what was
// planned, decided, claimed and answered, and the projection of the topics that
// the rules need (who is who, opt-outs, windows, statuses). It is one of the two
// projections of the topics, with offsets of its own, and implements
// ingest.Loader.
//
// # The promise
//
// No message is handed to a provider twice. A claim is committed before the call,
// so whatever crashes afterwards, the ledger knows that there may have been one:
//
//	the process ends            the message is        and then
//	before the claim's commit   waiting               is due again
//	after it, before the call   claimed → unknown     waits for a status or a person
//	after the answer            claimed → unknown     its status resolves it
//	after the settlement        settled               its event is still owed, and published
//	after the publishing        settled               may be published again, under the same id
//
// sender/STATES.md draws the states. A message that is unknown is never claimed
// again; only a status that carries its id moves it.
//
// # How it is kept
//
// Rows are appended and never changed. The state of now lies in memory, is
// changed only after the commit of what it says, and is derived from the rows
// again at Open, so a restart after any commit gives the same state. Where a
// commit's own outcome is in doubt the ledger refuses everything until it is
// opened again.
//
// What the projection keeps of an event is a set (identities, links, unlinks), the
// newest time of a thing (opt-out, opt-in, inbound message, by identity) or the
// furthest status, so late, repeated and disordered events make no difference.
// Whatever a rule asks is asked of the component of now: all identities that are
// one person at this moment.
//
// # Consent
//
// Of a person and a category, the newest opt-out is in force unless a newer
// opt-in undoes it, and only two sources do: the person's own message (a start
// word or button) and the platform's switch. Imports, forms, CRMs and operators
// undo nothing. At one instant the opt-out wins. An opt-out of "all" stands under
// each category. The models' customer_consents has the same rule.
//
// Times are kept to the microsecond. Personal data is in the file's tables
// pii.identifiers and pii.parameters only, and not in memory.
//
// Memory is about 85 bytes for an identity (250 MB for a million customers with
// three each) and 170 bytes for a message of any plan in the file. A plan's
// messages stay in memory when it is done.
package ledger
