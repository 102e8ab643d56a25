package sandbox

import (
	"encoding/base64"
	"hash/fnv"
	"math/rand/v2"
	"strings"
)

// key names a place in the world where chance decides: a customer, a day, a
// message. All draws come from keys, so that nothing depends on the order in
// which it is asked.
type key uint64

// golden is 2^64 divided by the golden ratio, the increment of SplitMix64
// (Steele, Lea, Flood 2014).
const golden = 0x9e3779b97f4a7c15

// with returns the key of a thing inside this one.
func (k key) with(n uint64) key {
	return key(scramble(uint64(k) + golden + scramble(n+golden)))
}

// text is with, for a thing that has a name.
func (k key) text(s string) key {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // never fails
	return k.with(h.Sum64())
}

// scramble is SplitMix64's output function.
func scramble(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// share is a number in [0, 1).
func (k key) share() float64 { return float64(uint64(k)>>11) / (1 << 53) }

// random is a sequence of draws.
func (k key) random() *rand.Rand { return rand.New(rand.NewPCG(uint64(k), golden)) }

// hex is the key as n hex digits, at most 32, in capital letters.
func (k key) hex(n int) string {
	var text [32]byte
	k.with(1).appendHex(text[:0])
	k.with(2).appendHex(text[:16])
	return string(text[:n])
}

func (k key) appendHex(dst []byte) {
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789ABCDEF"[k>>shift&15])
	}
}

// The things inside a world that keys are made for.
const (
	customerDraw uint64 = iota + 1
	orderDraw
	messageDraw
	reactionDraw
	arrivalDraw
	inboundDraw
	wamidDraw
	faultDraw
	traceDraw
	strangerDraw
)

// messageID makes an id like one of Meta's: "wamid." and base64, in which the
// customer's phone stands in clear, as in those of Meta's documentation. Callers
// must not read it, nor keep it where no phone may be.
func (k key) messageID(phone string) string {
	digits := strings.TrimPrefix(phone, "+")
	raw := append([]byte{0x1c, 0x18, byte(len(digits))}, digits...)
	raw = append(raw, 0x15, 0x02, 0x00, 0x11, 0x18, 0x12)
	raw = append(raw, k.with(wamidDraw).hex(18)...)
	return "wamid." + base64.StdEncoding.EncodeToString(append(raw, 0))
}
