package fileimport

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/currency"

	"github.com/goodhour/goodhour/ingest/event"
)

// amountText is an amount taken apart, before anyone knows which sign is the
// decimal one.
type amountText struct {
	negative bool
	// mark is the currency's sign or code that stood beside the number, or "".
	mark string
	// body is digits with points, commas, spaces and apostrophes.
	body string
}

// splitAmount takes an amount apart: (12.30), -R$ 12,30, 12.30- and USD 12.30
// are all read.
func splitAmount(s string) (amountText, bool) {
	var t amountText
	s = strings.TrimSpace(asciiSigns(s))
	if inner, found := strings.CutPrefix(s, "("); found {
		if s, found = strings.CutSuffix(inner, ")"); !found {
			return t, false
		}
		t.negative = true
	}
	const digits = "0123456789"
	first, last := strings.IndexAny(s, digits), strings.LastIndexAny(s, digits)+1
	if first < 0 {
		return t, false
	}
	if first > 0 && (s[first-1] == '.' || s[first-1] == ',') && (first == 1 || strings.ContainsAny(s[first-2:first-1], " +-")) {
		first-- // .50; but the point of Rs.50 belongs to the mark
	}
	before, okBefore := t.takeSign(s[:first])
	after, okAfter := t.takeSign(s[last:])
	if !okBefore || !okAfter || before != "" && after != "" {
		return t, false
	}
	t.mark, t.body = before+after, s[first:last]
	return t, true
}

// takeSign removes a plus or minus from what stands beside the number and
// returns the rest, the currency's mark.
func (t *amountText) takeSign(s string) (mark string, ok bool) {
	s = strings.TrimFunc(s, unicode.IsSpace)
	if s == "" {
		return "", true
	}
	for _, sign := range []string{"-", "\u2212", "+"} {
		rest, found := strings.CutPrefix(s, sign)
		if !found {
			rest, found = strings.CutSuffix(s, sign)
		}
		if !found {
			continue
		}
		if t.negative {
			return "", false
		}
		t.negative = sign != "+"
		s = strings.TrimFunc(rest, unicode.IsSpace)
		break
	}
	return s, !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsDigit(r) || unicode.IsSpace(r) || r == '-' || r == '+' })
}

