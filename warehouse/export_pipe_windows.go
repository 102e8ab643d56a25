package warehouse

import (
	"context"
	"errors"
	"io"

	"github.com/goodhour/goodhour/warehouse/internal/stream"
)

var errNoPipe = errors.New("exports need named pipes in the file system, which Windows does not have: run goodhour under WSL")

func makePipe() (dir, path string, err error) { return "", "", errNoPipe }

func (s *seat) copyOut(context.Context, io.Writer, *stream.Conn, string, string, []any) (int64, error) {
	return 0, errNoPipe
}
