package stream

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
	"unsafe"

	bindings "github.com/duckdb/duckdb-go-bindings"
)

// cell reads the value at a row of one vector.
type cell func(row int) any

// decoder prepares reading a vector of its type. The cells are good as long as
// the vector's chunk is.
type decoder func(vector bindings.Vector) (cell, error)

// Field is one field of a Struct.
type Field struct {
	Name  string
	Value any
}

// Struct is a value of type STRUCT, its fields in their order.
type Struct []Field

// Entry is one entry of a Map.
type Entry struct{ Key, Value any }

// Map is a value of type MAP, its entries in their order.
type Map []Entry

// decoderOf returns how a type is read, and its name in SQL. The memory layouts
// are those of DuckDB 1.5's C API (duckdb.h, "Vector Interface").
func decoderOf(t bindings.LogicalType) (decoder, string) {
	switch id := bindings.GetTypeId(t); id {
	case bindings.TypeBoolean:
		return fixed(func(v bool) any { return v }), "BOOLEAN"
	case bindings.TypeTinyInt:
		return fixed(func(v int8) any { return int64(v) }), "TINYINT"
	case bindings.TypeSmallInt:
		return fixed(func(v int16) any { return int64(v) }), "SMALLINT"
	case bindings.TypeInteger:
		return fixed(func(v int32) any { return int64(v) }), "INTEGER"
	case bindings.TypeBigInt:
		return fixed(func(v int64) any { return v }), "BIGINT"
	case bindings.TypeUTinyInt:
		return fixed(func(v uint8) any { return int64(v) }), "UTINYINT"
	case bindings.TypeUSmallInt:
		return fixed(func(v uint16) any { return int64(v) }), "USMALLINT"
	case bindings.TypeUInteger:
		return fixed(func(v uint32) any { return int64(v) }), "UINTEGER"
	case bindings.TypeUBigInt:
		return fixed(func(v uint64) any { return json.Number(fmt.Sprint(v)) }), "UBIGINT"
	case bindings.TypeHugeInt:
		return fixed(func(v hugeint) any { return json.Number(v.big().String()) }), "HUGEINT"
	case bindings.TypeUHugeInt:
		return fixed(func(v uhugeint) any { return json.Number(v.big().String()) }), "UHUGEINT"
	case bindings.TypeFloat:
		return fixed(func(v float32) any { return v }), "FLOAT"
	case bindings.TypeDouble:
		return fixed(func(v float64) any { return v }), "DOUBLE"
	case bindings.TypeDecimal:
		return decimalDecoder(t)
	case bindings.TypeVarchar:
		if bindings.LogicalTypeGetAlias(t) == "JSON" {
			return fixed(func(v text) any { return v.value(func(s string) any { return json.RawMessage(s) }) }), "JSON"
		}
		return fixed(func(v text) any { return v.value(func(s string) any { return s }) }), "VARCHAR"
	case bindings.TypeBlob:
		return fixed(func(v text) any { return v.value(func(s string) any { return []byte(s) }) }), "BLOB"
	case bindings.TypeBit:
		return fixed(func(v text) any { return v.value(func(s string) any { return bits(s) }) }), "BIT"
	case bindings.TypeUUID:
		return fixed(func(v hugeint) any { return v.uuid() }), "UUID"
	case bindings.TypeEnum:
		return enumDecoder(t), "ENUM"
	case bindings.TypeList:
		return listDecoder(t)
	case bindings.TypeArray:
		return arrayDecoder(t)
	case bindings.TypeStruct:
		return structDecoder(t)
	case bindings.TypeMap:
		return mapDecoder(t)
	case bindings.TypeSQLNull:
		return func(bindings.Vector) (cell, error) { return func(int) any { return nil }, nil }, "NULL"
	default:
		return timeDecoder(id)
	}
}

