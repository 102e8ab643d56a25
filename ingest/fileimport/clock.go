package fileimport

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// dayOrder says how a date with the year last is read.
type dayOrder uint8

const (
	orderUnknown dayOrder = iota
	dayFirst
	monthFirst
)

// clock reads the times of a file.
type clock struct {
	format string // as Options.TimeFormat; empty: recognised
	zone   *time.Location
	order  dayOrder
	// serials: the file is a workbook, whose dates are numbers of days.
	serials bool
}

// The names of the formats that are plain numbers.
const (
	formatUnix   = "unix"
	formatUnixMS = "unix_ms"
	formatExcel  = "excel"
)

// read returns the instant that s names, in UTC to the microsecond, and
// whether s itself named its zone.
func (c *clock) read(s string) (t time.Time, zoned bool, reason Reason) {
	s = asciiSigns(s)
	switch c.format {
	case "":
		var p timeParser
		if c.serials && isSerial(s) {
			return readSerial(s, c.zone)
		}
		if !p.parse(s, c.order) {
			return t, false, reasonTime
		}
		return p.time(c.zone)
	case formatUnix, formatUnixMS:
		return readUnix(s, c.format)
	case formatExcel:
		return readSerial(s, c.zone)
	}
	var p timeParser
	if !p.strptime(s, c.format) {
		return t, false, reasonTime
	}
	return p.time(c.zone)
}

// readUnix reads seconds (with decimals, if any) or milliseconds since 1970.
func readUnix(s, format string) (time.Time, bool, Reason) {
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	// The year 9999 in milliseconds; past it the time is out of range anyway.
	if err != nil || n < -1e14 || n > 3e14 || !allDigits(fraction) {
		return time.Time{}, false, reasonTime
	}
	var t time.Time
	if format == formatUnixMS {
		t = time.UnixMilli(n)
	} else {
		if n > 3e11 {
			return time.Time{}, false, reasonTime
		}
		t = time.Unix(n, int64(microseconds(fraction))*1000)
	}
	t = t.UTC()
	if t.Year() < firstYear {
		return time.Time{}, false, reasonTimeYear
	}
	return t, true, ""
}

// firstYear is the first that an event can have: earlier ones are other
// programs' way to say "none".
const firstYear = 1971

// timeParser reads one time from left to right.
type timeParser struct {
	rest                 string
	year, month, day     int
	hour, minute, second int
	micro                int
	pm, am               bool
	yearDay              int
	hasZone              bool
	offset               int // seconds east of UTC
	// undecided: day and month were read in one order and the other would do.
	undecided bool
	// needs is the only order that the date reads in, where it is one with the
	// year last.
	needs dayOrder
}

