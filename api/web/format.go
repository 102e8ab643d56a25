package web

import (
	"strings"
	"time"

	"github.com/goodhour/goodhour/api/web/texts"
	"github.com/goodhour/goodhour/warehouse"
)

// money is an amount: large ones without cents.
func (e *edition) money(amount float64, currency string) string {
	places := 2
	if amount >= 10_000 || amount <= -10_000 {
		places = 0
	}
	return strings.TrimSpace(e.Decimal(amount, places) + " " + currency)
}

// label is a value of a column whose values are our own names: opted_in is
// "opted in". Other texts stay as they are.
func label(column, value string) string {
	switch column {
	case "unreachable_reason", "value_segment", "frequency_segment", "heat_class", "consent_marketing", "consent_utility", "consent_authentication":
		return texts.Plain(value)
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