// timeDecoder covers dates, times and intervals.
func timeDecoder(id bindings.Type) (decoder, string) {
	switch id {
	case bindings.TypeTimestamp:
		return fixed(func(v int64) any { return instant(v, time.UnixMicro) }), "TIMESTAMP"
	case bindings.TypeTimestampTZ:
		return fixed(func(v int64) any { return instant(v, time.UnixMicro) }), "TIMESTAMP WITH TIME ZONE"
	case bindings.TypeTimestampS:
		return fixed(func(v int64) any { return instant(v, func(s int64) time.Time { return time.Unix(s, 0) }) }), "TIMESTAMP_S"
	case bindings.TypeTimestampMS:
		return fixed(func(v int64) any { return instant(v, time.UnixMilli) }), "TIMESTAMP_MS"
	case bindings.TypeTimestampNS:
		return fixed(func(v int64) any { return instant(v, func(n int64) time.Time { return time.Unix(0, n) }) }), "TIMESTAMP_NS"
	case bindings.TypeDate:
		return fixed(date), "DATE"
	case bindings.TypeTime:
		return fixed(func(v int64) any { return clock(v) }), "TIME"
	case bindings.TypeInterval:
		return fixed(func(v interval) any { return v.String() }), "INTERVAL"
	default:
		return func(bindings.Vector) (cell, error) {
			return nil, errors.New("its type cannot be shown: cast it in the query, for example column::varchar")
		}, "OTHER"
	}
}

// fixed reads a vector of values of one size.
func fixed[T any](value func(T) any) decoder {
	return func(vector bindings.Vector) (cell, error) { return fixedCell(vector, value), nil }
}

func fixedCell[T any](vector bindings.Vector, value func(T) any) cell {
	data := bindings.VectorGetData(vector)
	valid := validityOf(vector)
	var zero T
	size := int(unsafe.Sizeof(zero))
	return func(row int) any {
		if !valid(row) {
			return nil
		}
		return value(*(*T)(unsafe.Add(data, row*size)))
	}
}

func validityOf(vector bindings.Vector) func(row int) bool {
	mask := (*uint64)(bindings.VectorGetValidity(vector))
	if mask == nil {
		return func(int) bool { return true }
	}
	return func(row int) bool {
		word := *(*uint64)(unsafe.Add(unsafe.Pointer(mask), row/64*8))
		return word>>(row%64)&1 == 1
	}
}

// text is duckdb_string_t: a length, and up to 12 bytes in place or a pointer.
type text struct {
	length uint32
	prefix [4]byte
	rest   [8]byte
}

// MaxText is the longest text that is brought into a row, in bytes: a query of
// one line can make a text of a gigabyte, and escaping it as JSON takes six.
const MaxText = 16 << 20

// tooLong stands for a text that is longer than MaxText, which Values refuses.
// In a list or a struct it says so in the text's place.
type tooLong uint32

func (n tooLong) String() string { return fmt.Sprintf("[a text of %d bytes]", uint32(n)) }

func (t text) value(as func(string) any) any {
	if t.length > MaxText {
		return tooLong(t.length)
	}
	return as(t.copy())
}

func (t text) copy() string {
	if t.length <= 12 {
		inline := (*[12]byte)(unsafe.Pointer(&t.prefix))
		return string(inline[:t.length])
	}
	pointer := *(**byte)(unsafe.Pointer(&t.rest))
	return strings.Clone(unsafe.String(pointer, t.length))
}

// bits writes DuckDB's BIT: the first byte counts the padding bits of the next.
func bits(v string) string {
	if v == "" {
		return ""
	}
	var out strings.Builder
	for i := int(v[0]); i < (len(v)-1)*8; i++ {
		out.WriteByte('0' + v[1+i/8]>>(7-i%8)&1)
	}
	return out.String()
}

type hugeint struct {
	lower uint64
	upper int64
}

func (h hugeint) big() *big.Int {
	v := new(big.Int).Lsh(big.NewInt(h.upper), 64)
	return v.Add(v, new(big.Int).SetUint64(h.lower))
}

