package stream

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendJSON appends a value of Rows as JSON. Decimals and large integers keep
// every digit; times are RFC 3339 in UTC; BLOB is base64; what JSON has no
// number for (NaN, infinity) is null.
func AppendJSON(dst []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case float32:
		return appendFloat(dst, float64(v), 32)
	case float64:
		return appendFloat(dst, v, 64)
	case json.Number:
		return append(dst, v...)
	case json.RawMessage:
		if !json.Valid(v) { // DuckDB's JSON may hold bare NaN and Infinity
			return appendString(dst, string(v))
		}
		return append(dst, v...)
	case string:
		return appendString(dst, v)
	case tooLong:
		return appendString(dst, v.String())
	case []byte:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v)
		return append(dst, '"')
	case time.Time:
		dst = append(dst, '"')
		dst = v.AppendFormat(dst, time.RFC3339Nano)
		return append(dst, '"')
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			dst = AppendJSON(comma(dst, i), e)
		}
		return append(dst, ']')
	case Struct:
		dst = append(dst, '{')
		for i, f := range v {
			dst = append(appendString(comma(dst, i), f.Name), ':')
			dst = AppendJSON(dst, f.Value)
		}
		return append(dst, '}')
	case Map:
		dst = append(dst, '{')
		for i, e := range v {
			dst = append(appendString(comma(dst, i), string(AppendText(nil, e.Key))), ':')
			dst = AppendJSON(dst, e.Value)
		}
		return append(dst, '}')
	default:
		panic(fmt.Sprintf("stream: no such value: %T", value))
	}
}

// AppendText appends a value for people to read: times as
// 2006-01-02 15:04:05.999999 in UTC, nested values as JSON, null as nothing.
func AppendText(dst []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return dst
	case string:
		return append(dst, v...)
	case json.RawMessage:
		return append(dst, v...)
	case float32:
		return strconv.AppendFloat(dst, float64(v), 'g', -1, 32)
	case float64:
		return strconv.AppendFloat(dst, v, 'g', -1, 64)
	case []byte:
		return fmt.Appendf(dst, "%x", v)
	case time.Time:
		return v.AppendFormat(dst, "2006-01-02 15:04:05.999999999")
	default:
		return AppendJSON(dst, v)
	}
}

func comma(dst []byte, i int) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	return dst
}

func appendFloat(dst []byte, v float64, bits int) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(dst, "null"...)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, bits)
}

const hexDigits = "0123456789abcdef"

func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i, r := range s {
		var escape string
		switch {
		case r == '"':
			escape = `\"`
		case r == '\\':
			escape = `\\`
		case r == '\n':
			escape = `\n`
		case r == '\r':
			escape = `\r`
		case r == '\t':
			escape = `\t`
		case r < 0x20:
			escape = `\u00` + string([]byte{hexDigits[r>>4], hexDigits[r&15]})
		case r == utf8.RuneError && s[i] != 0xef: // a broken byte, not U+FFFD itself
			escape = `\ufffd`
		default:
			continue
		}
		dst = append(append(dst, s[start:i]...), escape...)
		start = i + 1
	}
	return append(append(dst, s[start:]...), '"')
}

// MarshalJSON writes an object with the fields in their order.
func (s Struct) MarshalJSON() ([]byte, error) { return AppendJSON(nil, s), nil }

// MarshalJSON writes an object with the keys as text.
func (m Map) MarshalJSON() ([]byte, error) { return AppendJSON(nil, m), nil }
