// Package report draws what a published file says of a shop's customers as one
// HTML file to forward: figures, charts and tables inline, no script, nothing
// fetched.
//
// A section is a file of its own (trade.go, segments.go, …) with its queries in
// sql/, and an entry in sections(). It says what it shows (definition), of how
// many (basis) and fills blocks; drawing.go lays the charts out and report.html
// with style.css shows them. Another section is another file and another entry.
//
// Every text goes through maker.T: see package texts.
package report
