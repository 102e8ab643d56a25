package event

import (
	"bytes"
	"encoding/json"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// scanAll scans one JSON text with nothing after it.
func scanAll(text []byte) (token, error) {
	s := scanner{data: text}
	tok, err := s.value()
	if err == nil && (s.peek() != 0 || s.pos < len(text)) {
		err = s.fail("nothing after the value")
	}
	return tok, err
}

// The scanner accepts what encoding/json accepts, but for deep nesting and
// unpaired surrogates, and reads the same text from strings.
func FuzzScanner(f *testing.F) {
	for _, text := range []string{
		`{"a":[1,-0.5e+3,true,false,null,"x\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"],"b":{}}`, ` [ ] `, `"\ud800"`, `"\udc00\ud800"`,
		`"\u12g4"`, `01`, `-`, `1.`, `1e`, `.5`, `+1`, `tru`, `nulll`, `{"a":1,}`, `[1,]`, `[,1]`, `{"a"}`, `{"a" 1}`, `"\q"`, "\"\n\"", `"`, `{`, ``,
		strings.Repeat("[", 64) + strings.Repeat("]", 64), strings.Repeat("[", 65) + strings.Repeat("]", 65), `{} {}`, "\ufeff{}", `"\ud83d\u0041"`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !utf8.Valid(text) {
			return
		}
		tok, err := scanAll(text)
		if valid := json.Valid(text); valid != (err == nil) {
			if !valid || !strings.Contains(err.Error(), "surrogates") && !strings.Contains(err.Error(), "nested") {
				t.Fatalf("encoding/json says %t, the scanner %v", valid, err)
			}
		}
		if err != nil {
			return
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, text); err != nil {
			t.Fatal(err)
		}
		if got := appendCompact(nil, text); !bytes.Equal(got, compact.Bytes()) {
			t.Fatalf("compact %s, want %s", got, compact.Bytes())
		}
		var want any
		if err := json.Unmarshal(text, &want); err != nil && !strings.Contains(err.Error(), "cannot unmarshal number") {
			t.Fatal(err)
		}
		if want, isText := want.(string); isText {
			if got := appendUnescaped(nil, tok.inner()); string(got) != want {
				t.Fatalf("text %q, want %q", got, want)
			}
			if tok.escaped != bytes.ContainsRune(text, '\\') {
				t.Fatalf("escaped is %t", tok.escaped)
			}
		}
	})
}

func TestScannerDepth(t *testing.T) {
	t.Parallel()
	for depth, ok := range map[int]bool{maxDepth: true, maxDepth + 1: false, 100_000: false} {
		for _, text := range []string{
			strings.Repeat("[", depth) + strings.Repeat("]", depth),
			strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth),
		} {
			if _, err := scanAll([]byte(text)); (err == nil) != ok {
				t.Errorf("%d levels: %v", depth, err)
			}
		}
	}
}

func TestScaledIsExact(t *testing.T) {
	t.Parallel()
	number := rapid.StringMatching(`-?(0|[1-9][0-9]{0,22})(\.[0-9]{1,22})?([eE][+-]?[0-9]{1,2})?`)
	rapid.Check(t, func(t *rapid.T) {
		text := number.Draw(t, "number")
		scale := rapid.IntRange(0, 4).Draw(t, "scale")
		want, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatal("no number: " + text)
		}
		for range scale {
			want.Mul(want, big.NewRat(10, 1))
		}
		got, fault := scaled([]byte(text), scale)
		switch {
		case !want.IsInt():
			if fault != numberTooFine {
				t.Fatalf("%s: fault %d, want too fine", text, fault)
			}
		case !want.Num().IsInt64():
			if fault != numberTooLarge {
				t.Fatalf("%s: fault %d, want too large", text, fault)
			}
		default:
			if fault != numberFits || got != want.Num().Int64() {
				t.Fatalf("%s = %d (fault %d), want %s", text, got, fault, want)
			}
		}
	})
	for text, fault := range map[string]numberFault{
		"9223372036854775807": numberFits, "-9223372036854775808": numberFits, "9223372036854775808": numberTooLarge,
		"1e99999999999999999999": numberTooLarge, "1e-99999999999999999999": numberTooFine,
		"0e99999999999999999999": numberFits, "0." + strings.Repeat("0", 1000) + "1e1001": numberFits,
		"1" + strings.Repeat("0", 1000) + "e-1000": numberFits,
	} {
		if _, got := scaled([]byte(text), 0); got != fault {
			t.Errorf("%.40s: fault %d, want %d", text, got, fault)
		}
	}
}

func TestAmountText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amount := Amount(rapid.Int64Range(1-decimalMax, decimalMax-1).Draw(t, "amount"))
		got, err := ParseAmount(amount.String())
		if err != nil || got != amount {
			t.Fatalf("%d is %s, which is %d, %v", amount, amount, got, err)
		}
	})
	for text, want := range map[string]Amount{"19.9": 199_000, "-0.0001": -1, "007": 70_000} {
		if got, err := ParseAmount(text); err != nil || got != want {
			t.Errorf("ParseAmount(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-", "1,5", "1e2", ".5", "5.", "1.00001", "100000000000000", "--1", "+1", " 1"} {
		if got, err := ParseAmount(text); err == nil {
			t.Errorf("ParseAmount(%q) = %d", text, got)
		}
	}
	if got := Amount(-199_000).String(); got != "-19.90" {
		t.Errorf("-19.90 is written %s", got)
	}
}

func FuzzParseTime(f *testing.F) {
	// time.Parse alone takes more: commas, hours of one digit, offsets of a day.
	rfc3339 := regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$`)
	for _, text := range []string{
		"2026-11-24T10:20:30Z", "2026-11-24t10:20:30.123456789z", "2000-02-29T23:59:59.9+14:00", "2026-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z", "9999-12-31T23:59:59-23:59", "2026-11-24T24:00:00Z", "2026-11-24T10:20:30.Z", "2026-11-24T10:20:30+5:00",
		"2026-11-24T10:20:30.1234567890123456789Z", "1970-12-31T23:59:59Z", "2026-11-24T10:20:30,5Z", "2026-11-24T10:20:30+24:00",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := parseTime([]byte(text))
		want, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text))
		if wantOK := rfc3339.MatchString(text) && err == nil && want.Year() >= firstYear; ok != wantOK {
			t.Fatalf("%q: %t, time.Parse says %v, %v", text, ok, want, err)
		}
		if ok && got != want.UnixMicro() {
			t.Fatalf("%q = %d, want %d", text, got, want.UnixMicro())
		}
	})
}

func TestParseTimeOnEveryDay(t *testing.T) {
	t.Parallel()
	for day := time.Date(firstYear, 1, 1, 23, 59, 58, 7000, time.UTC); day.Year() < 2405; day = day.AddDate(0, 0, 1) {
		text := day.Format(time.RFC3339Nano)
		if got, ok := parseTime([]byte(text)); !ok || got != day.UnixMicro() {
			t.Fatalf("%s = %d, %t; want %d", text, got, ok, day.UnixMicro())
		}
	}
}

func BenchmarkParseTime(b *testing.B) {
	text := []byte("2026-11-24T10:20:30.123456-03:00")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := parseTime(text); !ok {
			b.Fatal("not a time")
		}
	}
}
