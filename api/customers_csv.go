package api

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// readCustomersCSV reads RFC 4180 with a heading line. The columns are the
// JSON form's fields; besides
//
//	external_ids.SYSTEM    the key of another system
//	tags                   separated by |
//	consent_CATEGORY       opted_in or opted_out
//	consent_source, consent_evidence, consent_changed_at    of the row's consents
//
// An empty cell says nothing. Other columns are kept as texts.
func readCustomersCSV(body []byte, take func(itemError, customerRow, error)) (int, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff"))))
	headings, err := r.Read()
	if errors.Is(err, io.EOF) {
		return 0, problemf(problemInvalidBody, "Want a line of headings.")
	}
	if err != nil {
		return 0, invalidCSV(err)
	}
	if err := checkHeadings(headings); err != nil {
		return 0, err
	}
	headings = slices.Clone(headings)
	for i := 0; ; i++ {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return i, nil
		}
		if err != nil && !errors.Is(err, csv.ErrFieldCount) {
			return 0, invalidCSV(err)
		}
		if i == batchItemsMax {
			return 0, problemf(problemTooLarge, "A batch may have %d rows.", batchItemsMax)
		}
		at := itemError{Index: i}
		if err != nil {
			at.Line = lineOf(err)
			take(at, customerRow{}, fmt.Errorf("want %d cells, got %d", len(headings), len(cells)))
			continue
		}
		at.Line, _ = r.FieldPos(0)
		row, err := customerFromCSV(headings, cells)
		take(at, row, err)
	}
}

// invalidCSV is for what leaves unclear where the next row begins.
func invalidCSV(err error) error {
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		return problemf(problemInvalidBody, "It is not valid CSV at line %d: %s.", parse.Line, parse.Err)
	}
	return problemf(problemInvalidBody, "It is not valid CSV.")
}

// lineOf is where the row that the error is about begins.
func lineOf(err error) int {
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		return parse.StartLine
	}
	return 0
}

func checkHeadings(headings []string) error {
	for i, h := range headings {
		if h == "" || len(h) > 100 {
			return problemf(problemInvalidBody, "The heading of column %d is empty or over 100 bytes.", i+1)
		}
		if slices.Contains(headings[:i], h) {
			return problemf(problemInvalidBody, "The heading of column %d was there before.", i+1)
		}
		if h == "external_ids" || h == "consents" {
			return problemf(problemInvalidBody, "%s: in CSV this is external_ids.SYSTEM, or consent_CATEGORY.", h)
		}
	}
	return nil
}

func customerFromCSV(headings, cells []string) (customerRow, error) {
	row := customerRow{data: make(map[string]json.RawMessage)}
	var common consentRow // source, evidence and time of all the row's consents
	for i, heading := range headings {
		cell := strings.TrimSpace(cells[i])
		if cell == "" {
			continue
		}
		var err error
		switch heading {
		case "external_id":
			row.ExternalID = cell
		case "updated_at":
			row.UpdatedAt, err = csvTime(heading, cell)
		case "consent_source":
			common.Source = cell
		case "consent_evidence":
			common.Evidence = cell
		case "consent_changed_at":
			common.ChangedAt, err = csvTime(heading, cell)
		case "tags":
			row.data["tags"], err = json.Marshal(splitTags(cell))
		default:
			err = row.setText(heading, cell)
		}
		if err != nil {
			return row, err
		}
	}
	for i := range row.Consents {
		c := &row.Consents[i]
		c.Source, c.Evidence, c.ChangedAt = common.Source, common.Evidence, common.ChangedAt
	}
	return row, nil
}

// setText takes a cell whose heading says its meaning, or which has none for us.
func (row *customerRow) setText(heading, cell string) error {
	if category, ok := strings.CutPrefix(heading, "consent_"); ok {
		row.Consents = append(row.Consents, consentRow{Category: category, State: cell})
		return nil
	}
	if system, ok := strings.CutPrefix(heading, "external_ids."); ok {
		if row.ExternalIDs == nil {
			row.ExternalIDs = make(map[string]string)
		}
		row.ExternalIDs[system] = cell
		ids, err := json.Marshal(row.ExternalIDs)
		row.data["external_ids"] = ids
		return err
	}
	switch heading {
	case "phone":
		row.Phone = cell
	case "bsuid":
		row.BSUID = cell
	case "email":
		row.Email = cell
	}
	text, err := json.Marshal(cell)
	row.data[heading] = text
	return err
}

func splitTags(cell string) []string {
	tags := []string{}
	for tag := range strings.SplitSeq(cell, "|") {
		if tag = strings.TrimSpace(tag); tag != "" {
			tags = append(tags, tag)
		}
	}
	return tags
}

func csvTime(heading, cell string) (*time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, cell)
	if err != nil {
		return nil, fmt.Errorf("%s: want RFC 3339, such as 2026-03-01T09:00:00Z", heading)
	}
	return &t, nil
}
