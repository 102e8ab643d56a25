//go:build unix

package warehouse_test

import (
	"os/signal"
	"syscall"
)

// limitFileSize makes writing a file beyond a size fail in this process, until
// lift is called.
func limitFileSize(bytes uint64) (lift func() error, err error) {
	// Without this the signal would end the process.
	signal.Ignore(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return nil, err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: before.Max}); err != nil {
		return nil, err
	}
	return func() error { return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before) }, nil
}
