package fileimport

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/goodhour/goodhour/ingest/event"
)

func TestFieldsAreATable(t *testing.T) {
	t.Parallel()
	// The options beside the fields' own, which the command has for every kind.
	options := strings.Fields("source select time-format time-zone decimal phone-region key-namespace delimiter encoding " +
		"skip-lines no-header dry-run value config data json set help")
	for _, kind := range Kinds() {
		owner := map[string]string{}
		for _, f := range Fields(kind) {
			if slices.Contains(options, strings.TrimPrefix(f.Flag(), "--")) {
				t.Errorf("%s.%s: %s is another option", kind, f.Name, f.Flag())
			}
			if f.Doc == "" {
				t.Errorf("%s.%s has no doc", kind, f.Name)
			}
			for _, tier := range f.headings {
				for _, heading := range tier {
					if plainHeading(heading) != heading {
						t.Errorf("%s.%s: %q is never found: its plain form is %q", kind, f.Name, heading, plainHeading(heading))
					}
					if other := owner[heading]; other != "" {
						t.Errorf("%s: %q is a heading of %s and of %s", kind, heading, other, f.Name)
					}
					owner[heading] = f.Name
				}
			}
		}
	}
	if Fields("invoices") != nil || (Field{Name: "order_id"}).Flag() != "--order-id" {
		t.Error("an unknown kind has no fields; a flag has hyphens")
	}
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	f := func(text string, decimal byte, want string) {
		t.Helper()
		got := "not a number"
		if a, ok := splitAmount(text); ok {
			n, why := a.units(decimal)
			got = a.mark + " " + n.String()
			if why != "" {
				got = string(why)
			}
		}
		if got != want {
			t.Errorf("%q with %c: got %q, want %q", text, decimal, got, want)
		}
	}
	f("12", '.', " 12.00")
	f("12.30", '.', " 12.30")
	f("12,30", ',', " 12.30")
	f(".5", '.', " 0.50")
	f("-0.0001", '.', " -0.0001")
	f("(12.30)", '.', " -12.30")
	f("12.30-", '.', " -12.30")
	f("\u221212.30", '.', " -12.30")
	f("+12.30", '.', " 12.30")
	f("-$12.30", '.', "$ -12.30")
	f("$-12.30", '.', "$ -12.30")
	f("R$ 1.234,50", ',', "R$ 1234.50")
	f("1.234.567,8900", ',', " 1234567.89")
	f("1 234 567,89", ',', " 1234567.89")
	f("1\u00a0234,50 €", ',', "€ 1234.50")
	f("1'234.50 CHF", '.', "CHF 1234.50")
	f("Rs.100", '.', "Rs. 100.00")
	f("12,34,567.50", '.', " 1234567.50")
	f("99999999999999.9999", '.', " 99999999999999.9999")
	f("100000000000000", '.', string(reasonAmountLarge))
	f("1.23456", '.', string(reasonAmountDigits))
	f("1.230000000", '.', " 1.23")
	f("１２．３０", '.', " 12.30")
	f("１，２３４．５０", '.', " 1234.50")
	f("٢٫٥٠", '.', " 2.50")
	f("¥12.30", '.', "¥ 12.30")
	f("￥12.30", '.', "￥ 12.30")
	f("12.30元", '.', "元 12.30")
	for _, bad := range []string{
		"12.", "1,23", "1,2345", ",123", "1,,234", "1,234,56", "1.2.3", "1 23", "1 234'567", "1e5", "0x10", "NaN", "", "-", "--5",
		"(5", "5)", "$5€", "1\u00a0234 567", "12 34", "１２.", "一二",
	} {
		if a, ok := splitAmount(bad); ok {
			if n, why := a.units('.'); why == "" && a.mark == "" {
				t.Errorf("%q reads as %s", bad, n)
			}
		}
	}
}

// An amount that was written in either way reads as what it was.
func TestAmountsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := event.Amount(rapid.Int64Range(-1e15, 1e15).Draw(t, "units"))
		text := want.String()
		whole, fraction, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
		sign := strings.TrimSuffix(text, whole+"."+fraction)
		comma := rapid.Bool().Draw(t, "comma")
		decimal, groups := ".", []string{"", ",", " ", "'", "\u202f"}
		if comma {
			decimal, groups = ",", []string{"", ".", " ", "'", "\u202f"}
		}
		group := rapid.SampledFrom(groups).Draw(t, "group")
		for i := len(whole) - 3; i > 0; i -= 3 {
			whole = whole[:i] + group + whole[i:]
		}
		a, ok := splitAmount(sign + whole + decimal + fraction)
		got, why := a.units(decimal[0])
		if !ok || why != "" || got != want {
			t.Fatalf("%s reads as %s (%s)", sign+whole+decimal+fraction, got, why)
		}
	})
}

