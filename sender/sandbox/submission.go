package sandbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/goodhour/goodhour/sender/plan"
)

// Outcome is what the sandbox did with a submission, whatever its caller heard.
type Outcome string

// The outcomes. Only a refusal tells the caller for certain that the message
// was not taken.
const (
	Accepted Outcome = "accepted" // taken: the customer will get it, or a status says why not
	Refused  Outcome = "refused"  // not taken, and the answer said so
	Broken   Outcome = "broken"   // not taken, and the answer did not say so
)

// Submission is one call that asked to send a message: a line of the log.
type Submission struct {
	Seq int64 `json:"seq"` // from 1, in the order of the calls
	// At is the sandbox's time of the call.
	At time.Time `json:"at"`
	// MessageID is the caller's, from biz_opaque_callback_data.
	MessageID string `json:"message_id"`
	// ProviderMessageID is the sandbox's, of what was accepted.
	ProviderMessageID string  `json:"provider_message_id,omitempty"`
	Outcome           Outcome `json:"outcome"`
	// Code of a refusal; 0 where it had none.
	Code int `json:"code,omitempty"`
	// Trouble is the fault that was injected, if any.
	Trouble Trouble `json:"trouble,omitempty"`
	// HTML: its answer was written by a gateway.
	HTML bool `json:"html,omitempty"`
	// FailCode: accepted, and its status will be failed by what the platform
	// knew at the time of the call.
	FailCode int           `json:"fail_code,omitempty"`
	Category plan.Category `json:"category,omitempty"`
	Template string        `json:"template,omitempty"`
	Language string        `json:"language,omitempty"`
	// Customer is the index in the world; -1 for a stranger who cannot be
	// reached. One who is admitted has an index beyond the world's, until the
	// next start. A stranger's address is kept: nothing else tells who it is.
	Customer int    `json:"customer"`
	Stranger string `json:"stranger,omitempty"`
}

const logName = "submissions.jsonl"

// submissionLog is an append-only file. Calls that come together share a sync.
type submissionLog struct {
	file *os.File

	mu      sync.Mutex
	pending bytes.Buffer
	waiting []chan error
	busy    bool // a writer runs
	writer  sync.WaitGroup
	broken  error // the first write that went wrong: nothing is accepted any more
}

// openLog opens the log of a folder and returns what is in it. A last line that
// a crash cut off was never answered, and is removed.
func openLog(dir string) (*submissionLog, []Submission, error) {
	path := filepath.Join(dir, logName)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open log of submissions: %w", err)
	}
	list, size, err := readLog(file)
	if err == nil {
		if err = file.Truncate(size); err == nil {
			_, err = file.Seek(size, io.SeekStart)
		}
	}
	if err = errors.Join(err, syncFolder(dir)); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open log of submissions %s: %w", path, err), file.Close())
	}
	return &submissionLog{file: file}, list, nil
}

// readLog returns the whole lines and their size.
func readLog(r io.Reader) (list []Submission, size int64, err error) {
	lines := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return list, size, nil
		}
		if err != nil {
			return nil, 0, err
		}
		var s Submission
		if err := json.Unmarshal(line, &s); err != nil || s.Seq != int64(len(list))+1 {
			return nil, 0, fmt.Errorf("line %d is not submission %d: restore the file, or begin with an empty folder", len(list)+1, len(list)+1)
		}
		list = append(list, s)
		size += int64(len(line))
	}
}

// append takes a submission, in the order of the calls, and returns where the
// caller learns that it is on the disk, or why not.
func (l *submissionLog) append(s *Submission) <-chan error {
	done := make(chan error, 1)
	line, err := json.Marshal(s)
	if err != nil {
		done <- fmt.Errorf("write submission %d: %w", s.Seq, err)
		return done
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		done <- l.broken
		return done
	}
	l.pending.Write(line)
	l.pending.WriteByte('\n')
	l.waiting = append(l.waiting, done)
	if !l.busy {
		l.busy = true
		l.writer.Go(l.writeAll)
	}
	return done
}

// writeAll writes until nobody waits.
func (l *submissionLog) writeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waiting) > 0 {
		l.writePending()
	}
	l.busy = false
}

// writePending writes what has gathered; the lock is free meanwhile.
func (l *submissionLog) writePending() {
	lines, waiting := bytes.Clone(l.pending.Bytes()), l.waiting
	l.pending.Reset()
	l.waiting = nil
	l.mu.Unlock()
	_, err := l.file.Write(lines)
	if err == nil {
		err = l.file.Sync()
	}
	l.mu.Lock()
	if err != nil {
		l.broken = fmt.Errorf("write log of submissions: %w", err)
		waiting = append(waiting, l.waiting...)
		l.waiting = nil
	}
	for _, done := range waiting {
		done <- l.broken
	}
}

func (l *submissionLog) close() error {
	l.writer.Wait()
	return l.file.Close()
}
