package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/ledger"
)

// batchItemsMax bounds the items of one POST; listedErrorsMax how many of the
// refused ones are described.
const (
	batchItemsMax   = 10_000
	listedErrorsMax = 100
)

// postEvents takes CloudEvents in, for those without Kafka. Each is put
// through the decoder that will read it from the log, so what is accepted
// cannot become a dead letter.
func (s *Server) postEvents(w http.ResponseWriter, r *http.Request) error {
	skip, err := skipsInvalid(r)
	if err != nil {
		return err
	}
	info := requestOf(r.Context())
	items, err := eventItems(info)
	if err != nil {
		return err
	}
	in := s.newIntake()
	for i, item := range items {
		e, err := cloudEvent(item)
		if err == nil {
			err = in.add(e)
		}
		if err != nil {
			in.reject(itemError{Index: i, Detail: err.Error()})
		}
	}
	return s.publish(w, r, in, len(items), skip)
}

// eventItems splits the body into events.
func eventItems(info *request) ([]json.RawMessage, error) {
	if info.mediaType == mediaEvent {
		var one json.RawMessage
		if err := readJSON(info.body, &one); err != nil {
			return nil, err
		}
		return []json.RawMessage{one}, nil
	}
	return jsonItems(info.body)
}

// jsonItems splits a body that is a JSON array.
func jsonItems(body []byte) ([]json.RawMessage, error) {
	var items []json.RawMessage
	if err := readJSON(body, &items); err != nil {
		return nil, err
	}
	if items == nil {
		return nil, problemf(problemInvalidBody, "Want a JSON array, got null.")
	}
	if len(items) > batchItemsMax {
		return nil, problemf(problemTooLarge, "A batch may have %d items, this one has %d.", batchItemsMax, len(items))
	}
	return items, nil
}

// cloudEvent reads one event in CloudEvents' JSON format.
func cloudEvent(item json.RawMessage) (event.Event, error) {
	var e event.Event
	if err := e.UnmarshalJSON(item); err != nil {
		return event.Event{}, err
	}
	if e.Kind.Spec().Topic == event.TopicSend {
		return event.Event{}, errors.New("type: only goodhour's own sender says what it did")
	}
	if e.Kind == event.ConsentChanged {
		var consent event.ConsentChangedData
		// What cannot be read the decoder refuses, with its reason.
		if json.Unmarshal(e.Data, &consent) == nil && consent.State == "opted_in" && ledger.Undoes(consent.Source) {
			return event.Event{}, fmt.Errorf("data.source: an opt-in of source %s undoes a STOP: it comes by the provider's webhook or the topic, not by this API", consent.Source)
		}
	}
	return e, nil
}
