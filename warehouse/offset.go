package warehouse

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/warehouse/dbfile"
	"github.com/goodhour/goodhour/warehouse/internal/bulk"
)

// Positions returns how far each partition has been loaded.
func (db *DB) Positions(ctx context.Context) (out []event.Position, err error) {
	err = db.View(ctx, func(conn *sql.Conn) error {
		out, err = dbfile.Positions(ctx, conn)
		return err
	})
	return out, err
}

// Accept sets a partition's position by an operator's decision, whatever log
// it stood in, and keeps a record of the decision.
func (db *DB) Accept(ctx context.Context, a event.Acceptance) error {
	err := db.update(ctx, func() error {
		return dbfile.Accept(ctx, writer{db.conn}, a, db.now())
	})
	if err != nil {
		return fmt.Errorf("accept offset %d of partition %d of %s: %w", a.NextOffset, a.Partition.Partition, a.Topic, err)
	}
	return nil
}

// writer is the loading connection as dbfile needs it.
type writer struct{ *bulk.Conn }

func (w writer) Change(ctx context.Context, query string, args ...any) error {
	_, err := w.Exec(ctx, query, args...)
	return err
}
