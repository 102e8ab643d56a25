// Package identity answers who is who: it normalises identifiers, derives the
// pseudonymous identity_id from them, and groups identities into customers.
// Warehouse and ledger both use it, so they always agree.
//
// identity_id is HMAC-SHA256 keyed by the installation's key over
// "namespace:normalised value", its first 128 bits stored as a UUID (version 8
// of RFC 9562). Without the key nobody can go back from the id to the phone.
//
// A customer is a connected component of the links between identities. Its id
// is that of its first identity in the order external, phone, BSUID, e-mail,
// then by id. So it is a pure function of the set of links: no times, no order
// of arrival.
//
// The package does no I/O and reads no clock.
package identity
