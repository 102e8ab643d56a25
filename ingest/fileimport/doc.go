// Package fileimport turns files into events: orders, customers, consents and
// the history of messages of another tool, from delimited text, JSON,
// Excel workbooks and Parquet, by columns that are named or guessed, or by an
// SQL select.
//
// Its promises:
//
//   - The same file gives the same events. An event's id is the user's own
//     (an order's, a message's), or a hash of what makes the row the one it is
//     and its ordinal among rows with the same: importing twice changes
//     nothing, in whatever order the rows stand, and real repeats stay.
//   - Nothing is guessed in silence. A column whose headings, amounts or dates
//     read in two ways is a [Refusal] that says how to tell them apart.
//   - A row that cannot become an event is rejected by line and reason; every
//     row is counted as good, rejected or a duplicate. Reports and errors never
//     quote a value.
//   - Nothing is published before all rows have been checked, each event by the
//     codec itself, so that none becomes a dead letter.
//   - Memory does not grow with the files.
//
// How: text is read by this package (its lines and reasons have to be exact),
// Parquet by a private DuckDB in memory, which may open the named files only.
// All rows are staged there as text. The survey reads them a page at a time and
// writes down a few facts of each; SQL finds repeats, conflicts and totals over
// all of them; publishing reads the rows again and builds the same events.
//
// A shop's export of orders, recognised by its headings, is first made into a
// row an order: see preset.
//
// It does not write to Kafka (its caller does, see [Publish]) and reads no
// clock.
package fileimport
