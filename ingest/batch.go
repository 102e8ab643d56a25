package ingest

import (
	"errors"
	"time"
)

// Limits say when a batch is closed and handed to the loader: at the first
// one reached. Two batches are in memory at most, the one being loaded and the
// one being filled.
type Limits struct {
	// Records in a batch, dead letters included.
	Records int
	// Bytes of memory that a batch's values take. The record that reaches the
	// limit is still in.
	Bytes int
	// Age is how long a batch may stay open after its first record.
	Age time.Duration
}

func (l Limits) validate() error {
	if l.Records < 1 || l.Bytes < 1 || l.Age <= 0 {
		return errors.New("batch limits must be over zero: records, bytes and age")
	}
	return nil
}

// fill is how full the open batch is.
type fill struct {
	moves   bool // a position advanced: there is something to commit
	records int
	bytes   int
	aged    bool // Limits.Age passed
	awaited bool // someone waits for what is in it
}

// full says that nothing more may go in.
func (l Limits) full(f fill) bool { return f.records >= l.Records || f.bytes >= l.Bytes }

// closes says that the batch should go to the loader as soon as that is free.
// Until then it may grow on, unless it is full.
func (l Limits) closes(f fill) bool { return f.moves && (l.full(f) || f.aged || f.awaited) }
