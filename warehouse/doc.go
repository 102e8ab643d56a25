// Package warehouse is the only code that opens the warehouse file, one DuckDB
// database with three schemas:
//
//	raw   what happened: one append-only table for each kind of event, and identities
//	pii   personal data, and nothing else holds any
//	ops   how far everything is: offsets, acceptances, migrations
//
// The promise of [DB.Load]: the rows of a batch and the offsets that they bring
// the log to are one transaction, and an event that is already there changes
// nothing. So after a crash at any instant, loading from the stored offsets
// gives the same tables as if nothing had happened.
//
// An event is known by (source, id). Load looks for it among the stored events
// whose time lies in the range of the batch's own times, wide gaps left out: a
// producer derives the time from what happened, and so a repetition has the
// same. A producer that sends one id with two times may get two rows.
//
// Exactly one process opens the file, and only once: see [Open]. Everyone else
// reads a published copy. The package reads no clock; it is given one.
package warehouse
