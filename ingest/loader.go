package ingest

import (
	"context"

	"github.com/goodhour/goodhour/ingest/event"
)

// Loader is a projection of the topics: the warehouse, and the sender's
// ledger. Each keeps its own offsets in its own file, in the same transaction
// as what it derives from the records, so every record counts exactly once.
type Loader interface {
	// Positions returns how far each partition has been loaded.
	Positions(ctx context.Context) ([]event.Position, error)
	// Load commits the batch in one transaction. Each of its moves is a
	// compare-and-set: if the stored offset is not Move.From, nothing is
	// written and the error is an *event.FencedError.
	// After any other error nothing is written either, and the caller reads
	// Positions again before it goes on.
	Load(ctx context.Context, batch *event.Batch) error
	// Accept sets a partition's position by an operator's decision after the
	// log broke (a gap, a re-created topic, another cluster), and keeps a
	// record of the decision.
	Accept(ctx context.Context, acceptance event.Acceptance) error
}
