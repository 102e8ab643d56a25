package warehouse

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// LockedError says that the warehouse is open elsewhere.
type LockedError struct {
	Path string
	// PID of the process that has it; 0 where that is not known.
	PID int
}

func (e *LockedError) Error() string {
	holder := "another process"
	switch e.PID {
	case 0:
	case os.Getpid():
		holder = "this process already"
	default:
		holder = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("%s is open in %s: only one may open it; stop the other, "+
		"or ask it, or read the published file instead", e.Path, holder)
}

// errHeld is lockFile's answer when someone else has the lock.
var errHeld = errors.New("lock is held")

// acquire locks path.lock, which holds the owner's process id for those who
// come second. The file stays when the lock is gone: removing it would let two
// processes lock two files of one name.
func acquire(path string) (*os.File, error) {
	lockPath := path + ".lock"
	f, err := lockFile(lockPath)
	if errors.Is(err, errHeld) {
		return nil, &LockedError{Path: path, PID: readPID(lockPath)}
	}
	if err != nil {
		return nil, fmt.Errorf("lock the warehouse: %w", err)
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
