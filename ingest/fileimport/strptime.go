package fileimport

import "strings"

// strptime reads s by a format with the directives of strptime, of which it
// has those that checkTimeFormat lets through. Blanks in the format stand for
// any blanks, also none.
func (p *timeParser) strptime(s, format string) bool {
	p.rest = strings.TrimSpace(s)
	for i := 0; i < len(format); i++ {
		c := format[i]
		switch {
		case c == ' ':
			p.blanks()
		case c != '%':
			if !p.take(c) {
				return false
			}
		default:
			i++
			if !p.directive(format[i], followedByDigits(format[i+1:])) {
				return false
			}
		}
	}
	return p.rest == ""
}

// followedByDigits reports whether the next directive is a number that stands
// right behind: then a number of up to two digits must have both.
func followedByDigits(format string) bool {
	return len(format) > 1 && format[0] == '%' && strings.IndexByte("YymdHIMSf", format[1]) >= 0
}

func (p *timeParser) directive(c byte, exact bool) bool {
	two := func(v *int) bool {
		if exact {
			return p.exactly(2, v)
		}
		return p.upToTwo(v)
	}
	switch c {
	case 'Y':
		return p.exactly(4, &p.year)
	case 'y':
		// POSIX strptime: 69–99 are 1969–1999, 00–68 are 2000–2068.
		if !p.exactly(2, &p.year) {
			return false
		}
		if p.year += 2000; p.year > 2068 {
			p.year -= 100
		}
		return true
	case 'm':
		return two(&p.month)
	case 'd':
		return two(&p.day)
	case 'e':
		p.blanks()
		return two(&p.day)
	case 'H', 'I':
		return two(&p.hour)
	case 'M':
		return two(&p.minute)
	case 'S':
		return two(&p.second)
	case 'f':
		return p.fraction()
	case 'j':
		n := p.countDigits()
		if n < 1 || n > 3 {
			return false
		}
		p.yearDay = p.number(n)
		return p.yearDay >= 1 && p.yearDay <= 365 || p.yearDay == 366 && daysIn(p.year, 2) == 29
	case 'b', 'B':
		month, ok := p.monthName()
		p.month = month
		return ok
	case 'a', 'A':
		word := p.word()
		p.rest = p.rest[len(word):]
		return word != ""
	case 'p':
		p.halfDay()
		return p.am || p.pm
	case 'z':
		return p.zone()
	case 'F':
		return p.exactly(4, &p.year) && p.take('-') && p.exactly(2, &p.month) && p.take('-') && p.exactly(2, &p.day)
	case 'T':
		return p.exactly(2, &p.hour) && p.take(':') && p.exactly(2, &p.minute) && p.take(':') && p.exactly(2, &p.second)
	case '%':
		return p.take('%')
	}
	return false
}

// exactly reads n digits and leaves any that follow.
func (p *timeParser) exactly(n int, v *int) bool {
	if p.countDigits() < n {
		return false
	}
	*v = p.number(n)
	return true
}

// upToTwo reads one or two digits and leaves any that follow.
func (p *timeParser) upToTwo(v *int) bool {
	n := min(p.countDigits(), 2)
	if n == 0 {
		return false
	}
	*v = p.number(n)
	return true
}