func TestStrptime(t *testing.T) {
	t.Parallel()
	f := func(format, text, want string) {
		t.Helper()
		if err := checkTimeFormat(format); err != nil {
			t.Fatal(err)
		}
		c := clock{format: format, zone: time.UTC}
		got, _, why := c.read(text)
		if s := got.Format("2006-01-02T15:04:05.999999"); why == "" && s != want || why != "" && string(why) != want {
			t.Errorf("%s of %q: got %s %s, want %s", format, text, s, why, want)
		}
	}
	f("%Y%m%d", "19970101", "1997-01-01T00:00:00")
	f("%d.%m.%y %H:%M", "31.12.99 23:59", "1999-12-31T23:59:00")
	f("%d.%m.%y", "1.2.24", "2024-02-01T00:00:00")
	f("%m/%d/%Y %I:%M:%S %p", "12/31/2024 12:05:06 am", "2024-12-31T00:05:06")
	f("%d %B %Y", "3 march 2024", "2024-03-03T00:00:00")
	f("%a, %d %b %Y %T %z", "Sun, 03 Mar 2024 10:20:30 +0530", "2024-03-03T04:50:30")
	f("%F %T.%f", "2024-03-03 10:20:30.123456789", "2024-03-03T10:20:30.123456")
	f("%Y-%j", "2024-366", "2024-12-31T00:00:00")
	f("%Y%m%d%H%M%S", "20240303102030", "2024-03-03T10:20:30")
	f("100%% %F", "100% 2024-03-03", "2024-03-03T00:00:00")
	f("unix", "1709461230.5", "2024-03-03T10:20:30.5")
	f("unix_ms", "1709461230123", "2024-03-03T10:20:30.123")
	f("%Y-%m-%d", "2024-02-30", string(reasonTimeDate))
	f("%Y-%m-%d", "2024-02-03 ", "2024-02-03T00:00:00")
	f("%Y-%m-%d", "2024-02-03x", string(reasonTime))
	f("%Y-%j", "2023-366", string(reasonTime))
	f("%H:%M %F", "24:00 2024-01-01", string(reasonTime))
	f("unix", "1709461230123", string(reasonTime))
	f("unix", "1970", string(reasonTimeYear))
	for _, bad := range []string{"%Q", "%", "%H:%M", "%Y", "%Y-%m", "2024", "UNIX"} {
		if checkTimeFormat(bad) == nil {
			t.Errorf("format %q is let through", bad)
		}
	}
}

// What the standard library writes in unambiguous forms reads as it was.
func TestTimesReadBack(t *testing.T) {
	t.Parallel()
	layouts := []string{
		time.RFC3339Nano, time.DateTime, "2006-01-02 15:04:05.000000", "2006-01-02 15:04:05 -0700", "2006/01/02 15:04:05 UTC",
		"20060102T150405Z", "20060102150405", "2 Jan 2006 15:04:05", "January 2, 2006 3:04:05 PM", time.RFC1123Z, "02-Jan-2006 15:04:05",
	}
	rapid.Check(t, func(t *rapid.T) {
		want := time.Unix(rapid.Int64Range(31_536_000, 4e9).Draw(t, "seconds"), 0).UTC()
		layout := rapid.SampledFrom(layouts).Draw(t, "layout")
		c := clock{zone: time.UTC}
		got, _, why := c.read(want.Format(layout))
		if why != "" || !got.Equal(want) {
			t.Fatalf("%s reads as %v (%s)", want.Format(layout), got, why)
		}
	})
}

func readAll(t testing.TB, r *csvReader) (rows [][]string, lines []int64, problems []Reason) {
	t.Helper()
	for {
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			return rows, lines, problems
		}
		if err != nil {
			t.Fatal(err)
		}
		var row []string
		for _, f := range rec.fields {
			row = append(row, string(f))
		}
		rows = append(rows, row)
		lines = append(lines, rec.at)
		if rec.problem != "" {
			problems = append(problems, rec.problem)
		}
	}
}

// smallReads gives a few bytes at a time, so that records lie across reads.
type smallReads struct{ r io.Reader }

func (s smallReads) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), 3)]) }

