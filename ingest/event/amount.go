package event

import (
	"errors"
	"strconv"
	"strings"
)

// Amount is money, exact to four decimals: ten-thousandths of the currency's
// unit, as DECIMAL(18,4) holds it. As JSON it is a decimal string, which no
// reader turns into a float by the way.
type Amount int64

var errAmount = errors.New("not an amount: want digits with at most four decimals, like 19.90")

// ParseAmount reads a plain decimal, "19.90" or "-3".
func ParseAmount(s string) (Amount, error) {
	digits := []byte(strings.TrimPrefix(s, "-"))
	if !isPlainDecimal(digits) {
		return 0, errAmount
	}
	n, fault := scaled([]byte(s), decimalScale)
	if fault != numberFits || n >= decimalMax || n <= -decimalMax {
		return 0, errAmount
	}
	return Amount(n), nil
}

// String returns the amount with two to four decimals: "19.90".
func (a Amount) String() string {
	const one = 10_000
	sign, n := "", uint64(a)
	if a < 0 {
		sign, n = "-", -n
	}
	fraction := strconv.FormatUint(one+n%one, 10)[1:]
	fraction = fraction[:2] + strings.TrimRight(fraction[2:], "0")
	return sign + strconv.FormatUint(n/one, 10) + "." + fraction
}

// MarshalText returns what String returns. It never fails.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText is ParseAmount.
func (a *Amount) UnmarshalText(text []byte) error {
	parsed, err := ParseAmount(string(text))
	if err == nil {
		*a = parsed
	}
	return err
}
