package fileimport

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// format is what a file is, found by its content.
type format string

const (
	formatCSV     format = "csv"
	formatNDJSON  format = "ndjson" // an object a line
	formatJSON    format = "json"   // one array of objects, or objects one after another
	formatParquet format = "parquet"
	// formatWorkbook is Excel's, since 2007.
	formatWorkbook format = "xlsx"
)

// input is a file of the import and what was found out about it.
type input struct {
	name string // as the user named it
	path string // absolute, without links
	size int64

	format     format
	gzip       bool
	encoding   string // for the report
	decoder    encoding.Encoding
	bomBytes   int // to pass over
	dialect    dialect
	jsonArray  bool // the text is one array
	skipBytes  int  // of decoded text before the headings: a "sep=" line
	headings   []string
	headerLine int64 // 0: none
}

// unit is what a record's number counts.
func (in *input) unit() string {
	switch in.format {
	case formatJSON:
		return "record"
	case formatParquet, formatWorkbook:
		return "row"
	default:
		return "line"
	}
}

func (in *input) isJSON() bool { return in.format == formatNDJSON || in.format == formatJSON }

// resolve expands patterns and returns each file once, in the order given; a
// pattern's files are sorted by name.
func resolve(names []string) ([]*input, error) {
	if len(names) == 0 {
		return nil, refuse("no file is named")
	}
	var inputs []*input
	seen := map[string]bool{}
	for _, name := range names {
		matches := []string{name}
		// A file whose name happens to look like a pattern is that file.
		if _, err := os.Lstat(name); err != nil && strings.ContainsAny(name, "*?[") {
			found, err := filepath.Glob(name)
			if err != nil {
				return nil, refuse("the pattern %q has an error: %v", name, err)
			}
			if len(found) == 0 {
				return nil, refuse("no file matches %q", name)
			}
			matches = found
		}
		for _, match := range matches {
			in, err := stat(match)
			if err != nil {
				return nil, err
			}
			if seen[in.path] {
				continue // or its rows would count as real repeats
			}
			seen[in.path] = true
			inputs = append(inputs, in)
		}
	}
	return inputs, nil
}

func stat(name string) (*input, error) {
	path, err := filepath.Abs(name)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", name, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", name, err)
	}
	if info.IsDir() {
		return nil, refuse("%q is a folder: name its files, such as %q", name, filepath.Join(name, "*.csv"))
	}
	if !info.Mode().IsRegular() {
		return nil, refuse("%q is a pipe or a device: write it to a file first, for it is read more than once", name)
	}
	return &input{name: name, path: path, size: info.Size()}, nil
}

// examine finds out what the file is: compression, encoding, format, dialect
// and headings (but for Parquet, which DuckDB is asked about). An empty file
// keeps an empty format.
func (in *input) examine(o *Options) error {
	f, err := os.Open(in.path)
	if err != nil {
		return fmt.Errorf("open %q: %w", in.name, err)
	}
	defer f.Close()
	head := make([]byte, 16)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read %q: %w", in.name, err)
	}
	head = head[:n]
	if bytes.HasPrefix(head, []byte("PAR1")) {
		in.format = formatParquet
		return nil
	}
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		return in.examineZip(o)
	}
	if what := notATable(head); what != "" {
		return refuse("%q is %s", in.name, what)
	}
	in.gzip = bytes.HasPrefix(head, []byte{0x1f, 0x8b})
	return in.examineText(o)
}

// notATable recognises files that people take for tables.
func notATable(head []byte) string {
	for magic, what := range map[string]string{
		"\xd0\xcf\x11\xe0": "an old Excel workbook, or one with a password: save the sheet as CSV",
		"%PDF":             "a PDF: export the table as CSV",
		"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it first, or use gzip",
		"BZh":              "compressed with bzip2: unpack it first, or use gzip",
		"\xfd7zXZ":         "compressed with xz: unpack it first, or use gzip",
		"SQLite format 3":  "an SQLite database: export the table as CSV",
		"\x89PNG":          "a picture",
		"\xff\xd8\xff":     "a picture",
	} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return what
		}
	}
	return ""
}

