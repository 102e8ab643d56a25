package models

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// smallSettings are the settings of the tests' own models.
const smallSettings = `
hot_days:
  value: 7
  type: INTEGER
  doc: "engaged within so many days is hot, days"
currency:
  value: ""
  type: VARCHAR
  doc: "reporting currency"
cut:
  value: 52.7
  type: DECIMAL(9,4)
  doc: "a threshold"
`

// folder is a folder of files given as pairs of name and text.
func folder(t *testing.T, namesAndTexts ...string) fs.FS {
	t.Helper()
	files := make(fstest.MapFS)
	for i := 0; i < len(namesAndTexts); i += 2 {
		files[namesAndTexts[i]] = &fstest.MapFile{Data: []byte(namesAndTexts[i+1])}
	}
	return files
}

// shippedFolder stands in for the embedded models: each text gets a header that
// documents its columns, which are named after "-- columns:" in its first line.
func shippedFolder(t *testing.T, namesAndTexts ...string) fs.FS {
	t.Helper()
	all := []string{"settings.yaml", smallSettings, "sql/README.md", "no model"}
	for i := 0; i < len(namesAndTexts); i += 2 {
		all = append(all, "sql/"+namesAndTexts[i], withHeader(namesAndTexts[i+1]))
	}
	return folder(t, all...)
}

func withHeader(text string) string {
	if strings.Contains(text, headerOpening) {
		return text
	}
	first, _, _ := strings.Cut(text, "\n")
	columns, ok := strings.CutPrefix(first, "-- columns: ")
	if !ok {
		columns = "i"
	}
	var header strings.Builder
	header.WriteString("/* goodhour\ndoc: a test's\n")
	header.WriteString("grain: [" + strings.Fields(columns)[0] + "]\ncolumns:\n")
	for column := range strings.FieldsSeq(columns) {
		header.WriteString("  " + column + ": a column\n")
	}
	return header.String() + "*/\n" + text
}
