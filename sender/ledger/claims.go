package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/goodhour/goodhour/sender/limit"
)

const selectClaimsSince = `select message, claimed_at from claims where claimed_at >= ? order by claimed_at`

// Claims returns the claims since an instant, to restore limits with after a
// restart.
func (db *DB) Claims(ctx context.Context, since time.Time) ([]limit.Use, error) {
	rows, err := db.sql.QueryContext(ctx, selectClaimsSince, since.UTC())
	if err != nil {
		return nil, fmt.Errorf("read the claims: %w", err)
	}
	defer rows.Close()
	var out []limit.Use
	for rows.Next() {
		var n int32
		var at time.Time
		if err := rows.Scan(&n, &at); err != nil {
			return nil, fmt.Errorf("read the claims: %w", err)
		}
		out = append(out, db.use(n, at))
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the claims: %w", err)
	}
	return out, nil
}

func (db *DB) use(n int32, at time.Time) limit.Use {
	db.mu.RLock()
	defer db.mu.RUnlock()
	s := &db.state
	m := &s.messages[n]
	return limit.Use{
		At: at, NumberID: s.texts.text(m.number), Customer: s.people.graph.ID(s.person(m)), Campaign: true,
	}
}
