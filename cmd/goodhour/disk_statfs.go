//go:build linux || darwin || freebsd

package main

import "syscall"

// diskSpace returns how many bytes are free for us, and how many there are, on
// the disk that holds a path.
func diskSpace(path string) (free, total int64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), int64(s.Blocks) * int64(s.Bsize), nil //nolint:unconvert // the types differ by system
}
