package fileimport_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
)

// workbook writes a workbook of sheets, each a table that begins at A1.
func workbook(t *testing.T, sheets map[string][][]any, change func(*excelize.File) error) string {
	t.Helper()
	book := excelize.NewFile()
	defer book.Close()
	for name, rows := range sheets {
		if _, err := book.NewSheet(name); err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			cell, err := excelize.CoordinatesToCellName(1, i+1)
			if err != nil {
				t.Fatal(err)
			}
			if err := book.SetSheetRow(name, cell, &row); err != nil {
				t.Fatal(err)
			}
		}
	}
	if change != nil {
		if err := change(book); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "orders.xlsx")
	if err := book.SaveAs(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func orderSheet() [][]any {
	return [][]any{
		{"order_id", "customer", "date", "amount", "currency", "note"},
		{1, "c1", time.Date(2026, 3, 1, 10, 30, 0, 0, time.UTC), 12.1 + 0.2, "EUR"},
		{},
		{2, "c2", time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), 1234.567, "EUR", "x"},
		{3, "c3", "2026-03-03 08:00", 5, "EUR"},
		{4, "c4", "soon", 5, "EUR"},
		{5, "c5", 46082, 5, "EUR", "x", "too much"},
	}
}

func TestWorkbook(t *testing.T) {
	t.Parallel()
	// The amount is shown without decimals, the date as day and month: what is
	// stored counts.
	file := workbook(t, map[string][][]any{"Orders": orderSheet()}, func(book *excelize.File) error {
		style, err := book.NewStyle(&excelize.Style{NumFmt: 1})
		if err != nil {
			return err
		}
		return book.SetCellStyle("Orders", "D2", "D6", style)
	})
	o := orders()
	o.Decimal = "point"
	got := mustRun(t, o, file)
	wantRejected(t, got,
		"row 6: time is not understood: if it is written in another way, say --time-format",
		"row 7: more columns than headings")
	var times []string
	for _, e := range got.events {
		times = append(times, e.Time.Format("2006-01-02 15:04:05"))
	}
	if diff := cmp.Diff([]string{"2026-03-01 10:30:00", "2026-03-02 00:00:00", "2026-03-03 08:00:00"}, times); diff != "" {
		t.Error(diff)
	}
	if got.Money[0].Amount != "1251.867" || got.Files[0].Format != "xlsx" {
		t.Errorf("%+v of %+v", got.Money, got.Files)
	}
}

func TestWorkbookThatIsRefused(t *testing.T) {
	t.Parallel()
	two := map[string][][]any{"Orders": orderSheet(), "Notes": {{"a", "b"}}}
	wantText(t, refusal(t, orders(), workbook(t, two, nil)), `rows in several sheets ("`, "or hide the others")
	hidden := workbook(t, two, func(book *excelize.File) error { return book.SetSheetVisible("Notes", false) })
	o := orders()
	o.Decimal = "point"
	if got := mustRun(t, o, hidden); got.Good != 3 {
		t.Errorf("%d good", got.Good)
	}

	from1904 := true
	file := workbook(t, map[string][][]any{"Orders": orderSheet()}, func(book *excelize.File) error {
		return book.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &from1904})
	})
	wantText(t, refusal(t, orders(), file), "counts its days from 1904")

	whole, err := os.ReadFile(hidden)
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, refusal(t, orders(), writeFile(t, "short.xlsx", string(whole[:len(whole)/2]))), "broken or cut short")
	wantText(t, refusal(t, orders(), workbook(t, nil, nil)), "there is nothing in")
	locked := filepath.Join(t.TempDir(), "locked.xlsx")
	book, err := excelize.OpenFile(hidden)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	if err := book.SaveAs(locked, excelize.Options{Password: "secret"}); err != nil {
		t.Fatal(err)
	}
	wantText(t, refusal(t, orders(), locked), "with a password: save the sheet as CSV")
}

// A workbook and a text file with the same orders are the same events.
func TestWorkbookAndTextAreTheSame(t *testing.T) {
	t.Parallel()
	sheet := [][]any{{"order_id", "email", "date", "amount", "currency"}, {7, "a@shop.example", time.Date(2026, 3, 1, 10, 30, 0, 0, time.UTC), 9.5, "EUR"}}
	got := mustRun(t, orders(), workbook(t, map[string][][]any{"S": sheet}, nil),
		writeFile(t, "same.csv", "order_id,email,date,amount,currency\n7,a@shop.example,2026-03-01 10:30,9.50,EUR\n"))
	if got.Good != 1 || got.Duplicates != 1 {
		t.Errorf("%d good, %d said again", got.Good, got.Duplicates)
	}
}

// A byte that changed on the way is found, or is one that says nothing: no
// figure is wrong in silence.
func TestWorkbookWithChangedBytes(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(workbook(t, map[string][][]any{"Orders": orderSheet()}, nil))
	if err != nil {
		t.Fatal(err)
	}
	o := orders()
	o.Decimal = "point"
	random := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for range 60 {
		changed := slices.Clone(whole)
		at := random.IntN(len(changed))
		changed[at] ^= byte(1 + random.IntN(255))
		got, err := run(t, o, writeFile(t, "changed.xlsx", string(changed)))
		if err != nil {
			refused++
			continue
		}
		if got.Good != 3 || got.Rejected != 2 || got.Money[0].Amount != "1251.867" {
			t.Errorf("byte %d of %d changed: %d good, %d rejected, %+v", at, len(whole), got.Good, got.Rejected, got.Money)
		}
	}
	if refused < 20 {
		t.Errorf("only %d of 60 changes were found", refused)
	}
}
