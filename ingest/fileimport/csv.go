package fileimport

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"
)

// dialect is how a delimited text file is written.
type dialect struct {
	// delimiter between fields; blanks for any run of spaces and tabs, empty
	// for a file of one column.
	delimiter string
	// quote encloses fields that hold a delimiter, a quote or a line's end; 0: none does.
	quote byte
	// backslash: inside quotes a backslash takes the next character as it is.
	// A doubled quote is a quote in either case.
	backslash bool
	// eol ends a line: \n (a \r before it is dropped), or \r alone.
	eol byte
}

// csvReader reads delimited text. DuckDB's own reader is not used because a
// single short row makes its sniffer take the whole file for one column, its
// line numbers do not count line ends inside quotes, and it cannot split at
// runs of blanks.
//
// One bad row costs that row only: after a quote that is not closed, or closed
// too early, reading goes on at the next line.
type csvReader struct {
	src     io.Reader
	dialect dialect
	// transcoded: the bytes come from a decoder that writes U+FFFD for what it
	// cannot decode.
	transcoded bool
	max        int // longest record, bytes

	// columns, if set, is how many fields a record has to have.
	columns int

	buf        []byte
	start, end int
	eof        bool
	line       int64 // of buf[start]
	fields     [][]byte
	scratch    []byte // for quoted fields that hold quotes
}

func newCSVReader(src io.Reader, d dialect, maxRecord int) *csvReader {
	return &csvReader{src: src, dialect: d, max: maxRecord, buf: make([]byte, 64<<10), line: 1}
}

// outcome of an attempt to parse a record.
type outcome uint8

const (
	complete   outcome = iota
	needMore           // the bytes at hand end within the record
	quoteOpen          // the file ends within quotes
	quoteEarly         // text follows a closing quote
)

func (r *csvReader) next() (record, error) {
	for {
		if r.start == r.end && !r.eof {
			if err := r.fill(); err != nil {
				return record{}, err
			}
			continue
		}
		data := r.buf[r.start:r.end]
		if len(data) == 0 {
			return record{}, io.EOF
		}
		size, result := r.parse(data)
		switch result {
		case complete:
			rec := r.take(data[:size])
			if rec.fields == nil && rec.problem == "" {
				continue // an empty line
			}
			return rec, nil
		case needMore:
			if len(data) > r.max {
				return r.skipLine(data)
			}
			if err := r.fill(); err != nil {
				return record{}, err
			}
		case quoteOpen:
			return r.reject(data, reasonQuoteOpen), nil
		case quoteEarly:
			return r.reject(data, reasonQuoteEarly), nil
		}
	}
}

