package ledger

import (
	"errors"
	"fmt"

	"github.com/goodhour/goodhour/sender/plan"
)

// Errors that callers tell apart.
var (
	// ErrNoPlan says that the ledger has no plan of that id.
	ErrNoPlan = errors.New("there is no plan of that id")
	// ErrNoMessage says that the ledger has no message of that id.
	ErrNoMessage = errors.New("there is no message of that id")
	// ErrNoAddress says that nothing is stored by which an identity can be
	// written to: it is no phone or BSUID, it was never seen, or it was erased.
	ErrNoAddress = errors.New("the identity has no stored phone or BSUID")
	// ErrInvalidated says that DuckDB gave the open ledger up, or that it is
	// not known whether a commit was done. Every further call fails so too,
	// until the ledger is closed and opened again; what was committed is kept.
	ErrInvalidated = errors.New("the open ledger is no longer sure: make room on the disk if it is full, " +
		"and start goodhour again; what was committed is kept")

	errClosed = errors.New("the ledger is closed")
)

// HashError says that an approval names another hash than the plan has.
type HashError struct{ PlanID, Have, Want string }

func (e *HashError) Error() string {
	return fmt.Sprintf("plan %s has another hash, not %s: read its report again, and approve what it says", e.PlanID, e.Want)
}

// StatusError says that a plan's status does not allow what was asked.
type StatusError struct {
	PlanID string
	Action string // approve, pause, resume, cancel
	Status plan.Status
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("plan %s is %s: cannot %s it", e.PlanID, e.Status, e.Action)
}

// MessageError says that a message, as it stands, does not allow what was
// asked. Nothing of the call was done.
type MessageError struct {
	MessageID string
	State     plan.State
	Problem   string
}

func (e *MessageError) Error() string {
	return fmt.Sprintf("message %s is %s: %s", e.MessageID, e.State, e.Problem)
}
