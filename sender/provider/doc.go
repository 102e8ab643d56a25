// Package provider is what goodhour asks of a WhatsApp provider, in words that
// all of them share: a Request, a Response, an Error of a Class, and five
// calls. An adapter per provider lies below; providertest is what each must
// pass; PROVIDERS.md has the limits from outside, with their sources.
//
// Promises of every adapter:
//
//   - Send calls the provider at most once. It never retries and follows no
//     redirect: whether to try again is the ledger's decision.
//   - A failed Send is an *Error. Retry-safe means that the provider has not
//     taken the message, for certain; where that is in doubt it is ambiguous.
//   - The provider echoes Request.MessageID in every status.
//   - Neither tokens nor anything personal stands in an error or a log line.
//
// The package sends nothing by itself, keeps no state and reads no clock.
package provider
