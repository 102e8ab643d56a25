package fileimport

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
)

// The words that files use for a closed set of values. They are compared by
// plainHeading, so that "Opted-In" and "opted_in" are one.

// readYesNo reads a yes or a no.
func readYesNo(s string) (yes, ok bool) {
	switch plainHeading(s) {
	case "yes", "y", "true", "t", "1", "on", "是", "sim", "s", "si", "sí", "oui", "ja":
		return true, true
	case "no", "n", "false", "f", "0", "off", "否", "不", "nao", "não", "non", "nein":
		return false, true
	}
	return false, false
}

// readConsent reads whether a state is an opt-in.
func readConsent(s string) (in, ok bool) {
	if yes, ok := readYesNo(s); ok {
		return yes, true
	}
	switch plainHeading(s) {
	case "optedin", "optin", "in", "subscribed", "subscribe", "granted", "accepted", "consented", "allowed", "active",
		"同意", "订阅", "訂閱", "已订阅", "已訂閱":
		return true, true
	case "optedout", "optout", "out", "unsubscribed", "unsubscribe", "revoked", "withdrawn", "denied", "declined", "stop", "blocked",
		"不同意", "退订", "退訂", "已退订", "已退訂", "取消订阅", "取消訂閱":
		return false, true
	}
	return false, false
}

// readMovement reads whether a row of an orders file is a refund.
func readMovement(s string) (refund, ok bool) {
	switch plainHeading(s) {
	case "order", "sale", "purchase", "charge", "payment", "completed", "订单", "销售", "购买", "消费", "付款":
		return false, true
	case "refund", "refunded", "return", "returned", "credit", "creditnote", "chargeback", "退款", "退货":
		return true, true
	}
	return false, false
}

// readCategory reads a consent's category.
func readCategory(s string) (string, bool) {
	switch word := plainHeading(s); word {
	case "marketing", "utility", "authentication", "all":
		return word, true
	}
	return "", false
}

// status is what a row of a messages file says of its message.
type status uint8

const (
	statusNone status = iota
	statusSent
	statusDelivered
	statusRead
	statusFailed
	statusReceived
)

// String is also the last part of the event's id.
func (s status) String() string {
	return [...]string{"", "sent", "delivered", "read", "failed", "received"}[s]
}

func readStatus(s string) (status, bool) {
	switch plainHeading(s) {
	case "sent":
		return statusSent, true
	case "delivered":
		return statusDelivered, true
	case "read", "seen", "opened":
		return statusRead, true
	case "failed", "undelivered", "error":
		return statusFailed, true
	case "received", "inbound", "reply", "replied":
		return statusReceived, true
	}
	return statusNone, false
}

// asciiSigns writes the digits of other scripts, and full-width signs, as ASCII
// ones, so that numbers and dates of any keyboard are read.
func asciiSigns(s string) string {
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] < utf8.RuneSelf
	}
	if ascii {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '٠' && r <= '٩': // Arabic-Indic
			return r - '٠' + '0'
		case r >= '۰' && r <= '۹': // as in Persian and Urdu
			return r - '۰' + '0'
		case r == '٫':
			return '.'
		case r == '٬':
			return ','
		case r >= '！' && r <= '～' && r != '￥': // full-width ASCII
			return r - '！' + '!'
		}
		return r
	}, s)
}

// cutShort reports whether s is a number as a spreadsheet shows it when its
// cell is too narrow, 5.51198E+12. Its last digits are gone, so different
// customers would become one.
func cutShort(s string) bool {
	mantissa, exponent, found := strings.Cut(strings.ToUpper(s), "E+")
	if !found || len(exponent) == 0 || !allDigits(exponent) {
		return false
	}
	digits := strings.Replace(mantissa, ".", "", 1)
	digits = strings.Replace(digits, ",", "", 1)
	return digits != "" && allDigits(digits)
}

// zones looks time zones up once each.
type zones map[string]bool

func (z zones) known(name string) bool {
	known, seen := z[name]
	if !seen {
		_, err := time.LoadLocation(name)
		// "Local" and "" are what the machine has, not what the customer has.
		known = err == nil && name != "" && name != "Local"
		if len(z) < 10_000 {
			z[name] = known
		}
	}
	return known
}

func readLanguage(s string) (string, bool) {
	tag, err := language.Parse(s)
	if err != nil || tag == language.Und {
		return "", false
	}
	return tag.String(), true
}

// readTags reads a JSON array of strings, or a list separated by commas,
// semicolons or bars.
func readTags(s string) ([]string, bool) {
	var tags []string
	if strings.HasPrefix(s, "[") {
		return tags, json.Unmarshal([]byte(s), &tags) == nil
	}
	for tag := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ';' || r == '|' }) {
		if tag = strings.TrimSpace(tag); tag != "" {
			tags = append(tags, tag)
		}
	}
	return tags, !strings.ContainsFunc(s, unicode.IsControl)
}

// readItems takes a JSON array of objects as it is.
func readItems(s string) (json.RawMessage, bool) {
	var items []map[string]json.RawMessage
	if json.Unmarshal([]byte(s), &items) != nil {
		return nil, false
	}
	return json.RawMessage(s), true
}