// fill reads more of the file behind what is at hand.
func (r *csvReader) fill() error {
	if r.start > 0 {
		copy(r.buf, r.buf[r.start:r.end])
		r.start, r.end = 0, r.end-r.start
	}
	if r.end == len(r.buf) {
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	n, err := r.src.Read(r.buf[r.end:])
	r.end += n
	if err == io.EOF {
		r.eof = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("read line %d and on: %w", r.line, err)
	}
	return nil
}

// take makes a record of the parsed fields and moves past its bytes.
func (r *csvReader) take(raw []byte) record {
	rec := record{at: r.line, fields: r.fields}
	r.start += len(raw)
	r.line += int64(bytes.Count(raw, []byte{r.dialect.eol}))
	if len(bytes.TrimSpace(raw)) == 0 {
		rec.fields = nil
		return rec
	}
	switch {
	case !utf8.Valid(raw), r.transcoded && bytes.ContainsRune(raw, utf8.RuneError):
		rec.problem = reasonEncoding
	case bytes.IndexByte(raw, 0) >= 0:
		rec.problem = reasonNUL
	case r.columns > 0 && len(rec.fields) < r.columns:
		rec.problem = reasonFewColumns
	case r.columns > 0 && len(rec.fields) > r.columns && !allBlank(rec.fields[r.columns:]):
		rec.problem = reasonManyColumns
	}
	if rec.problem != "" {
		rec.fields = nil
	}
	return rec
}

// allBlank reports whether surplus fields are empty, as behind a delimiter at
// each line's end.
func allBlank(fields [][]byte) bool {
	for _, f := range fields {
		if len(bytes.TrimSpace(f)) > 0 {
			return false
		}
	}
	return true
}

// reject gives up the first line of data, and that one only.
func (r *csvReader) reject(data []byte, why Reason) record {
	rec := record{at: r.line, problem: why}
	i := bytes.IndexByte(data, r.dialect.eol)
	if i < 0 {
		r.start = r.end
		return rec
	}
	r.start += i + 1
	r.line++
	return rec
}

// skipLine gives up a record that is over the limit: the line at hand, if it
// ends (then a quote in it is what is open), or else all bytes to its end.
func (r *csvReader) skipLine(data []byte) (record, error) {
	if bytes.IndexByte(data, r.dialect.eol) >= 0 {
		return r.reject(data, reasonQuoteOpen), nil
	}
	rec := record{at: r.line, problem: reasonTooLong}
	for {
		if i := bytes.IndexByte(r.buf[r.start:r.end], r.dialect.eol); i >= 0 {
			r.start += i + 1
			r.line++
			return rec, nil
		}
		r.start = r.end
		if r.eof {
			return rec, nil
		}
		if err := r.fill(); err != nil {
			return record{}, err
		}
	}
}

// parse splits the first record of data into r.fields and returns its length,
// the line's end included.
func (r *csvReader) parse(data []byte) (size int, result outcome) {
	r.fields = r.fields[:0]
	end := bytes.IndexByte(data, r.dialect.eol)
	if end < 0 {
		if !r.eof {
			return 0, needMore
		}
		end = len(data)
	}
	line := bytes.TrimSuffix(data[:end], []byte{'\r'})
	switch {
	case r.dialect.delimiter == blanks:
		r.fields = append(r.fields, bytes.Fields(line)...)
	case r.dialect.quote != 0 && bytes.IndexByte(line, r.dialect.quote) >= 0:
		return r.parseQuoted(data)
	default:
		r.split(line)
	}
	return min(end+1, len(data)), complete
}

// split takes a line without quotes apart.
func (r *csvReader) split(line []byte) {
	if r.dialect.delimiter == "" {
		r.fields = append(r.fields, line)
		return
	}
	for {
		i := r.indexDelimiter(line)
		if i < 0 {
			r.fields = append(r.fields, line)
			return
		}
		r.fields = append(r.fields, line[:i:i])
		line = line[i+len(r.dialect.delimiter):]
	}
}

func (r *csvReader) indexDelimiter(b []byte) int {
	if len(r.dialect.delimiter) == 1 {
		return bytes.IndexByte(b, r.dialect.delimiter[0])
	}
	if r.dialect.delimiter == "" {
		return -1
	}
	return bytes.Index(b, []byte(r.dialect.delimiter))
}

// parseQuoted takes a record apart that has a quote somewhere in its first line.
func (r *csvReader) parseQuoted(data []byte) (size int, result outcome) {
	r.scratch = r.scratch[:0]
	pos := 0
	for {
		if pos < len(data) && data[pos] == r.dialect.quote {
			after, result := r.quotedField(data, pos+1)
			if result != complete {
				return 0, result
			}
			pos = after
		} else {
			pos = r.plainField(data, pos)
		}
		rest := data[pos:]
		if len(rest) > 0 && rest[0] == '\r' && r.dialect.eol == '\n' {
			if len(rest) == 1 && !r.eof {
				return 0, needMore
			}
			rest = rest[1:]
		}
		switch {
		case len(rest) == 0:
			if !r.eof {
				return 0, needMore
			}
			return len(data), complete
		case rest[0] == r.dialect.eol:
			return len(data) - len(rest) + 1, complete
		case r.indexDelimiter(rest) == 0:
			pos = len(data) - len(rest) + len(r.dialect.delimiter)
		default:
			return 0, quoteEarly
		}
	}
}

// plainField adds the unquoted field at pos and returns its end, which is at a
// delimiter, a line's end or the end of data.
func (r *csvReader) plainField(data []byte, pos int) int {
	end := bytes.IndexByte(data[pos:], r.dialect.eol)
	if end < 0 {
		end = len(data) - pos
	}
	field := data[pos : pos+end]
	if i := r.indexDelimiter(field); i >= 0 {
		field = field[:i]
	} else {
		field = bytes.TrimSuffix(field, []byte{'\r'})
	}
	r.fields = append(r.fields, field)
	return pos + len(field)
}

// quotedField adds the field whose first byte behind the quote is at pos, and
// returns where its closing quote and the blanks behind it end.
func (r *csvReader) quotedField(data []byte, pos int) (after int, result outcome) {
	begin := len(r.scratch)
	from := pos
	for {
		i := r.indexQuote(data[pos:])
		if i < 0 {
			return 0, r.open()
		}
		pos += i
		if data[pos] == '\\' {
			if pos+1 >= len(data) {
				return 0, r.open()
			}
			r.scratch = append(append(r.scratch, data[from:pos]...), data[pos+1])
			pos += 2
			from = pos
			continue
		}
		if pos+1 == len(data) && !r.eof {
			return 0, needMore // the quote may be the first of two
		}
		if pos+1 < len(data) && data[pos+1] == r.dialect.quote {
			r.scratch = append(r.scratch, data[from:pos+1]...)
			pos += 2
			from = pos
			continue
		}
		break
	}
	if begin == len(r.scratch) {
		r.fields = append(r.fields, data[from:pos:pos])
	} else {
		r.scratch = append(r.scratch, data[from:pos]...)
		r.fields = append(r.fields, r.scratch[begin:len(r.scratch):len(r.scratch)])
	}
	pos++
	for pos < len(data) && data[pos] == ' ' {
		pos++
	}
	return pos, complete
}

func (r *csvReader) indexQuote(b []byte) int {
	i := bytes.IndexByte(b, r.dialect.quote)
	if !r.dialect.backslash {
		return i
	}
	if j := bytes.IndexByte(b[:max(i, 0)], '\\'); i >= 0 && j >= 0 {
		return j
	}
	if i < 0 {
		return bytes.IndexByte(b, '\\')
	}
	return i
}

func (r *csvReader) open() outcome {
	if r.eof {
		return quoteOpen
	}
	return needMore
}
