//go:build !linux

package warehouse_test

import "runtime"

// residentBytes is what Go alone holds; the kernel's account is read on Linux.
func residentBytes() (int64, error) {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.Sys), nil
}
