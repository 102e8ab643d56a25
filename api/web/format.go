package web

import (
	"strings"
	"time"

	"golang.org/x/text/number"

	"github.com/goodhour/goodhour/warehouse"
)

// t is a text in the edition's language, its numbers too.
func (e *edition) t(text string, args ...any) string { return e.printer.Sprintf(text, args...) }

// num is a whole number: 1,234,567.
func (e *edition) num(n any) string { return e.printer.Sprint(number.Decimal(n)) }

// decimal is a number with so many places.
func (e *edition) decimal(f float64, places int) string {
	return e.printer.Sprint(number.Decimal(f, number.MinFractionDigits(places), number.MaxFractionDigits(places)))
}

// percent is a share: 12.3%. Below 1% it has two places, so that a small rate
// does not look like none.
func (e *edition) percent(share float64) string {
	places := 1
	if share > 0 && share < 0.01 {
		places = 2
	}
	return e.printer.Sprint(number.Percent(share, number.MinFractionDigits(places), number.MaxFractionDigits(places)))
}

// money is an amount: large ones without cents.
func (e *edition) money(amount float64, currency string) string {
	places := 2
	if amount >= 10_000 || amount <= -10_000 {
		places = 0
	}
	return strings.TrimSpace(e.decimal(amount, places) + " " + currency)
}

// dash stands for what is not known.
const dash = "–"

// when is an instant in UTC, to the minute.
func (e *edition) when(at time.Time) string {
	if at.IsZero() {
		return dash
	}
	return at.UTC().Format(e.t("2 Jan 2006, 15:04")) + " UTC"
}

// day is the day of an instant in UTC.
func (e *edition) day(at time.Time) string {
	if at.IsZero() {
		return dash
	}
	return at.UTC().Format(e.t("2 Jan 2006"))
}

// plural is a text for one, or for another number.
func (e *edition) plural(n int64, one, many string) string {
	if n == 1 {
		return e.t(one)
	}
	return e.t(many, n)
}

// ago is a length of time in words, as large as it is sure of.
func (e *edition) ago(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return e.plural(int64(d.Seconds()), "1 second", "%d seconds")
	case d < 2*time.Hour:
		return e.plural(int64(d.Minutes()), "1 minute", "%d minutes")
	case d < 48*time.Hour:
		return e.plural(int64(d.Hours()), "1 hour", "%d hours")
	}
	return e.plural(int64(d.Hours()/24), "1 day", "%d days")
}

// words is one of our own names for a reader: one_time is "one time".
func words(name string) string { return strings.ReplaceAll(name, "_", " ") }

// words is one of our own names in the edition's language, where it has it.
func (e *edition) words(name string) string { return e.known(words(name)) }

// known is a text of the published file, which stays as it is where the edition
// does not know it: an analyst's own has its own language.
func (e *edition) known(text string) string {
	if known := e.texts[text]; known != "" {
		return known
	}
	return text
}

// label is a value of a column whose values are our own names: opted_in is
// "opted in". Other texts stay as they are.
func label(column, value string) string {
	switch column {
	case "unreachable_reason", "value_segment", "frequency_segment", "heat_class", "consent_marketing", "consent_utility", "consent_authentication":
		return words(value)
	}
	return value
}

// shown is a value of any query as a cell shows it, and its raw form for the
// charts if it is a number.
func shown(value any) (text string, raw string) {
	switch v := value.(type) {
	case nil:
		return "", ""
	case string:
		return v, ""
	case time.Time:
		return v.UTC().Format("2006-01-02 15:04:05"), ""
	case bool:
		if v {
			return "true", ""
		}
		return "false", ""
	}
	text = string(warehouse.AppendJSON(nil, value))
	switch value.(type) {
	case int64, float32, float64:
		return text, text
	}
	if isDecimal(text) {
		return text, text
	}
	return text, ""
}

func isDecimal(text string) bool {
	return text != "" && strings.Trim(text, "-0123456789.") == ""
}