func (in *input) examineText(o *Options) error {
	decoder, err := encodingOf(o.Encoding)
	if err != nil {
		return &Refusal{Problems: []string{err.Error()}}
	}
	in.decoder, in.encoding = decoder, "utf-8"
	if decoder != nil {
		in.encoding = strings.ToLower(o.Encoding)
	}
	if err := in.readMark(); err != nil {
		return err
	}
	sample, whole, err := in.sample(o.SkipLines)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(sample)) == 0 {
		return nil
	}
	if n := bytes.Count(sample, []byte{0}); n > len(sample)/100+8 {
		return refuse("%q is not text: it is full of NUL bytes. If it is UTF-16, say --encoding utf-16le", in.name)
	}
	if o.Encoding == "" && in.bomBytes == 0 && in.readsAsChinese(o.Kind, sample) {
		in.decoder, in.encoding = simplifiedchinese.GB18030, "gb18030 (known by the headings)"
		if sample, whole, err = in.sample(o.SkipLines); err != nil {
			return err
		}
	}
	if in.format = textFormat(in.path, sample); in.format != formatCSV {
		in.jsonArray = bytes.HasPrefix(bytes.TrimLeft(sample, jsonSpace), []byte("["))
		return in.examineJSON(o.Limits)
	}
	return in.examineCSV(o, sample, whole)
}

// readsAsChinese reports whether the headings are not UTF-8, and as GB18030, in
// which Chinese Windows writes, have a word that is known. Bytes of another
// encoding do not spell one.
func (in *input) readsAsChinese(kind Kind, sample []byte) bool {
	line, _, _ := bytes.Cut(bytes.TrimLeft(sample, "\r\n"), []byte{'\n'})
	if utf8.Valid(line) {
		return false
	}
	text, err := simplifiedchinese.GB18030.NewDecoder().Bytes(line)
	if err != nil || bytes.ContainsRune(text, utf8.RuneError) {
		return false
	}
	for heading := range strings.FieldsFuncSeq(string(text), func(r rune) bool { return strings.ContainsRune(",;\t|\"'\r", r) }) {
		if heading = plainHeading(heading); heading != "" && heading[0] >= utf8.RuneSelf && isKnownHeading(kind, heading) {
			return true
		}
	}
	return false
}

// readMark looks for a byte order mark, which says the encoding.
func (in *input) readMark() error {
	text, file, err := in.openBytes(nil)
	if err != nil {
		return err
	}
	defer file.Close()
	head, err := bufio.NewReader(text).Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return in.readFault(err)
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		in.bomBytes, in.decoder, in.encoding = 3, nil, "utf-8"
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		in.bomBytes, in.decoder, in.encoding = 2, unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "utf-16le"
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		in.bomBytes, in.decoder, in.encoding = 2, unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "utf-16be"
	}
	return nil
}

// openBytes opens the unpacked bytes; progress is told how many bytes of the
// file itself were read.
func (in *input) openBytes(progress func(int)) (io.Reader, io.Closer, error) {
	f, err := os.Open(in.path)
	if err != nil {
		return nil, nil, fmt.Errorf("open %q: %w", in.name, err)
	}
	var r io.Reader = &countingReader{source: f, progress: progress}
	if in.gzip {
		if r, err = gzip.NewReader(bufio.NewReaderSize(r, 64<<10)); err != nil {
			f.Close()
			return nil, nil, in.readFault(err)
		}
	}
	return r, f, nil
}

// readFault is the error of reading the file; a broken archive is told in words.
func (in *input) readFault(err error) error {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	if in.gzip && (corrupt || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader)) {
		return refuse("%q is compressed, and broken or cut short: copy or export it again", in.name)
	}
	return fmt.Errorf("read %q: %w", in.name, err)
}

// openText opens the file's text in UTF-8, without a byte order mark.
func (in *input) openText(progress func(int)) (io.Reader, io.Closer, error) {
	r, file, err := in.openBytes(progress)
	if err != nil {
		return nil, nil, err
	}
	if _, err := io.CopyN(io.Discard, r, int64(in.bomBytes)); err != nil {
		file.Close()
		return nil, nil, in.readFault(err)
	}
	if in.decoder != nil {
		r = transform.NewReader(r, in.decoder.NewDecoder())
	}
	return r, file, nil
}

type countingReader struct {
	source   io.Reader
	progress func(int)
}

func (r *countingReader) Read(b []byte) (int, error) {
	n, err := r.source.Read(b)
	if r.progress != nil {
		r.progress(n)
	}
	return n, err
}

