package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
)

// Meta's message ids begin so. What follows is base64, and the customer's phone
// lies in it in clear: wamid.HBgLMTY1MDUwNzY1MjAV… of Meta's documentation holds
// 16505076520 ("Messages", example response; checked 2026-11-25).
const wamidPrefix = "wamid."

// hiddenPrefix begins what StoredMessageID makes of one.
const hiddenPrefix = "wamid:"

// StoredMessageID is what is kept of a provider's message id outside pii. Of
// Meta's that is "wamid:" and 32 hex digits of its SHA-256: it still tells which
// statuses and answers belong to which message, and no longer whose phone it
// is. The hash has no key, so that everyone who is given the id comes to the
// same; it cannot be guessed from a phone, for the rest of the id is random.
// Every other id, one that is hidden already too, stays as it is.
func StoredMessageID(id string) string {
	if !bytes.Contains([]byte(id), []byte(wamidPrefix)) {
		return id
	}
	return string(appendStoredID(nil, []byte(id)))
}

// storedID is StoredMessageID for any text with such ids in it: an event's id
// often holds one. It returns text itself where there is none.
func (d *Decoder) storedID(text []byte) []byte {
	if !bytes.Contains(text, []byte(wamidPrefix)) {
		return text
	}
	start := len(d.arena)
	d.arena = appendStoredID(d.arena, text)
	return d.arena[start:]
}

// appendStoredID appends text with each wamid in it hidden.
func appendStoredID(dst, text []byte) []byte {
	for {
		at := bytes.Index(text, []byte(wamidPrefix))
		if at < 0 {
			return append(dst, text...)
		}
		end := at + len(wamidPrefix)
		for end < len(text) && isBase64(text[end]) {
			end++
		}
		digest := sha256.Sum256(text[at:end])
		dst = append(append(dst, text[:at]...), hiddenPrefix...)
		dst = hex.AppendEncode(dst, digest[:16])
		text = text[end:]
	}
}

// isBase64 accepts both alphabets and the filling.
func isBase64(c byte) bool {
	return isASCIILetter(c) || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_' || c == '='
}

func isASCIILetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
