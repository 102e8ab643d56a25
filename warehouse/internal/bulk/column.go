package bulk

import (
	"errors"
	"fmt"
	"runtime"
	"unicode/utf8"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// Column is a source of values: a slice for each column of a table, all of one
// length, from which an append picks the rows it is given.
type Column struct {
	typ    mapping.Type
	length int
	// scale of a DECIMAL(18, scale).
	scale uint8
	// pin holds the memory that fill lets DuckDB point into; nil where fill copies.
	pin func(*runtime.Pinner)
	// fill writes the rows into a vector of at most mapping.VectorSize() values.
	fill func(v vector, rows []int32)
}

// decimalWidth is the width of every DECIMAL here: the widest that DuckDB
// stores as an int64.
const decimalWidth = 18

// Text is a VARCHAR or JSON column. Value i lies in buffer from ends[i-1] to
// ends[i]. valid may be nil where there are no nulls. The error names the
// first value that is not UTF-8.
func Text(buffer []byte, ends []uint32, valid []bool) (Column, error) {
	if err := checkUTF8(buffer, ends); err != nil {
		return Column{}, err
	}
	return bytesColumn(mapping.TypeVarchar, buffer, ends, valid), nil
}

// Blob is a BLOB column, laid out as in [Text].
func Blob(buffer []byte, ends []uint32, valid []bool) Column {
	return bytesColumn(mapping.TypeBlob, buffer, ends, valid)
}

// Choice is a VARCHAR column of few distinct values: value i is texts[index[i]].
func Choice(texts []string, index []uint16) (Column, error) {
	var buffer []byte
	ends := make([]uint32, len(texts))
	for i, text := range texts {
		buffer = append(buffer, text...)
		ends[i] = uint32(len(buffer))
	}
	for i, at := range index {
		if int(at) >= len(texts) {
			return Column{}, fmt.Errorf("value %d is number %d of %d choices", i, at, len(texts))
		}
	}
	values, err := Text(buffer, ends, nil)
	if err != nil {
		return Column{}, err
	}
	pointed := values.fill
	picked := make([]int32, mapping.VectorSize())
	values.length = len(index)
	values.fill = func(v vector, rows []int32) {
		for i, row := range rows {
			picked[i] = int32(index[row])
		}
		pointed(v, picked[:len(rows)])
	}
	return values, nil
}

// BigInt is a BIGINT column.
func BigInt(values []int64, valid []bool) Column { return fixed(mapping.TypeBigInt, values, valid) }

// Integer is an INTEGER column.
func Integer(values []int32, valid []bool) Column { return fixed(mapping.TypeInteger, values, valid) }

// Double is a DOUBLE column.
func Double(values []float64, valid []bool) Column { return fixed(mapping.TypeDouble, values, valid) }

// Boolean is a BOOLEAN column.
func Boolean(values []bool, valid []bool) Column { return fixed(mapping.TypeBoolean, values, valid) }

// Microseconds is a TIMESTAMP column of microseconds since the Unix epoch.
func Microseconds(values []int64, valid []bool) Column {
	return fixed(mapping.TypeTimestamp, values, valid)
}

// Decimal is a DECIMAL(18, scale) column of values times 10^scale.
func Decimal(scale uint8, values []int64, valid []bool) Column {
	c := fixed(mapping.TypeDecimal, values, valid)
	c.scale = scale
	return c
}

// UUID is a UUID column; the zero id is null.
func UUID[ID ~[16]byte](ids []ID) Column {
	return Column{typ: mapping.TypeUUID, length: len(ids), fill: func(v vector, rows []int32) {
		data := values[hugeint](v)
		var zero ID
		for i, row := range rows {
			if id := ids[row]; id == zero {
				v.setNull(i)
			} else {
				data[i] = uuid(id)
			}
		}
	}}
}

func fixed[T any](typ mapping.Type, source []T, valid []bool) Column {
	return Column{typ: typ, length: len(source), fill: func(v vector, rows []int32) {
		data := values[T](v)
		for i, row := range rows {
			data[i] = source[row]
		}
		v.setNulls(valid, rows)
	}}
}

func bytesColumn(typ mapping.Type, buffer []byte, ends []uint32, valid []bool) Column {
	column := Column{typ: typ, length: len(ends), fill: func(v vector, rows []int32) {
		data := values[duckdbString](v)
		for i, row := range rows {
			start := uint32(0)
			if row > 0 {
				start = ends[row-1]
			}
			data[i].point(buffer[start:ends[row]])
		}
		v.setNulls(valid, rows)
	}}
	if len(buffer) > 0 {
		column.pin = func(p *runtime.Pinner) { p.Pin(&buffer[0]) }
	}
	return column
}

// checkUTF8 checks the buffer at once and then that no value ends inside a rune.
func checkUTF8(buffer []byte, ends []uint32) error {
	if utf8.Valid(buffer) && allRuneStarts(buffer, ends) {
		return nil
	}
	start := uint32(0)
	for i, end := range ends {
		if !utf8.Valid(buffer[start:end]) {
			return fmt.Errorf("value %d of %d is not UTF-8", i, len(ends))
		}
		start = end
	}
	return errors.New("bytes past the last value are not UTF-8")
}

func allRuneStarts(buffer []byte, ends []uint32) bool {
	for _, end := range ends {
		if int(end) < len(buffer) && !utf8.RuneStart(buffer[end]) {
			return false
		}
	}
	return true
}

// vector is one column of the chunk that is being filled.
type vector struct{ handle mapping.Vector }

func values[T any](v vector) []T {
	return unsafe.Slice((*T)(mapping.VectorGetData(v.handle)), mapping.VectorSize())
}

// validity returns the bit mask of the values that are not null, for writing.
func (v vector) validity() []uint64 {
	mapping.VectorEnsureValidityWritable(v.handle)
	return unsafe.Slice((*uint64)(mapping.VectorGetValidity(v.handle)), mapping.VectorSize()/64)
}

func (v vector) setNull(i int) { v.validity()[i/64] &^= 1 << (i % 64) }

func (v vector) setNulls(valid []bool, rows []int32) {
	if valid == nil {
		return
	}
	var mask []uint64
	for i, row := range rows {
		if valid[row] {
			continue
		}
		if mask == nil {
			mask = v.validity()
		}
		mask[i/64] &^= 1 << (i % 64)
	}
}

// duckdbString is duckdb_string_t of duckdb.h: up to 12 bytes lie inside,
// padded with zeros; of a longer one the first 4, and a pointer to all of it.
type duckdbString struct {
	length uint32
	start  [4]byte
	rest   uint64
}

const inlineBytes = 12

func (s *duckdbString) point(text []byte) {
	*s = duckdbString{length: uint32(len(text))}
	if len(text) <= inlineBytes {
		copy((*[inlineBytes]byte)(unsafe.Pointer(&s.start))[:], text)
		return
	}
	copy(s.start[:], text)
	s.rest = uint64(uintptr(unsafe.Pointer(&text[0])))
}

// hugeint is duckdb_hugeint of duckdb.h.
type hugeint struct {
	lower uint64
	upper int64
}

// uuid orders as the text of the UUID does: DuckDB flips the highest bit.
func uuid[ID ~[16]byte](id ID) hugeint {
	var upper, lower uint64
	for i := range 8 {
		upper = upper<<8 | uint64(id[i])
		lower = lower<<8 | uint64(id[8+i])
	}
	return hugeint{lower: lower, upper: int64(upper ^ 1<<63)}
}
