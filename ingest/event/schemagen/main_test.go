package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/event"
)

func TestSchemasAreUpToDate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("..", "schema")
	want := map[string]bool{}
	for _, kind := range event.Kinds() {
		want[fileName(kind)] = true
		got, err := os.ReadFile(filepath.Join(dir, fileName(kind)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(render(kind)), string(got)); diff != "" {
			t.Errorf("%s is not what the table says: go generate ./ingest/event\n%s", fileName(kind), diff)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !want[file.Name()] {
			t.Errorf("%s is the schema of no kind", file.Name())
		}
	}
}
