package warehouse_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/warehouse"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

var _ ingest.Loader = (*warehouse.DB)(nil)

func load(t testing.TB, db *warehouse.DB, events ...given) {
	t.Helper()
	var b event.Batch
	appendEvents(t, &b, events...)
	if err := db.Load(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
}

func order(source, id string, at int64, orderID string) given {
	return given{
		kind: event.OrderCompleted, source: source, id: id, at: at, identity: customer(1),
		values: map[string]any{"order_id": orderID, "amount": int64(1_234_500), "currency": "EUR"},
	}
}

const minute = int64(60_000_000)

func orderIDs(t testing.TB, db *warehouse.DB) string {
	t.Helper()
	rows := warehousetest.Query(t, db, "select string_agg(order_id, ' ' order by order_id) from raw.order_completed")
	return rows[0][0]
}

func TestFirstRowOfABatchWins(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	load(t, db, order("shop", "1", 0, "first"), order("shop", "2", 0, "other"), order("shop", "1", 0, "second"))
	if got := orderIDs(t, db); got != "first other" {
		t.Errorf("got %s", got)
	}
}

func TestEventOfAnEarlierBatchIsKept(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	load(t, db, order("shop", "1", 5*minute, "first"))
	load(t, db, order("shop", "1", 5*minute, "again"), order("shop", "2", 0, "new"), order("shop", "3", 9*minute, "new"))
	load(t, db, order("shop", "2", 0, "again"))
	if got := orderIDs(t, db); got != "first new new" {
		t.Errorf("got %s", got)
	}
}

func TestDuplicatesAreFoundAcrossYears(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	const year = 365 * 24 * 60 * minute
	var history []given
	for i := range 5000 {
		history = append(history, order("shop", fmt.Sprint(i), int64(i)*year/1000, "first"))
	}
	load(t, db, history...)
	var again []given
	for i := 0; i < 5000; i += 1250 {
		again = append(again, order("shop", fmt.Sprint(i), int64(i)*year/1000, "again"))
	}
	load(t, db, append(again, order("shop", "new", 2*year, "new"))...)
	got := warehousetest.Query(t, db, "select order_id, count(*) from raw.order_completed group by all order by all")
	if diff := cmp.Diff([][]string{{"first", "5000"}, {"new", "1"}}, got); diff != "" {
		t.Error(diff)
	}
}

// An id that comes with two times is a mistake of its producer. Load does not
// search all of history for it; the tables show it.
func TestOneIDWithTwoFarTimesIsTwoRows(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	load(t, db, order("shop", "1", 0, "a"))
	load(t, db, order("shop", "1", 60*minute, "b"))
	got := warehousetest.Query(t, db,
		"select ce_source, ce_id from raw.order_completed group by all having count(distinct ce_time) > 1")
	if diff := cmp.Diff([][]string{{"shop", "1"}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestSameIDOfAnotherSourceOrKindIsAnotherEvent(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	refund := order("shop", "1", 0, "refund")
	refund.kind = event.OrderRefunded
	load(t, db, order("shop", "1", 0, "shop"), order("shop2", "1", 0, "shop2"), refund)
	load(t, db, order("shop3", "1", 0, "shop3"), order("sho", "p1", 0, "sho"))
	if got := orderIDs(t, db); got != "sho shop shop2 shop3" {
		t.Errorf("got %s", got)
	}
	if got := warehousetest.Query(t, db, "select order_id from raw.order_refunded"); got[0][0] != "refund" {
		t.Errorf("got %v", got)
	}
}

func TestEveryColumnIsStoredAsItIs(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	who := identity.ID{0x80, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	load(t, db,
		given{
			kind: event.MessageAttempted, source: "goodhour", id: "e1", at: 1_000_001, identity: who, partition: 3, offset: 42,
			values: map[string]any{
				"message_id": "m1", "send_hour_local": int64(-7), "propensity": 0.1, "cost_estimate": int64(-12_345),
				"content_has_link": true, "content_opens_with_name": false,
			},
		},
		given{
			kind: event.DecisionMade, source: "goodhour", id: "e2", at: -1,
			values: map[string]any{"delay_until": int64(2_000_000), "inputs": `{"a":1}`},
		},
		given{
			kind: event.MessageReceived, source: "meta", id: "e3", identity: who,
			values: map[string]any{"kind": "text", "text": "Olá", "text_chars": int64(3)}, extra: `{"x":"y"}`,
		},
		given{kind: event.MessageReceived, source: "meta", id: "e4", values: map[string]any{"kind": "image"}},
	)
	want := []struct {
		query string
		row   string
	}{
		{
			`select ce_source, ce_id, ce_time, identity_id, message_id, attempt_id, send_hour_local, propensity, cost_estimate,
				content_has_link, content_opens_with_name, content_has_call_to_action, topic, "partition", "offset", received_at
			from raw.message_attempted`,
			"goodhour|e1|1970-01-01 00:00:01.000001|80010203-0405-0607-0809-0a0b0c0d0e0f|m1|NULL|-7|0.1|-1.2345|" +
				"true|false|NULL|goodhour.test|3|42|1970-01-01 00:00:01.000002",
		},
		{
			"select ce_time, identity_id, delay_until, inputs from raw.decision_made",
			`1969-12-31 23:59:59.999999|NULL|1970-01-01 00:00:02|{"a":1}`,
		},
		{
			"select ce_source, ce_id, ce_time, identity_id, text, payload, extra from pii.message_received",
			`meta|e3|1970-01-01 00:00:00|80010203-0405-0607-0809-0a0b0c0d0e0f|Olá|NULL|{"x":"y"}`,
		},
		{"select string_agg(kind, ' ' order by kind), sum(text_chars) from raw.message_received", "image text|3"},
		{"select count(*) from pii.message_attempted", "0"},
	}
	for _, w := range want {
		got := warehousetest.Query(t, db, w.query)
		if len(got) != 1 || strings.Join(got[0], "|") != w.row {
			t.Errorf("%s\n got %v\nwant %s", w.query, got, w.row)
		}
	}
}

func TestDuplicateAddsNothingPersonal(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	reply := given{kind: event.MessageReceived, source: "meta", id: "1", values: map[string]any{"text": "first"}}
	again := reply
	again.values = map[string]any{"text": "again"}
	silent := given{kind: event.MessageReceived, source: "meta", id: "2", values: map[string]any{"kind": "image"}}
	late := silent
	late.values = map[string]any{"text": "late"}
	load(t, db, reply, silent, again)
	load(t, db, late, again)
	got := warehousetest.Query(t, db, "select ce_id, text from pii.message_received")
	if diff := cmp.Diff([][]string{{"1", "first"}}, got); diff != "" {
		t.Error(diff)
	}
}

// hostile texts: each must come back byte for byte.
func hostile() []string {
	return []string{
		"", " ", "'", `"`, `\`, "'; drop table raw.order_completed; --", "$1", "?", "%s", "NULL", "null",
		"a\x00b", "\x00", "twelve bytes", "thirteen byte", "\u202eabc", "🙂🙂🙂🙂", "é", "e\u0301", "\uFFFD", "\uFEFFbom",
		"line\r\nline\ttab", "\x7f\x01\x1f", "中文退订中文退订", strings.Repeat("長", 700_000),
	}
}

func TestHostileTextIsStoredVerbatim(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	var events []given
	texts := hostile()
	for i, text := range texts {
		// As a data column, as personal text, and as both halves of the key.
		events = append(events,
			given{
				kind: event.MessageReceived, source: text, id: fmt.Sprint(i), identity: customer(i),
				values: map[string]any{"kind": text, "text": text, "number_id": text},
			},
			given{kind: event.LinkClicked, source: "web", id: text, values: map[string]any{"url": text, "token": fmt.Sprint(i)}},
		)
	}
	load(t, db, events...)
	load(t, db, events...) // and all of them are found again
	if err := db.View(t.Context(), func(conn *sql.Conn) error {
		for i, want := range texts {
			var got [4]string
			err := conn.QueryRowContext(t.Context(), `
				select raw.ce_source, raw.kind, pii.text, raw.number_id
				from raw.message_received as raw join pii.message_received as pii using (ce_source, ce_id)
				where ce_id = ?`, fmt.Sprint(i)).Scan(&got[0], &got[1], &got[2], &got[3])
			if err != nil {
				return fmt.Errorf("text %d: %w", i, err)
			}
			if got != [4]string{want, want, want, want} {
				t.Errorf("text %d: got %.60q, want %.60q", i, got, want)
			}
			var id, url string
			if err := conn.QueryRowContext(t.Context(), "select ce_id, url from raw.link_clicked where token = ?",
				fmt.Sprint(i)).Scan(&id, &url); err != nil {
				return fmt.Errorf("click %d: %w", i, err)
			}
			if id != want || url != want {
				t.Errorf("click %d: got %.60q and %.60q, want %.60q", i, id, url, want)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got := warehousetest.Query(t, db, "select (select count(*) from raw.message_received), (select count(*) from raw.link_clicked)")
	if want := fmt.Sprint(len(texts)); got[0][0] != want || got[0][1] != want {
		t.Errorf("got %v rows, want %s each", got, want)
	}
}

func TestBrokenUTF8IsRefusedAndNothingIsWritten(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	f := func(source, id, text string) {
		t.Helper()
		var b event.Batch
		appendEvents(t, &b, order("shop", "good", 0, "good"), given{
			kind: event.MessageReceived, source: source, id: id, values: map[string]any{"text": text},
		})
		b.Moves = []event.Move{{Partition: partition(0), From: -1, To: 2}}
		err := db.Load(t.Context(), &b)
		if err == nil || !strings.Contains(err.Error(), "not UTF-8") {
			t.Errorf("got %v", err)
		}
		checkEmpty(t, db)
	}
	f("meta", "1", "\xff")
	f("meta", "\xc3", "x")
	f("\xe4\xb8", "1", "x")
	// Valid together, broken apart.
	f("meta\xc3", "\xa9", "x")
}

func checkEmpty(t testing.TB, db *warehouse.DB) {
	t.Helper()
	got := warehousetest.Query(t, db, `
		select table_name from duckdb_tables()
		where schema_name in ('raw', 'pii', 'ops') and table_name <> 'migrations' and estimated_size > 0`)
	if len(got) > 0 {
		t.Errorf("rows in %v", got)
	}
}

func TestEmptyBatchOnlyMoves(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	b := event.Batch{Moves: []event.Move{
		{Partition: partition(1), From: -1, To: 7}, {Partition: partition(0), From: -1, To: 0},
	}}
	if err := db.Load(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	b.Moves = []event.Move{{Partition: partition(1), From: 7, To: 9}}
	if err := db.Load(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if err := db.Load(t.Context(), &event.Batch{}); err != nil {
		t.Fatal(err)
	}
	checkPositions(t, db, event.Position{Partition: partition(0)}, event.Position{Partition: partition(1), NextOffset: 9})
}

func checkPositions(t testing.TB, db *warehouse.DB, want ...event.Position) {
	t.Helper()
	got, err := db.Positions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestStaleMoveIsFencedAndNothingIsWritten(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	f := func(from, stored int64) {
		t.Helper()
		var b event.Batch
		appendEvents(t, &b, order("shop", fmt.Sprint(from), 0, "stale"))
		b.AddIdentity(identity.Identity{ID: customer(1), Namespace: "phone", Value: "+1"})
		// The move of the other partition is good, and must be undone.
		good := event.Move{Partition: partition(5), From: -1, To: 10}
		stale := event.Move{Partition: partition(1), From: from, To: 99}
		b.Moves = []event.Move{good, stale}
		var fenced *event.FencedError
		if err := db.Load(t.Context(), &b); !errors.As(err, &fenced) {
			t.Fatalf("got %v", err)
		}
		if diff := cmp.Diff(event.FencedError{Move: stale, Stored: stored}, *fenced); diff != "" {
			t.Error(diff)
		}
	}
	f(4, -1)
	checkEmpty(t, db)
	b := event.Batch{Moves: []event.Move{{Partition: partition(1), From: -1, To: 7}}}
	if err := db.Load(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	f(-1, 7)
	f(6, 7)
	f(8, 7)
	checkPositions(t, db, event.Position{Partition: partition(1), NextOffset: 7})
	if got := orderIDs(t, db); got != "NULL" {
		t.Errorf("rows were written: %s", got)
	}
}

func TestOfTwoLoadersAtOnceOneIsFenced(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	const loaders = 4
	from := int64(-1)
	for round := range 20 {
		errs := make(chan error, loaders)
		for loader := range loaders {
			var b event.Batch
			appendEvents(t, &b, order("shop", fmt.Sprint(round, " ", loader), 0, "x"))
			b.Moves = []event.Move{{Partition: partition(0), From: from, To: int64(round)}}
			go func() { errs <- db.Load(t.Context(), &b) }()
		}
		won := 0
		for range loaders {
			var fenced *event.FencedError
			if err := <-errs; err == nil {
				won++
			} else if !errors.As(err, &fenced) || fenced.Stored != int64(round) {
				t.Errorf("round %d: %v", round, err)
			}
		}
		if won != 1 {
			t.Errorf("round %d: %d loaders won", round, won)
		}
		from = int64(round)
	}
	if got := warehousetest.Query(t, db, "select count(*) from raw.order_completed"); got[0][0] != "20" {
		t.Errorf("got %v", got)
	}
}

func TestMoveInAnotherLogNeedsAcceptance(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	move := func(p event.Partition, from, to int64) error {
		return db.Load(t.Context(), &event.Batch{Moves: []event.Move{{Partition: p, From: from, To: to}}})
	}
	p := partition(0)
	p.TopicID = ""
	if err := move(p, -1, 5); err != nil {
		t.Fatal(err)
	}
	// The broker begins to tell topic ids.
	p.TopicID = "topic-id"
	if err := move(p, 5, 6); err != nil {
		t.Fatal(err)
	}
	recreated, elsewhere := p, p
	recreated.TopicID = "another-topic-id"
	elsewhere.ClusterID = "another-cluster"
	for _, other := range []event.Partition{recreated, elsewhere} {
		for _, from := range []int64{-1, 6} {
			var fenced *event.FencedError
			err := move(other, from, 7)
			if err == nil || errors.As(err, &fenced) || !strings.Contains(err.Error(), "must be accepted") {
				t.Errorf("from %d in %v: got %v", from, other, err)
			}
		}
	}
	checkPositions(t, db, event.Position{Partition: p, NextOffset: 6})

	err := db.Accept(t.Context(), event.Acceptance{
		Partition: recreated, NextOffset: 0, Break: "recreated", Detail: "the topic's id changed",
		AcceptedBy: "ana", AcceptedAt: warehousetest.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	checkPositions(t, db, event.Position{Partition: recreated})
	if err := move(recreated, 0, 3); err != nil {
		t.Error(err)
	}
	got := warehousetest.Query(t, db, `select columns(* exclude accepted_at) from ops.acceptances`)
	want := [][]string{{
		"cluster", testTopic, "another-topic-id", "0", "0", "cluster", "topic-id", "6",
		"recreated", "the topic's id changed", "ana",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAcceptOfAPartitionThatStandsNowhere(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	a := event.Acceptance{Partition: partition(2), NextOffset: 40, Break: "gap", AcceptedAt: warehousetest.Now()}
	if err := db.Accept(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	checkPositions(t, db, event.Position{Partition: partition(2), NextOffset: 40})
	got := warehousetest.Query(t, db, "select previous_cluster_id, previous_topic_id, previous_offset from ops.acceptances")
	if diff := cmp.Diff([][]string{{"NULL", "NULL", "NULL"}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestErrorInTheMiddleOfALoadUndoesAllOfIt(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	var b event.Batch
	appendEvents(t, &b, order("shop", "1", 0, "first"))
	b.AddIdentity(identity.Identity{ID: customer(1), Namespace: "external:shop", Value: "1"})
	// Identities come after all rows; this namespace breaks there.
	b.AddIdentity(identity.Identity{ID: customer(2), Namespace: "external:\xff", Value: "1"})
	b.Moves = []event.Move{{Partition: partition(0), From: -1, To: 1}}
	if err := db.Load(t.Context(), &b); err == nil {
		t.Fatal("loaded")
	}
	checkEmpty(t, db)

	// The same batch without its fault goes through, identity included: what
	// was rolled back is not remembered as stored.
	b.Identities = b.Identities[:1]
	if err := db.Load(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if got := orderIDs(t, db); got != "first" {
		t.Errorf("got %s", got)
	}
	if got := warehousetest.Query(t, db, "select external_id from raw.identities"); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

func TestRowsThatDoNotLineUpAreRefused(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	var b event.Batch
	appendEvents(t, &b, order("shop", "1", 0, "first"))
	b.RowsOf(event.OrderCompleted).Columns[1].AppendInt(1)
	if err := db.Load(t.Context(), &b); err == nil || !strings.Contains(err.Error(), "2 values") {
		t.Errorf("got %v", err)
	}
	b.Reset()
	appendEvents(t, &b, order("shop", "1", 0, "first"))
	b.RowsOf(event.OrderCompleted).Topic[0] = 1
	if err := db.Load(t.Context(), &b); err == nil || !strings.Contains(err.Error(), "column topic") {
		t.Errorf("got %v", err)
	}
	checkEmpty(t, db)
}

func TestCancelledLoadLeavesNothing(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	random := rand.New(rand.NewPCG(7, 7))
	var b event.Batch
	appendReads(&b, random, 50_000, func(i int) int64 { return int64(i) })
	b.Moves = []event.Move{{Partition: partition(0), From: -1, To: 50_000}}
	// Cancel at moments all over the load; its context counts its own checks.
	cancelled := 0
	for limit := 1; ; limit += 1 + limit/4 {
		ctx := &countdown{Context: t.Context(), left: limit, done: make(chan struct{})}
		err := db.Load(ctx, &b)
		if err == nil {
			break
		}
		cancelled++
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled at check %d: %v", limit, err)
		}
		checkEmpty(t, db)
	}
	// And at moments inside DuckDB's own work.
	b.RowsOf(event.MessageRead).Source.Bytes[0] = 'M' // the first row is another event now
	b.Moves[0] = event.Move{Partition: partition(0), From: 50_000, To: 50_001}
	for limit := 50 * time.Microsecond; ; limit += limit / 3 {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		err := db.Load(ctx, &b)
		cancel()
		if err == nil {
			break
		}
		cancelled++
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("cancelled after %v: %v", limit, err)
		}
		got := warehousetest.Query(t, db, "select count(*), (select next_offset from ops.offsets) from raw.message_read")
		if diff := cmp.Diff([][]string{{"50000", "50000"}}, got); diff != "" {
			t.Fatalf("cancelled after %v: %s", limit, diff)
		}
	}
	if cancelled < 10 {
		t.Errorf("cancelled %d times only", cancelled)
	}
	got := warehousetest.Query(t, db, "select count(*) from raw.message_read")
	if got[0][0] != "50001" {
		t.Errorf("got %v", got)
	}
	t.Logf("cancelled at %d moments", cancelled)
}

// countdown is a context that is cancelled the n-th time someone asks.
type countdown struct {
	context.Context
	left int
	done chan struct{}
}

func (c *countdown) Done() <-chan struct{} { return c.done }

func (c *countdown) Err() error {
	if c.left > 0 {
		if c.left--; c.left > 0 {
			return nil
		}
		close(c.done)
	}
	return context.Canceled
}

func TestIdentitiesLinksAndUnlinksAreStoredOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "w.duckdb")
	db := warehousetest.Open(t, path)
	a, b, c := customer(1), customer(2), customer(3)
	batch := func(ids ...identity.Identity) *event.Batch {
		var out event.Batch
		out.Topics = []string{"goodhour.customer"}
		for _, id := range ids {
			out.AddIdentity(id)
		}
		return &out
	}
	loadBatch := func(b *event.Batch) {
		t.Helper()
		if err := db.Load(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	key := identity.Identity{ID: a, Namespace: "external:shop", Value: "17"}
	phone := identity.Identity{ID: b, Namespace: "phone", Value: "+5511999990000"}
	mail := identity.Identity{ID: c, Namespace: "email", Value: "ana@example.com"}

	first := batch(key, phone)
	first.AddLink(identity.NewLink(a, b), event.Coordinates{Partition: 2, Offset: 5, ReceivedAt: 10})
	loadBatch(first)
	second := batch(phone, key, mail)
	second.AddLink(identity.NewLink(b, a), event.Coordinates{Partition: 2, Offset: 6, ReceivedAt: 11})
	second.AddLink(identity.NewLink(b, c), event.Coordinates{Partition: 2, Offset: 6, ReceivedAt: 11})
	second.AddUnlink(identity.NewLink(a, c), event.Coordinates{Partition: 0, Offset: 1, ReceivedAt: 12})
	loadBatch(second)
	// Again, in a process that remembers nothing.
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = warehousetest.Open(t, path)
	loadBatch(second)

	f := func(query string, want [][]string) {
		t.Helper()
		if diff := cmp.Diff(want, warehousetest.Query(t, db, query)); diff != "" {
			t.Errorf("%s\n%s", query, diff)
		}
	}
	f("select namespace, external_id from raw.identities order by all",
		[][]string{{"email", "NULL"}, {"external:shop", "17"}, {"phone", "NULL"}})
	f("select namespace, value from pii.identifiers join raw.identities using (identity_id) order by all",
		[][]string{{"email", "ana@example.com"}, {"phone", "+5511999990000"}})
	f(`select a.namespace, b.namespace, topic, "partition", "offset", received_at
		from raw.identity_links
		join raw.identities as a on a.identity_id = identity_a
		join raw.identities as b on b.identity_id = identity_b
		order by "offset"`, linkRows(a, b, c))
	f(`select count(*), max("offset") from raw.identity_unlinks`, [][]string{{"1", "1"}})
}

// linkRows is what the test above expects: the smaller id comes first.
func linkRows(a, b, c identity.ID) [][]string {
	ab, bc := []string{"external:shop", "phone"}, []string{"phone", "email"}
	if identity.NewLink(a, b).A != a {
		ab[0], ab[1] = ab[1], ab[0]
	}
	if identity.NewLink(b, c).A != b {
		bc[0], bc[1] = bc[1], bc[0]
	}
	return [][]string{
		append(ab, "goodhour.customer", "2", "5", "1970-01-01 00:00:00.00001"),
		append(bc, "goodhour.customer", "2", "6", "1970-01-01 00:00:00.000011"),
	}
}

// Goal: however a stream with repetitions is cut into batches and shuffled,
// the tables hold the same.
func TestAnySplitOfAShuffledStreamGivesTheSameHash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var want []warehouse.TableHash
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		db := warehousetest.Open(t, filepath.Join(dir, fmt.Sprint(round)))
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		size := rapid.IntRange(5, 60).Draw(rt, "batch size")
		stream := append(mixedEvents(), mixedEvents()[:30]...)
		random.Shuffle(len(stream), func(i, j int) { stream[i], stream[j] = stream[j], stream[i] })
		next := int64(-1)
		for at := 0; at < len(stream); {
			end := min(len(stream), at+1+random.IntN(size))
			var b event.Batch
			for _, e := range stream[at:end] {
				appendEvents(t, &b, e)
				n := int(e.identity[15]) - 1
				b.AddIdentity(identity.Identity{ID: customer(n), Namespace: "external:shop", Value: fmt.Sprint(n)})
				b.AddLink(identity.NewLink(customer(n), customer(n+1)), event.Coordinates{Offset: int64(at)})
			}
			b.Moves = []event.Move{{Partition: partition(0), From: next, To: int64(end)}}
			next = int64(end)
			if err := db.Load(t.Context(), &b); err != nil {
				rt.Fatal(err)
			}
			at = end
		}
		got, err := db.Hash(t.Context(), "raw", "pii")
		if err != nil {
			rt.Fatal(err)
		}
		if err := db.Close(); err != nil {
			rt.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Error(diff)
		}
	})
	rows := int64(0)
	for _, table := range want {
		rows += table.Rows
	}
	if rows < 120 {
		t.Errorf("the tables hold %d rows only", rows)
	}
}

// mixedEvents are 60 events of several kinds.
func mixedEvents() []given {
	var out []given
	for i := range 60 {
		e := given{source: "s" + fmt.Sprint(i%2), id: fmt.Sprint(i / 2), at: int64(i%7) * minute, identity: customer(i % 20)}
		switch i % 3 {
		case 0:
			e.kind = event.OrderCompleted
			e.values = map[string]any{"order_id": fmt.Sprint(i), "amount": int64(i), "currency": "USD"}
		case 1:
			e.kind = event.MessageReceived
			e.values = map[string]any{"kind": "text", "text": fmt.Sprint("text ", i)}
		default:
			e.kind = event.MessageRead
			e.values = map[string]any{"message_id": fmt.Sprint(i)}
			e.extra = fmt.Sprintf(`{"n":%d}`, i)
		}
		out = append(out, e)
	}
	return out
}
