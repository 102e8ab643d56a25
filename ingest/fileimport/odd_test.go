package fileimport_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/goodhour/goodhour/ingest/fileimport"
)

// oddFile is a file as people have them, and exactly what is to become of it.
type oddFile struct {
	name string // what is odd
	text string
	with fileimport.Options
	want string
}

const (
	oddHead = "order_id,customer,date,amount,currency\n"
	oddOne  = "1,c1,2026-03-01,10.00,EUR\n"
	oddTwo  = "2,c2,2026-03-02,20.00,EUR\n"
	oddGood = oddHead + oddOne + oddTwo
)

// outcomeOf writes what became of a file in one text: orders and refunds by
// currency, customers, rows said again, and each rejected row.
func outcomeOf(got outcome, err error, path string) string {
	if refusal, ok := errors.AsType[*fileimport.Refusal](err); ok {
		return "refused: " + strings.ReplaceAll(refusal.Error(), path, "FILE")
	}
	if err != nil {
		return "error: " + err.Error()
	}
	var b strings.Builder
	for _, m := range got.Money {
		fmt.Fprintf(&b, "%d orders %s %s, ", m.Orders, m.Currency, m.Amount)
		if m.Refunds > 0 {
			fmt.Fprintf(&b, "%d refunds %s, ", m.Refunds, m.Refunded)
		}
	}
	fmt.Fprintf(&b, "%d customers", got.Reach.Customers)
	if got.Duplicates > 0 {
		fmt.Fprintf(&b, ", %d said again", got.Duplicates)
	}
	if got.First != nil {
		fmt.Fprintf(&b, ", %s to %s", got.First.Format("2006-01-02T15:04"), got.Last.Format("2006-01-02T15:04"))
	}
	for _, e := range got.Examples {
		fmt.Fprintf(&b, "; %s %d: %s", e.Unit, e.Line, e.Reason)
	}
	return b.String()
}

func encoded(t *testing.T, encode func(string) (string, error), text string) string {
	t.Helper()
	out, err := encode(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create("orders.csv")
	if err == nil {
		_, err = f.Write([]byte(text))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func cut(text string, bytes int) string { return text[:len(text)-bytes] }

// wideFile has 500 columns, five of which mean something.
func wideFile() string {
	head, row := strings.TrimSpace(oddHead), strings.TrimSpace(oddOne)
	for i := range 495 {
		head += fmt.Sprintf(",extra %d", i)
		row += ",x"
	}
	return head + "\n" + row + "\n"
}

// wholeDays are n orders from one day on.
func wholeDays(year, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d-%d,c%d,%d-01-%02d,1.00,EUR\n", year, i, i%3, year, i+1)
	}
	return b.String()
}

func TestOddFiles(t *testing.T) {
	t.Parallel()
	files := append(oddTexts(t), oddValues()...)
	if len(files) < 50 {
		t.Errorf("%d files", len(files))
	}
	for _, f := range files {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			path := writeFile(t, "odd.csv", f.text)
			o := f.with
			o.Kind = fileimport.Orders
			got, err := run(t, o, path)
			if diff := cmp.Diff(f.want, outcomeOf(got, err, path)); diff != "" {
				t.Error(diff)
			}
			if err == nil && got.Rows != got.Good+got.Rejected+got.Duplicates {
				t.Errorf("%d rows are not %d + %d + %d", got.Rows, got.Good, got.Rejected, got.Duplicates)
			}
			if err == nil {
				if letters := decode(t, got.events).DeadLetters; len(letters) > 0 {
					t.Errorf("%d dead letters: %s", len(letters), letters[0].Reason)
				}
			}
		})
	}
}

