package event

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deep objects and arrays may lie in each other.
const maxDepth = 64

// tokenKind is the JSON type of a token.
type tokenKind uint8

const (
	tokenNull tokenKind = iota
	tokenBool
	tokenNumber
	tokenString
	tokenArray
	tokenObject
)

// String is for the reason of a dead letter.
func (k tokenKind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// token is one JSON value as it stands in the record.
type token struct {
	kind    tokenKind
	raw     []byte // the whole value; a string with its quotes
	escaped bool   // a string with at least one backslash
}

// inner is a string without its quotes, escapes as they are.
func (t *token) inner() []byte { return t.raw[1 : len(t.raw)-1] }

// scanner walks one JSON text once and allocates nothing. It accepts exactly
// RFC 8259, without unpaired surrogates (RFC 7493 §2.1: they are no text, and
// DuckDB's JSON refuses them) and without nesting over maxDepth. It leaves
// UTF-8 to its caller, who checks the whole record at once.
type scanner struct {
	data  []byte
	pos   int
	depth int
	// fresh: an object or array was just opened, so no comma comes first.
	fresh bool
}

func (s *scanner) fail(want string) error {
	return fmt.Errorf("broken JSON at byte %d: want %s", s.pos, want)
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the next byte that is not white space, or 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.pos == len(s.data) {
		return 0
	}
	return s.data[s.pos]
}

// open enters an object ('{') or an array ('[') that the caller has seen.
func (s *scanner) open() error {
	if s.depth == maxDepth {
		return fmt.Errorf("JSON nested over %d levels at byte %d", maxDepth, s.pos)
	}
	s.pos++
	s.depth++
	s.fresh = true
	return nil
}

// more steps to the next member or element, or over the closing bracket.
func (s *scanner) more(closing byte) (bool, error) {
	c := s.peek()
	fresh := s.fresh
	s.fresh = false
	if c == closing {
		s.pos++
		s.depth--
		return false, nil
	}
	if fresh {
		return true, nil
	}
	if c != ',' {
		return false, s.fail("a comma or the end of the list")
	}
	s.pos++
	return true, nil
}

// member reads the next key of the open object; the value comes next. It
// reports false at the object's end.
func (s *scanner) member() (key token, more bool, err error) {
	more, err = s.more('}')
	if err != nil || !more {
		return token{}, false, err
	}
	if s.peek() != '"' {
		return token{}, false, s.fail("a key in quotes")
	}
	key, err = s.text()
	if err != nil {
		return token{}, false, err
	}
	if s.peek() != ':' {
		return token{}, false, s.fail("a colon")
	}
	s.pos++
	return key, true, nil
}

// value reads one value of any type, all of it.
func (s *scanner) value() (token, error) {
	switch c := s.peek(); c {
	case '"':
		return s.text()
	case '{':
		return s.object()
	case '[':
		return s.array()
	case 't':
		return s.literal("true", tokenBool)
	case 'f':
		return s.literal("false", tokenBool)
	case 'n':
		return s.literal("null", tokenNull)
	default:
		if c == '-' || isDigit(c) {
			return s.number()
		}
		return token{}, s.fail("a value")
	}
}

func (s *scanner) object() (token, error) {
	start := s.pos
	if err := s.open(); err != nil {
		return token{}, err
	}
	for {
		_, more, err := s.member()
		if err != nil {
			return token{}, err
		}
		if !more {
			return token{kind: tokenObject, raw: s.data[start:s.pos]}, nil
		}
		if _, err := s.value(); err != nil {
			return token{}, err
		}
	}
}

func (s *scanner) array() (token, error) {
	start := s.pos
	if err := s.open(); err != nil {
		return token{}, err
	}
	for {
		more, err := s.more(']')
		if err != nil {
			return token{}, err
		}
		if !more {
			return token{kind: tokenArray, raw: s.data[start:s.pos]}, nil
		}
		if _, err := s.value(); err != nil {
			return token{}, err
		}
	}
}

func (s *scanner) literal(word string, kind tokenKind) (token, error) {
	end := s.pos + len(word)
	if end > len(s.data) || string(s.data[s.pos:end]) != word {
		return token{}, s.fail("a value")
	}
	raw := s.data[s.pos:end]
	s.pos = end
	return token{kind: kind, raw: raw}, nil
}

func (s *scanner) number() (token, error) {
	start := s.pos
	if s.data[s.pos] == '-' {
		s.pos++
	}
	zero := s.pos < len(s.data) && s.data[s.pos] == '0'
	if n := s.digits(); n == 0 || zero && n > 1 {
		return token{}, s.fail("a number without leading zeros")
	}
	if s.pos < len(s.data) && s.data[s.pos] == '.' {
		s.pos++
		if s.digits() == 0 {
			return token{}, s.fail("a digit after the point")
		}
	}
	if s.pos < len(s.data) && s.data[s.pos]|0x20 == 'e' {
		s.pos++
		if s.pos < len(s.data) && (s.data[s.pos] == '+' || s.data[s.pos] == '-') {
			s.pos++
		}
		if s.digits() == 0 {
			return token{}, s.fail("a digit in the exponent")
		}
	}
	return token{kind: tokenNumber, raw: s.data[start:s.pos]}, nil
}

func (s *scanner) digits() int {
	start := s.pos
	for s.pos < len(s.data) && isDigit(s.data[s.pos]) {
		s.pos++
	}
	return s.pos - start
}

// text reads a string; the caller has seen its first quote.
func (s *scanner) text() (token, error) {
	start, data := s.pos, s.data
	escaped := false
	for i := start + 1; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			s.pos = i + 1
			return token{kind: tokenString, raw: data[start:s.pos], escaped: escaped}, nil
		case c == '\\':
			escaped = true
			n := escapeLength(data[i:])
			if n == 0 {
				s.pos = i
				return token{}, s.fail("a valid escape, surrogates in pairs")
			}
			i += n - 1
		case c < ' ':
			s.pos = i
			return token{}, s.fail("no control character in a string")
		}
	}
	s.pos = len(data)
	return token{}, s.fail("the end of a string")
}

// escapeLength is the length of the escape that b begins with: 2, 6, 12 for a
// pair of surrogates, or 0 if it is none.
func escapeLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
	default:
		return 0
	}
	first, ok := hexEscape(b)
	if !ok {
		return 0
	}
	if !utf16.IsSurrogate(first) {
		return 6
	}
	second, ok := hexEscape(b[6:])
	if !ok || utf16.DecodeRune(first, second) == utf8.RuneError {
		return 0
	}
	return 12
}

// hexEscape reads \uXXXX at the beginning of b.
func hexEscape(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case isDigit(c):
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// appendUnescaped appends the text of a string that the scanner accepted.
func appendUnescaped(dst, inner []byte) []byte {
	for i := 0; i < len(inner); {
		if inner[i] != '\\' {
			dst = append(dst, inner[i])
			i++
			continue
		}
		switch c := inner[i+1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, _ := hexEscape(inner[i:])
			if utf16.IsSurrogate(r) {
				second, _ := hexEscape(inner[i+6:])
				r = utf16.DecodeRune(r, second)
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
			i += 4
		default: // quote, backslash, slash
			dst = append(dst, c)
		}
		i += 2
	}
	return dst
}

// appendCompact appends a valid JSON value without its white space.
func appendCompact(dst, raw []byte) []byte {
	inString := false
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case inString && c == '\\':
			dst = append(dst, c)
			i++
			c = raw[i]
		case c == '"':
			inString = !inString
		case !inString && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
