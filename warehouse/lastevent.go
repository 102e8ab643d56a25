package warehouse

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
)

// LastEventTime returns the time of the newest event about a customer; the zero
// time where there is none. For data that ended long ago it is a better as-of time than now.
func (db *DB) LastEventTime(ctx context.Context) (time.Time, error) {
	parts := make([]string, 0, event.NumKinds)
	for _, kind := range event.Kinds() {
		if kind.Spec().Topic == event.TopicAccount {
			continue // a provider's word on the account, often today's, and of no customer
		}
		parts = append(parts, fmt.Sprintf("select max(ce_time) as ce_time from raw.%s", kind.Spec().Table))
	}
	query := "select max(ce_time) from (" + strings.Join(parts, " union all ") + ")"
	var last sql.NullTime
	err := db.View(ctx, func(conn *sql.Conn) error {
		return conn.QueryRowContext(ctx, query).Scan(&last)
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("find the newest event: %w", err)
	}
	return last.Time, nil
}
