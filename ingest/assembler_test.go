package ingest

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
)

// assembly is an assembler between a fetcher and a loader that the test plays.
type assembly struct {
	*assembler
	answers chan fetched
	flow    *flow
	cancel  context.CancelFunc
	next    int64
}

func newAssembly(t *testing.T, limits Limits) *assembly {
	t.Helper()
	keyer, err := identity.NewKeyer(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	c := &Consumer{
		cfg: ConsumerConfig{
			NewDecoder: func() *event.Decoder { return event.NewDecoder(keyer) }, Limits: limits,
			Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		},
		wake: make(chan struct{}, 1),
	}
	ctx, cancel := context.WithCancel(t.Context())
	a := &assembly{
		assembler: newAssembler(c, [2]*event.Batch{{}, {}}), answers: make(chan fetched), cancel: cancel,
		flow: &flow{id: event.Partition{Topic: "goodhour.read"}, stored: -1, from: -1},
	}
	go func() {
		defer close(a.closed)
		a.run(ctx, a.answers)
	}()
	t.Cleanup(cancel)
	return a
}

// answer is a chunk with n records, which will all be dead letters.
func (a *assembly) answer(t *testing.T, n int) fetched {
	t.Helper()
	raw := batchOf{base: a.next, values: make([]string, n)}.bytes(t)
	c := chunk{flow: a.flow, from: a.next, next: a.next + int64(n), batches: raw}
	a.next = c.next
	return fetched{chunks: []chunk{c}, release: func() {}}
}

// offer reports whether the assembler takes an answer without waiting.
func (a *assembly) offer(answer fetched) bool {
	synctest.Wait()
	select {
	case a.answers <- answer:
		return true
	default:
		return false
	}
}

// take reports what is ready for the loader: how many records, or -1.
func (a *assembly) take() int {
	synctest.Wait()
	select {
	case batch := <-a.closed:
		n := batch.Records
		batch.Reset()
		a.free <- batch
		return n
	default:
		return -1
	}
}

func TestASlowLoaderHoldsUpTheFetcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAssembly(t, Limits{Records: 10, Bytes: 1 << 20, Age: time.Hour})
		defer a.cancel()
		if !a.offer(a.answer(t, 25)) {
			t.Fatal("the first answer was not taken")
		}
		// The loader has taken nothing: 10 records are closed, and the rest of
		// the answer waits with its bytes.
		waiting := a.answer(t, 5)
		if a.offer(waiting) {
			t.Fatal("another answer was taken while a full batch waits")
		}
		if n := a.take(); n != 10 {
			t.Fatalf("the first batch has %d records", n)
		}
		if a.offer(waiting) {
			t.Fatal("another answer was taken while the second full batch waits")
		}
		if n := a.take(); n != 10 {
			t.Fatalf("the second batch has %d records", n)
		}
		if !a.offer(waiting) {
			t.Fatal("an answer was not taken although there is room")
		}
		if n := a.take(); n != 10 {
			t.Fatalf("the third batch has %d records", n)
		}
	})
}

func TestAnOpenBatchIsClosedByAgeAndByWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAssembly(t, Limits{Records: 1000, Bytes: 1 << 20, Age: time.Second})
		defer a.cancel()
		a.offer(a.answer(t, 3))
		if n := a.take(); n != -1 {
			t.Fatalf("a batch of %d records was closed at once", n)
		}
		<-time.After(time.Second) // of the bubble's clock
		// Aged, it still grows until the loader is free.
		a.offer(a.answer(t, 4))
		if n := a.take(); n != 7 {
			t.Fatalf("the aged batch has %d records, want 7", n)
		}
		a.offer(a.answer(t, 2))
		if n := a.take(); n != -1 {
			t.Fatalf("a batch of %d records was closed before its age", n)
		}
		a.consumer.awaited.Add(1)
		poke(a.consumer.wake)
		if n := a.take(); n != 2 {
			t.Fatalf("the awaited batch has %d records, want 2", n)
		}
	})
}

func TestAnUnreadableBatchBecomesADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAssembly(t, Limits{Records: 5, Bytes: 1 << 20, Age: time.Hour})
		defer a.cancel()
		damaged := a.answer(t, 3)
		raw := damaged.chunks[0].batches
		raw[len(raw)-1] ^= 1
		a.offer(damaged)
		good := a.answer(t, 4)
		a.offer(good)
		synctest.Wait()
		batch := <-a.closed
		if len(batch.DeadLetters) != 5 {
			t.Fatalf("the batch has %d dead letters", len(batch.DeadLetters))
		}
		letter := batch.DeadLetters[0]
		if letter.Offset != 0 || !bytes.Equal(letter.Value, raw) || !strings.Contains(letter.Reason, "offsets 0 to 2") ||
			!strings.Contains(letter.Reason, errChecksum.Error()) {
			t.Errorf("the dead letter is %+v", letter)
		}
		if got := batch.Moves[0]; got.From != -1 || got.To != 7 {
			t.Errorf("the move is %+v, want -1 to 7", got)
		}
	})
}

func TestRecordsBelowThePositionAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAssembly(t, Limits{Records: 100, Bytes: 1 << 20, Age: time.Hour})
		defer a.cancel()
		// A broker answers with the whole batch that holds the offset asked for.
		answer := a.answer(t, 10)
		answer.chunks[0].from = 6
		a.offer(answer)
		close(a.answers)
		synctest.Wait()
		batch := <-a.closed
		if batch.Records != 4 || batch.DeadLetters[0].Offset != 6 || batch.Moves[0].To != 10 {
			t.Errorf("%d records from offset %d, moved to %d", batch.Records, batch.DeadLetters[0].Offset, batch.Moves[0].To)
		}
	})
}

func TestSkipTagsSkipsWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	f := func(in []byte, want string, ok bool) {
		t.Helper()
		got, err := skipTags(in)
		if (err == nil) != ok || string(got) != want {
			t.Errorf("skipTags(%v) = %q, %v", in, got, err)
		}
	}
	f([]byte{0, 'x'}, "x", true)
	f([]byte{1, 7, 2, 'a', 'b', 'x'}, "x", true)
	f([]byte{2, 7, 0, 8, 1, 'a', 'x'}, "x", true)
	f([]byte{0}, "", true)
	f(nil, "", false)
	f([]byte{1, 7, 9, 'a'}, "", false)
	f([]byte{1, 7}, "", false)
	f(binary.AppendUvarint([]byte{1, 7}, 1<<63), "", false)
}
