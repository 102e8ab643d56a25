package event

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/goodhour/goodhour/ingest/identity"
)

// Batch is what a loader commits in one transaction: the rows, the identities
// and links seen in them, the dead letters, and how far each partition moved.
type Batch struct {
	// Topics are the full topic names that Rows.Topic indexes.
	Topics []string
	// Rows by kind; nil for a kind that the batch has none of.
	Rows [NumKinds]*Rows
	// Identities seen in the batch, each once.
	Identities []identity.Identity
	// Links between identities seen in one event, each pair once, A < B.
	Links []SeenLink
	// Unlinks from IdentityUnlinked events, each pair once, A < B.
	Unlinks     []SeenLink
	DeadLetters []DeadLetter
	// Moves has one entry for each partition that the batch advances.
	Moves []Move
	// Records counts the records read, dead letters included.
	Records int
	// Bytes is the memory that the batch's values take.
	Bytes int

	seenIdentities map[identity.ID]struct{}
	seenLinks      map[identity.Link]struct{}
	seenUnlinks    map[identity.Link]struct{}
	spare          [NumKinds]*Rows
	resets         int // tells a decoder that the batch has forgotten whom it saw
}

// Coordinates say where in the log something was read.
type Coordinates struct {
	Topic      uint16 // index into Batch.Topics
	Partition  int32
	Offset     int64
	ReceivedAt int64 // Kafka's timestamp, microseconds UTC
}

// SeenLink is a link, or an unlink, with the record that showed it first.
type SeenLink struct {
	identity.Link
	Coordinates
}

// Partition names a partition of one log: a cluster, a topic and, because a
// topic can be deleted and made anew under its name, the topic's id.
type Partition struct {
	ClusterID string
	Topic     string // full name
	TopicID   string // UUID in Kafka's base64 form; empty where the broker has none
	Partition int32
}

// Position is how far a partition has been loaded.
type Position struct {
	Partition
	NextOffset int64 // the offset to be read next
}

// Move advances a partition from one offset to another; the loader commits it
// only if the stored offset still is From (-1: nothing stored yet).
type Move struct {
	Partition
	From int64
	To   int64
}

// DeadLetter is a record that could not become an event.
type DeadLetter struct {
	Topic      string
	Partition  int32
	Offset     int64
	ReceivedAt time.Time
	// Reason says what is wrong, where, and never quotes the record.
	Reason  string
	Key     []byte
	Value   []byte
	Headers []Header
}

// Header is a Kafka record header.
type Header struct {
	Key   string
	Value []byte
}

// RowsOf returns the batch's rows of a kind, making them on first use.
func (b *Batch) RowsOf(k Kind) *Rows {
	if b.Rows[k] == nil {
		if b.spare[k] == nil {
			b.spare[k] = newRows(k)
		}
		b.Rows[k] = b.spare[k]
	}
	return b.Rows[k]
}

// topicIndex is the position of a topic in Topics. A batch has a handful, and
// the last one is the most likely.
func (b *Batch) topicIndex(topic string) uint16 {
	for i, name := range slices.Backward(b.Topics) {
		if name == topic {
			return uint16(i)
		}
	}
	b.Topics = append(b.Topics, topic)
	return uint16(len(b.Topics) - 1)
}

// addDeadLetter keeps a copy of the record.
func (b *Batch) addDeadLetter(rec *Record, reason string) {
	letter := DeadLetter{
		Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset, ReceivedAt: rec.Time,
		Reason: reason,
		Key:    bytes.Clone(rec.Key), Value: bytes.Clone(rec.Value),
	}
	b.Bytes += 256 + len(reason) + len(rec.Key) + len(rec.Value)
	for _, h := range rec.Headers {
		letter.Headers = append(letter.Headers, Header{Key: h.Key, Value: bytes.Clone(h.Value)})
		b.Bytes += 64 + len(h.Key) + len(h.Value)
	}
	b.DeadLetters = append(b.DeadLetters, letter)
}

// AddIdentity records an identity once.
func (b *Batch) AddIdentity(id identity.Identity) {
	if _, seen := b.seenIdentities[id.ID]; seen {
		return
	}
	if b.seenIdentities == nil {
		b.seenIdentities = make(map[identity.ID]struct{})
	}
	b.seenIdentities[id.ID] = struct{}{}
	b.Identities = append(b.Identities, id)
	b.Bytes += len(id.Value) + 64
}

// AddLink records a link once, with the first record that showed it.
func (b *Batch) AddLink(l identity.Link, at Coordinates) {
	if b.seenLinks == nil {
		b.seenLinks = make(map[identity.Link]struct{})
	}
	if _, seen := b.seenLinks[l]; !seen {
		b.seenLinks[l] = struct{}{}
		b.Links = append(b.Links, SeenLink{Link: l, Coordinates: at})
		b.Bytes += 64
	}
}

// AddUnlink records an unlink once, with the first record that showed it.
func (b *Batch) AddUnlink(l identity.Link, at Coordinates) {
	if b.seenUnlinks == nil {
		b.seenUnlinks = make(map[identity.Link]struct{})
	}
	if _, seen := b.seenUnlinks[l]; !seen {
		b.seenUnlinks[l] = struct{}{}
		b.Unlinks = append(b.Unlinks, SeenLink{Link: l, Coordinates: at})
		b.Bytes += 64
	}
}

// EventCount is the number of rows of all kinds.
func (b *Batch) EventCount() int {
	n := 0
	for _, r := range b.Rows {
		if r != nil {
			n += r.Len()
		}
	}
	return n
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	for k, r := range b.Rows {
		if r != nil {
			r.Reset()
			b.Rows[k] = nil
		}
	}
	b.Topics = b.Topics[:0]
	b.Identities = b.Identities[:0]
	b.Links = b.Links[:0]
	b.Unlinks = b.Unlinks[:0]
	b.DeadLetters = nil
	b.Moves = b.Moves[:0]
	b.Records, b.Bytes = 0, 0
	b.resets++
	clear(b.seenIdentities)
	clear(b.seenLinks)
	clear(b.seenUnlinks)
}

// FencedError says that another loader moved a partition since Move.From was
// read: this one is stale and must read the positions again.
type FencedError struct {
	Move   Move
	Stored int64 // the offset that is stored; -1 for none
}

func (e *FencedError) Error() string {
	return fmt.Sprintf("partition %d of %s stands at offset %d, not at %d: another loader moved it",
		e.Move.Partition.Partition, e.Move.Topic, e.Stored, e.Move.From)
}

// Acceptance is an operator's decision to go on after a break in a log.
type Acceptance struct {
	// Partition as the broker has it now.
	Partition
	// NextOffset is where loading goes on.
	NextOffset int64
	// Break says what was accepted: "gap", "recreated" or "cluster".
	Break string
	// Detail is the error that was accepted, in full.
	Detail string
	// AcceptedBy names the operator, as far as known.
	AcceptedBy string
	AcceptedAt time.Time
}
