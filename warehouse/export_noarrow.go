//go:build !duckdb_arrow

package warehouse

import (
	"context"
	"io"

	"github.com/goodhour/goodhour/warehouse/internal/stream"
)

func writeArrow(context.Context, io.Writer, *stream.Conn, string, []any) (int64, error) {
	return 0, &QueryError{
		Kind:    QueryRefused,
		Message: "this goodhour was built without Arrow",
		Hint:    "build it with -tags duckdb_arrow, or export Parquet, which holds the same types",
	}
}
