// Package models says what the events mean: it builds staging, intermediate,
// marts and audience from the facts that a run has copied into a new file.
//
// A model is one select in a .sql file; folder = schema = layer, file =
// relation, and its inputs are read from DuckDB's own parser. A header block
// in the file documents and checks it. A few nodes of the same graph are
// computed in Go: staging.settings and staging.identity_customers.
//
// The promise: a relation is a pure function of the copied facts, the as-of
// time, the settings and the model version. Nothing here reads a clock for its
// contents, a file or the network, and [Lint] finds what would.
//
// One of goodhour's own models that cannot be built, or fails a check, fails
// the run, and nothing of it may be published. An analyst's model that does is
// left out with its error and with what reads it; everything else stands.
//
//	result, err := models.Run(ctx, conn, models.Options{AsOf: asOf, Own: os.DirFS("models"), Now: time.Now})
//	if err != nil {
//		return err // do not publish
//	}
//	for _, left := range result.LeftOut() { … }
//
// The package opens no database and moves no file: package warehouse does. It
// does not know the sender, which reads the tables.
package models
