package fileimport

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// readSerial reads the days since 1899-12-30 that a spreadsheet's date is, from
// 1970 to 2099, to the millisecond.
func readSerial(s string, zone *time.Location) (time.Time, bool, Reason) {
	if !isSerial(s) {
		return time.Time{}, false, reasonTime
	}
	days, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return time.Time{}, false, reasonTime
	}
	whole, fraction := math.Modf(days)
	ms := int(math.Round(fraction * 24 * 3600 * 1000))
	t := time.Date(1899, time.December, 30+int(whole), 0, 0, 0, 0, zone)
	if t.Year() < firstYear {
		return t, false, reasonTimeYear
	}
	// The hour as the clock showed it, whatever a change of clocks makes of it.
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, ms*int(time.Millisecond), zone).UTC(), false, ""
}

// isSerial reports whether s may be a spreadsheet's date: five digits that are
// a day of 1970 to 2099, and maybe a part of a day.
func isSerial(s string) bool {
	whole, fraction, _ := strings.Cut(s, ".")
	return len(whole) == 5 && whole >= "25569" && whole <= "73050" && allDigits(whole) && allDigits(fraction)
}
