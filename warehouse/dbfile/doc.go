// Package dbfile is what the warehouse's file and the ledger's have in common:
// one process owns it, numbered migrations made it, and it knows how far it has
// read the topics (ops.offsets, moved by compare-and-set in the transaction of
// what was read).
package dbfile
