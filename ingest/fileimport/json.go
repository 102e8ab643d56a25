package fileimport

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/valyala/fastjson"
)

// jsonReader reads the objects of a JSON file. DuckDB's own reader is not used
// because numbers pass through a double there: an order id of 20 digits would
// change.
//
// A line that is no JSON costs that line; in an array nothing behind a mistake
// can be read, so the file is refused.
type jsonReader struct {
	in     *input
	lines  *csvReader    // an object a line
	stream *json.Decoder // an array, or values one after another
	budget *budgetReader
	count  int64 // of records of the stream

	parser  fastjson.Parser
	current *fastjson.Object // the record returned last
	columns []string         // the members that are wanted
	fields  [][]byte
	scratch []byte
}

func isJSON(b []byte) bool { return fastjson.ValidateBytes(b) == nil }

// openJSON opens the file; columns are the members that its records give.
func (in *input) openJSON(limits Limits, columns []string, progress func(int)) (*jsonReader, io.Closer, error) {
	text, line, file, err := in.openTable(0, progress)
	if err != nil {
		return nil, nil, err
	}
	r := &jsonReader{in: in, columns: columns}
	if in.format == formatNDJSON {
		r.lines = newCSVReader(text, dialect{eol: '\n'}, limits.RecordBytes)
		r.lines.line, r.lines.transcoded = line, in.decoder != nil
		return r, file, nil
	}
	r.budget = &budgetReader{source: text, most: limits.RecordBytes}
	r.stream = json.NewDecoder(r.budget)
	if in.jsonArray {
		if _, err := r.stream.Token(); err != nil {
			file.Close()
			return nil, nil, r.broken(err)
		}
	}
	return r, file, nil
}

func (r *jsonReader) next() (record, error) {
	if r.lines != nil {
		rec, err := r.lines.next()
		if err != nil || rec.problem != "" {
			return rec, err
		}
		return r.object(rec.at, rec.fields[0]), nil
	}
	r.budget.used = 0
	if !r.stream.More() {
		return record{}, r.end()
	}
	r.count++
	var raw json.RawMessage
	if err := r.stream.Decode(&raw); err != nil {
		return record{}, r.broken(err)
	}
	if !utf8.Valid(raw) {
		return record{at: r.count, problem: reasonEncoding}, nil
	}
	return r.object(r.count, raw), nil
}

// end checks that the stream ends as it began.
func (r *jsonReader) end() error {
	if r.in.jsonArray {
		if _, err := r.stream.Token(); err != nil {
			return r.broken(err)
		}
	}
	if _, err := r.stream.Token(); !errors.Is(err, io.EOF) {
		return r.broken(errTextFollows)
	}
	return io.EOF
}

func (r *jsonReader) broken(err error) error {
	if errors.Is(err, errRecordTooLong) {
		return refuse("%q: record %d is longer than %d bytes", r.in.name, r.count, r.budget.most)
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errTextFollows) {
		// The decoder's own message quotes the character it stumbled over.
		return refuse("%q is not valid JSON behind record %d (about byte %d): what follows cannot be read", r.in.name, r.count, r.stream.InputOffset())
	}
	return fmt.Errorf("read %q: %w", r.in.name, err)
}

// object takes the wanted members out of one value.
func (r *jsonReader) object(at int64, raw []byte) record {
	value, err := r.parser.ParseBytes(raw)
	if err != nil {
		return record{at: at, problem: reasonJSON}
	}
	object, err := value.Object()
	if err != nil {
		return record{at: at, problem: reasonNoObject}
	}
	r.current = object
	r.fields, r.scratch = r.fields[:0], r.scratch[:0]
	for _, column := range r.columns {
		text := r.text(object.Get(column))
		if bytes.IndexByte(text, 0) >= 0 {
			return record{at: at, problem: reasonNUL}
		}
		if !utf8.Valid(text) {
			return record{at: at, problem: reasonEncoding}
		}
		r.fields = append(r.fields, text)
	}
	return record{at: at, fields: r.fields}
}

// text is a string's content, and any other value as it stands; nil for none.
func (r *jsonReader) text(value *fastjson.Value) []byte {
	if value == nil {
		return nil
	}
	switch value.Type() {
	case fastjson.TypeNull:
		return nil
	case fastjson.TypeString:
		text, err := value.StringBytes()
		if err != nil {
			return nil
		}
		return text
	default:
		begin := len(r.scratch)
		r.scratch = value.MarshalTo(r.scratch)
		return r.scratch[begin:len(r.scratch):len(r.scratch)]
	}
}

// examineJSON gathers the members of all records: they are the headings.
func (in *input) examineJSON(limits Limits) error {
	r, file, err := in.openJSON(limits, nil, nil)
	if err != nil {
		return err
	}
	defer file.Close()
	seen := map[string]bool{}
	for {
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if rec.problem != "" {
			continue
		}
		r.visit(func(key string) {
			if !seen[key] && len(in.headings) <= limits.Columns {
				seen[key] = true
				in.headings = append(in.headings, key)
			}
		})
		if len(in.headings) > limits.Columns {
			return refuse("%q has over %d different members in its objects: the limit of columns", in.name, limits.Columns)
		}
	}
}

// visit calls f with each key of the record that next returned last.
func (r *jsonReader) visit(f func(key string)) {
	r.current.Visit(func(key []byte, _ *fastjson.Value) { f(string(key)) })
}

var (
	errRecordTooLong = errors.New("record too long")
	errTextFollows   = errors.New("text follows the end")
)

// budgetReader fails when one record takes more than its limit, so that a
// value without an end does not fill the memory.
type budgetReader struct {
	source io.Reader
	most   int // bytes of a record
	used   int // since the last one
}

func (b *budgetReader) Read(p []byte) (int, error) {
	if b.used > b.most {
		return 0, errRecordTooLong
	}
	n, err := b.source.Read(p)
	b.used += n
	return n, err
}
