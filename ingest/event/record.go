package event

import (
	"encoding/json"
	"time"
)

// Limits of a record. What is over them is a dead letter.
const (
	MaxValueBytes     = 1 << 20 // of a value: Kafka's own default for a message
	MaxAttributeBytes = 1024    // of id, source, type, subject, time
	MaxTextChars      = 64 << 10
	MaxFields         = 512 // of the data, and of each object in it that has columns
	MaxExternalIDs    = 16  // of one event: each is linked to each other
)

// maxAhead is how far an event's time may lie after Kafka's timestamp, in
// microseconds: a wrong clock, or a time zone lost on the way.
const maxAhead = microsPerDay

// Record is a Kafka record as it was read. Its slices are only borrowed.
type Record struct {
	Topic     string // full name
	Partition int32
	Offset    int64
	Time      time.Time // Kafka's own timestamp; becomes received_at
	Key       []byte
	Value     []byte
	Headers   []Header
}

// ImportSource begins the source of every event that an import makes of a file.
const ImportSource = "import:"

// TopicSource begins the source of every event that a select makes of a record
// of a topic that is not goodhour's.
const TopicSource = "topic:"

// Event is one event on its way out: what a producer publishes.
type Event struct {
	// ID is unique within Source: two events with both equal are one.
	ID     string
	Source string
	Kind   Kind
	// Subject is whom it is about, as identity.ParseSubject reads it. It is
	// also the record's key, so that a person's events stay in order.
	Subject string
	// Time is when it happened; kept to the microsecond.
	Time time.Time
	// Data is a JSON object; see Data for typed ones.
	Data json.RawMessage
}
