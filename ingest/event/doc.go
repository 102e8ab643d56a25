// Package event is the noun that every part of goodhour shares: one thing that
// happened, as a CloudEvents 1.0 event on a Kafka topic.
//
// The table in kind.go is the single description of every event type: its
// topic, its raw table, its columns and which of them are personal data. The
// codec, the JSON Schemas under schema/ (generated), the warehouse's raw and
// pii tables and the typed data structs are all checked against it by tests.
//
// Decode turns a Kafka record into one row of a columnar [Rows], or into a
// [DeadLetter]; it never drops a record and never returns an error that would
// stop the stream. A [Batch] is what a loader commits in one transaction. A
// producer of our own makes events with [New] and sends [Event.Record].
//
// # What Decode accepts
//
// Both Kafka forms of CloudEvents: binary (ce_ headers, the value is the data)
// and structured (content type application/cloudevents+json, or no ce_ header
// and a value with a specversion). Attributes: id, source, type and time are
// needed; the record's key stands in for an absent subject; extension
// attributes are not kept. An id, source or subject has at most 1,024 bytes,
// none of them control characters. The time is RFC 3339 with any offset, of
// 1971 or later and at most 24 hours after Kafka's timestamp.
//
// The data is one JSON object in UTF-8 whose fields [Schema] describes. In
// doubt the strict reading holds, and the tolerance ends where two readings
// are possible:
//
//   - An integer is taken for a text: ids and error codes come as either. The
//     other way round it is not: numbers and booleans in quotes are refused.
//   - A decimal is a number or a plain decimal string, read exactly.
//   - null and an empty text are the same as an absent field.
//   - A key given twice is refused; so are unpaired surrogates and NUL.
//   - A field without a column is kept, as it stands, in [ExtraColumn].
//   - An identifier that is none (a mistyped phone) is kept there too, if the
//     event has another; if it has no other, it is a dead letter. A subject
//     that is none is kept as "ce_subject".
//
// All identifiers of an event are linked to each other; those of an
// IdentityUnlinked are unlinked instead. A reason never quotes the record.
//
// The package does no I/O and reads no clock.
package event
