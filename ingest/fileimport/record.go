package fileimport

import "io"

// record is one row of a text file as its reader found it.
type record struct {
	// at is where it stands: the line of a text file it begins at, or its
	// number among the values of a JSON file.
	at int64
	// fields are borrowed until the next record. An absent field is nil.
	fields [][]byte
	// problem, if set, says why the record cannot be read; then fields are nil.
	problem Reason
}

// recordReader reads a text file record by record; io.EOF ends it. Its
// implementations are delimited text, JSON and workbooks.
type recordReader interface {
	next() (record, error)
}

// openRecords opens a text file at its first record behind the headings. Its
// fields stand in the order of the headings.
func (in *input) openRecords(o *Options, progress func(int)) (recordReader, io.Closer, error) {
	if in.format == formatWorkbook {
		return in.openCells(o, progress)
	}
	if in.format != formatCSV {
		return in.openJSON(o.Limits, in.headings, progress)
	}
	r, file, err := in.openCSV(o, progress)
	if err != nil {
		return nil, nil, err
	}
	if in.headerLine > 0 {
		if _, err := r.next(); err != nil {
			file.Close()
			return nil, nil, err
		}
	}
	r.columns = len(in.headings)
	return r, file, nil
}
