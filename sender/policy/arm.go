package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/plan"
)

// Quarter names the quarter of an instant in UTC: "2026Q4". The global holdout
// is drawn anew in each.
func Quarter(at time.Time) string {
	at = at.UTC()
	return fmt.Sprintf("%dQ%d", at.Year(), (int(at.Month())-1)/3+1)
}

// GlobalArm assigns a customer for the quarter of an instant: Holdout for the
// rules' share of all customers, the same ones in every campaign, else
// Treatment. The ledger stores it at the first assignment, and it holds for the
// quarter whatever the customer merges with.
func (r *Rules) GlobalArm(at time.Time, customer identity.ID) plan.Arm {
	if drawn("holdout:"+Quarter(at), customer, r.Holdout.GlobalPercent) {
		return plan.Holdout
	}
	return plan.Treatment
}

// Arm assigns an eligible customer to an arm of a campaign. global is the
// quarter's assignment: the stored one, else GlobalArm's. A campaign that
// recurs keeps its control.
func Arm(global plan.Arm, campaignID string, customer identity.ID, control Control) plan.Arm {
	switch {
	case global == plan.Holdout:
		return plan.Holdout
	case drawn("control:"+campaignID, customer, control.Percent):
		return plan.Control
	default:
		return plan.Treatment
	}
}

// drawn says whether a customer is in a share of all, in percent to two places.
// Draws with different salts are independent. The hash is SHA-256 of salt, a
// zero byte and the 16 bytes of the id; its first 8 bytes, as a big-endian
// number modulo 10,000, must be under the share.
func drawn(salt string, customer identity.ID, percent float64) bool {
	hash := sha256.Sum256(append(append([]byte(salt), 0), customer[:]...))
	return binary.BigEndian.Uint64(hash[:8])%10_000 < uint64(math.Round(percent*100))
}
