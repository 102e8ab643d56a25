// Package meta is the adapter for Meta's WhatsApp Cloud API: it sends
// templates and texts, lists templates, and reads webhooks.
//
// It speaks to Config.BaseURL, which may be a sandbox. It never retries, never
// follows a redirect, and reads no clock: events carry the payload's times.
//
// A failed call is judged by Meta's error code (codes.go), whatever the HTTP
// status: the two disagree in practice. Without a code it is judged by the
// status; without an answer by whether a connection was ever there.
//
// What it does not do yet: media and interactive free-form messages, the
// Marketing Messages API, creating templates, and events for the webhooks
// about templates, numbers and the account, which it reads over.
package meta