// units reads the body with the given decimal sign ('.' or ','). The other of
// the two, a space or an apostrophe may group the digits, but then everywhere
// and by threes (or, beside a point, in the Indian way).
func (t amountText) units(decimal byte) (event.Amount, Reason) {
	whole, fraction, hasFraction := strings.Cut(t.body, string(decimal))
	if hasFraction && (fraction == "" || !allDigits(fraction)) {
		return 0, reasonAmount
	}
	whole, ok := ungroup(whole, decimal)
	if !ok || whole == "" && !hasFraction {
		return 0, reasonAmount
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > 4 {
		return 0, reasonAmountDigits
	}
	whole = strings.TrimLeft(whole, "0")
	if len(whole) > 14 { // with four decimals, what DECIMAL(18,4) holds
		return 0, reasonAmountLarge
	}
	var n event.Amount
	for _, c := range []byte(whole) {
		n = n*10 + event.Amount(c-'0')
	}
	for i := range 4 {
		n *= 10
		if i < len(fraction) {
			n += event.Amount(fraction[i] - '0')
		}
	}
	if t.negative {
		n = -n
	}
	return n, ""
}

// ungroup removes the signs between groups of digits.
func ungroup(whole string, decimal byte) (string, bool) {
	if allDigits(whole) {
		return whole, true
	}
	other := ','
	if decimal == ',' {
		other = '.'
	}
	separator := rune(0)
	groups := strings.FieldsFunc(whole, func(r rune) bool {
		if r != other && r != '\'' && r != '\u2019' && !unicode.IsSpace(r) {
			return false
		}
		if separator == 0 {
			separator = r
		}
		return r == separator
	})
	joined := strings.Join(groups, "")
	if !allDigits(joined) || len(whole) != len(joined)+(len(groups)-1)*utf8.RuneLen(separator) {
		return "", false
	}
	last := len(groups) - 1
	if len(groups[last]) != 3 || len(groups[0]) > 3 {
		return "", false
	}
	western, indian := true, separator == ',' && len(groups[0]) <= 2
	for _, g := range groups[1:last] {
		western = western && len(g) == 3
		indian = indian && len(g) == 2
	}
	return joined, western || indian
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// markCurrencies are the currencies that a sign is written for. A sign of one
// currency names it; one of several only has to fit.
var markCurrencies = map[string][]string{
	"$":   {"USD", "AUD", "CAD", "NZD", "SGD", "HKD", "TWD", "MXN", "ARS", "CLP", "COP", "UYU", "BRL"},
	"US$": {"USD"}, "R$": {"BRL"}, "A$": {"AUD"}, "C$": {"CAD"}, "S$": {"SGD"}, "HK$": {"HKD"}, "NT$": {"TWD"}, "MX$": {"MXN"},
	"€": {"EUR"}, "£": {"GBP", "EGP"}, "¥": {"JPY", "CNY"}, "￥": {"JPY", "CNY"}, "元": {"CNY"}, "RMB": {"CNY"}, "人民币": {"CNY"}, "円": {"JPY"}, "日元": {"JPY"}, "美元": {"USD"}, "欧元": {"EUR"}, "港币": {"HKD"},
	"₹": {"INR"}, "Rs": {"INR", "PKR", "LKR"}, "Rs.": {"INR", "PKR", "LKR"}, "Rp": {"IDR"}, "₩": {"KRW"}, "₺": {"TRY"}, "₽": {"RUB"},
	"₫": {"VND"}, "฿": {"THB"}, "₱": {"PHP"}, "₦": {"NGN"}, "₪": {"ILS"}, "₴": {"UAH"}, "RM": {"MYR"}, "S/": {"PEN"},
	"zł": {"PLN"}, "kr": {"SEK", "NOK", "DKK", "ISK"}, "Kč": {"CZK"}, "Ft": {"HUF"},
}

// currencyOfMark returns the one currency that a mark names, or "" where it
// names none or several; known says whether it is a currency's mark at all.
func currencyOfMark(mark string) (code string, known bool) {
	if codes := markCurrencies[mark]; len(codes) == 1 {
		return codes[0], true
	} else if len(codes) > 1 {
		return "", true
	}
	code, reason := readCurrency(mark)
	return code, reason == ""
}

// markFits reports whether a mark may stand beside an amount of the currency.
func markFits(mark, code string) bool {
	if mark == "" || strings.EqualFold(mark, code) {
		return true
	}
	return slices.Contains(markCurrencies[mark], code)
}

// readCurrency reads a code of ISO 4217 in any case, or a sign of one currency.
func readCurrency(s string) (string, Reason) {
	if s == "" {
		return "", reasonNoCurrency
	}
	if codes := markCurrencies[s]; len(codes) == 1 {
		return codes[0], ""
	}
	if len(s) != 3 {
		return "", reasonCurrency
	}
	unit, err := currency.ParseISO(s)
	if err != nil {
		return "", reasonCurrency
	}
	return unit.String(), ""
}

// amountEvidence gathers what a column of amounts says of its own decimal sign
// and of its currency.
type amountEvidence struct {
	pointOnly, commaOnly, both place // the first row of each kind
	values                     int64
	named                      int64 // whose mark names one currency
	marks                      []string
}

// place is a row of a file; the zero place is none.
type place struct {
	file int
	at   int64
}

func (p *place) keepFirst(q place) {
	if p.at == 0 {
		*p = q
	}
}

func (e *amountEvidence) add(value string, at place) {
	if value = strings.TrimSpace(value); value == "" {
		return
	}
	e.values++
	t, ok := splitAmount(value)
	if !ok {
		return
	}
	if code, _ := currencyOfMark(t.mark); code != "" {
		e.named++
	}
	if t.mark != "" && len(e.marks) < 8 && !slices.Contains(e.marks, t.mark) {
		e.marks = append(e.marks, t.mark)
	}
	point, pointReason := t.units('.')
	comma, commaReason := t.units(',')
	// More decimals than fit still show which sign is the decimal one.
	pointReads, commaReads := pointReason != reasonAmount, commaReason != reasonAmount
	switch {
	case pointReads && commaReads:
		if point != comma || pointReason != commaReason {
			e.both.keepFirst(at)
		}
	case pointReads:
		e.pointOnly.keepFirst(at)
	case commaReads:
		e.commaOnly.keepFirst(at)
	}
}

// decimal decides over the whole column which sign is the decimal one.
func (e *amountEvidence) decimal(describe func(place) string) (byte, error) {
	switch {
	case e.pointOnly.at > 0 && e.commaOnly.at > 0:
		return 0, refuse("amounts do not agree: %s reads only with a decimal point, %s only with a decimal comma: "+
			"say --decimal point or --decimal comma, and the others are rejected", describe(e.pointOnly), describe(e.commaOnly))
	case e.commaOnly.at > 0:
		return ',', nil
	case e.pointOnly.at > 0 || e.both.at == 0:
		return '.', nil
	}
	return 0, refuse("amounts read in two ways: with a decimal point the sign before three digits (as in %s) separates thousands "+
		"or decimals, with a decimal comma the other way round: say --decimal point or --decimal comma", describe(e.both))
}