// What encoding/csv writes, this package reads as it was, in every dialect,
// and it is recognised.
func TestTablesReadBack(t *testing.T) {
	t.Parallel()
	cellText := rapid.StringOfN(rapid.SampledFrom([]rune("ab01 ,;\t|\"'\\\n\r.é客")), 0, 12, -1).Filter(func(s string) bool {
		return !strings.Contains(s, "\r") // encoding/csv drops it before a line's end
	})
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(2, 6).Draw(t, "width")
		delimiter := rapid.SampledFrom([]rune(",;\t|")).Draw(t, "delimiter")
		want := [][]string{{}}
		for i := range width {
			want[0] = append(want[0], "heading"+string(rune('a'+i)))
		}
		for range rapid.IntRange(1, 20).Draw(t, "rows") {
			row := []string{"x"} // or a row may be an empty line
			for range width - 1 {
				row = append(row, cellText.Draw(t, "cell"))
			}
			want = append(want, row)
		}
		var text bytes.Buffer
		w := csv.NewWriter(&text)
		w.Comma = delimiter
		w.UseCRLF = rapid.Bool().Draw(t, "crlf")
		if err := w.WriteAll(want); err != nil {
			t.Fatal(err)
		}
		if w.UseCRLF { // it also writes line ends inside quotes so
			for _, row := range want {
				for i := range row {
					row[i] = strings.ReplaceAll(row[i], "\n", "\r\n")
				}
			}
		}
		r := newCSVReader(smallReads{bytes.NewReader(text.Bytes())}, dialect{delimiter: string(delimiter), quote: '"', eol: '\n'}, 1<<20)
		var got [][]string
		for {
			rec, err := r.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || rec.problem != "" {
				t.Fatalf("line %d: %v %s\n%s", rec.at, err, rec.problem, text.String())
			}
			line := bytes.Count(text.Bytes()[:lineStart(text.Bytes(), rec.at)], []byte("\n")) + 1
			if int64(line) != rec.at {
				t.Fatalf("record %d is said to begin at line %d", len(got), rec.at)
			}
			var row []string
			for _, f := range rec.fields {
				row = append(row, string(f))
			}
			got = append(got, row)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		d, err := sniff(text.Bytes(), true, "")
		if err == nil && d.delimiter != string(delimiter) {
			t.Fatalf("recognised as %s:\n%s", delimiterName(d.delimiter), text.String())
		}
	})
}

// lineStart is where a line begins in text.
func lineStart(text []byte, line int64) int {
	at := 0
	for range line - 1 {
		at += bytes.IndexByte(text[at:], '\n') + 1
	}
	return at
}

func TestLinesAreExact(t *testing.T) {
	t.Parallel()
	const text = "a,b\n\n1,\"x\n\ny\"\n\"open,2\n3,4\n\n5,\"6\"7\n8,9"
	r := newCSVReader(smallReads{strings.NewReader(text)}, dialect{delimiter: ",", quote: '"', eol: '\n'}, 1<<20)
	rows, lines, problems := readAll(t, r)
	wantRows := [][]string{{"a", "b"}, {"1", "x\n\ny"}, nil, {"3", "4"}, nil, {"8", "9"}}
	if diff := cmp.Diff(wantRows, rows); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int64{1, 3, 6, 7, 9, 10}, lines); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Reason{reasonQuoteEarly, reasonQuoteEarly}, problems); diff != "" {
		t.Error(diff)
	}
}

func TestDelimiterThatCannotBeToldIsAsked(t *testing.T) {
	t.Parallel()
	_, err := sniff([]byte("a,b;c\n1,2;3\n"), true, "")
	var refusal *Refusal
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "comma or by semicolon") {
		t.Errorf("got %v", err)
	}
	if d, err := sniff([]byte("a,b;c\n1,2;3\n"), true, ";"); err != nil || d.delimiter != ";" {
		t.Errorf("named and still %+v, %v", d, err)
	}
	if d, err := sniff([]byte("a,b\n1,'x, y'\n2,'z, y'\n"), true, ""); err != nil || d.quote != '\'' {
		t.Errorf("single quotes: %+v, %v", d, err)
	}
	if d, err := sniff([]byte("a,b\n1,O'Neil\n2,'t is\n3,x\n"), true, ""); err != nil || d.quote != '"' {
		t.Errorf("apostrophes: %+v, %v", d, err)
	}
}

