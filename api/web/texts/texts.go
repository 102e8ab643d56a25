// Package texts has what the dashboard and the report say, in each language, and
// how each writes numbers, days and commands. The code says everything in
// English; a file of a language has each text by its English.
package texts

import (
	"embed"
	"fmt"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/message/catalog"
	"golang.org/x/text/number"
)

//go:embed *.yaml
var files embed.FS

// Tags are the languages that there are; the first is what everybody else gets.
// Another one is another entry and its file.
func Tags() []language.Tag { return []language.Tag{language.English, language.SimplifiedChinese} }

// Nearest is the position in Tags of the language that fits what is wanted best.
func Nearest(wanted ...language.Tag) int {
	_, i, _ := language.NewMatcher(Tags()).Match(wanted...)
	return i
}

// Language says and writes things for its readers. What its file lacks it says
// in English.
type Language struct {
	Tag     language.Tag
	texts   map[string]string // by their English; nil for English
	printer *message.Printer
}

// Read returns the languages, in the order of Tags.
func Read() ([]*Language, error) {
	builder := catalog.NewBuilder(catalog.Fallback(language.English))
	var languages []*Language
	for _, tag := range Tags() {
		texts, err := readFile(tag)
		if err != nil {
			return nil, err
		}
		for english, text := range texts {
			if err := builder.SetString(tag, english, text); err != nil {
				return nil, fmt.Errorf("read the texts in %s: %w", tag, err)
			}
		}
		languages = append(languages, &Language{Tag: tag, texts: texts, printer: message.NewPrinter(tag, message.Catalog(builder))})
	}
	return languages, nil
}

func readFile(tag language.Tag) (map[string]string, error) {
	if tag == language.English {
		return nil, nil
	}
	name := tag.String() + ".yaml"
	b, err := files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the texts in %s: %w", tag, err)
	}
	var texts map[string]string
	if err := yaml.Unmarshal(b, &texts); err != nil {
		return nil, fmt.Errorf("read the texts in %s: %w", name, err)
	}
	return texts, nil
}

// T is a text, its numbers too.
func (l *Language) T(text string, args ...any) string { return l.printer.Sprintf(text, args...) }

// Plural is a text for one, or for another number.
func (l *Language) Plural(n int64, one, many string) string {
	if n == 1 {
		return l.T(one)
	}
	return l.T(many, n)
}

// Known is a text of the published file, which stays as it is where the language
// does not know it: an analyst's own has its own language.
func (l *Language) Known(text string) string {
	if known := l.texts[text]; known != "" {
		return known
	}
	return text
}

// Words is one of our own names: one_time is "one time", as far as it is known
// in the language.
func (l *Language) Words(name string) string { return l.Known(Plain(name)) }

// Plain is one of our own names as English words: one_time is "one time".
func Plain(name string) string { return strings.ReplaceAll(name, "_", " ") }

// Num is a whole number: 1,234,567.
func (l *Language) Num(n any) string { return l.printer.Sprint(number.Decimal(n)) }

// Decimal is a number with so many places.
func (l *Language) Decimal(f float64, places int) string {
	return l.printer.Sprint(number.Decimal(f, number.MinFractionDigits(places), number.MaxFractionDigits(places)))
}

// Shortest is a number with the places that it has, two at most.
func (l *Language) Shortest(f float64) string {
	return l.printer.Sprint(number.Decimal(f, number.MaxFractionDigits(2)))
}

// Percent is a share: 12.3%. Below 1% it has two places, so that a small rate
// does not look like none.
func (l *Language) Percent(share float64) string {
	places := 1
	if share > 0 && share < 0.01 {
		places = 2
	}
	return l.printer.Sprint(number.Percent(share, number.MinFractionDigits(places), number.MaxFractionDigits(places)))
}

// Dash stands for what is not known.
const Dash = "–"

// When is an instant in UTC, to the minute.
func (l *Language) When(at time.Time) string {
	if at.IsZero() {
		return Dash
	}
	return at.UTC().Format(l.T("2 Jan 2006, 15:04")) + " UTC"
}

// Day is the day of an instant in UTC.
func (l *Language) Day(at time.Time) string {
	if at.IsZero() {
		return Dash
	}
	return at.UTC().Format(l.T("2 Jan 2006"))
}

// Month is the month of an instant in UTC.
func (l *Language) Month(at time.Time) string {
	if at.IsZero() {
		return Dash
	}
	return at.UTC().Format(l.T("Jan 2006"))
}

// Ago is a length of time in words, as large as it is sure of.
func (l *Language) Ago(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return l.Plural(int64(d.Seconds()), "1 second", "%d seconds")
	case d < 2*time.Hour:
		return l.Plural(int64(d.Minutes()), "1 minute", "%d minutes")
	case d < 48*time.Hour:
		return l.Plural(int64(d.Hours()), "1 hour", "%d hours")
	}
	return l.Plural(int64(d.Hours()/24), "1 day", "%d days")
}

// ShellWords are texts as words of a POSIX shell, for commands to be pasted.
func ShellWords(texts ...string) string {
	plain := func(c rune) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("/._-+:,@=%", c)
	}
	words := make([]string, len(texts))
	for i, text := range texts {
		words[i] = text
		if text == "" || strings.ContainsFunc(text, func(c rune) bool { return !plain(c) }) {
			words[i] = "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
