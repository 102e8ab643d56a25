package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
)

// publishTimeout is how long the log may take to acknowledge a batch.
const publishTimeout = 30 * time.Second

// intake gathers the events of one request that the decoder accepts, and says
// which items it does not.
type intake struct {
	events  []event.Event
	decoder *event.Decoder
	scratch event.Batch
	now     time.Time

	rejected int
	errors   []itemError // the first listedErrorsMax
}

func (s *Server) newIntake() *intake {
	decoder := event.NewDecoder(s.keyer)
	decoder.CustomerNamespace = s.namespace
	return &intake{decoder: decoder, now: s.now()}
}

// add takes the events of one item, all or none.
func (in *intake) add(events ...event.Event) error {
	for i := range events {
		if err := in.check(&events[i]); err != nil {
			return err
		}
	}
	in.events = append(in.events, events...)
	return nil
}

// eventBytesMax bounds a record, so that the log takes it: Kafka's default
// limit of a batch is 1,048,588 bytes.
const eventBytesMax = 900_000

// check decodes the event as it will be read from the log. Reasons never quote it.
func (in *intake) check(e *event.Event) error {
	record, err := e.Record("")
	if err != nil {
		return err
	}
	size := len(record.Key) + len(record.Value)
	for _, h := range record.Headers {
		size += len(h.Key) + len(h.Value)
	}
	if size > eventBytesMax {
		return fmt.Errorf("%d bytes; an event may have %d", size, eventBytesMax)
	}
	record.Time = in.now
	in.scratch.Reset()
	in.decoder.Decode(&record, &in.scratch)
	if len(in.scratch.DeadLetters) > 0 {
		return errors.New(in.scratch.DeadLetters[0].Reason)
	}
	return nil
}

func (in *intake) reject(e itemError) {
	in.rejected++
	if len(in.errors) < listedErrorsMax {
		in.errors = append(in.errors, e)
	}
}

// skipsInvalid reads the parameter invalid: refuse (all or nothing) or skip.
func skipsInvalid(r *http.Request) (bool, error) {
	value, err := choice(r, "invalid", "refuse", "skip")
	return value == "skip", err
}

// accepted is the answer to events or customers in.
type accepted struct {
	Accepted int         `json:"accepted"` // items
	Events   int         `json:"events"`   // published from them
	Rejected int         `json:"rejected"` // items
	Errors   []itemError `json:"errors"`   // the first 100 of the rejected
}

// publish puts the gathered events into the log and answers 202 once the
// broker has them. Unless skip is set, one bad item refuses them all: a caller
// that looks at nothing but the status then never loses an item unseen.
func (s *Server) publish(w http.ResponseWriter, r *http.Request, in *intake, items int, skip bool) error {
	if in.rejected > 0 && !skip {
		p := problemf(problemRejectedItems, "%d of %d items; nothing was published.", in.rejected, items)
		p.errors, p.rejected = in.errors, in.rejected
		return p
	}
	if len(in.events) > 0 {
		if err := s.append(r.Context(), in.events, publishTimeout); err != nil {
			return err
		}
	}
	requestOf(r.Context()).count = int64(len(in.events))
	if in.errors == nil {
		in.errors = []itemError{}
	}
	return writeJSON(w, http.StatusAccepted, accepted{
		Accepted: items - in.rejected, Events: len(in.events), Rejected: in.rejected, Errors: in.errors,
	})
}

// append puts events into the log. A client that leaves meanwhile does not stop
// half a batch.
func (s *Server) append(ctx context.Context, events []event.Event, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	if err := s.publisher.Publish(ctx, events); err != nil {
		return &problem{
			kind: problemUnavailable, detail: "The log did not acknowledge every event; some may be in it.",
			retryAfter: 5 * time.Second, cause: err,
		}
	}
	return nil
}
