package report

import (
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/message/catalog"
	"golang.org/x/text/number"
)

// printerFor is the words of the nearest language that there is.
func printerFor(wanted language.Tag) (language.Tag, *message.Printer) {
	_, i, confidence := language.NewMatcher(Languages()).Match(wanted)
	if confidence == language.No {
		i = 0
	}
	tag := Languages()[i]
	texts := catalog.NewBuilder(catalog.Fallback(language.English))
	for english, chinese := range chinese() {
		if err := texts.SetString(language.SimplifiedChinese, english, chinese); err != nil {
			panic("report: " + err.Error()) // only of a malformed tag
		}
	}
	return tag, message.NewPrinter(tag, message.Catalog(texts))
}

// t is a text in the report's language.
func (m *maker) t(text string, args ...any) string { return m.printer.Sprintf(text, args...) }

// num is a whole number: 1,234,567.
func (m *maker) num(n int64) string { return m.printer.Sprint(number.Decimal(n)) }

// percent is count of n: 12.3%; a dash where n is 0.
func (m *maker) percent(count, n int64) string {
	if n == 0 {
		return dash
	}
	return m.share(float64(count) / float64(n))
}

func (m *maker) share(share float64) string {
	places := 1
	if share > 0 && share < 0.01 {
		places = 2 // so that a small one does not look like none
	}
	return m.printer.Sprint(number.Percent(share, number.MinFractionDigits(places), number.MaxFractionDigits(places)))
}

// money is an amount in a currency.
func (m *maker) money(amount float64, currency string) string {
	return strings.TrimSpace(m.amount(amount) + " " + currency)
}

// amount is money as all of this report's is written: with cents where the shop
// is so small that they matter.
func (m *maker) amount(amount float64) string {
	places := 2
	if m.totals.spend >= 10_000 {
		places = 0
	}
	return m.printer.Sprint(number.Decimal(amount, number.MinFractionDigits(places), number.MaxFractionDigits(places)))
}

// plain is a number with the places that it has.
func (m *maker) plain(v float64) string {
	return m.printer.Sprint(number.Decimal(v, number.MaxFractionDigits(2)))
}

const dash = "–"

// day is the day of an instant, UTC.
func (m *maker) day(at time.Time) string { return m.date(at, "2 Jan 2006", "2006年1月2日") }

// month is the month of an instant, UTC.
func (m *maker) month(at time.Time) string { return m.date(at, "Jan 2006", "2006年1月") }

func (m *maker) date(at time.Time, english, chinese string) string {
	switch {
	case at.IsZero():
		return dash
	case m.tag == language.SimplifiedChinese:
		return at.UTC().Format(chinese)
	}
	return at.UTC().Format(english)
}

// named is one of the models' own values for a reader.
func (m *maker) named(value string) string { return m.t(nameOf(value)) }

// nameOf is a model's value in English words. All of them are listed, so that a
// test can compare the other languages with it.
func nameOf(value string) string {
	if name, ok := names()[value]; ok {
		return name
	}
	return strings.ReplaceAll(value, "_", " ")
}

func names() map[string]string {
	return map[string]string{
		"high": "high", "mid": "mid", "low": "low", "unknown": "unknown",
		"monthly": "monthly", "quarterly": "quarterly", "occasional": "occasional",
		"lapsed": "lapsed", "one_time": "one time", "none": "none",
		"hot": "hot", "warm": "warm", "cool": "cool", "cold": "cold", "never": "never", "new": "new",
		"champions": "Champions", "potential_loyalist": "Potential loyalists", "loyal": "Loyal",
		"promising": "Promising", "new_customers": "New customers", "cant_lose": "Can't lose them",
		"at_risk": "At risk", "need_attention": "Need attention", "about_to_sleep": "About to sleep",
		"lost": "Lost", "other": "Others",
		"reachable": "reachable", "no_consent": "no opt-in", "opted_out": "opted out", "no_phone_or_bsuid": "no address",
	}
}
