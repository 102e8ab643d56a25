package warehouse_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/warehouse"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

// killEvents is the length of the log that the kill test loads.
const killEvents = 60_000

// killEvent is the number of the event at an offset: one in five is a
// repetition of an earlier one.
func killEvent(offset int) int {
	if offset%5 == 4 {
		return offset / 10 * 5
	}
	return offset
}

// killBatch is the part of the log from an offset on: for one offset always
// the same events.
func killBatch(b *event.Batch, from, to int) {
	b.Reset()
	b.Topics = append(b.Topics, testTopic)
	for offset := from; offset < to; offset++ {
		n := killEvent(offset)
		random := rand.New(rand.NewPCG(uint64(n), 0))
		who := n % 2000
		appendReads(b, random, 1, func(int) int64 { return int64(n) * 1000 })
		b.AddIdentity(identity.Identity{ID: customer(who), Namespace: "phone", Value: fmt.Sprint("+", who)})
		b.AddLink(identity.NewLink(customer(who), customer(who+1)), event.Coordinates{Offset: int64(offset)})
		if offset%100 == 0 {
			b.DeadLetters = append(b.DeadLetters, event.DeadLetter{Topic: testTopic, Offset: int64(offset), Reason: "not JSON"})
		}
	}
	stored := int64(from)
	if from == 0 {
		stored = -1
	}
	b.Moves = append(b.Moves, event.Move{Partition: partition(0), From: stored, To: int64(to)})
}

// loadToTheEnd goes on where the stored position is, and prints each new one.
func loadToTheEnd(ctx context.Context, path string) error {
	db, err := openAt(ctx, path)
	if err != nil {
		return err
	}
	defer db.Close()
	// Checkpoints come every few batches, so that kills meet them too.
	err = db.View(ctx, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, "set global wal_autocheckpoint = '1MB'")
		return err
	})
	if err != nil {
		return err
	}
	positions, err := db.Positions(ctx)
	if err != nil {
		return err
	}
	next := 0
	if len(positions) > 0 {
		next = int(positions[0].NextOffset)
	}
	var b event.Batch
	for next < killEvents {
		// A few thousand, never cut at the same places again.
		end := min(killEvents, next+1000+next%777)
		killBatch(&b, next, end)
		if err := db.Load(ctx, &b); err != nil {
			return err
		}
		next = end
		fmt.Println(next)
	}
	return nil
}

// Goal: kill -9 at any instant of loading loses nothing and doubles nothing.
func TestKilledLoaderGoesOnWhereItsTransactionsEnded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(4, 4))
	path := filepath.Join(dir, "killed.duckdb")
	kills, told := 0, 0
	for done := false; !done; {
		p := start(t, "load", path)
		for wait := random.IntN(4); p.lines.Scan() && wait > 0; wait-- {
			n, err := strconv.Atoi(p.lines.Text())
			if err != nil {
				t.Fatalf("child printed %q", p.lines.Text())
			}
			// What was told as committed once must never be loaded again.
			if n <= told {
				t.Errorf("position %d came after %d", n, told)
			}
			told = n
		}
		// The instant within the next load, or in the opening, is left to chance.
		select {
		case <-time.After(time.Duration(random.IntN(40)) * time.Millisecond):
		case <-t.Context().Done():
		}
		killed := p.cmd.Process.Kill() == nil
		err := p.cmd.Wait()
		if killed && err != nil {
			kills++
		}
		done = err == nil
		if kills > 500 {
			t.Fatal("no progress")
		}
	}
	t.Logf("%d kills", kills)
	if kills < 8 {
		t.Errorf("killed %d times only", kills)
	}

	quiet := warehousetest.Open(t, filepath.Join(dir, "quiet.duckdb"))
	var b event.Batch
	for from := 0; from < killEvents; from += 20_000 {
		killBatch(&b, from, from+20_000)
		if err := quiet.Load(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	hash := func(db *warehouse.DB) []warehouse.TableHash {
		t.Helper()
		hashes, err := db.Hash(t.Context(), "raw", "pii")
		if err != nil {
			t.Fatal(err)
		}
		return hashes
	}
	killed := warehousetest.Open(t, path)
	if diff := cmp.Diff(hash(quiet), hash(killed)); diff != "" {
		t.Error(diff)
	}
	checkPositions(t, killed, event.Position{Partition: partition(0), NextOffset: killEvents})
	got := warehousetest.Query(t, killed, `
		select (select count(*) from raw.message_read), (select count(*) from pii.dead_letters), (select count(*) from raw.identities)`)
	if diff := cmp.Diff([][]string{{"48000", "600", "1600"}}, got); diff != "" {
		t.Error(diff)
	}
}
