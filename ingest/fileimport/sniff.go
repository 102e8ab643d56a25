package fileimport

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

const (
	sniffBytes   = 256 << 10
	sniffRecords = 2000
)

// candidate is a dialect and how well a sample agrees with it.
type candidate struct {
	dialect dialect
	columns int     // of the first record
	agree   int     // records that have as many
	share   float64 // of the records read
}

// sniff recognises the dialect of a sample that begins at the headings; whole
// says that the sample is all there is. delimiter is the user's, or empty.
//
// The test is the agreement of the records with the first one, so that a few
// broken rows do not change the answer. Where two delimiters agree equally
// well, the user is asked.
func sniff(sample []byte, whole bool, delimiter string) (dialect, error) {
	base := dialect{quote: '"', eol: '\n', delimiter: delimiter}
	if bytes.IndexByte(sample, '\n') < 0 && bytes.IndexByte(sample, '\r') >= 0 {
		base.eol = '\r'
	}
	if !whole {
		if i := bytes.LastIndexByte(sample, base.eol); i >= 0 {
			sample = sample[:i+1]
		}
	}
	if delimiter != "" {
		return bestQuoting(sample, whole, base).dialect, nil
	}

	var best candidate
	tied := ""
	for _, d := range []string{",", ";", "\t", "|"} {
		base.delimiter = d
		c := bestQuoting(sample, whole, base)
		switch {
		case c.columns < 2 || c.share < 0.5 || c.share < best.share:
		case c.share > best.share:
			best, tied = c, ""
		default:
			tied = d
		}
	}
	if tied != "" {
		return dialect{}, refuse("the columns may be separated by %s or by %s: say --delimiter",
			delimiterName(best.dialect.delimiter), delimiterName(tied))
	}
	if best.columns > 0 {
		return best.dialect, nil
	}
	base.delimiter = blanks
	// Two words a line are more often one column of values with a space.
	if c := try(sample, whole, base); c.columns >= 3 && c.share >= 0.75 {
		return base, nil
	}
	base.delimiter = ""
	return base, nil
}

// bestQuoting tries the ways to quote; an unusual one has to be better.
func bestQuoting(sample []byte, whole bool, base dialect) candidate {
	best := try(sample, whole, base)
	if base.delimiter == blanks {
		return best
	}
	for _, quoting := range []dialect{{quote: '"', backslash: true}, {quote: '\''}, {quote: '\'', backslash: true}} {
		d := base
		d.quote, d.backslash = quoting.quote, quoting.backslash
		if bytes.IndexByte(sample, d.quote) < 0 || d.backslash && bytes.IndexByte(sample, '\\') < 0 {
			continue
		}
		if c := try(sample, whole, d); c.columns >= best.columns && c.agree >= best.agree && c.share > best.share {
			best = c
		}
	}
	return best
}

// try reads the sample in a dialect.
func try(sample []byte, whole bool, d dialect) candidate {
	r := newCSVReader(bytes.NewReader(sample), d, len(sample))
	c := candidate{dialect: d}
	records := 0
	for records < sniffRecords {
		rec, err := r.next()
		if errors.Is(err, io.EOF) || !whole && rec.problem == reasonQuoteOpen {
			break // a quote may well be closed behind the sample
		}
		if records == 0 {
			c.columns = len(rec.fields)
		}
		records++
		if rec.problem == "" && (len(rec.fields) == c.columns || len(rec.fields) > c.columns && allBlank(rec.fields[c.columns:])) {
			c.agree++
		}
	}
	if records > 0 {
		c.share = float64(c.agree) / float64(records)
	}
	return c
}

// separatorLine returns the delimiter of a first line "sep=;", which Excel
// reads and writes, and the length of that line.
func separatorLine(sample []byte) (delimiter string, size int) {
	line, _, found := bytes.Cut(sample, []byte{'\n'})
	text := strings.TrimRight(string(line), "\r")
	if !found || len(text) != len("sep=;") || !strings.HasPrefix(text, "sep=") {
		return "", 0
	}
	return text[4:], len(line) + 1
}

func delimiterName(delimiter string) string {
	switch delimiter {
	case ",":
		return "comma"
	case ";":
		return "semicolon"
	case "\t":
		return "tab"
	case "|":
		return "bar"
	case blanks:
		return "blanks"
	case "":
		return "one column"
	}
	return delimiter
}
