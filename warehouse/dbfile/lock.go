package dbfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// LockedError says that the file is open elsewhere.
type LockedError struct {
	Path string
	// PID of the process that has it; 0 where that is not known.
	PID int
}

// Holder says in words who has it open.
func (e *LockedError) Holder() string {
	switch e.PID {
	case 0:
		return "another process"
	case os.Getpid():
		return "this process already"
	}
	return fmt.Sprintf("process %d", e.PID)
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("%s is open in %s: only one may open it; stop the other, "+
		"or ask it, or read the published file instead", e.Path, e.Holder())
}

// errHeld is lockFile's answer when someone else has the lock.
var errHeld = errors.New("lock is held")

// Lock locks path.lock, which holds the owner's process id for those who come
// second; closing what it returns gives the lock up. The file stays when the
// lock is gone: removing it would let two processes lock two files of one name.
// A lock that someone else holds is a *LockedError.
func Lock(path string) (*os.File, error) {
	lockPath := path + ".lock"
	f, err := lockFile(lockPath)
	if errors.Is(err, errHeld) {
		return nil, &LockedError{Path: path, PID: readPID(lockPath)}
	}
	if err != nil {
		return nil, fmt.Errorf("lock the database file: %w", err)
	}
	if err := writePID(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("write the process id to %s: %w", lockPath, err)
	}
	return f, nil
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// readPID returns 0 when the owner has not written its id yet.
func readPID(lockPath string) int {
	text, err := os.ReadFile(lockPath)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}

// lockedBy finds the process in DuckDB 1.5's own message: "Could not set lock
// on file …: Conflicting lock is held in /usr/bin/duckdb (PID 123)".
var lockedBy = regexp.MustCompile(`Could not set lock on file .*\(PID (\d+)\)`)

// ExplainOpen turns DuckDB's lock error, of someone who opened the file
// without our lock, into ours.
func ExplainOpen(path string, err error) error {
	match := lockedBy.FindStringSubmatch(err.Error())
	if match == nil {
		return err
	}
	pid, convErr := strconv.Atoi(match[1])
	if convErr != nil {
		return err
	}
	return &LockedError{Path: path, PID: pid}
}

// Path makes a path absolute and its folder exist. The driver takes a path for
// a URL: ? begins its options, and % an escape.
func Path(path string) (string, error) {
	if path == "" {
		return "", errors.New("open a database file: no path given")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("open a database file: %w", err)
	}
	if strings.ContainsAny(path, "?%") {
		return "", fmt.Errorf("open %s: DuckDB's driver cannot open a path with ? or %% in it, choose another", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("make the database file's folder: %w", err)
	}
	return path, nil
}
