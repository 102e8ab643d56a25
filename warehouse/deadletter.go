package warehouse

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/warehouse/internal/bulk"
)

// DeadLetterSummary describes a dead letter without its bytes, which may be
// personal and large.
type DeadLetterSummary struct {
	// ID counts up from 1 in this warehouse. After a replay of the topics into
	// another one, a dead letter may have another ID.
	ID         int64
	Topic      string
	Partition  int32
	Offset     int64
	ReceivedAt time.Time
	LoadedAt   time.Time
	// Reason says what is wrong, where, and never quotes the record.
	Reason string
	// Bytes of the key, the value and the headers.
	Bytes int64
	// Published: it is on the dead-letter topic.
	Published bool
	// ReplayedAt is when it was last sent to its topic again; zero means never.
	ReplayedAt time.Time
}

// DeadLetterFilter picks dead letters. The zero value picks the first 1,000.
type DeadLetterFilter struct {
	// Topic, if set, is the full name of the topic they came from.
	Topic string
	// Unreplayed leaves out those that were sent again.
	Unreplayed bool
	// AfterID leaves out this ID and those before it: the last one of the page before.
	AfterID int64
	// Limit is how many at most; zero means 1,000.
	Limit int
}

const defaultDeadLetterLimit = 1000

// ErrNoDeadLetter says that there is no dead letter with the ID.
var ErrNoDeadLetter = errors.New("there is no dead letter with this id")

const (
	selectSummaries = `
with
    published as (select coalesce(max(last_id), 0) as last_id from ops.dead_letters_published),
    replayed as (select id, max(replayed_at) as replayed_at from ops.dead_letters_replayed group by id)
select
    letters.id,
    letters.topic,
    letters."partition",
    letters."offset",
    letters.received_at,
    letters.loaded_at,
    letters.reason,
    coalesce(octet_length(letters."key"), 0) + coalesce(octet_length(letters."value"), 0) + strlen(letters.headers),
    letters.id <= published.last_id,
    replayed.replayed_at
from pii.dead_letters as letters
cross join published
left join replayed on replayed.id = letters.id
where letters.id > $1 and ($2 = '' or letters.topic = $2) and not ($3 and replayed.id is not null)
order by letters.id
limit $4`
	selectLetters = `
select id, topic, "partition", "offset", received_at, reason, "key", "value", headers::varchar
from pii.dead_letters
where id > $1 and id <= $2
order by id
limit $3`
	selectLastPublished = `select coalesce(max(last_id), 0) from ops.dead_letters_published`
	selectLastLetter    = `select coalesce(max(id), 0) from pii.dead_letters`
	insertPublished     = `insert into ops.dead_letters_published values ($1, $2)`
	insertReplayed      = `insert into ops.dead_letters_replayed select id, $2 from pii.dead_letters where id = $1`
)

// maxID is past every ID.
const maxID = int64(1) << 62

