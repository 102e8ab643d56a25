// Package api is goodhour over HTTP: figures, lists and SQL from the published
// file, customers and events in, campaigns, the providers' webhooks, keys, and
// how the server is. Pages for a browser are a handler that it is given.
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
//   - A webhook is verified over its raw bytes before anything is read of it, and
//     answered with 200 once every event is in the log. What of it cannot be read
//     is kept whole as a dead letter. It needs no key, and strangers who fill the
//     address do not keep it from the provider or from callers with keys.
//   - Whoever approves a plan has named its hash; what a message says is in no answer.
//   - No caller's text becomes SQL, but in POST /v1/sql, which can only read
//     the published file.
//   - No personal data in the access log, the audit log, errors or problems,
//     and none in an answer without the scope pii.
//   - Nobody with a key changes something or takes a list of customers without
//     a line in the audit log.
//
// What it does not do: it decides nothing about campaigns (package campaign
// does) and tells the sender nothing that happened: a webhook becomes events,
// which the sender reads in the log. It opens no database (package warehouse
// does), knows nothing of Kafka or the models (package ingest and package
// models; what is needed of them comes as a Publisher and a status function),
// sends no CORS headers, and compresses nothing (a proxy in front does that
// better).
//
//	server, err := api.New(api.Config{Library: library, Publisher: producer, Campaigns: campaigns, …})
//	if err != nil {
//		return err
//	}
//	network := server.HTTPServer(server.Handler())      // keys
//	socket := server.HTTPServer(server.SocketHandler()) // a private Unix socket: everything
package api
