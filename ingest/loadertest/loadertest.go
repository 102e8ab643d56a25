// Package loadertest holds what every ingest.Loader must do, as tests: a new
// projection is one more line in a test.
package loadertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
)

// Run tests the loaders that open returns. Each call of open returns an empty
// loader of its own.
func Run(t *testing.T, open func(t *testing.T) ingest.Loader) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(t *testing.T, loader ingest.Loader)
	}{
		{"positions are those of the loads", positions},
		{"a batch of moves alone is committed", movesAlone},
		{"a fenced batch moves nothing", fenced},
		{"a batch loaded twice is fenced", twice},
		{"an ended context loads nothing", ended},
		{"a re-created topic must be accepted first", recreated},
		{"accepting sets the position, forward or back", accept},
		{"a topic id that becomes known is no break", idBecomesKnown},
		{"dead letters load beside events", deadLetters},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

const topic = "goodhour.read"

func partition(n int32) event.Partition {
	return event.Partition{ClusterID: "cluster", Topic: topic, TopicID: "topic-id", Partition: n}
}

// batch returns a batch with events for the records of its moves.
func batch(t *testing.T, moves ...event.Move) *event.Batch {
	t.Helper()
	keyer, err := identity.NewKeyer(bytes.Repeat([]byte{3}, 32))
	if err != nil {
		t.Fatal(err)
	}
	decoder, out := event.NewDecoder(keyer), new(event.Batch)
	for _, m := range moves {
		for offset := max(m.From, 0); offset < m.To; offset++ {
			id := fmt.Sprintf("e-%d-%d", m.Partition.Partition, offset)
			at := time.Date(2026, 11, 20, 8, 0, int(offset), 0, time.UTC)
			e, err := event.New(id, "test", fmt.Sprintf("phone:+55119%08d", offset), at, event.MessageReadData{
				Message: event.Message{MessageID: id, Provider: "sandbox", NumberID: "1"},
			})
			if err != nil {
				t.Fatal(err)
			}
			record, err := e.Record(strings.TrimSuffix(topic, string(event.TopicRead)))
			if err != nil {
				t.Fatal(err)
			}
			record.Partition, record.Offset, record.Time = m.Partition.Partition, offset, at
			decoder.Decode(&record, out)
		}
	}
	if len(out.DeadLetters) > 0 {
		t.Fatal(out.DeadLetters[0].Reason)
	}
	out.Moves = moves
	return out
}

func move(n int32, from, to int64) event.Move {
	return event.Move{Partition: partition(n), From: from, To: to}
}

func load(t *testing.T, loader ingest.Loader, b *event.Batch) {
	t.Helper()
	if err := loader.Load(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func wantPositions(t *testing.T, loader ingest.Loader, want ...event.Position) {
	t.Helper()
	got, err := loader.Positions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b event.Position) int { return int(a.Partition.Partition - b.Partition.Partition) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("positions (-want +got):\n%s", diff)
	}
}

func at(n int32, next int64) event.Position {
	return event.Position{Partition: partition(n), NextOffset: next}
}

func positions(t *testing.T, loader ingest.Loader) {
	wantPositions(t, loader)
	load(t, loader, batch(t, move(0, -1, 10), move(1, -1, 3)))
	wantPositions(t, loader, at(0, 10), at(1, 3))
	load(t, loader, batch(t, move(1, 3, 8)))
	wantPositions(t, loader, at(0, 10), at(1, 8))
}

func movesAlone(t *testing.T, loader ingest.Loader) {
	load(t, loader, &event.Batch{Moves: []event.Move{move(0, -1, 0)}})
	wantPositions(t, loader, at(0, 0))
	load(t, loader, &event.Batch{Moves: []event.Move{move(0, 0, 7)}})
	wantPositions(t, loader, at(0, 7))
}

func fenced(t *testing.T, loader ingest.Loader) {
	load(t, loader, batch(t, move(0, -1, 10)))
	err := loader.Load(t.Context(), batch(t, move(1, -1, 5), move(0, 8, 12)))
	var stale *event.FencedError
	if !errors.As(err, &stale) {
		t.Fatalf("loading from a stale position: %v", err)
	}
	if stale.Stored != 10 || stale.Move.From != 8 || stale.Move.Partition != partition(0) {
		t.Errorf("the error is %+v", stale)
	}
	wantPositions(t, loader, at(0, 10)) // nothing of partition 1 either
	load(t, loader, batch(t, move(1, -1, 5), move(0, 10, 12)))
	wantPositions(t, loader, at(0, 12), at(1, 5))
}

func twice(t *testing.T, loader ingest.Loader) {
	b := batch(t, move(0, -1, 10))
	load(t, loader, b)
	var stale *event.FencedError
	if err := loader.Load(t.Context(), b); !errors.As(err, &stale) {
		t.Fatalf("the same batch again: %v", err)
	}
	wantPositions(t, loader, at(0, 10))
}

func ended(t *testing.T, loader ingest.Loader) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := loader.Load(ctx, batch(t, move(0, -1, 10))); err == nil {
		t.Fatal("a load with an ended context says that it was done")
	}
	wantPositions(t, loader)
	load(t, loader, batch(t, move(0, -1, 10)))
	wantPositions(t, loader, at(0, 10))
}

func recreated(t *testing.T, loader ingest.Loader) {
	load(t, loader, batch(t, move(0, -1, 10)))
	for _, id := range []event.Partition{
		{ClusterID: "cluster", Topic: topic, TopicID: "another", Partition: 0},
		{ClusterID: "another", Topic: topic, TopicID: "topic-id", Partition: 0},
	} {
		for _, from := range []int64{-1, 10} {
			if err := loader.Load(t.Context(), &event.Batch{Moves: []event.Move{{Partition: id, From: from, To: 20}}}); err == nil {
				t.Errorf("a move from %d in %+v was loaded", from, id)
			}
		}
	}
	wantPositions(t, loader, at(0, 10))
}

func accept(t *testing.T, loader ingest.Loader) {
	load(t, loader, batch(t, move(0, -1, 10), move(1, -1, 5)))
	other := event.Partition{ClusterID: "cluster", Topic: topic, TopicID: "another", Partition: 0}
	for _, a := range []event.Acceptance{
		{Partition: partition(1), NextOffset: 50, Break: ingest.BreakGap},
		{Partition: other, NextOffset: 2, Break: ingest.BreakRecreated},
	} {
		a.Detail, a.AcceptedBy, a.AcceptedAt = "what happened", "ana", time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)
		if err := loader.Accept(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	wantPositions(t, loader, event.Position{Partition: other, NextOffset: 2}, at(1, 50))
	load(t, loader, &event.Batch{Moves: []event.Move{{Partition: other, From: 2, To: 4}, move(1, 50, 51)}})
	wantPositions(t, loader, event.Position{Partition: other, NextOffset: 4}, at(1, 51))
}

func idBecomesKnown(t *testing.T, loader ingest.Loader) {
	unnamed := partition(0)
	unnamed.TopicID = ""
	load(t, loader, &event.Batch{Moves: []event.Move{{Partition: unnamed, From: -1, To: 10}}})
	load(t, loader, batch(t, move(0, 10, 12)))
	wantPositions(t, loader, at(0, 12))
}

func deadLetters(t *testing.T, loader ingest.Loader) {
	b := batch(t, move(0, -1, 3))
	b.DeadLetters = append(b.DeadLetters, event.DeadLetter{
		Topic: topic, Partition: 0, Offset: 3, ReceivedAt: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC),
		Reason: "not an event", Value: []byte("not an event"),
	})
	b.Records++
	b.Moves[0].To = 4
	load(t, loader, b)
	wantPositions(t, loader, at(0, 4))
}
