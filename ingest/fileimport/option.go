package fileimport

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
)

// NoColumn as a field's column leaves the field out, even where a heading
// would be guessed.
const NoColumn = "-"

// Options say how the files are to be read. The zero value of every field but
// Kind and Now is a default.
type Options struct {
	Kind Kind
	// Source names the system that the files come from: "shop-br". The events'
	// source is "import:" and this name, and their ids are unique in it. Empty
	// means the kind's name.
	Source string

	// Columns maps fields to headings; NoColumn leaves a field out. What is not
	// named is guessed. See Fields.
	Columns map[string]string
	// Values gives a field one value for every row, where there is no column.
	Values map[string]string
	// Select, if set, is one SQL select over the view "file" whose output
	// columns are fields. Then nothing is guessed. The view has the file's
	// columns under their headings, and "filename" and "line"; a select that
	// passes those two on has its rejected rows reported by them.
	Select string

	// Preset names the shop whose export of orders the files are: see Presets.
	// Empty: recognised by the headings; NoPreset: a bare table. Then several
	// rows are one order, refunds are taken off, and orders that were cancelled,
	// not paid or tests are left out and counted.
	Preset string

	// TimeFormat is how times are written, as for strptime ("%Y%m%d"), or
	// "unix" (seconds), "unix_ms" or "excel" (a spreadsheet's days). Empty: recognised, and refused where a
	// day could be a month.
	TimeFormat string
	// TimeZone is the zone of times that do not say theirs. Nil means UTC.
	TimeZone *time.Location
	// Decimal is "point" or "comma". Empty: recognised over the whole column,
	// and refused where both would read.
	Decimal string
	// PhoneRegion is the country (ISO 3166-1 alpha-2) of phone numbers without
	// a country code. Empty: such numbers are not understood.
	PhoneRegion string
	// KeyNamespace is the identity namespace of the customer column: "phone",
	// "email" or "external:" and a system's name. Empty means
	// identity.NamespaceCustomer.
	KeyNamespace string

	// Delimiter of delimited text: one character, "tab", or "blanks" (columns
	// aligned by any number of spaces). Empty: recognised.
	Delimiter string
	// Encoding of text files by its usual name: "utf-8", "utf-16le",
	// "latin1", "gb18030". Empty means UTF-8, or what a byte order mark says.
	Encoding string
	// SkipLines is how many lines to pass over before the headings.
	SkipLines int
	// NoHeader: the first line is data; headings are column1, column2, …
	NoHeader bool

	// DryRun reports what would happen and publishes nothing.
	DryRun bool
	// Now is the time of the import: an event over 24 hours after it would be
	// a dead letter, so its row is rejected.
	Now time.Time
	// Progress, if set, is called now and then from the importing goroutine.
	Progress func(Progress)
	Limits   Limits
}

// Limits bound what an import takes. The zero value of each is its default.
type Limits struct {
	// MemoryMB is the memory of the private DuckDB; what does not fit goes to
	// the temporary folder. Default 400.
	MemoryMB int
	// TempDir is where the temporary folder is made. Default: the system's.
	TempDir string
	// RecordBytes is the longest record (a line, or a quoted row of several
	// lines) of a text file. Default 1 MiB.
	RecordBytes int
	// Columns is the largest number of columns. Default 2,000.
	Columns int
	// Examples is how many rejected rows the report lists. Default 20.
	Examples int
	// BatchEvents is the largest number of events in one call of Publish.
	// Default 2,000.
	BatchEvents int
}

// Progress says how far an import is.
type Progress struct {
	// Phase is "reading" (in bytes), "checking" or "publishing" (in rows).
	Phase string
	Done  int64
	Total int64
}

// Publish hands events on, in order, and returns when they are safe. An error
// ends the import; what was handed over before stays, and a repeat of the
// import gives the same events again.
type Publish func(ctx context.Context, events []event.Event) error

// Refusal is an error that the user can mend by another call: a column that is
// missing or ambiguous, a file that is not a table, two readings of a column.
// Nothing was published.
type Refusal struct { //nolint:errname // a refusal is what the user gets, and is called so everywhere
	// Problems says each what is wrong, and how to mend it.
	Problems []string
}

func (r *Refusal) Error() string { return strings.Join(r.Problems, "\n") }

func refuse(format string, args ...any) *Refusal {
	return &Refusal{Problems: []string{fmt.Sprintf(format, args...)}}
}

const (
	decimalPoint = "point"
	decimalComma = "comma"
)

// blanks is the delimiter of columns that are aligned by spaces and tabs.
const blanks = "blanks"