// DeadLetters lists dead letters by ID.
func (db *DB) DeadLetters(ctx context.Context, filter DeadLetterFilter) ([]DeadLetterSummary, error) {
	limit := filter.Limit
	if limit == 0 {
		limit = defaultDeadLetterLimit
	}
	var out []DeadLetterSummary
	err := db.View(ctx, func(conn *sql.Conn) error {
		rows, err := conn.QueryContext(ctx, selectSummaries, filter.AfterID, filter.Topic, filter.Unreplayed, limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var s DeadLetterSummary
			var replayedAt sql.NullTime
			if err := rows.Scan(&s.ID, &s.Topic, &s.Partition, &s.Offset, &s.ReceivedAt, &s.LoadedAt, &s.Reason,
				&s.Bytes, &s.Published, &replayedAt); err != nil {
				return err
			}
			s.ReplayedAt = replayedAt.Time
			out = append(out, s)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	return out, nil
}

// DeadLetter returns one dead letter, or ErrNoDeadLetter.
func (db *DB) DeadLetter(ctx context.Context, id int64) (event.StoredDeadLetter, error) {
	var out []event.StoredDeadLetter
	err := db.View(ctx, func(conn *sql.Conn) (err error) {
		out, err = readLetters(ctx, conn, id-1, id, 1)
		return err
	})
	if err == nil && len(out) == 0 {
		err = ErrNoDeadLetter
	}
	if err != nil {
		return event.StoredDeadLetter{}, fmt.Errorf("read dead letter %d: %w", id, err)
	}
	return out[0], nil
}

// UnpublishedDeadLetters returns the first dead letters, at most limit, that
// are not marked as published. Whoever publishes them marks the last one
// after the broker has them all; a crash between the two repeats some, with
// the same ID.
func (db *DB) UnpublishedDeadLetters(ctx context.Context, limit int) ([]event.StoredDeadLetter, error) {
	var out []event.StoredDeadLetter
	err := db.View(ctx, func(conn *sql.Conn) error {
		var last int64
		if err := conn.QueryRowContext(ctx, selectLastPublished).Scan(&last); err != nil {
			return err
		}
		var err error
		out, err = readLetters(ctx, conn, last, maxID, limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read unpublished dead letters: %w", err)
	}
	return out, nil
}

// MarkPublished records that the dead letters up to and with lastID are on the
// dead-letter topic.
func (db *DB) MarkPublished(ctx context.Context, lastID int64) error {
	err := db.update(ctx, func() error {
		_, err := db.conn.Exec(ctx, insertPublished, lastID, bulk.Timestamp(db.now().UnixMicro()))
		return err
	})
	if err != nil {
		return fmt.Errorf("mark dead letters up to %d as published: %w", lastID, err)
	}
	return nil
}

// MarkReplayed records that a dead letter was sent to its topic again.
func (db *DB) MarkReplayed(ctx context.Context, id int64) error {
	err := db.update(ctx, func() error {
		marked, err := db.conn.Exec(ctx, insertReplayed, id, bulk.Timestamp(db.now().UnixMicro()))
		if err == nil && marked == 0 {
			err = ErrNoDeadLetter
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("mark dead letter %d as replayed: %w", id, err)
	}
	return nil
}

func readLetters(ctx context.Context, conn *sql.Conn, after, until int64, limit int) ([]event.StoredDeadLetter, error) {
	rows, err := conn.QueryContext(ctx, selectLetters, after, until, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []event.StoredDeadLetter
	for rows.Next() {
		var l event.StoredDeadLetter
		var headers string
		if err := rows.Scan(&l.ID, &l.Topic, &l.Partition, &l.Offset, &l.ReceivedAt, &l.Reason,
			&l.Key, &l.Value, &headers); err != nil {
			return nil, err
		}
		if l.Headers, err = parseHeaders(headers); err != nil {
			return nil, fmt.Errorf("headers of dead letter %d: %w", l.ID, err)
		}
		out = append(out, l)
	}
	return out, rows.Err()
}

// loadDeadLetters gives the letters the next IDs and inserts them.
func (db *DB) loadDeadLetters(ctx context.Context, letters []event.DeadLetter) error {
	if len(letters) == 0 {
		return nil
	}
	if err := db.insertDeadLetters(ctx, letters); err != nil {
		return fmt.Errorf("insert %d dead letters: %w", len(letters), err)
	}
	return nil
}

func (db *DB) insertDeadLetters(ctx context.Context, letters []event.DeadLetter) error {
	last, err := db.conn.Ints(ctx, selectLastLetter)
	if err != nil {
		return err
	}
	n := len(letters)
	ids, offsets := make([]int64, n), make([]int64, n)
	partitions, all := make([]int32, n), make([]int32, n)
	receivedAt, loadedAt := make([]int64, n), make([]int64, n)
	hasKey, hasValue := make([]bool, n), make([]bool, n)
	var topics, reasons, keys, values, headers event.TextColumn
	now := db.now().UnixMicro()
	for i, l := range letters {
		ids[i], all[i] = last[0]+1+int64(i), int32(i)
		partitions[i], offsets[i] = l.Partition, l.Offset
		receivedAt[i], loadedAt[i] = l.ReceivedAt.UnixMicro(), now
		hasKey[i], hasValue[i] = l.Key != nil, l.Value != nil
		topics.Append([]byte(l.Topic))
		reasons.Append([]byte(l.Reason))
		keys.Append(l.Key)
		values.Append(l.Value)
		text, err := formatHeaders(l.Headers)
		if err != nil {
			return err
		}
		headers.Append(text)
	}
	var c columns
	c.add(bulk.BigInt(ids, nil))
	c.text("topic", topics.Bytes, topics.Ends, nil)
	c.add(bulk.Integer(partitions, nil))
	c.add(bulk.BigInt(offsets, nil))
	c.add(bulk.Microseconds(receivedAt, nil))
	c.text("reason", reasons.Bytes, reasons.Ends, nil)
	c.add(bulk.Blob(keys.Bytes, keys.Ends, hasKey))
	c.add(bulk.Blob(values.Bytes, values.Ends, hasValue))
	c.text("headers", headers.Bytes, headers.Ends, nil)
	c.add(bulk.Microseconds(loadedAt, nil))
	if c.err != nil {
		return c.err
	}
	return db.conn.AppendTable(ctx, "pii", "dead_letters", c.list, all)
}

// storedHeader is a header in the column headers. Both parts are bytes to
// Kafka, so both are base64, as encoding/json writes bytes.
type storedHeader struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
}

func formatHeaders(headers []event.Header) ([]byte, error) {
	stored := make([]storedHeader, len(headers))
	for i, h := range headers {
		stored[i] = storedHeader{Key: []byte(h.Key), Value: h.Value}
	}
	return json.Marshal(stored)
}

func parseHeaders(text string) ([]event.Header, error) {
	var stored []storedHeader
	if err := json.Unmarshal([]byte(text), &stored); err != nil {
		return nil, err
	}
	headers := make([]event.Header, len(stored))
	for i, h := range stored {
		headers[i] = event.Header{Key: string(h.Key), Value: h.Value}
	}
	return headers, nil
}