// oddTexts are odd as files: encodings, delimiters, quotes, lines, headings.
func oddTexts(t *testing.T) []oddFile {
	t.Helper()
	utf16 := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String
	bare16 := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder().String
	return []oddFile{
		{
			name: "plain", text: oddGood,
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "empty", text: "",
			want: `refused: there is nothing in "FILE"`,
		},
		{
			name: "only blanks", text: " \n\n\t\n",
			want: `refused: there is nothing in "FILE"`,
		},
		{
			name: "only headings", text: oddHead,
			want: "0 customers",
		},
		{
			name: "one row", text: oddHead + oddOne,
			want: "1 orders EUR 10.00, 1 customers, 2026-03-01T00:00 to 2026-03-01T00:00",
		},
		{
			name: "one column", text: "amount\n10.00\n20.00\n",
			want: "refused: \"FILE\": no column for time (when the order was placed): name it with --time COLUMN, or give every row one value with --value time=…\n\"FILE\": no column says who a row is about: name it with --customer COLUMN, --phone COLUMN or --email COLUMN\n\"FILE\": the headings found are \"amount\" (if that is a row of data, say --no-header; if the table begins further down, --skip-lines N)",
		},
		{
			name: "500 columns", text: wideFile(),
			want: "1 orders EUR 10.00, 1 customers, 2026-03-01T00:00 to 2026-03-01T00:00",
		},
		{
			name: "more columns than the limit", text: strings.Repeat("a,", 2500) + "b\n",
			want: `refused: "FILE" has 2501 columns, the limit is 2000`,
		},
		{
			name: "headings twice", text: oddGood + oddHead,
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00; line 4: time is not understood: if it is written in another way, say --time-format",
		},
		{
			name: "two headings alike", text: "order_id,customer,date,amount,amount,currency\n1,c1,2026-03-01,10.00,11.00,EUR\n",
			want: "refused: \"FILE\": --amount: #4 and #5 may each be meant: say which one, or --amount - for none\n\"FILE\": the headings found are \"order_id\", \"customer\", \"date\", \"amount\", \"amount\", \"currency\" (if that is a row of data, say --no-header; if the table begins further down, --skip-lines N)",
		},
		{
			name: "two headings alike, one named", text: "order_id,customer,date,amount,amount,currency\n1,c1,2026-03-01,10.00,11.00,EUR\n", with: fileimport.Options{Columns: map[string]string{"amount": "#5"}},
			want: "1 orders EUR 11.00, 1 customers, 2026-03-01T00:00 to 2026-03-01T00:00",
		},
		{
			name: "two headings that may be meant", text: "order_id,customer,client id,date,total,revenue,currency\n1,c1,x,2026-03-01,10.00,9.00,EUR\n",
			want: "refused: \"FILE\": --amount: \"total\" and \"revenue\" may each be meant: say which one, or --amount - for none\n\"FILE\": the headings found are \"order_id\", \"customer\", \"client id\", \"date\", \"total\", \"revenue\", \"currency\" (if that is a row of data, say --no-header; if the table begins further down, --skip-lines N)",
		},
		{
			name: "no headings", text: oddOne + oddTwo,
			want: `refused: "FILE": this does not look like a file of orders: none of its headings (a row that looks like data) is a time or an amount; if it is one, name its columns with --customer COLUMN --time COLUMN --amount COLUMN, or say --no-header if there are no headings, --skip-lines N if they stand further down`,
		},
		{
			name: "no headings, and people in the first row", text: "ana@shop.example,+5511999990000,Ana\nbo@shop.example,,Bo\n",
			want: `refused: "FILE": this does not look like a file of orders: none of its headings (a row that looks like data) is a time or an amount; if it is one, name its columns with --customer COLUMN --time COLUMN --amount COLUMN, or say --no-header if there are no headings, --skip-lines N if they stand further down`,
		},
		{
			name: "no headings, said so", text: oddOne + oddTwo, with: fileimport.Options{NoHeader: true, Columns: map[string]string{"order_id": "column1", "customer": "column2", "time": "column3", "amount": "column4", "currency": "column5"}},
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "a preamble of comments", text: "# Export of 2026-03-03\n# by shop\n" + oddGood,
			want: `refused: "FILE": this does not look like a file of orders: none of its headings (a row that looks like data) is a time or an amount; if it is one, name its columns with --customer COLUMN --time COLUMN --amount COLUMN, or say --no-header if there are no headings, --skip-lines N if they stand further down`,
		},
		{
			name: "a preamble, passed over", text: "# Export of 2026-03-03\n# by shop\n" + oddGood, with: fileimport.Options{SkipLines: 2},
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "UTF-8 with a mark", text: "\xef\xbb\xbf" + oddGood,
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "UTF-16 with a mark", text: encoded(t, utf16, oddGood),
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "UTF-16 without a mark", text: encoded(t, bare16, oddGood),
			want: `refused: "FILE" is not text: it is full of NUL bytes. If it is UTF-16, say --encoding utf-16le`,
		},
		{
			name: "UTF-16 without a mark, said so", text: encoded(t, bare16, oddGood), with: fileimport.Options{Encoding: "utf-16le"},
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "GBK", text: encoded(t, simplifiedchinese.GBK.NewEncoder().String, "订单号,客户,日期,金额,币种\n1,张三,2026-03-01,10.00,CNY\n"),
			want: "1 orders CNY 10.00, 1 customers, 2026-03-01T00:00 to 2026-03-01T00:00",
		},
		{
			name: "Windows-1252 in the headings", text: encoded(t, charmap.Windows1252.NewEncoder().String, "order_id,customer,date,amount,currency,größe\n1,c1,2026-03-01,10.00,EUR,ä\n"),
			want: `refused: "FILE": the headings in line 1 cannot be read: not valid in the file's encoding: if that is another one, say --encoding`,
		},
		{
			name: "Windows-1252 in a row", text: encoded(t, charmap.Windows1252.NewEncoder().String, oddGood+"3,müller,2026-03-03,30.00,EUR\n"),
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00; line 4: not valid in the file's encoding: if that is another one, say --encoding",
		},
		{
			name: "Windows-1252, said so", text: encoded(t, charmap.Windows1252.NewEncoder().String, oddGood+"3,müller,2026-03-03,30.00,EUR\n"), with: fileimport.Options{Encoding: "windows-1252"},
			want: "3 orders EUR 60.00, 3 customers, 2026-03-01T00:00 to 2026-03-03T00:00",
		},
		{
			name: "lines end with CR LF", text: strings.ReplaceAll(oddGood, "\n", "\r\n"),
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "lines end with CR", text: strings.ReplaceAll(oddGood, "\n", "\r"),
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "blank lines", text: oddHead + "\n\n" + oddOne + "\n  \n" + oddTwo + "\n\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "no line end at the end", text: strings.TrimSuffix(oddGood, "\n"),
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "delimiters at the lines' ends", text: strings.ReplaceAll(oddGood, "\n", ",\n"),
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "delimiters at the rows' ends only", text: oddHead + strings.ReplaceAll(oddOne+oddTwo, "\n", ",,\n"),
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "semicolons and commas", text: strings.ReplaceAll(strings.ReplaceAll(oddGood, ",", ";"), ".00", ",00"),
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "tabs", text: strings.ReplaceAll(oddGood, ",", "\t"),
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "an unusual delimiter", text: strings.ReplaceAll(oddGood, ",", "^"), with: fileimport.Options{Delimiter: "^"},
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "quotes, delimiters and line ends in quotes", text: "order_id,customer,note,date,amount,currency\n" +
				"1,\"c \"\"1\"\", the first\",\"a\r\n\nb\",2026-03-01,10.00,EUR\n2,c2,,never,20.00,EUR\n",
			want: "1 orders EUR 10.00, 1 customers, 2026-03-01T00:00 to 2026-03-01T00:00; line 5: time is not understood: if it is written in another way, say --time-format",
		},
		{
			name: "a line end in a key", text: oddHead + "1,\"c\n1\",2026-03-01,10.00,EUR\n" + oddTwo,
			want: "1 orders EUR 20.00, 1 customers, 2026-03-02T00:00 to 2026-03-02T00:00; line 2: no usable identifier: none of customer, phone and email is understood",
		},
		{
			name: "a quote that is not closed", text: oddHead + "1,\"c1,2026-03-01,10.00,EUR\n" + oddTwo,
			want: "1 orders EUR 20.00, 1 customers, 2026-03-02T00:00 to 2026-03-02T00:00; line 2: a quote is opened and not closed",
		},
		{
			name: "text behind a quote", text: oddHead + "1,\"c\"1,2026-03-01,10.00,EUR\n" + oddTwo,
			want: "1 orders EUR 20.00, 1 customers, 2026-03-02T00:00 to 2026-03-02T00:00; line 2: text follows a closing quote",
		},
		{
			name: "a row too short and one too long", text: oddGood + "3,c3,2026-03-03\n4,c4,2026-03-04,1.00,EUR,more,\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00; line 4: fewer columns than headings; line 5: more columns than headings",
		},
		{
			name: "NUL bytes in a row", text: oddGood + "3,c\x003,2026-03-03,30.00,EUR\n",
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00; line 4: holds a NUL byte",
		},
		{
			name: "a very long field", text: oddHead + "1," + strings.Repeat("c", 2<<20) + ",2026-03-01,10.00,EUR\n" + oddTwo,
			want: "1 orders EUR 20.00, 1 customers, 2026-03-02T00:00 to 2026-03-02T00:00; line 2: longer than a record may be",
		},
		{
			name: "binary", text: "\x7fELF\x02\x01\x01" + strings.Repeat("\x00\x01\x02", 400),
			want: `refused: "FILE" is not text: it is full of NUL bytes. If it is UTF-16, say --encoding utf-16le`,
		},
		{
			name: "gzip", text: gzipped(t, oddGood),
			want: "2 orders EUR 30.00, 2 customers, 2026-03-01T00:00 to 2026-03-02T00:00",
		},
		{
			name: "gzip cut short", text: cut(gzipped(t, oddGood), 40),
			want: `refused: "FILE" is compressed, and broken or cut short: copy or export it again`,
		},
		{
			name: "gzip cut short at its end", text: cut(gzipped(t, oddHead+wholeDays(2025, 28)), 4),
			want: `refused: "FILE" is compressed, and broken or cut short: copy or export it again`,
		},
		{
			name: "zip", text: zipped(t, oddGood),
			want: `refused: "FILE" is a zip archive: unpack it, and import the files in it`,
		},
		{
			name: "old workbook", text: "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 500),
			want: `refused: "FILE" is an old Excel workbook, or one with a password: save the sheet as CSV`,
		},
		{
			name: "a web page", text: "<!DOCTYPE html>\n<html><body>Sign in</body></html>\n",
			want: `refused: "FILE": this does not look like a file of orders: none of its headings ("<!DOCTYPE html>") is a time or an amount; if it is one, name its columns with --customer COLUMN --time COLUMN --amount COLUMN, or say --no-header if there are no headings, --skip-lines N if they stand further down`,
		},
		{
			name: "songs", text: "artist,title\nA,B\n",
			want: `refused: "FILE": this does not look like a file of orders: none of its headings ("artist", "title") is a time or an amount; if it is one, name its columns with --customer COLUMN --time COLUMN --amount COLUMN, or say --no-header if there are no headings, --skip-lines N if they stand further down`,
		},
	}
}
