//go:build duckdb_arrow

package api

import (
	"bytes"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/ipc"
)

func readArrow(t *testing.T, content []byte) ([]string, [][]string) {
	t.Helper()
	reader, err := ipc.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	var names []string
	for _, field := range reader.Schema().Fields() {
		names = append(names, field.Name)
	}
	var out [][]string
	for reader.Next() {
		batch := reader.RecordBatch()
		for i := range int(batch.NumRows()) {
			row := make([]string, len(names))
			for j := range row {
				row[j] = batch.Column(j).ValueStr(i)
			}
			out = append(out, row)
		}
	}
	if err := reader.Err(); err != nil {
		t.Fatal(err)
	}
	return names, out
}
