package dbfile

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
)

// SelectPositions reads how far each partition has been loaded.
const SelectPositions = `
select cluster_id, topic, topic_id, "partition", next_offset
from ops.offsets
order by topic, "partition"`

const (
	// A topic id that is not known, on either side, fits every id: a broker that
	// is brought up to date begins to tell them.
	selectOffset = `
select next_offset
from ops.offsets
where topic = $1 and "partition" = $2 and cluster_id = $3
    and ($4 = '' or topic_id = '' or topic_id = $4)`
	countElsewhere = `select count(*) from ops.offsets where topic = $1 and "partition" = $2`
	insertOffset   = `insert into ops.offsets values ($1, $2, $3, $4, $5, make_timestamp($6))`
	updateOffset   = `
update ops.offsets
set next_offset = $1, loaded_at = make_timestamp($2), topic_id = case $3 when '' then topic_id else $3 end
where topic = $4 and "partition" = $5`
	deleteOffset     = `delete from ops.offsets where topic = $1 and "partition" = $2`
	insertAcceptance = `
insert into ops.acceptances
select $1, $2, $3, $4, $5, stored.cluster_id, stored.topic_id, stored.next_offset, $6, $7, $8, make_timestamp($9)
from (select 1) as one
left join ops.offsets as stored on stored.topic = $2 and stored."partition" = $4`
)

// Transaction is the open transaction of a projection: the warehouse's, and the
// ledger's. Arguments are texts, int32 and int64.
type Transaction interface {
	Change(ctx context.Context, query string, args ...any) error
	// Ints runs a query whose only column is a BIGINT without nulls.
	Ints(ctx context.Context, query string, args ...any) ([]int64, error)
}

// Querier is a connection, or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Positions returns how far each partition has been loaded.
func Positions(ctx context.Context, conn Querier) ([]event.Position, error) {
	rows, err := conn.QueryContext(ctx, SelectPositions)
	if err != nil {
		return nil, fmt.Errorf("read the positions: %w", err)
	}
	defer rows.Close()
	var out []event.Position
	for rows.Next() {
		var p event.Position
		if err := rows.Scan(&p.ClusterID, &p.Topic, &p.TopicID, &p.Partition.Partition, &p.NextOffset); err != nil {
			return nil, fmt.Errorf("read the positions: %w", err)
		}
		out = append(out, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the positions: %w", err)
	}
	return out, nil
}

// Move advances the partitions, each only from where its move begins: a stored
// offset that is another is an *event.FencedError, and the transaction must be
// rolled back. That makes every record count exactly once.
func Move(ctx context.Context, tx Transaction, moves []event.Move, at time.Time) error {
	for _, m := range moves {
		stored, err := storedOffset(ctx, tx, m.Partition)
		if err != nil {
			return fmt.Errorf("read the position of partition %d of %s: %w", m.Partition.Partition, m.Topic, err)
		}
		if stored != m.From {
			return &event.FencedError{Move: m, Stored: stored}
		}
		if stored < 0 {
			err = tx.Change(ctx, insertOffset, m.ClusterID, m.Topic, m.TopicID, m.Partition.Partition, m.To, at.UnixMicro())
		} else {
			err = tx.Change(ctx, updateOffset, m.To, at.UnixMicro(), m.TopicID, m.Topic, m.Partition.Partition)
		}
		if err != nil {
			return fmt.Errorf("move partition %d of %s to offset %d: %w", m.Partition.Partition, m.Topic, m.To, err)
		}
	}
	return nil
}

// storedOffset returns -1 where nothing is stored for the partition.
func storedOffset(ctx context.Context, tx Transaction, p event.Partition) (int64, error) {
	found, err := tx.Ints(ctx, selectOffset, p.Topic, p.Partition, p.ClusterID, p.TopicID)
	if err != nil {
		return 0, err
	}
	if len(found) == 1 {
		return found[0], nil
	}
	elsewhere, err := tx.Ints(ctx, countElsewhere, p.Topic, p.Partition)
	if err != nil {
		return 0, err
	}
	if elsewhere[0] > 0 {
		return 0, fmt.Errorf("it stands in another log, not in topic id %q of cluster %q: "+
			"a re-created topic or another cluster must be accepted first", p.TopicID, p.ClusterID)
	}
	return -1, nil
}

// Accept sets a partition's position by an operator's decision, whatever log it
// stood in, and keeps a record of the decision.
func Accept(ctx context.Context, tx Transaction, a event.Acceptance, at time.Time) error {
	p := a.Partition
	if err := tx.Change(ctx, insertAcceptance, p.ClusterID, p.Topic, p.TopicID, p.Partition, a.NextOffset,
		a.Break, a.Detail, a.AcceptedBy, a.AcceptedAt.UnixMicro()); err != nil {
		return err
	}
	if err := tx.Change(ctx, deleteOffset, p.Topic, p.Partition); err != nil {
		return err
	}
	return tx.Change(ctx, insertOffset, p.ClusterID, p.Topic, p.TopicID, p.Partition, a.NextOffset, at.UnixMicro())
}