// time returns the instant, if it exists.
func (p *timeParser) time(zone *time.Location) (time.Time, bool, Reason) {
	if p.year < firstYear {
		return time.Time{}, false, reasonTimeYear
	}
	if p.am || p.pm {
		if p.hour < 1 || p.hour > 12 {
			return time.Time{}, false, reasonTime
		}
		p.hour %= 12
		if p.pm {
			p.hour += 12
		}
	}
	if p.hour > 23 || p.minute > 59 || p.second > 59 {
		return time.Time{}, false, reasonTime
	}
	if p.yearDay > 0 {
		p.month, p.day = 1, p.yearDay
	} else if p.month < 1 || p.month > 12 || p.day < 1 || p.day > daysIn(p.year, p.month) {
		return time.Time{}, false, reasonTimeDate
	}
	if p.hasZone {
		t := time.Date(p.year, time.Month(p.month), p.day, p.hour, p.minute, p.second, p.micro*1000, time.UTC)
		return t.Add(-time.Duration(p.offset) * time.Second), true, ""
	}
	// A local time that a clock change leaves out or repeats becomes one of the
	// two instants next to it, always the same one.
	return time.Date(p.year, time.Month(p.month), p.day, p.hour, p.minute, p.second, p.micro*1000, zone).UTC(), false, ""
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// parse reads the forms that have one meaning, and dates with the year last in
// the given order.
func (p *timeParser) parse(s string, order dayOrder) bool {
	p.rest = strings.TrimSpace(s)
	switch digits := p.countDigits(); digits {
	case 14:
		p.year, p.month, p.day = p.number(4), p.number(2), p.number(2)
		p.hour, p.minute, p.second = p.number(2), p.number(2), p.number(2)
		return p.zoneAndEnd()
	case 8:
		p.year, p.month, p.day = p.number(4), p.number(2), p.number(2)
		if p.take('T') && p.countDigits() == 6 {
			p.hour, p.minute, p.second = p.number(2), p.number(2), p.number(2)
			return p.zoneAndEnd()
		}
		return p.clockAndEnd()
	case 4:
		p.year = p.number(4)
		if p.takeText("年") {
			return p.oneOrTwo(&p.month) && p.takeText("月") && p.oneOrTwo(&p.day) && (p.takeText("日") || p.takeText("号")) && p.clockAndEnd()
		}
		separator := p.separator()
		if separator == 0 || !p.oneOrTwo(&p.month) || !p.take(separator) || !p.oneOrTwo(&p.day) {
			return false
		}
		return p.clockAndEnd()
	case 1, 2:
		first := p.number(digits)
		if month, ok := p.monthBehindSeparator(); ok {
			p.day, p.month = first, month
			p.separatorOrBlanks()
			return p.fourDigitYear() && p.clockAndEnd()
		}
		separator := p.separator()
		second := 0
		if separator == 0 || !p.oneOrTwo(&second) || !p.take(separator) || !p.fourDigitYear() {
			return false
		}
		return p.order(first, second, order) && p.clockAndEnd()
	case 0:
		p.weekday()
		if p.countDigits() > 0 {
			return p.parse(p.rest, order)
		}
		month, ok := p.monthName()
		p.month = month
		p.blanks()
		if !ok || !p.oneOrTwo(&p.day) {
			return false
		}
		p.take(',')
		p.blanks()
		return p.fourDigitYear() && p.clockAndEnd()
	}
	return false
}

// order decides which of two numbers is the day.
func (p *timeParser) order(first, second int, order dayOrder) bool {
	switch {
	case first > 12 && second <= 12:
		p.needs = dayFirst
	case second > 12 && first <= 12:
		p.needs = monthFirst
	case first != second:
		p.undecided = true
	}
	if order == monthFirst || order == orderUnknown && p.needs == monthFirst {
		p.month, p.day = first, second
	} else {
		p.day, p.month = first, second
	}
	return order != orderUnknown || !p.undecided
}

func (p *timeParser) fourDigitYear() bool {
	if p.countDigits() != 4 {
		return false // two digits do not name a century
	}
	p.year = p.number(4)
	return true
}

// clockAndEnd reads what may follow a date: nothing, or a time of day with or
// without a zone.
func (p *timeParser) clockAndEnd() bool {
	if p.rest == "" {
		return true
	}
	p.take(',')
	if !p.take('T') && !p.blanks() {
		return false
	}
	if !p.oneOrTwo(&p.hour) || !p.take(':') || p.countDigits() != 2 {
		return false
	}
	p.minute = p.number(2)
	if p.take(':') {
		if p.countDigits() != 2 {
			return false
		}
		p.second = p.number(2)
		if p.take('.') || p.take(',') {
			if !p.fraction() {
				return false
			}
		}
	}
	p.halfDay()
	return p.zoneAndEnd()
}

func (p *timeParser) fraction() bool {
	n := p.countDigits()
	if n == 0 || n > 9 {
		return false
	}
	p.micro = microseconds(p.rest[:n])
	p.rest = p.rest[n:]
	return true
}

// microseconds reads the digits behind a decimal sign; what is below a
// microsecond is cut off.
func microseconds(fraction string) int {
	n := 0
	for i := range 6 {
		n *= 10
		if i < len(fraction) {
			n += int(fraction[i] - '0')
		}
	}
	return n
}

// halfDay reads AM or PM, if it stands there.
func (p *timeParser) halfDay() {
	rest := strings.TrimLeft(p.rest, " ")
	if len(rest) < 2 {
		return
	}
	switch strings.ToUpper(rest[:2]) {
	case "AM":
		p.am = true
	case "PM":
		p.pm = true
	default:
		return
	}
	p.rest = rest[2:]
}

// zoneAndEnd reads Z, UTC, GMT or an offset, if it stands there, and asks that
// nothing follows.
func (p *timeParser) zoneAndEnd() bool {
	p.blanks()
	p.zone()
	return p.rest == ""
}

func (p *timeParser) zone() bool {
	for _, name := range []string{"Z", "UTC", "GMT"} {
		if strings.EqualFold(p.rest, name) {
			p.rest, p.hasZone = "", true
			return true
		}
	}
	sign := 1
	if p.take('-') {
		sign = -1
	} else if !p.take('+') {
		return false
	}
	var hours, minutes int
	switch digits := p.countDigits(); digits {
	case 4:
		hours, minutes = p.number(2), p.number(2)
	case 1, 2:
		hours = p.number(digits)
		if p.take(':') {
			if p.countDigits() != 2 {
				return false
			}
			minutes = p.number(2)
		}
	default:
		return false
	}
	if hours > 15 || minutes > 59 {
		return false
	}
	p.hasZone, p.offset = true, sign*(hours*3600+minutes*60)
	return true
}

func (p *timeParser) countDigits() int {
	n := 0
	for n < len(p.rest) && isDigit(p.rest[n]) {
		n++
	}
	return n
}

// number reads n digits, which are known to be there.
func (p *timeParser) number(n int) int {
	v := 0
	for i := range n {
		v = v*10 + int(p.rest[i]-'0')
	}
	p.rest = p.rest[n:]
	return v
}

func (p *timeParser) oneOrTwo(v *int) bool {
	n := p.countDigits()
	if n != 1 && n != 2 {
		return false
	}
	*v = p.number(n)
	return true
}

func (p *timeParser) take(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *timeParser) takeText(text string) bool {
	rest, found := strings.CutPrefix(p.rest, text)
	p.rest = rest
	return found
}

func (p *timeParser) blanks() bool {
	rest := strings.TrimLeft(p.rest, " \u00a0\u202f")
	found := len(rest) < len(p.rest)
	p.rest = rest
	return found
}

func (p *timeParser) separator() byte {
	for _, c := range []byte("-/.") {
		if p.take(c) {
			return c
		}
	}
	return 0
}

func (p *timeParser) separatorOrBlanks() {
	if p.separator() == 0 {
		p.take(',')
		p.blanks()
	}
}

// monthBehindSeparator reads "-Jan" or " January"; nothing, if that is not there.
func (p *timeParser) monthBehindSeparator() (int, bool) {
	saved := p.rest
	p.separatorOrBlanks()
	if month, ok := p.monthName(); ok {
		return month, true
	}
	p.rest = saved
	return 0, false
}

// monthName reads an English month, in full or its first three letters.
func (p *timeParser) monthName() (int, bool) {
	word := p.word()
	for m := time.January; m <= time.December; m++ {
		name := m.String()
		if strings.EqualFold(word, name) || strings.EqualFold(word, name[:3]) {
			p.rest = p.rest[len(word):]
			p.take('.')
			return int(m), true
		}
	}
	return 0, false
}

// weekday passes over an English weekday and its comma, if they are there.
func (p *timeParser) weekday() {
	word := p.word()
	for d := time.Sunday; d <= time.Saturday; d++ {
		name := d.String()
		if strings.EqualFold(word, name) || strings.EqualFold(word, name[:3]) {
			p.rest = p.rest[len(word):]
			p.take(',')
			p.blanks()
			return
		}
	}
}

func (p *timeParser) word() string {
	n := 0
	for n < len(p.rest) && isLetter(p.rest[n]) {
		n++
	}
	return p.rest[:n]
}

// dateEvidence gathers what columns of times say of the order of day and month.
type dateEvidence struct {
	dayOnly, monthOnly, both place
	serial                   place // a spreadsheet's number
	other                    bool  // anything else
}

func (e *dateEvidence) add(value string, at place) {
	value = asciiSigns(strings.TrimSpace(value))
	if isSerial(value) {
		e.serial.keepFirst(at)
		return
	}
	var p timeParser
	e.other = p.parse(value, dayFirst) || e.other
	switch {
	case p.undecided:
		e.both.keepFirst(at)
	case p.needs == dayFirst:
		e.dayOnly.keepFirst(at)
	case p.needs == monthFirst:
		e.monthOnly.keepFirst(at)
	}
}

// order decides over all times how dates with the year last are read.
// serials says that a spreadsheet's numbers are dates too.
func (e *dateEvidence) order(describe func(place) string, serials bool) (dayOrder, error) {
	const say = "say --time-format, such as '%d/%m/%Y' or '%m/%d/%Y'"
	switch {
	case e.dayOnly.at > 0 && e.monthOnly.at > 0:
		return 0, refuse("dates do not agree: %s reads only with the day first, %s only with the month first: %s",
			describe(e.dayOnly), describe(e.monthOnly), say)
	case e.dayOnly.at > 0:
		return dayFirst, nil
	case e.monthOnly.at > 0:
		return monthFirst, nil
	case e.both.at > 0:
		return 0, refuse("dates read in two ways: the first number of %s may be the day or the month, and no other row tells: %s",
			describe(e.both), say)
	case e.serial.at > 0 && !e.other && !serials:
		return 0, refuse("times are numbers (as in %s), as a spreadsheet counts days when a date is not shown as one: "+
			"say --time-format excel, or show the column as dates and save the file again", describe(e.serial))
	}
	return orderUnknown, nil
}

// checkTimeFormat says what is wrong with a format.
func checkTimeFormat(format string) error {
	if format == formatUnix || format == formatUnixMS || format == formatExcel {
		return nil
	}
	var directives []byte
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		i++
		if i == len(format) || !strings.ContainsRune("YymdebBHIMSfpzjaAFT%", rune(format[i])) {
			return fmt.Errorf("%q has an unknown directive: want %%Y %%m %%d %%H %%M %%S and the like, unix, unix_ms or excel", format)
		}
		directives = append(directives, format[i])
	}
	has := func(oneOf string) bool { return bytes.ContainsAny(directives, oneOf) }
	if !has("YyF") || !has("jF") && (!has("mbB") || !has("de")) {
		return fmt.Errorf("%q does not name year, month and day", format)
	}
	return nil
}
