package report

import (
	"strings"

	"github.com/goodhour/goodhour/api/web/texts"
)

// percent is count of n: 12.3%; a texts.Dash where n is 0.
func (m *maker) percent(count, n int64) string {
	if n == 0 {
		return texts.Dash
	}
	return m.Percent(float64(count) / float64(n))
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
	return m.Decimal(amount, places)
}

// named is one of the models' own values for a reader.
func (m *maker) named(value string) string {
	if name := names()[value]; name != "" {
		return m.T(name)
	}
	return m.Words(value)
}

// names are the models' values that a reader is told otherwise.
func names() map[string]string {
	return map[string]string{
		"champions": "Champions", "potential_loyalist": "Potential loyalists", "loyal": "Loyal",
		"promising": "Promising", "new_customers": "New customers", "cant_lose": "Can't lose them",
		"at_risk": "At risk", "need_attention": "Need attention", "about_to_sleep": "About to sleep",
		"lost": "Lost", "other": "Others",
		"no_consent": "no opt-in", "no_phone_or_bsuid": "no address",
	}
}
