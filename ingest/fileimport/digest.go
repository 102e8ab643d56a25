package fileimport

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// digest is the first 128 bits of a SHA-256.
type digest struct{ hi, lo uint64 }

// hex is how a digest stands in an id.
func (d digest) hex() string { return fmt.Sprintf("%016x%016x", d.hi, d.lo) }

// digestOf hashes texts, each with its length before it, so that no two lists
// of texts are alike.
func digestOf(texts ...string) digest {
	var buffer [512]byte
	b := buffer[:0]
	for _, t := range texts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(t)))
		b = append(b, t...)
	}
	sum := sha256.Sum256(b)
	return digest{hi: binary.BigEndian.Uint64(sum[:]), lo: binary.BigEndian.Uint64(sum[8:])}
}
