package warehouse

import (
	"errors"
	"os"
)

// syncFile writes to disk what the system still holds of a file.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncDir does nothing: Windows has no such call.
func syncDir(string) error { return nil }