func TestMasksShowLittle(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		maskPhone("+5511999990001"):                           "+55*********01",
		maskPhone("12"):                                       "***",
		maskEmail("ana@example.com"):                          "a***@***.com",
		maskEmail("x"):                                        "***",
		maskSubject("phone:+5511999990001"):                   "phone:+55*********01",
		maskSubject("external:customer:c-1"):                  "external:customer:c-1",
		maskMessageID("message:x:" + strings.Repeat("w", 60)): "message:x:" + strings.Repeat("w", 14) + "…",
	} {
		if text != want {
			t.Errorf("got %q, want %q", text, want)
		}
	}
}

func TestOptionsTellEveryProblem(t *testing.T) {
	t.Parallel()
	o := Options{
		Kind: Orders, Source: "a b", Decimal: "dot", PhoneRegion: "BRA", TimeFormat: "%Q", Delimiter: "::", Encoding: "x-none",
		SkipLines: -1, Columns: map[string]string{"who": "x", "amount": "a"}, Values: map[string]string{"amount": "1", "currency": " "},
		KeyNamespace: "mine", Select: "select 1",
	}
	var refusal *Refusal
	if err := o.complete(); !errors.As(err, &refusal) || len(refusal.Problems) != 13 {
		t.Errorf("want 13 problems, got %d:\n%v", len(refusal.Problems), err)
	}
	if err := (&Options{Kind: "fx"}).complete(); err == nil || !strings.Contains(err.Error(), "no kind of import") {
		t.Errorf("got %v", err)
	}
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("a,b\n1,\"x\ny\"\n"), byte(','), false)
	f.Add([]byte("a;b\r\n\"1\"\"\";2\r\n\"open"), byte(';'), true)
	f.Fuzz(func(t *testing.T, text []byte, delimiter byte, backslash bool) {
		if delimiter == '"' || delimiter == '\n' || delimiter == '\r' || delimiter >= 0x80 {
			return
		}
		d := dialect{delimiter: string(rune(delimiter)), quote: '"', backslash: backslash, eol: '\n'}
		whole := newCSVReader(bytes.NewReader(text), d, 1<<20)
		pieces := newCSVReader(smallReads{bytes.NewReader(text)}, d, 1<<20)
		rows, lines, _ := readAll(t, whole)
		again, linesAgain, _ := readAll(t, pieces)
		if !cmp.Equal(rows, again) || !slices.Equal(lines, linesAgain) {
			t.Fatalf("how the bytes arrive changes the rows")
		}
		last := int64(bytes.Count(text, []byte("\n"))) + 1
		for i, line := range lines {
			if line > last || i > 0 && line <= lines[i-1] {
				t.Fatalf("record %d at line %d of %d", i, line, last)
			}
		}
		if _, err := sniff(text, true, ""); err != nil && !errors.As(err, new(*Refusal)) {
			t.Fatal(err)
		}
	})
}

func FuzzValues(f *testing.F) {
	f.Add("R$ 1.234,50", "%d/%m/%Y")
	f.Add("2024-03-03T10:20:30+05:30", "%F %T")
	f.Fuzz(func(t *testing.T, text, format string) {
		if a, ok := splitAmount(text); ok {
			for _, decimal := range []byte(".,") {
				if n, why := a.units(decimal); why == "" && (n >= 1e18 || n <= -1e18) {
					t.Fatalf("%q is too large: %d", text, n)
				}
			}
		}
		var amounts amountEvidence
		amounts.add(text, place{0, 1})
		var dates dateEvidence
		dates.add(text, place{0, 1})
		clocks := []clock{{zone: time.UTC}, {zone: time.UTC, order: monthFirst}, {format: formatUnix}, {format: formatUnixMS}}
		if checkTimeFormat(format) == nil {
			clocks = append(clocks, clock{zone: time.UTC, format: format})
		}
		for _, c := range clocks {
			if got, _, why := c.read(text); why == "" && (got.Year() < firstYear-1 || got.Year() > 11_000) {
				t.Fatalf("%q is %v", text, got)
			}
		}
		_, isState := readConsent(text)
		_, isYesNo := readYesNo(text)
		if isYesNo && !isState || isState && cutShort(text) {
			t.Fatalf("%q is a yes or no and no consent", text)
		}
		if items, ok := readItems(text); ok && !isJSON(items) {
			t.Fatalf("%q is taken for items", text)
		}
		if tag, ok := readLanguage(text); ok && tag == "" {
			t.Fatalf("%q is a language without a name", text)
		}
		if tags, ok := readTags(text); ok && len(tags) > len(text)+1 {
			t.Fatalf("%q has %d tags", text, len(tags))
		}
	})
}
