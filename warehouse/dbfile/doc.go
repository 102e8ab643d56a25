// Package dbfile is what the warehouse's file and the ledger's have in common:
// one process owns it, and numbered migrations made it.
package dbfile
