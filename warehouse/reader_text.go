package warehouse

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"

	"github.com/goodhour/goodhour/warehouse/internal/stream"
)

// maxCellWidth is where WriteText cuts a cell, in places of a terminal.
const maxCellWidth = 60

// WriteText writes the table for a terminal: columns aligned, numbers to the
// right, NULL for null, long cells cut, and characters that would control the
// terminal written as escapes. An answer without columns writes nothing.
func (t Table) WriteText(w io.Writer) error {
	if len(t.Columns) == 0 {
		return nil
	}
	grid := make([][]string, 0, len(t.Rows)+1)
	head := make([]string, len(t.Columns))
	for i, column := range t.Columns {
		head[i] = cut(printable(column.Name))
	}
	grid = append(grid, head)
	for _, row := range t.Rows {
		line := make([]string, len(row))
		for i, value := range row {
			line[i] = "NULL"
			if value != nil {
				line[i] = cut(printable(string(stream.AppendText(nil, value))))
			}
		}
		grid = append(grid, line)
	}
	widths := make([]int, len(t.Columns))
	for _, line := range grid {
		for i, cell := range line {
			widths[i] = max(widths[i], places(cell))
		}
	}

	out := bufio.NewWriter(w)
	for n, line := range grid {
		t.writeLine(out, line, widths, n == 0)
		if n == 0 {
			rules := make([]string, len(widths))
			for i, wide := range widths {
				rules[i] = strings.Repeat("-", wide)
			}
			fmt.Fprintln(out, strings.Join(rules, "  "))
		}
	}
	switch {
	case t.Truncated:
		fmt.Fprintf(out, "(the first %d rows; an export has them all)\n", len(t.Rows))
	case len(t.Rows) == 1:
		fmt.Fprintln(out, "(1 row)")
	default:
		fmt.Fprintf(out, "(%d rows)\n", len(t.Rows))
	}
	return out.Flush() // it keeps the first error
}

func (t Table) writeLine(out io.Writer, line []string, widths []int, head bool) {
	var b strings.Builder
	for i, cell := range line {
		if i > 0 {
			b.WriteString("  ")
		}
		space := strings.Repeat(" ", widths[i]-places(cell))
		if isNumber(t.Columns[i].Type) && !head {
			b.WriteString(space + cell)
		} else {
			b.WriteString(cell + space)
		}
	}
	fmt.Fprintln(out, strings.TrimRight(b.String(), " "))
}

func isNumber(sqlType string) bool {
	switch sqlType {
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE":
		return true
	}
	return strings.HasPrefix(sqlType, "DECIMAL(") && strings.HasSuffix(sqlType, ")")
}

// printable escapes what would move the cursor, change colours or reverse the
// writing direction.
func printable(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// cut shortens a cell to maxCellWidth places.
func cut(s string) string {
	if places(s) <= maxCellWidth {
		return s
	}
	wide := 0
	for i, r := range s {
		wide += runePlaces(r)
		if wide > maxCellWidth-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// places is how many places of a terminal a text takes.
func places(s string) int {
	n := 0
	for _, r := range s {
		n += runePlaces(r)
	}
	return n
}

func runePlaces(r rune) int {
	if unicode.Is(unicode.Mn, r) { // marks stand on the letter before
		return 0
	}
	if kind := width.LookupRune(r).Kind(); kind == width.EastAsianWide || kind == width.EastAsianFullwidth {
		return 2
	}
	return 1
}