// complete checks the options and fills in the defaults; the error is a
// *Refusal with every problem.
func (o *Options) complete() error {
	var problems []string
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }

	if Fields(o.Kind) == nil {
		return refuse("no kind of import %q: want orders, customers, consents or messages", o.Kind)
	}
	if o.Source == "" {
		o.Source = string(o.Kind)
	}
	if !isSourceName(o.Source) {
		add("the source's name must be 1 to 64 letters, digits, points, hyphens and underscores")
	}
	if o.Now.IsZero() {
		add("the time of the import is missing")
	}
	if o.TimeZone == nil {
		o.TimeZone = time.UTC
	}
	if o.KeyNamespace == "" {
		o.KeyNamespace = identity.NamespaceCustomer
	}
	if err := identity.CheckNamespace(o.KeyNamespace); err != nil {
		add("key namespace: %v", err)
	}
	if o.Decimal != "" && o.Decimal != decimalPoint && o.Decimal != decimalComma {
		add("decimal is %q: want point or comma", o.Decimal)
	}
	if o.PhoneRegion = strings.ToUpper(o.PhoneRegion); o.PhoneRegion != "" && !isRegion(o.PhoneRegion) {
		add("the phone region must be a country of two letters, such as BR")
	}
	if o.TimeFormat != "" {
		if err := checkTimeFormat(o.TimeFormat); err != nil {
			add("time format: %v", err)
		}
	}
	if _, err := delimiterOf(o.Delimiter); err != nil {
		add("%v", err)
	}
	if _, err := encodingOf(o.Encoding); err != nil {
		add("%v", err)
	}
	if o.SkipLines < 0 {
		add("the number of lines to skip is negative")
	}
	for _, names := range []map[string]string{o.Columns, o.Values} {
		for _, name := range sortedKeys(names) {
			if !isField(o.Kind, name) {
				add("%s have no field %q: want one of %s", o.Kind, name, strings.Join(fieldNames(o.Kind), ", "))
			}
		}
	}
	if o.Preset != "" && o.Preset != NoPreset && (o.Kind != Orders || !slices.Contains(Presets(), o.Preset)) {
		add("no preset %q for %s: want one of %s for orders, or %s", o.Preset, o.Kind, strings.Join(Presets(), ", "), NoPreset)
	}
	if o.Preset != "" && o.Preset != NoPreset && (o.Select != "" || o.NoHeader) {
		add("a preset reads columns by their headings: leave out the select, or that there are no headings")
	}
	if o.Select != "" && len(o.Columns) > 0 {
		add("a select names the fields by its output columns: leave the column options out")
	}
	for _, name := range sortedKeys(o.Values) {
		if column := o.Columns[name]; column != "" && column != NoColumn {
			add("%s has both a column and one value for all rows: say one of them", name)
		}
		if strings.TrimSpace(o.Values[name]) == "" {
			add("the value for %s is empty", name)
		}
	}
	if len(problems) > 0 {
		return &Refusal{Problems: problems}
	}
	o.Limits.complete()
	return nil
}

func (l *Limits) complete() {
	setDefault(&l.MemoryMB, 400)
	setDefault(&l.RecordBytes, 1<<20)
	setDefault(&l.Columns, 2000)
	setDefault(&l.Examples, 20)
	setDefault(&l.BatchEvents, 2000)
}

func setDefault(v *int, value int) {
	if *v <= 0 {
		*v = value
	}
}

func isSourceName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !isLetter(c) && !isDigit(c) && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func isRegion(s string) bool { return len(s) == 2 && isLetter(s[0]) && isLetter(s[1]) }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// delimiterOf returns the delimiter that an option means; "" for none given.
func delimiterOf(option string) (string, error) {
	switch option {
	case "", blanks:
		return option, nil
	case "tab", `\t`:
		return "\t", nil
	}
	if len([]rune(option)) != 1 || strings.ContainsAny(option, "\"\r\n ") {
		return "", fmt.Errorf("the delimiter must be one character, tab or blanks")
	}
	return option, nil
}

// encodingOf returns the encoding of a name; nil for UTF-8 and for no name.
func encodingOf(name string) (encoding.Encoding, error) {
	if name == "" {
		return nil, nil
	}
	// The names of the WHATWG Encoding Standard, which cover what spreadsheets
	// write: latin1 is Windows-1252 there, gbk is a part of gb18030.
	enc, err := htmlindex.Get(name)
	if err != nil {
		return nil, fmt.Errorf("no encoding %q: want utf-8, utf-16le, latin1, gb18030 or the like", name)
	}
	if canonical, err := htmlindex.Name(enc); err == nil && canonical == "utf-8" {
		return nil, nil
	}
	return enc, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
