package ledger

import (
	"context"
	"fmt"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/warehouse/dbfile"
)

// Positions returns how far each partition has been loaded.
func (db *DB) Positions(ctx context.Context) ([]event.Position, error) {
	conn, err := db.sql.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the ledger's positions: %w", err)
	}
	defer conn.Close()
	return dbfile.Positions(ctx, conn)
}

// Accept sets a partition's position by an operator's decision, whatever log
// it stood in, and keeps a record of the decision.
func (db *DB) Accept(ctx context.Context, a event.Acceptance) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	err := db.change(ctx, func(tx *transaction) error {
		return dbfile.Accept(ctx, tx, a, db.now())
	}, func(*state) {})
	if err != nil {
		return fmt.Errorf("accept offset %d of partition %d of %s: %w", a.NextOffset, a.Partition.Partition, a.Topic, err)
	}
	return nil
}
