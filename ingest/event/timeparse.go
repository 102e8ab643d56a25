package event

const (
	microsPerSecond = 1_000_000
	microsPerDay    = 24 * 60 * 60 * microsPerSecond
)

// firstYear is the first that an event can have happened in: a clock that was
// never set says 1970. Orders of decades ago are welcome.
const (
	firstYear  = 1971
	wantedTime = "want RFC 3339, in the year 1971 or later"
)

// parseTime reads a timestamp of RFC 3339 §5.6, t and z in either case, any
// offset, and returns microseconds since the Unix epoch, finer digits cut off.
// The year as written is firstYear or later. No leap seconds: a database has
// none. time.Parse takes ten times as long.
func parseTime(b []byte) (micros int64, ok bool) {
	if len(b) < len("2006-01-02T15:04:05Z") ||
		b[4] != '-' || b[7] != '-' || b[10]|0x20 != 't' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	year1, ok1 := twoDigits(b[0:])
	year2, ok2 := twoDigits(b[2:])
	month, ok3 := twoDigits(b[5:])
	day, ok4 := twoDigits(b[8:])
	hour, ok5 := twoDigits(b[11:])
	minute, ok6 := twoDigits(b[14:])
	second, ok7 := twoDigits(b[17:])
	year := year1*100 + year2
	digits := ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7
	if !digits || year < firstYear || month < 1 || month > 12 ||
		day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	fraction, rest, ok := parseFraction(b[19:])
	if !ok {
		return 0, false
	}
	offset, ok := parseOffset(rest)
	if !ok {
		return 0, false
	}
	seconds := daysSinceEpoch(year, month, day)*86400 + int64(hour*3600+minute*60+second) - offset
	return seconds*microsPerSecond + fraction, true
}

// parseFraction reads ".123456789" or nothing, in microseconds.
func parseFraction(b []byte) (micros int64, rest []byte, ok bool) {
	if b[0] != '.' {
		return 0, b, true
	}
	i := 1
	for ; i < len(b) && isDigit(b[i]); i++ {
		if i <= 6 {
			micros = micros*10 + int64(b[i]-'0')
		}
	}
	for n := i; n <= 6; n++ {
		micros *= 10
	}
	return micros, b[i:], i > 1
}

// parseOffset reads "Z" or "+05:30", in seconds, and nothing after it.
func parseOffset(b []byte) (seconds int64, ok bool) {
	if len(b) == 1 && b[0]|0x20 == 'z' {
		return 0, true
	}
	if len(b) != 6 || b[3] != ':' || b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	hours, ok1 := twoDigits(b[1:])
	minutes, ok2 := twoDigits(b[4:])
	if !ok1 || !ok2 || hours > 23 || minutes > 59 {
		return 0, false
	}
	seconds = int64(hours*3600 + minutes*60)
	if b[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

func twoDigits(b []byte) (int, bool) {
	return int(b[0]-'0')*10 + int(b[1]-'0'), isDigit(b[0]) && isDigit(b[1])
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSinceEpoch counts days from 1970-01-01 in the Gregorian calendar, with
// the year beginning in March, so that the leap day is its last.
func daysSinceEpoch(year, month, day int) int64 {
	if month < 3 {
		year--
		month += 12
	}
	return int64(365*year + year/4 - year/100 + year/400 + (153*month-457)/5 + day - 306 - 719163)
}
