package identity

import (
	"errors"
	"strconv"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

var (
	errPhoneSigns      = errors.New("not a phone number: want digits, spaces and + - ( ) . / only, the + first")
	errPhoneLength     = errors.New("not a phone number: over 64 bytes")
	errPhoneImpossible = errors.New("not a phone number: no country has numbers of this form")
	errPhoneNational   = errors.New("not an international phone number: without + it must be valid with its country code")
)

// maxPhoneBytes is generous: E.164 has 15 digits, people add spaces and signs.
const maxPhoneBytes = 64

// NormalisePhone returns the number in E.164, "+5511999990000", in the one form
// that goodhour uses for a person. It accepts
//
//   - a number with + (or 00, where there is no default region): its length has
//     to be possible in its country;
//   - digits without +, as WhatsApp's wa_id: they have to be a number in use by
//     the country's plan, or every national number would pass as foreign;
//   - a national number, where defaultRegion (ISO 3166-1 alpha-2, "BR") is given.
//
// WhatsApp and people write some countries' mobiles in two ways. Both become
// one, which can be dialled or sent to; WhatsApp answers with its own wa_id:
//
//   - Brazil: 55 DD 9XXXX XXXX, with the ninth digit that all mobiles have
//     since 2016. wa_ids of accounts outside area codes 11–28 often lack it.
//   - Mexico: 52 and ten digits, without the 1 that mobiles had until 2019 and
//     wa_ids still have.
//   - Argentina: 54 and ten digits, without the 9 of mobiles called from
//     abroad, which wa_ids have. A line has the same ten digits either way, and
//     the Cloud API's list of test recipients knows only this form.
//
// Errors never quote the number.
func NormalisePhone(raw, defaultRegion string) (string, error) {
	if isCanonicalMobile(raw) {
		return raw, nil
	}
	digits, international, err := phoneDigits(raw, defaultRegion)
	if err != nil {
		return "", err
	}
	if international {
		return parsePhone("+"+digits, "", false)
	}
	if defaultRegion != "" {
		// Some plans have room for nearly any length, so that a number written
		// with its country's code but without the + is a valid national one too
		// ("4915123456781" in Germany). Nobody writes a code twice: that reading
		// wins.
		code := strconv.Itoa(phonenumbers.GetCountryCodeForRegion(defaultRegion))
		if strings.HasPrefix(digits, code) {
			if phone, err := parsePhone("+"+digits, "", true); err == nil {
				return phone, nil
			}
		}
		if phone, err := parsePhone(digits, defaultRegion, true); err == nil {
			return phone, nil
		}
	}
	phone, err := parsePhone("+"+digits, "", true)
	if err != nil {
		return "", errPhoneNational
	}
	return phone, nil
}

// phoneDigits strips a number of its signs and says whether it was written in
// the international form.
func phoneDigits(raw, defaultRegion string) (digits string, international bool, err error) {
	if len(raw) > maxPhoneBytes {
		return "", false, errPhoneLength
	}
	seenDigit := false
	for _, r := range strings.TrimSpace(raw) {
		switch {
		case unicode.IsDigit(r):
			seenDigit = true
		case r == '+' || r == '＋':
			if seenDigit || international {
				return "", false, errPhoneSigns
			}
			international = true
		case !strings.ContainsRune("-().//", r) && !unicode.In(r, unicode.Zs, unicode.Pd):
			return "", false, errPhoneSigns
		}
	}
	digits = phonenumbers.NormalizeDigitsOnly(raw)
	if !international && defaultRegion == "" && strings.HasPrefix(digits, "00") {
		return digits[2:], true, nil
	}
	return digits, international, nil
}

// parsePhone returns the E.164 form, folded; valid asks for a number in use by
// the country's plan and not only of a possible length.
func parsePhone(number, region string, valid bool) (string, error) {
	parsed, err := phonenumbers.Parse(number, region)
	if err != nil {
		return "", errPhoneImpossible
	}
	code := int(parsed.GetCountryCode())
	national := phonenumbers.GetNationalSignificantNumber(parsed)
	if folded := foldNational(code, national); folded != national {
		n, err := strconv.ParseUint(folded, 10, 64)
		if err != nil {
			return "", errPhoneImpossible
		}
		national = folded
		parsed.NationalNumber = &n
	}
	if phonenumbers.IsPossibleNumberWithReason(parsed) != phonenumbers.IS_POSSIBLE ||
		valid && !phonenumbers.IsValidNumber(parsed) {
		return "", errPhoneImpossible
	}
	phone := "+" + strconv.Itoa(code) + national
	if phone == number {
		return phone, nil
	}
	// What was changed must be in its final form: from zeros in front the
	// library strips a trunk prefix again and again.
	if again, err := parsePhone(phone, "", valid); err != nil || again != phone {
		return "", errPhoneImpossible
	}
	return phone, nil
}

// foldNational turns the second way of writing a mobile into the first; see
// NormalisePhone. Both directions are total: no two numbers in use meet.
func foldNational(code int, national string) string {
	switch {
	case code == 55 && len(national) == 10 && national[2] >= '6':
		// Eight digits beginning 6–9 were mobiles; 2–5 are landlines (Anatel,
		// Resolução 553/2010, completed for all areas in November 2016).
		return national[:2] + "9" + national[2:]
	case code == 52 && len(national) == 11 && national[0] == '1':
		return national[1:] // IFT, Plan Nacional de Numeración, 3 August 2019
	case code == 54 && len(national) == 11 && national[0] == '9':
		return national[1:] // ENACOM, Plan Fundamental de Numeración Nacional
	}
	return national
}

// canonicalMobiles are forms that are E.164 as they stand, for which the
// library, at about 10 µs, would find nothing to change: a test compares. They
// are most of a stream; what is not here only takes longer. a is a digit 1–9,
// b 2–9, c 3–9, e 6–9, d any.
var canonicalMobiles = [...]string{
	"+55aa9dddddddd", // Brazil
	"+52bddddddddd",  // Mexico
	"+91eddddddddd",  // India
	"+62811ddddddd",  // Indonesia
	"+628bddddddddd", // Indonesia
	"+1bddbdddddd",   // North America
	"+573ddddddddd",  // Colombia
	"+569dddddddd",   // Chile
	"+519dddddddd",   // Peru
	"+346dddddddd",   // Spain
	"+393ddddddddd",  // Italy
	"+447ddddddddd",  // United Kingdom
	"+4915ddddddddd", // Germany
	"+336dddddddd",   // France
	"+905ddddddddd",  // Türkiye
	"+861cddddddddd", // China
	"+8526ddddddd",   // Hong Kong
	"+2348ddddddddd", // Nigeria
	"+9665dddddddd",  // Saudi Arabia
	"+9715dddddddd",  // United Arab Emirates
}

func isCanonicalMobile(s string) bool {
	for _, form := range canonicalMobiles {
		if len(form) == len(s) && matchesForm(s, form) {
			return true
		}
	}
	return false
}

func matchesForm(s, form string) bool {
	for i := range len(s) {
		low := byte('0')
		switch form[i] {
		case 'a':
			low = '1'
		case 'b':
			low = '2'
		case 'c':
			low = '3'
		case 'e':
			low = '6'
		case 'd':
		default:
			if s[i] != form[i] {
				return false
			}
			continue
		}
		if s[i] < low || s[i] > '9' {
			return false
		}
	}
	return true
}