// openTable opens the text behind the skipped lines and says which line that is.
func (in *input) openTable(skipLines int, progress func(int)) (r io.Reader, line int64, file io.Closer, err error) {
	text, file, err := in.openText(progress)
	if err != nil {
		return nil, 0, nil, err
	}
	buffered := bufio.NewReaderSize(text, 64<<10)
	line = 1
	for range skipLines {
		if err = skipLine(buffered); err != nil {
			break
		}
		line++
	}
	if err == nil && in.skipBytes > 0 {
		_, err = buffered.Discard(in.skipBytes)
		line++
	}
	if err != nil && !errors.Is(err, io.EOF) {
		file.Close()
		return nil, 0, nil, in.readFault(err)
	}
	return buffered, line, file, nil
}

func skipLine(r *bufio.Reader) error {
	for {
		_, err := r.ReadSlice('\n')
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// sample returns the beginning of the text, and whether that is all.
func (in *input) sample(skipLines int) (sample []byte, whole bool, err error) {
	text, _, file, err := in.openTable(skipLines, nil)
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	sample, err = io.ReadAll(io.LimitReader(text, sniffBytes))
	if err != nil {
		return nil, false, in.readFault(err)
	}
	return sample, len(sample) < sniffBytes, nil
}

const jsonSpace = " \t\r\n"

// textFormat tells JSON from delimited text. A file that calls itself a table
// is one, whatever it begins with.
func textFormat(path string, sample []byte) format {
	name := strings.TrimSuffix(strings.ToLower(path), ".gz")
	if slices.Contains([]string{".csv", ".tsv", ".txt", ".tab"}, filepath.Ext(name)) {
		return formatCSV
	}
	sample = bytes.TrimLeft(sample, jsonSpace)
	switch {
	case bytes.HasPrefix(sample, []byte("[")):
		return formatJSON
	case !bytes.HasPrefix(sample, []byte("{")):
		return formatCSV
	}
	first, _, _ := bytes.Cut(sample, []byte("\n"))
	if isJSON(first) {
		return formatNDJSON
	}
	return formatJSON
}

// examineCSV recognises the dialect and reads the headings.
func (in *input) examineCSV(o *Options, sample []byte, whole bool) error {
	delimiter, err := delimiterOf(o.Delimiter)
	if err != nil {
		return &Refusal{Problems: []string{err.Error()}}
	}
	if said, size := separatorLine(sample); size > 0 && delimiter == "" {
		delimiter, in.skipBytes, sample = said, size, sample[size:]
	}
	if in.dialect, err = sniff(sample, whole, delimiter); err != nil {
		return in.named(err)
	}
	r, file, err := in.openCSV(o, nil)
	if err != nil {
		return err
	}
	defer file.Close()
	first, err := r.next()
	if errors.Is(err, io.EOF) {
		in.format = ""
		return nil
	}
	if err != nil {
		return in.readFault(err)
	}
	if first.problem != "" {
		return refuse("%q: the headings in line %d cannot be read: %s", in.name, first.at, first.problem)
	}
	if len(first.fields) > o.Limits.Columns {
		return refuse("%q has %d columns, the limit is %d", in.name, len(first.fields), o.Limits.Columns)
	}
	for i, field := range first.fields {
		heading := fmt.Sprintf("column%d", i+1)
		if !o.NoHeader {
			heading = strings.TrimSpace(string(field))
		}
		in.headings = append(in.headings, heading)
	}
	if !o.NoHeader {
		in.headerLine = first.at
	}
	return nil
}

// openCSV opens the file at its headings.
func (in *input) openCSV(o *Options, progress func(int)) (*csvReader, io.Closer, error) {
	text, line, file, err := in.openTable(o.SkipLines, progress)
	if err != nil {
		return nil, nil, err
	}
	r := newCSVReader(text, in.dialect, o.Limits.RecordBytes)
	r.line, r.transcoded = line, in.decoder != nil
	return r, file, nil
}

// named puts the file's name in front of a refusal.
func (in *input) named(err error) error {
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		return fmt.Errorf("%q: %w", in.name, err)
	}
	named := &Refusal{}
	for _, p := range refusal.Problems {
		named.Problems = append(named.Problems, fmt.Sprintf("%q: %s", in.name, p))
	}
	return named
}
