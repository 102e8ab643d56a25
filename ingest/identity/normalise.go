package identity

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	errEmail        = errors.New("not an e-mail address: want name@domain.tld")
	errBSUID        = errors.New("not a BSUID: want two capital letters, a dot, ENT. for a parent's, and 1 to 128 letters or digits")
	errKeyEmpty     = errors.New("empty key")
	errKeyLength    = errors.New("key over 512 bytes")
	errKeyControl   = errors.New("key with a control character or broken UTF-8")
	errSystemName   = errors.New("not a system's name: want 1 to 64 of a-z 0-9 _ . - in front of the key")
	errSubjectEmpty = errors.New("empty identifier")
	errNamespace    = errors.New("not a namespace for customer keys: want phone, bsuid, email or external:SYSTEM")
)

// NormaliseEmail returns the address trimmed and in small letters, if it is
// plausible: one @, a name of at most 64 bytes, a domain with a dot and labels
// of letters, digits and hyphens, 254 bytes in all (RFC 5321 §4.5.3.1). It does
// not fold dots or tags of any provider: that would be a guess about who
// shares a mailbox. Errors never quote the address.
func NormaliseEmail(raw string) (string, error) {
	s := strings.Map(unicode.ToLower, strings.TrimSpace(raw))
	name, domain, found := strings.Cut(s, "@")
	if !found || len(s) > 254 || name == "" || len(name) > 64 || !utf8.ValidString(raw) {
		return "", errEmail
	}
	if strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
		return "", errEmail
	}
	for _, r := range name {
		if r < utf8.RuneSelf && !isASCIIAlphanumeric(byte(r)) && !strings.ContainsRune(".!#$%&'*+/=?^_`{|}~-", r) ||
			r >= utf8.RuneSelf && !unicode.In(r, unicode.L, unicode.M, unicode.N) {
			return "", errEmail
		}
	}
	labels := strings.Split(domain, ".")
	if len(labels) < 2 {
		return "", errEmail
	}
	for _, label := range labels {
		if !plausibleLabel(label) {
			return "", errEmail
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return "", errEmail // an IP address, or a decimal number after the @
	}
	return s, nil
}

func plausibleLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for _, r := range label {
		if r < utf8.RuneSelf && !isASCIIAlphanumeric(byte(r)) && r != '-' ||
			r >= utf8.RuneSelf && !unicode.In(r, unicode.L, unicode.M, unicode.N) {
			return false
		}
	}
	return true
}

// NormaliseBSUID returns Meta's business-scoped user id, trimmed: "BR.1349…",
// or "BR.ENT.…" for one of a parent business. Letters keep their case.
func NormaliseBSUID(raw string) (string, error) {
	s := strings.TrimSpace(raw)
	if len(s) < 4 || !isCapital(s[0]) || !isCapital(s[1]) || s[2] != '.' {
		return "", errBSUID
	}
	rest := strings.TrimPrefix(s[3:], "ENT.")
	if rest == "" || len(rest) > 128 {
		return "", errBSUID
	}
	for i := range len(rest) {
		if !isASCIIAlphanumeric(rest[i]) {
			return "", errBSUID
		}
	}
	return s, nil
}

// NormaliseExternal returns a key of another system, trimmed. Its case stays:
// "A1" and "a1" are two customers in many shops.
func NormaliseExternal(raw string) (string, error) {
	if len(raw) > 2*maxKeyBytes {
		return "", errKeyLength
	}
	if !utf8.ValidString(raw) {
		return "", errKeyControl
	}
	s := strings.TrimSpace(raw)
	if s == "" {
		return "", errKeyEmpty
	}
	if len(s) > maxKeyBytes {
		return "", errKeyLength
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "", errKeyControl
	}
	return s, nil
}

const maxKeyBytes = 512

func isASCIIAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || isCapital(c)
}

func isCapital(c byte) bool { return c >= 'A' && c <= 'Z' }
