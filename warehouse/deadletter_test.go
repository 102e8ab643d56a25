package warehouse_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/warehouse"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

func oddLetters() []event.DeadLetter {
	at := time.Date(2026, 11, 24, 10, 0, 0, 123_000, time.UTC)
	return []event.DeadLetter{
		{
			Topic: "goodhour.read", Partition: 2, Offset: 17, ReceivedAt: at, Reason: "not JSON at byte 3",
			Key: []byte("phone:+5511999990000"), Value: []byte("{\"a\xff\x00'; drop table pii.dead_letters; --"),
			Headers: []event.Header{
				{Key: "ce_id", Value: []byte("1")}, {Key: "ce_id", Value: []byte{}}, {Key: "\xff\x00", Value: nil},
			},
		},
		// A tombstone: no key, no value.
		{Topic: "goodhour.purchase", Offset: 1, ReceivedAt: at, Reason: "no value", Headers: []event.Header{}},
		{
			Topic: "goodhour.read", Offset: 3, ReceivedAt: at, Reason: "unknown type", Key: []byte{},
			Value: []byte(strings.Repeat("x", 200_000)), Headers: []event.Header{},
		},
	}
}

func loadLetters(t testing.TB, db *warehouse.DB, letters ...event.DeadLetter) {
	t.Helper()
	if err := db.Load(t.Context(), &event.Batch{DeadLetters: letters}); err != nil {
		t.Fatal(err)
	}
}

func TestDeadLettersComeBackByteForByte(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	want := oddLetters()
	loadLetters(t, db, want[:1]...)
	loadLetters(t, db, want[1:]...)
	for i, letter := range want {
		id := int64(i + 1)
		got, err := db.DeadLetter(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(event.StoredDeadLetter{ID: id, DeadLetter: letter}, got); diff != "" {
			t.Errorf("letter %d: %.2000s", id, diff)
		}
	}
	for _, id := range []int64{0, -1, 4} {
		if _, err := db.DeadLetter(t.Context(), id); !errors.Is(err, warehouse.ErrNoDeadLetter) {
			t.Errorf("letter %d: %v", id, err)
		}
	}
}

func TestDeadLettersAreListedByTopicStateAndPage(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	loadLetters(t, db, oddLetters()...)
	if err := db.MarkReplayed(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	f := func(filter warehouse.DeadLetterFilter, want ...int64) []warehouse.DeadLetterSummary {
		t.Helper()
		got, err := db.DeadLetters(t.Context(), filter)
		if err != nil {
			t.Fatal(err)
		}
		var ids []int64
		for _, s := range got {
			ids = append(ids, s.ID)
		}
		if diff := cmp.Diff(want, ids); diff != "" {
			t.Errorf("%+v: %s", filter, diff)
		}
		return got
	}
	all := f(warehouse.DeadLetterFilter{}, 1, 2, 3)
	f(warehouse.DeadLetterFilter{Topic: "goodhour.read"}, 1, 3)
	f(warehouse.DeadLetterFilter{Topic: "' or true --"})
	f(warehouse.DeadLetterFilter{Unreplayed: true}, 2, 3)
	f(warehouse.DeadLetterFilter{Limit: 2}, 1, 2)
	f(warehouse.DeadLetterFilter{Limit: 2, AfterID: 2}, 3)

	want := warehouse.DeadLetterSummary{
		ID: 1, Topic: "goodhour.read", Partition: 2, Offset: 17, ReceivedAt: time.Date(2026, 11, 24, 10, 0, 0, 123_000, time.UTC),
		LoadedAt: warehousetest.Now(), Reason: "not JSON at byte 3", ReplayedAt: warehousetest.Now(),
		Bytes: int64(len("phone:+5511999990000")+len("{\"a\xff\x00'; drop table pii.dead_letters; --")) +
			int64(len(`[{"key":"Y2VfaWQ=","value":"MQ=="},{"key":"Y2VfaWQ=","value":""},{"key":"/wA=","value":null}]`)),
	}
	if diff := cmp.Diff(want, all[0]); diff != "" {
		t.Error(diff)
	}
	if err := db.MarkReplayed(t.Context(), 4); !errors.Is(err, warehouse.ErrNoDeadLetter) {
		t.Errorf("got %v", err)
	}
}

func TestDeadLettersArePublishedFromACursor(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	f := func(limit int, want string) {
		t.Helper()
		letters, err := db.UnpublishedDeadLetters(t.Context(), limit)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, l := range letters {
			got += fmt.Sprint(l.ID, l.Reason, " ")
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	mark := func(id int64) {
		t.Helper()
		if err := db.MarkPublished(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	f(10, "")
	loadLetters(t, db, event.DeadLetter{Reason: "a"}, event.DeadLetter{Reason: "b"}, event.DeadLetter{Reason: "c"})
	f(2, "1a 2b ")
	mark(2)
	f(2, "3c ")
	loadLetters(t, db, event.DeadLetter{Reason: "d"})
	f(10, "3c 4d ")
	mark(4)
	mark(3) // late, from a publisher that was slow: never goes back
	f(10, "")
	got, err := db.DeadLetters(t.Context(), warehouse.DeadLetterFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range got {
		if !s.Published {
			t.Errorf("%d is not published", s.ID)
		}
	}
}

func TestManyDeadLettersBesideEvents(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	var b event.Batch
	appendEvents(t, &b, order("shop", "1", 0, "good"))
	for i := range 10_000 {
		b.DeadLetters = append(b.DeadLetters, event.DeadLetter{
			Topic: testTopic, Offset: int64(i), Reason: "not JSON", Value: fmt.Append(nil, "value ", i),
		})
	}
	b.Moves = []event.Move{{Partition: partition(0), From: -1, To: 10_001}}
	if err := db.Load(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	got := warehousetest.Query(t, db, `
		select count(*), count(distinct id), count(*) filter (decode("value") = 'value ' || "offset"), max(id) from pii.dead_letters`)
	if diff := cmp.Diff([][]string{{"10000", "10000", "10000", "10000"}}, got); diff != "" {
		t.Error(diff)
	}
	if got := orderIDs(t, db); got != "good" {
		t.Errorf("got %s", got)
	}
}
