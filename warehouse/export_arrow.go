//go:build duckdb_arrow

package warehouse

import (
	"context"
	"io"

	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/goodhour/goodhour/warehouse/internal/stream"
)

// writeArrow writes the rows as an Arrow IPC stream, a batch for each of
// DuckDB's chunks.
func writeArrow(ctx context.Context, w io.Writer, session *stream.Conn, query string, args []any) (_ int64, err error) {
	rows, err := session.Query(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	batches, err := rows.Arrow()
	if err != nil {
		return 0, err
	}
	defer batches.Release()
	guard := &guardedWriter{w: w}
	out := ipc.NewWriter(guard, ipc.WithSchema(batches.Schema()))
	var n int64
	for batches.Next() {
		batch := batches.RecordBatch()
		n += batch.NumRows()
		if err := out.Write(batch); err != nil {
			return n, guard.cause(err)
		}
	}
	// Without its end mark a reader sees that the stream was cut.
	if err := batches.Err(); err != nil {
		return n, err
	}
	return n, guard.cause(out.Close())
}

// guardedWriter keeps the receiver's error apart from Arrow's.
type guardedWriter struct {
	w   io.Writer
	err error
}

func (g *guardedWriter) Write(p []byte) (int, error) {
	n, err := g.w.Write(p)
	if err != nil {
		g.err = err
	}
	return n, err
}

func (g *guardedWriter) cause(err error) error {
	if err != nil && g.err != nil {
		return &writeError{g.err}
	}
	return err
}
