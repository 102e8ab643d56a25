//go:build unix

package warehouse

import (
	"errors"
	"os"
)

// syncFile writes to disk what the system still holds of a file.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncDir makes a rename inside a folder durable.
func syncDir(path string) error { return syncFile(path) }
