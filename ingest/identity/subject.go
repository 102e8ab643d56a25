package identity

import "strings"

// ParseSubject says whose identifier a subject (or any reference to a person:
// in a file, a URL, a command) is. It returns the namespace and the value,
// normalised.
//
//	phone:+5511999990000    phone, international (see NormalisePhone)
//	bsuid:BR.1349…          bsuid
//	email:ana@example.com   email
//	external:shop:1234      external:shop, by the rule of ExternalKey
//	1234                    the caller's own key: customerNamespace, by the rule of ExternalKey
//
// An empty customerNamespace means NamespaceCustomer. Errors never quote the
// subject.
func ParseSubject(subject, customerNamespace string) (namespace, value string, err error) {
	subject = strings.TrimSpace(subject)
	if subject == "" {
		return "", "", errSubjectEmpty
	}
	if prefix, rest, found := strings.Cut(subject, ":"); found {
		switch prefix {
		case NamespacePhone, NamespaceBSUID, NamespaceEmail:
			return normalise(prefix, rest)
		case "external":
			system, key, _ := strings.Cut(rest, ":")
			return ExternalKey(system, key)
		}
	}
	if customerNamespace == "" {
		customerNamespace = NamespaceCustomer
	}
	return normalise(customerNamespace, subject)
}

// ExternalKey is the identifier that a system ("shop", without "external:")
// has for a person. The system's name is folded to small letters.
//
// A key that is itself an e-mail address or a phone number with + is put in
// the namespace email or phone, whatever system it comes from: it is personal
// data and must lie where personal data lies, and it is the same identifier.
func ExternalKey(system, key string) (namespace, value string, err error) {
	system = strings.ToLower(system)
	if !isSystemName(system) {
		return "", "", errSystemName
	}
	return normalise(NamespaceExternal+system, key)
}

// CheckNamespace says whether a namespace can hold customer keys: phone, bsuid,
// email, or external: and a system's name. For a configuration's check.
func CheckNamespace(namespace string) error {
	switch namespace {
	case NamespacePhone, NamespaceBSUID, NamespaceEmail:
		return nil
	}
	system, external := strings.CutPrefix(namespace, NamespaceExternal)
	if !external || !isSystemName(system) {
		return errNamespace
	}
	return nil
}

// normalise returns a key of a namespace known to be good, in that namespace
// or, by the rule of ExternalKey, in email or phone.
func normalise(namespace, key string) (string, string, error) {
	var value string
	var err error
	switch namespace {
	case NamespacePhone:
		value, err = NormalisePhone(key, "")
	case NamespaceBSUID:
		value, err = NormaliseBSUID(key)
	case NamespaceEmail:
		value, err = NormaliseEmail(key)
	default:
		return normaliseKey(namespace, key)
	}
	return namespace, value, err
}

func normaliseKey(namespace, key string) (string, string, error) {
	value, err := NormaliseExternal(key)
	if err != nil {
		return namespace, "", err
	}
	if strings.Contains(value, "@") {
		if email, err := NormaliseEmail(value); err == nil {
			return NamespaceEmail, email, nil
		}
	}
	if strings.HasPrefix(value, "+") {
		if phone, err := NormalisePhone(value, ""); err == nil {
			return NamespacePhone, phone, nil
		}
	}
	return namespace, value, nil
}

// isSystemName holds colons out, so that "namespace:value" reads one way only.
func isSystemName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == '.', c == '-':
		default:
			return false
		}
	}
	return true
}