// uuid writes a UUID, which DuckDB stores with its first bit flipped so that it
// sorts as a signed number.
func (h hugeint) uuid() string {
	upper := uint64(h.upper) ^ 1<<63
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x",
		upper>>32, upper>>16&0xffff, upper&0xffff, h.lower>>48, h.lower&0xffff_ffff_ffff)
}

type uhugeint struct{ lower, upper uint64 }

func (h uhugeint) big() *big.Int {
	v := new(big.Int).Lsh(new(big.Int).SetUint64(h.upper), 64)
	return v.Add(v, new(big.Int).SetUint64(h.lower))
}

func decimalDecoder(t bindings.LogicalType) (decoder, string) {
	width, scale := bindings.DecimalWidth(t), int(bindings.DecimalScale(t))
	name := fmt.Sprintf("DECIMAL(%d,%d)", width, scale)
	switch bindings.DecimalInternalType(t) {
	case bindings.TypeSmallInt:
		return fixed(func(v int16) any { return decimal(fmt.Sprint(v), scale) }), name
	case bindings.TypeInteger:
		return fixed(func(v int32) any { return decimal(fmt.Sprint(v), scale) }), name
	case bindings.TypeBigInt:
		return fixed(func(v int64) any { return decimal(fmt.Sprint(v), scale) }), name
	default:
		return fixed(func(v hugeint) any { return decimal(v.big().String(), scale) }), name
	}
}

// decimal puts the point into a whole number of units of 10^-scale.
func decimal(digits string, scale int) json.Number {
	if scale == 0 {
		return json.Number(digits)
	}
	digits, negative := strings.CutPrefix(digits, "-")
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - scale
	out := digits[:point] + "." + digits[point:]
	if negative {
		out = "-" + out
	}
	return json.Number(out)
}

func enumDecoder(t bindings.LogicalType) decoder {
	words := make([]string, bindings.EnumDictionarySize(t))
	for i := range words {
		words[i] = bindings.EnumDictionaryValue(t, bindings.IdxT(i))
	}
	switch bindings.EnumInternalType(t) {
	case bindings.TypeUTinyInt:
		return fixed(func(v uint8) any { return words[v] })
	case bindings.TypeUSmallInt:
		return fixed(func(v uint16) any { return words[v] })
	default:
		return fixed(func(v uint32) any { return words[v] })
	}
}

// DuckDB marks infinity by the greatest number and minus infinity by its
// negative, in the unit stored.
const (
	infinity    = int64(^uint64(0) >> 1)
	dayInfinity = int32(infinity >> 32)
)

func instant(v int64, at func(int64) time.Time) any {
	switch v {
	case infinity:
		return "infinity"
	case -infinity:
		return "-infinity"
	}
	return at(v).UTC()
}

func date(days int32) any {
	switch days {
	case dayInfinity:
		return "infinity"
	case -dayInfinity:
		return "-infinity"
	}
	return time.Unix(0, 0).UTC().AddDate(0, 0, int(days)).Format(time.DateOnly)
}

func clock(micros int64) string {
	out := fmt.Sprintf("%02d:%02d:%02d", micros/3_600_000_000, micros/60_000_000%60, micros/1_000_000%60)
	if fraction := micros % 1_000_000; fraction != 0 {
		out += strings.TrimRight(fmt.Sprintf(".%06d", fraction), "0")
	}
	return out
}

type interval struct {
	months, days int32
	micros       int64
}

// String writes an interval as DuckDB does: "1 year 2 months 3 days 04:05:06".
func (v interval) String() string {
	var parts []string
	part := func(n int32, unit string) {
		switch n {
		case 0:
		case 1, -1:
			parts = append(parts, fmt.Sprintf("%d %s", n, unit))
		default:
			parts = append(parts, fmt.Sprintf("%d %ss", n, unit))
		}
	}
	part(v.months/12, "year")
	part(v.months%12, "month")
	part(v.days, "day")
	switch {
	case v.micros < 0:
		parts = append(parts, "-"+clock(-v.micros))
	case v.micros > 0 || len(parts) == 0:
		parts = append(parts, clock(v.micros))
	}
	return strings.Join(parts, " ")
}
