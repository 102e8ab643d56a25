package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"sync"
	"time"

	"github.com/gorilla/mux"
)

// Audit is the append-only log of who changed something, took a list of
// customers or saw personal data: one JSON object a line, no personal data.
//
// Each act has two lines with the same request_id: "begin" before anything
// happens, so that nothing happens unseen even if the process dies, and "end"
// with the result. An act whose "begin" cannot be written is refused. Lines
// outlive a crash of the process; a loss of power may take the last ones.
//
// The file is opened for each line, so it may be rotated by renaming it, and
// the command line may append while serve runs.
type Audit struct {
	path string
	now  func() time.Time
	mu   sync.Mutex
}

// AuditEntry is one line.
type AuditEntry struct {
	Time      time.Time `json:"time"`
	RequestID string    `json:"request_id"`
	Stage     string    `json:"stage"` // begin, end
	// Actor is a key's id, "local" (command line) or "loopback" (this machine,
	// before the first key).
	Actor string `json:"actor"`
	// Action is the method and the route, such as "POST /v1/keys".
	Action string `json:"action"`
	// Target is what was acted on: an audience's or segment's name, a key's
	// id, a customer_id; empty where the action says it all, and where the path
	// has something else in its place.
	Target string `json:"target,omitempty"`
	// Personal: personal data was asked for.
	Personal bool `json:"personal,omitempty"`
	// Result, at the end, is done, refused or failed.
	Result string `json:"result,omitempty"`
	// Status, at the end, is the HTTP status; 0 means the answer was cut off.
	Status int `json:"status,omitempty"`
	// Count, at the end, is how many rows, events or customers.
	Count int64 `json:"count,omitempty"`
}

// targetName is what a segment's, an audience's or a key's name looks like.
// Anything else in its place is a stranger's text, and stays out of the log.
var targetName = regexp.MustCompile(`^[a-z][A-Za-z0-9_:,-]{0,200}$`)

// auditTarget is what the path names.
func auditTarget(r *http.Request) string {
	for _, variable := range []string{"name", "id"} {
		if value, err := url.PathUnescape(mux.Vars(r)[variable]); err == nil && targetName.MatchString(value) {
			return value
		}
	}
	return ""
}

// OpenAudit returns the audit log in the file, which is made at the first line.
func OpenAudit(path string, now func() time.Time) *Audit {
	return &Audit{path: path, now: now}
}

// Append adds a line and sets its time.
func (a *Audit) Append(entry AuditEntry) error {
	entry.Time = a.now().UTC()
	line, err := json.Marshal(entry)
	if err != nil {
		return fmt.Errorf("encode an audit line: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	f, err := os.OpenFile(a.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the audit log: %w", err)
	}
	_, err = f.Write(append(line, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("append to the audit log: %w", err)
	}
	return nil
}
