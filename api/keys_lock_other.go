//go:build !unix

package api

import "os"

// lockKeys opens the file only: here two processes that write the key file in
// the same instant may lose one of the changes.
func lockKeys(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}
