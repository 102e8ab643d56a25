//go:build !duckdb_arrow

package warehouse_test

import (
	"io"
	"strings"
	"testing"

	"github.com/goodhour/goodhour/warehouse"
)

func TestWithoutArrowItsTagIsNamed(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{}, someTable)
	_, err := r.Export(t.Context(), io.Discard, warehouse.Arrow, warehouse.Source{Relation: "main.t"}, warehouse.ExportOptions{})
	if kindOf(err) != warehouse.QueryRefused || !strings.Contains(err.Error(), "-tags duckdb_arrow") {
		t.Errorf("got %v", err)
	}
}
