package warehouse

import (
	"context"
	"fmt"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/warehouse/dbfile"
	"github.com/goodhour/goodhour/warehouse/internal/bulk"
)

// decimalScale is the scale of event.Decimal.
const decimalScale = 4

// Load commits a batch in one transaction: the moves of its partitions, each
// event that is not stored yet, what is new of its identities and links, and
// its dead letters. It implements ingest.Loader.
//
// If a partition does not stand where its move begins, nothing is written and
// the error is an *event.FencedError. After any other error, the end of ctx
// included, nothing is written either, except that an error of the commit
// itself leaves it open: so the caller reads Positions again before it goes on.
func (db *DB) Load(ctx context.Context, batch *event.Batch) error {
	var ids unseen
	err := db.update(ctx, func() error {
		if err := dbfile.Move(ctx, writer{db.conn}, batch.Moves, db.now()); err != nil {
			return err
		}
		for _, kind := range event.Kinds() {
			rows := batch.Rows[kind]
			if rows == nil || rows.Len() == 0 {
				continue
			}
			if err := db.loadRows(ctx, batch.Topics, rows); err != nil {
				return fmt.Errorf("load %d events of type %s: %w", rows.Len(), kind, err)
			}
		}
		ids = db.known.unseen(batch)
		if err := db.loadIdentities(ctx, batch.Topics, ids); err != nil {
			return err
		}
		return db.loadDeadLetters(ctx, batch.DeadLetters)
	})
	if err == nil {
		db.known.add(ids)
	}
	return err
}

// loadRows inserts the events that are not stored yet.
func (db *DB) loadRows(ctx context.Context, topics []string, rows *event.Rows) error {
	if err := checkLengths(rows); err != nil {
		return err
	}
	spec := rows.Kind.Spec()
	fresh := db.scratch.firsts(rows)
	fresh, err := db.notStored(ctx, rows, fresh)
	if err != nil {
		return fmt.Errorf("look for duplicates: %w", err)
	}
	raw, err := rawColumns(topics, rows)
	if err != nil {
		return err
	}
	if err := db.conn.AppendTable(ctx, "raw", spec.Table, raw, fresh); err != nil {
		return fmt.Errorf("append %d rows to raw.%s: %w", len(fresh), spec.Table, err)
	}
	if rows.PersonalRows == 0 {
		return nil
	}
	fresh = withPersonal(rows, fresh)
	pii, err := piiColumns(rows)
	if err != nil {
		return err
	}
	if err := db.conn.AppendTable(ctx, "pii", spec.Table, pii, fresh); err != nil {
		return fmt.Errorf("append %d rows to pii.%s: %w", len(fresh), spec.Table, err)
	}
	return nil
}

// checkLengths refuses rows whose columns do not line up.
func checkLengths(rows *event.Rows) error {
	n := rows.Len()
	lengths := []int{
		len(rows.Source.Ends), len(rows.ID.Ends), len(rows.Identity), len(rows.Topic),
		len(rows.Partition), len(rows.Offset), len(rows.ReceivedAt), len(rows.Extra.Valid),
	}
	for i := range rows.Columns {
		lengths = append(lengths, len(rows.Columns[i].Valid))
	}
	for i, length := range lengths {
		if length != n {
			return fmt.Errorf("column %d of the batch has %d values, ce_time has %d", i+1, length, n)
		}
	}
	return nil
}

// withPersonal picks the rows that have any personal value.
func withPersonal(rows *event.Rows, from []int32) []int32 {
	spec := rows.Kind.Spec()
	valid := [][]bool{rows.Extra.Valid}
	for i := range spec.Columns {
		if spec.Columns[i].Personal {
			valid = append(valid, rows.Columns[i].Valid)
		}
	}
	out := make([]int32, 0, min(len(from), rows.PersonalRows))
	for _, row := range from {
		for _, column := range valid {
			if column[row] {
				out = append(out, row)
				break
			}
		}
	}
	return out
}

// columns gathers a table's columns and the first error among them.
type columns struct {
	list []bulk.Column
	err  error
}

func (c *columns) add(column bulk.Column) { c.list = append(c.list, column) }

func (c *columns) text(name string, buffer []byte, ends []uint32, valid []bool) {
	column, err := bulk.Text(buffer, ends, valid)
	if err != nil && c.err == nil {
		c.err = fmt.Errorf("column %s: %w", name, err)
	}
	c.add(column)
}

func (c *columns) attributes(rows *event.Rows) {
	c.text("ce_source", rows.Source.Bytes, rows.Source.Ends, nil)
	c.text("ce_id", rows.ID.Bytes, rows.ID.Ends, nil)
	c.add(bulk.Microseconds(rows.Time, nil))
	c.add(bulk.UUID(rows.Identity))
}

func (c *columns) data(name string, data *event.ColumnData) {
	switch data.Type {
	case event.Text, event.JSON:
		c.text(name, data.Text.Bytes, data.Text.Ends, data.Valid)
	case event.Int:
		c.add(bulk.BigInt(data.Int, data.Valid))
	case event.Float:
		c.add(bulk.Double(data.Float, data.Valid))
	case event.Bool:
		c.add(bulk.Boolean(data.Bool, data.Valid))
	case event.Decimal:
		c.add(bulk.Decimal(decimalScale, data.Int, data.Valid))
	case event.Timestamp:
		c.add(bulk.Microseconds(data.Int, data.Valid))
	default:
		c.err = fmt.Errorf("column %s has an unknown type %d", name, data.Type)
	}
}

func (c *columns) topics(topics []string, index []uint16) {
	column, err := bulk.Choice(topics, index)
	if err != nil && c.err == nil {
		c.err = fmt.Errorf("column topic: %w", err)
	}
	c.add(column)
}

// rawColumns are the columns of raw.<table>, in the table's order.
func rawColumns(topics []string, rows *event.Rows) ([]bulk.Column, error) {
	var c columns
	c.attributes(rows)
	spec := rows.Kind.Spec()
	for i := range spec.Columns {
		if !spec.Columns[i].Personal {
			c.data(spec.Columns[i].Name, &rows.Columns[i])
		}
	}
	c.topics(topics, rows.Topic)
	c.add(bulk.Integer(rows.Partition, nil))
	c.add(bulk.BigInt(rows.Offset, nil))
	c.add(bulk.Microseconds(rows.ReceivedAt, nil))
	return c.list, c.err
}

// piiColumns are the columns of pii.<table>, in the table's order.
func piiColumns(rows *event.Rows) ([]bulk.Column, error) {
	var c columns
	c.attributes(rows)
	spec := rows.Kind.Spec()
	for i := range spec.Columns {
		if spec.Columns[i].Personal {
			c.data(spec.Columns[i].Name, &rows.Columns[i])
		}
	}
	c.data(event.ExtraColumn, &rows.Extra)
	return c.list, c.err
}
