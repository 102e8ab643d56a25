package fileimport

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"
)

// isWorkbook reports whether a zip archive is an Excel workbook. All of it is
// read once, for its checksums: the workbook's reader takes a damaged place for
// the sheet's end.
func isWorkbook(path string) (bool, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return false, err
	}
	defer archive.Close()
	if !slices.ContainsFunc(archive.File, func(f *zip.File) bool { return f.Name == "xl/workbook.xml" }) {
		return false, nil
	}
	for _, f := range archive.File {
		if err := checkMember(f); err != nil {
			return false, err
		}
	}
	return true, nil
}

func checkMember(f *zip.File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}

// examineZip finds out whether an archive is a workbook, and reads its headings.
func (in *input) examineZip(o *Options) error {
	workbook, err := isWorkbook(in.path)
	if err != nil {
		return refuse("%q begins like an Excel workbook or a zip archive and is broken or cut short: save or copy it again", in.name)
	}
	if !workbook {
		return refuse("%q is a zip archive: unpack it, and import the files in it", in.name)
	}
	in.format = formatWorkbook
	r, file, err := in.openWorkbook(o)
	if err != nil {
		return err
	}
	if r == nil {
		in.format = ""
		return nil
	}
	defer file.Close()
	cells, err := r.row()
	if err != nil {
		return err
	}
	if len(cells) > o.Limits.Columns {
		return refuse("%q has %d columns, the limit is %d", in.name, len(cells), o.Limits.Columns)
	}
	in.headings = nil
	for i, cell := range cells {
		heading := "column" + strconv.Itoa(i+1)
		if !o.NoHeader {
			heading = strings.TrimSpace(cell)
		}
		in.headings = append(in.headings, heading)
	}
	if !o.NoHeader {
		in.headerLine = r.at
	}
	return nil
}

// openWorkbook opens the one sheet that has rows; nil if there is none.
func (in *input) openWorkbook(o *Options) (*workbookReader, io.Closer, error) {
	// Cells as they are stored: as they are shown, amounts are rounded and
	// dates lose their century.
	book, err := excelize.OpenFile(in.path, excelize.Options{RawCellValue: true, TmpDir: o.Limits.TempDir})
	if err != nil {
		return nil, nil, refuse("%q is an Excel workbook that cannot be read (with a password, or broken): save the sheet as CSV", in.name)
	}
	r, err := in.onlySheet(o, book)
	if r == nil {
		return nil, nil, errors.Join(err, book.Close())
	}
	return r, book, nil
}

func (in *input) onlySheet(o *Options, book *excelize.File) (*workbookReader, error) {
	if props, err := book.GetWorkbookProps(); err == nil && props.Date1904 != nil && *props.Date1904 {
		return nil, refuse("%q counts its days from 1904: save the sheet as CSV", in.name)
	}
	var filled []string
	for _, sheet := range book.GetSheetList() {
		if visible, err := book.GetSheetVisible(sheet); err != nil || !visible {
			continue
		}
		r, err := in.openSheet(o, book, sheet)
		if err != nil {
			return nil, err
		}
		if _, err = r.row(); err == nil {
			filled = append(filled, sheet)
		} else if !errors.Is(err, io.EOF) {
			return nil, err
		}
		if err := r.rows.Close(); err != nil {
			return nil, fmt.Errorf("read %q: %w", in.name, err)
		}
	}
	switch len(filled) {
	case 0:
		return nil, nil
	case 1:
		return in.openSheet(o, book, filled[0])
	}
	return nil, refuse("%q has rows in several sheets (%s): save the one with the %s as a file of its own, or hide the others",
		in.name, listHeadings(filled), o.Kind)
}

func (in *input) openSheet(o *Options, book *excelize.File, sheet string) (*workbookReader, error) {
	rows, err := book.Rows(sheet)
	if err != nil {
		return nil, refuse("%q: the sheet %q cannot be read: save it as CSV", in.name, sheet)
	}
	return &workbookReader{name: in.name, rows: rows, skip: o.SkipLines}, nil
}

// openCells opens a workbook at its first row behind the headings.
func (in *input) openCells(o *Options, progress func(int)) (recordReader, io.Closer, error) {
	r, file, err := in.openWorkbook(o)
	if err != nil {
		return nil, nil, err
	}
	if r == nil {
		return nil, nil, refuse("%q changed while it was read", in.name)
	}
	if in.headerLine > 0 {
		if _, err := r.row(); err != nil {
			return nil, nil, errors.Join(err, file.Close())
		}
	}
	r.columns = len(in.headings)
	if progress != nil {
		progress(int(in.size)) // how far it is in the archive is not known
	}
	return r, file, nil
}

// workbookReader reads the rows of a sheet.
type workbookReader struct {
	name    string
	rows    *excelize.Rows
	skip    int // rows to pass over
	columns int
	at      int64 // of the row in hand, as the spreadsheet numbers it
	fields  [][]byte
}

// row returns the next row that is not empty, without the empty cells at its
// end.
func (r *workbookReader) row() ([]string, error) {
	for r.rows.Next() {
		r.at++
		cells, err := r.rows.Columns()
		if err != nil {
			return nil, refuse("%q cannot be read behind row %d: save the sheet as CSV", r.name, r.at)
		}
		for len(cells) > 0 && strings.TrimSpace(cells[len(cells)-1]) == "" {
			cells = cells[:len(cells)-1]
		}
		if len(cells) > 0 && r.at > int64(r.skip) {
			return cells, nil
		}
	}
	if r.rows.Error() != nil {
		return nil, refuse("%q cannot be read behind row %d: save the sheet as CSV", r.name, r.at)
	}
	return nil, io.EOF
}

func (r *workbookReader) next() (record, error) {
	cells, err := r.row()
	if err != nil {
		return record{}, err
	}
	if len(cells) > r.columns {
		return record{at: r.at, problem: reasonManyColumns}, nil
	}
	r.fields = r.fields[:0]
	for i := range r.columns {
		text := ""
		if i < len(cells) {
			text = storedNumber(cells[i])
		}
		r.fields = append(r.fields, []byte(text))
	}
	return record{at: r.at, fields: r.fields}, nil
}

// storedNumber writes a cell's number with the 15 digits that a spreadsheet
// shows: 12.300000000000001 is stored where 12.3 was typed. Other texts stay.
func storedNumber(cell string) string {
	const digits = 15
	if len(cell) <= digits || strings.Count(cell, ".") != 1 || strings.Trim(cell, "0123456789.") != "" {
		return cell
	}
	n, err := strconv.ParseFloat(cell, 64)
	if err != nil {
		return cell
	}
	whole := strings.IndexByte(cell, '.')
	return strconv.FormatFloat(n, 'f', max(digits-whole, 0), 64)
}
