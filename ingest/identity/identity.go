package identity

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
)

// ID is an identity_id: a pseudonym of one identifier.
type ID [16]byte

// Namespaces. An external identity's namespace is "external:" and the name of
// the system whose key it is; the caller's own customer keys are
// "external:customer" unless configured otherwise.
const (
	NamespacePhone    = "phone"
	NamespaceBSUID    = "bsuid"
	NamespaceEmail    = "email"
	NamespaceExternal = "external:" // prefix
	NamespaceCustomer = "external:customer"
)

// Identity is one identifier of a person.
type Identity struct {
	ID        ID
	Namespace string
	Value     string // normalised
}

// Link says that two identities are one person. A < B bytewise.
type Link struct{ A, B ID }

// NewLink returns the link between two identities, the smaller id first. The
// link of an identity with itself says nothing; callers leave it out.
func NewLink(a, b ID) Link {
	if b.Less(a) {
		a, b = b, a
	}
	return Link{A: a, B: b}
}

// Rank orders namespaces: a customer is named by the identity of the lowest
// rank. The numbers may be stored.
type Rank uint8

// The ranks, best first.
const (
	RankExternal Rank = iota
	RankPhone
	RankBSUID
	RankEmail
	// RankUnknown is the rank of an id that only a link has named.
	RankUnknown
)

// RankOf returns the rank of a namespace.
func RankOf(namespace string) Rank {
	switch namespace {
	case NamespacePhone:
		return RankPhone
	case NamespaceBSUID:
		return RankBSUID
	case NamespaceEmail:
		return RankEmail
	}
	if strings.HasPrefix(namespace, NamespaceExternal) {
		return RankExternal
	}
	return RankUnknown
}

// Compare orders ids by their bytes: -1, 0 or 1.
func (id ID) Compare(other ID) int { return bytes.Compare(id[:], other[:]) }

// Less reports whether id comes before other, by bytes.
func (id ID) Less(other ID) bool { return id.Compare(other) < 0 }

// IsZero reports whether id is the zero ID, which no identity has.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the id in the textual form of a UUID (RFC 9562 §4).
func (id ID) String() string {
	text, _ := id.MarshalText()
	return string(text)
}

// MarshalText returns what String returns. It never fails.
func (id ID) MarshalText() ([]byte, error) {
	out := make([]byte, 0, 36)
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			out = append(out, '-')
		}
		out = hex.AppendEncode(out, part)
	}
	return out, nil
}

// UnmarshalText is ParseID.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// ParseID reads the textual form of a UUID, in small or capital letters.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, errNotAnID
	}
	if _, err := hex.Decode(id[:], []byte(s[:8]+s[9:13]+s[14:18]+s[19:23]+s[24:])); err != nil {
		return ID{}, errNotAnID
	}
	return id, nil
}

var errNotAnID = errors.New("not an identity id: want a UUID like 0190b6f2-5c1e-8a3b-9d4e-0123456789ab")
