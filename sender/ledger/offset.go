package ledger

import (
	"context"
	"fmt"

	"github.com/goodhour/goodhour/ingest/event"
)

const (
	selectPositions = `
select cluster_id, topic, topic_id, "partition", next_offset
from ops.offsets
order by topic, "partition"`
	// A topic id that is not known, on either side, fits every id: a broker that
	// is brought up to date begins to tell them.
	selectOffset = `
select next_offset
from ops.offsets
where topic = $1 and "partition" = $2 and cluster_id = $3
    and ($4 = '' or topic_id = '' or topic_id = $4)`
	countElsewhere = `select count(*) from ops.offsets where topic = $1 and "partition" = $2`
	insertOffset   = `insert into ops.offsets values ($1, $2, $3, $4, $5, $6)`
	updateOffset   = `
update ops.offsets
set next_offset = $1, loaded_at = $2, topic_id = case $3 when '' then topic_id else $3 end
where topic = $4 and "partition" = $5`
	deleteOffset     = `delete from ops.offsets where topic = $1 and "partition" = $2`
	insertAcceptance = `
insert into ops.acceptances
select $1, $2, $3, $4, $5, stored.cluster_id, stored.topic_id, stored.next_offset, $6, $7, $8, $9
from (select 1) as one
left join ops.offsets as stored on stored.topic = $2 and stored."partition" = $4`
)

// Positions returns how far each partition has been loaded.
func (db *DB) Positions(ctx context.Context) ([]event.Position, error) {
	rows, err := db.sql.QueryContext(ctx, selectPositions)
	if err != nil {
		return nil, fmt.Errorf("read the ledger's positions: %w", err)
	}
	defer rows.Close()
	var out []event.Position
	for rows.Next() {
		var p event.Position
		if err := rows.Scan(&p.ClusterID, &p.Topic, &p.TopicID, &p.Partition.Partition, &p.NextOffset); err != nil {
			return nil, fmt.Errorf("read the ledger's positions: %w", err)
		}
		out = append(out, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the ledger's positions: %w", err)
	}
	return out, nil
}

// move advances the partitions, each only from where its move begins.
func (db *DB) move(tx *transaction, moves []event.Move) error {
	at := db.now().UTC()
	for _, m := range moves {
		stored, err := tx.storedOffset(m.Partition)
		if err != nil {
			return fmt.Errorf("read the position of partition %d of %s: %w", m.Partition.Partition, m.Topic, err)
		}
		if stored != m.From {
			return &event.FencedError{Move: m, Stored: stored}
		}
		if stored < 0 {
			err = tx.exec(insertOffset, m.ClusterID, m.Topic, m.TopicID, m.Partition.Partition, m.To, at)
		} else {
			err = tx.exec(updateOffset, m.To, at, m.TopicID, m.Topic, m.Partition.Partition)
		}
		if err != nil {
			return fmt.Errorf("move partition %d of %s to offset %d: %w", m.Partition.Partition, m.Topic, m.To, err)
		}
	}
	return nil
}

// storedOffset returns -1 where nothing is stored for the partition.
func (tx *transaction) storedOffset(p event.Partition) (int64, error) {
	found, err := tx.ints(selectOffset, p.Topic, p.Partition, p.ClusterID, p.TopicID)
	if err != nil {
		return 0, err
	}
	if len(found) == 1 {
		return found[0], nil
	}
	elsewhere, err := tx.ints(countElsewhere, p.Topic, p.Partition)
	if err != nil {
		return 0, err
	}
	if elsewhere[0] > 0 {
		return 0, fmt.Errorf("it stands in another log, not in topic id %q of cluster %q: "+
			"a re-created topic or another cluster must be accepted first", p.TopicID, p.ClusterID)
	}
	return -1, nil
}

// Accept sets a partition's position by an operator's decision, whatever log
// it stood in, and keeps a record of the decision.
func (db *DB) Accept(ctx context.Context, a event.Acceptance) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	p := a.Partition
	err := db.change(ctx, func(tx *transaction) error {
		if err := tx.exec(insertAcceptance, p.ClusterID, p.Topic, p.TopicID, p.Partition, a.NextOffset,
			a.Break, a.Detail, a.AcceptedBy, a.AcceptedAt.UTC()); err != nil {
			return err
		}
		if err := tx.exec(deleteOffset, p.Topic, p.Partition); err != nil {
			return err
		}
		return tx.exec(insertOffset, p.ClusterID, p.Topic, p.TopicID, p.Partition, a.NextOffset, db.now().UTC())
	}, func(*state) {})
	if err != nil {
		return fmt.Errorf("accept offset %d of partition %d of %s: %w", a.NextOffset, p.Partition, p.Topic, err)
	}
	return nil
}
