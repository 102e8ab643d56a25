package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"sync"
)

// MinKeyBytes is the shortest key: as long as the hash's output, as RFC 2104 §3
// asks of an HMAC key.
const MinKeyBytes = 32

// Keyer derives identity ids with the installation's key. Safe for concurrent use.
type Keyer struct {
	// states holds *keyState. The key itself is only in their hashes, so that
	// printing a Keyer cannot show it.
	states sync.Pool
}

// keyState is an HMAC that has absorbed the padded key, and a buffer. After
// its first use a Reset of Go's HMAC restores the two hash states and does not
// hash the key again.
type keyState struct {
	mac hash.Hash
	buf []byte
}

// NewKeyer returns a keyer. The key has at least MinKeyBytes bytes.
func NewKeyer(key []byte) (*Keyer, error) {
	if len(key) < MinKeyBytes {
		return nil, fmt.Errorf("identity key of %d bytes: want at least %d random bytes", len(key), MinKeyBytes)
	}
	own := append([]byte(nil), key...)
	return &Keyer{states: sync.Pool{New: func() any {
		return &keyState{mac: hmac.New(sha256.New, own), buf: make([]byte, 0, 128)}
	}}}, nil
}

// ID derives the id of a normalised value in a namespace: the first 128 bits
// of HMAC-SHA256 over "namespace:value", six of them replaced by the version
// and variant of a UUIDv8 (RFC 9562 §5.8). No two pairs give the same text: a
// namespace has no colon but the one in "external:", and a system's name none.
func (k *Keyer) ID(namespace, value string) ID {
	s := k.states.Get().(*keyState)
	s.buf = append(append(append(s.buf[:0], namespace...), ':'), value...)
	id := s.sum()
	k.states.Put(s)
	return id
}

// IDBytes is ID for a value in bytes. It does not allocate.
func (k *Keyer) IDBytes(namespace string, value []byte) ID {
	s := k.states.Get().(*keyState)
	s.buf = append(append(append(s.buf[:0], namespace...), ':'), value...)
	id := s.sum()
	k.states.Put(s)
	return id
}

func (s *keyState) sum() ID {
	s.mac.Reset()
	s.mac.Write(s.buf)
	s.buf = s.mac.Sum(s.buf[:0])
	id := ID(s.buf[:16])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}
