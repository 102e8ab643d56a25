// Package api is goodhour over HTTP: figures, lists and SQL from the published
// file, customers and events in, keys, and how the server is.
//
// The table in routes.go is the whole of it: each row says a method, a path,
// the scope that a key needs, the query parameters and bodies that are read,
// and whether it changes something. Authentication, rate limits, audit and
// idempotency follow from the row, and openapi.yaml, which is served as
// /openapi.json, is held to the table by a test, as is every answer of every
// test to it.
//
// What it promises:
//
//   - Every answer from the published file says how old it is, and is of one
//     file from its first byte to its last, whatever is published meanwhile.
//   - An answer that breaks off looks broken off: a problem if nothing was sent
//     yet, a cut connection otherwise, never a short list.
//   - An event or a customer is accepted (202) after the log has acknowledged
//     it, and only if the decoder that will read it from there takes it.
//   - No caller's text becomes SQL, but in POST /v1/sql, which can only read
//     the published file.
//   - No personal data in the access log, the audit log, errors or problems,
//     and none in an answer without the scope pii.
//   - Nothing that changes something, and no list of customers, leaves without
//     its line in the audit log.
//
// What it does not do: it opens no database (package warehouse does), knows
// nothing of Kafka or the models (package ingest and package models; what is
// needed of them comes as a Publisher and a status function), sends no CORS
// headers, and compresses nothing (a proxy in front does that better).
//
//	server, err := api.New(api.Config{Library: library, Publisher: producer, …})
//	if err != nil {
//		return err
//	}
//	network := server.HTTPServer(server.Handler())      // keys
//	socket := server.HTTPServer(server.SocketHandler()) // a private Unix socket: everything
package api
