package event

import "math"

// numberFault says why a number does not fit.
type numberFault uint8

const (
	numberFits numberFault = iota
	numberTooFine
	numberTooLarge
)

// scaled returns the JSON number (or plain decimal) times 10^scale, exactly,
// by its value: 1.50, 1.5 and 15e-1 are the same. There is no float between.
func scaled(number []byte, scale int) (int64, numberFault) {
	negative := number[0] == '-'
	if negative {
		number = number[1:]
	}
	var (
		mantissa uint64 // the digits up to the last one that is not 0
		zeros    int    // zeros after it
		fraction int    // digits after the point
		overflow bool
		point    bool
		i        int
	)
	for ; i < len(number); i++ {
		c := number[i]
		if c == '.' {
			point = true
			continue
		}
		if !isDigit(c) {
			break
		}
		if point {
			fraction++
		}
		zeros++
		if c != '0' {
			mantissa, overflow = shift(mantissa, zeros, overflow)
			zeros = 0
			if mantissa > math.MaxUint64-uint64(c-'0') {
				overflow = true
			}
			mantissa += uint64(c - '0')
		}
	}
	if mantissa == 0 && !overflow {
		return 0, numberFits
	}
	power := exponent(number[i:]) - fraction + zeros + scale
	if power < 0 {
		return 0, numberTooFine
	}
	mantissa, overflow = shift(mantissa, power, overflow)
	switch {
	case overflow:
		return 0, numberTooLarge
	case negative && mantissa <= -math.MinInt64:
		return -int64(mantissa), numberFits
	case !negative && mantissa <= math.MaxInt64:
		return int64(mantissa), numberFits
	}
	return 0, numberTooLarge
}

// shift multiplies by 10^power; once it overflows it stays so.
func shift(n uint64, power int, overflow bool) (uint64, bool) {
	if n == 0 {
		return 0, overflow
	}
	for range power {
		if overflow || n > math.MaxUint64/10 {
			return n, true
		}
		n *= 10
	}
	return n, overflow
}

// exponent reads what follows the digits, "e-12" or nothing. Beyond a million
// it no longer counts: the number is too large or too fine in any case.
func exponent(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	b = b[1:]
	sign := 1
	switch b[0] {
	case '-':
		sign = -1
		b = b[1:]
	case '+':
		b = b[1:]
	}
	n := 0
	for _, c := range b {
		n = min(n*10+int(c-'0'), 4*MaxValueBytes)
	}
	return sign * n
}

// isPlainDecimal reports whether s is digits, or digits, a point and digits.
func isPlainDecimal(s []byte) bool {
	digits, point := 0, false
	for _, c := range s {
		switch {
		case isDigit(c):
			digits++
		case c == '.' && !point && digits > 0:
			point = true
			digits = 0
		default:
			return false
		}
	}
	return digits > 0
}
