//go:build !unix

package broker

import (
	"os"
	"syscall"
)

// errAddressInUse is WSAEADDRINUSE on Windows.
const errAddressInUse = syscall.Errno(10048)

// acquire opens the file only: the port and DuckDB's own lock keep a second
// process out here.
func acquire(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
}
