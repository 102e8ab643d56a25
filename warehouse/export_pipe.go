//go:build unix

package warehouse

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/goodhour/goodhour/warehouse/internal/stream"
)

// makePipe makes a named pipe in a folder of its own.
func makePipe() (dir, path string, err error) {
	dir, err = os.MkdirTemp("", "goodhour-export-") // mode 0700
	if err != nil {
		return "", "", err
	}
	path = filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return "", "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, path, nil
}

// copyOut runs DuckDB's COPY into the seat's pipe and passes on what comes out
// of it. So every format is DuckDB's own, at its own speed.
func (s *seat) copyOut(ctx context.Context, w io.Writer, session *stream.Conn, query, options string, args []any) (int64, error) {
	// Both ends are opened here and without waiting, so that neither DuckDB's
	// opening nor our reading ever waits for the other.
	out, err := os.OpenFile(s.pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	in, err := os.OpenFile(s.pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		if err := pour(ctx, w, out); err != nil {
			cancel(&writeError{err})
		}
		// DuckDB must never find the pipe full or broken: it waits in a system
		// call that nothing interrupts, or gets a signal.
		_, _ = io.Copy(io.Discard, out)
	}()
	n, err := runCopy(ctx, session, "copy (\n"+query+"\n) to "+quoteText(s.pipe)+" ("+options+")", args)
	err = errors.Join(err, in.Close())
	<-drained
	if failed, ok := errors.AsType[*writeError](context.Cause(ctx)); ok {
		return n, failed
	}
	return n, err
}

// runCopy runs COPY, which returns the number of rows.
func runCopy(ctx context.Context, session *stream.Conn, statement string, args []any) (int64, error) {
	rows, err := session.Query(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	return rows.Changed(), nil
}

// pour copies from the pipe to w until the pipe's end, or an error of w, which
// it returns. After ctx it writes no more.
func pour(ctx context.Context, w io.Writer, pipe io.Reader) error {
	buffer := make([]byte, 1<<16) // as much as a pipe holds
	for {
		n, err := pipe.Read(buffer)
		if ctx.Err() != nil || err != nil {
			return nil //nolint:nilerr // the pipe's end
		}
		if _, err := w.Write(buffer[:n]); err != nil {
			return err
		}
	}
}
