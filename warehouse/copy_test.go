package warehouse_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/warehouse"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

// openFile opens any DuckDB file for reading.
func openFile(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", path+"?access_mode=READ_ONLY")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestACopyHoldsRawAndNothingPersonal(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	secret := order("shop", "1", 1_000_000, "A-1")
	secret.extra = `{"note": "personal-marker-4711"}`
	load(t, db, secret, order("shop", "2", 2_000_000, "A-2"))
	path := filepath.Join(t.TempDir(), "it's a copy.duckdb")
	c, err := db.Copy(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	stat, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	positions, err := db.Positions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var inTables int64
	for _, row := range warehousetest.Query(t, db, "select count(*) from raw.order_completed union all select count(*) from raw.identities") {
		n, err := strconv.ParseInt(row[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		inTables += n
	}
	if inTables < 2 || c.Rows != inTables || c.Bytes != stat.Size() || !cmp.Equal(c.Offsets, positions) {
		t.Errorf("copy %+v, want %d bytes, offsets %v", c, stat.Size(), positions)
	}

	copied := openFile(t, path)
	var tables []string
	rows, err := copied.QueryContext(t.Context(), "select schema_name || '.' || table_name from duckdb_tables() order by all")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	want := []string{"ops.metric_snapshots", "ops.model_checks", "ops.model_runs", "ops.offsets"}
	for _, row := range warehousetest.Query(t, db, "select table_name from duckdb_tables() where schema_name = 'raw'") {
		want = append(want, "raw."+row[0])
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, tables); diff != "" || c.Tables != len(want) {
		t.Errorf("%d tables: %s", c.Tables, diff)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "personal-marker-4711") {
		t.Error("the copy holds personal data")
	}
	for _, beside := range []string{path + ".wal", path + ".tmp"} {
		if _, err := os.Stat(beside); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("left %s", beside)
		}
	}
}

func TestACopyThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	var batch event.Batch
	appendReads(&batch, rand.New(rand.NewPCG(1, 2)), 50_000, func(i int) int64 { return int64(i) })
	batch.Moves = []event.Move{{Partition: partition(0), From: -1, To: 50_000}}
	if err := db.Load(t.Context(), &batch); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()

	if _, err := db.Copy(t.Context(), filepath.Join(dir, "no such folder", "x.duckdb")); err == nil || !strings.Contains(err.Error(), "no such folder") {
		t.Errorf("got %v", err)
	}
	mine := filepath.Join(dir, "mine")
	if err := os.WriteFile(mine, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Copy(t.Context(), mine); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("got %v", err)
	}
	for _, after := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		if _, err := db.Copy(ctx, filepath.Join(dir, "x.duckdb")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %v: %v", after, err)
		}
		cancel()
	}
	if diff := cmp.Diff(map[string]int64{"mine": 4}, folderContent(t, dir)); diff != "" {
		t.Error(diff)
	}
	// And nothing is left attached or open.
	if got := warehousetest.Query(t, db, "select count(*) from duckdb_databases() where not internal"); got[0][0] != "1" {
		t.Errorf("%s databases are attached", got[0][0])
	}
	if _, err := db.Copy(t.Context(), filepath.Join(dir, "x.duckdb")); err != nil {
		t.Error(err)
	}
}

// A child process may write no file beyond 1 MB, as if the disk were full.
func TestACopyOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "warehouse.duckdb")
	db, err := openAt(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	var batch event.Batch
	appendReads(&batch, rand.New(rand.NewPCG(1, 2)), 50_000, func(i int) int64 { return int64(i) })
	batch.Moves = []event.Move{{Partition: partition(0), From: -1, To: 50_000}}
	if err := errors.Join(db.Load(t.Context(), &batch), db.Close()); err != nil {
		t.Fatal(err)
	}
	p := start(t, "copy-full", path)
	var said []string
	for p.lines.Scan() {
		said = append(said, p.lines.Text())
	}
	p.stop(t)
	text := strings.Join(said, "\n")
	if !strings.Contains(text, "is full") || !strings.Contains(text, "50000 rows, copied again") {
		t.Error(text)
	}
	if _, err := os.Stat(filepath.Join(dir, "copy.duckdb")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the partial file is still there")
	}
}

// copyToFullDisk is the child of TestACopyOnAFullDisk.
func copyToFullDisk(ctx context.Context, path string) error {
	db, err := openAt(ctx, path)
	if err != nil {
		return err
	}
	defer db.Close()
	target := filepath.Join(filepath.Dir(path), "copy.duckdb")
	lift, err := limitFileSize(1 << 20)
	if err != nil {
		return err
	}
	_, err = db.Copy(ctx, target)
	fmt.Println(err)
	if err := lift(); err != nil {
		return err
	}
	// The warehouse itself is none the worse.
	if _, err := db.Copy(ctx, target+"2"); err != nil {
		return err
	}
	copied, err := sql.Open("duckdb", target+"2?access_mode=READ_ONLY")
	if err != nil {
		return err
	}
	defer copied.Close()
	var n int
	if err := copied.QueryRowContext(ctx, "select count(*) from raw.message_read").Scan(&n); err != nil {
		return err
	}
	fmt.Println(n, "rows, copied again")
	return nil
}

// 64 publications beside a loader: each is one state of the warehouse, in which
// rows and offsets agree.
func TestPublicationsBesideALoader(t *testing.T) {
	t.Parallel()
	p := newPublisher(t, warehouse.Limits{})
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	commits, more := 0, make(chan struct{}, 20)
	wait.Go(func() {
		commits = loadUntil(ctx, t, p.db, more)
	})
	var last int64
	for range 64 {
		for range cap(more) / 2 {
			more <- struct{}{}
		}
		p.publish(t)
		r, release := p.acquire(t)
		table, err := r.Table(ctx, `select (select count(*) from raw.message_read), (select count(*) from raw.order_completed),
			(select coalesce(sum(next_offset), 0)::bigint from ops.offsets)`)
		release()
		if err != nil {
			t.Fatal(err)
		}
		reads, orders, offset := table.Rows[0][0].(int64), table.Rows[0][1].(int64), table.Rows[0][2].(int64)
		if reads+orders != offset || orders*10 != reads || offset < last {
			t.Fatalf("%d reads, %d orders, offset %d, before %d", reads, orders, offset, last)
		}
		if info := r.Info(); offset > 0 && (len(info.Offsets) != 1 || info.Offsets[0].NextOffset != offset) {
			t.Fatalf("info says %v, the rows %d", info.Offsets, offset)
		}
		last = offset
	}
	cancel()
	wait.Wait()
	t.Logf("%d commits beside 64 publications, the last at offset %d", commits, last)
	if commits < 600 {
		t.Errorf("only %d commits: the loader waited for the copies", commits)
	}
}

// loadUntil commits a batch of 100 reads and 10 orders for each token until
// ctx is over, and returns how many.
func loadUntil(ctx context.Context, t testing.TB, db *warehouse.DB, more <-chan struct{}) int {
	random := rand.New(rand.NewPCG(7, 7))
	var batch event.Batch
	next := int64(0)
	for n := 0; ; n++ {
		select {
		case <-more:
		case <-ctx.Done():
			return n
		}
		batch.Reset()
		appendReads(&batch, random, 100, func(i int) int64 { return next + int64(i) })
		batch.Topics = append(batch.Topics, testTopic)
		for i := range 10 {
			appendEvent(t, &batch, order("shop", fmt.Sprint(next, "/", i), next+int64(i), "A"))
		}
		from := next
		if next == 0 {
			from = -1
		}
		next += 110
		batch.Moves = []event.Move{{Partition: partition(0), From: from, To: next}}
		err := db.Load(ctx, &batch)
		if ctx.Err() != nil {
			return n
		}
		if err != nil {
			t.Error(err)
			return n
		}
	}
}

// Hogs on the published file get clear errors, and the loader none at all.
func TestHogsDoNotHurtTheLoader(t *testing.T) {
	t.Parallel()
	p := newPublisher(t, warehouse.Limits{MemoryBytes: 100_000_000, TempBytes: 50_000_000, Queries: 3, Wait: time.Minute, Timeout: time.Minute})
	p.publish(t, someTable)
	loading, stop := context.WithCancel(t.Context())
	var loader, hogs sync.WaitGroup
	commits, more := 0, make(chan struct{})
	loader.Go(func() { commits = loadUntil(loading, t, p.db, more) })
	loader.Go(func() {
		for range 1000 {
			select {
			case more <- struct{}{}:
			case <-loading.Done():
				return
			}
		}
	})
	kinds := make([]map[warehouse.QueryErrorKind]int, 3)
	for hog := range kinds {
		kinds[hog] = map[warehouse.QueryErrorKind]int{}
		hogs.Go(func() {
			for range 4 {
				r, release, err := p.library.Acquire()
				if err != nil {
					t.Error(err)
					return
				}
				_, err = r.Table(t.Context(), "select list(name || a.range) from t, range(60) a")
				kinds[hog][kindOf(err)]++
				release()
			}
		})
	}
	for range 3 {
		p.publish(t, someTable) // the swaps go on as well
	}
	hogs.Wait()
	stop()
	loader.Wait()
	for _, got := range kinds {
		if diff := cmp.Diff(map[warehouse.QueryErrorKind]int{warehouse.QueryMemory: 4}, got); diff != "" {
			t.Error(diff)
		}
	}
	if commits == 0 {
		t.Error("nothing was loaded")
	}
	if got := warehousetest.Query(t, p.db, "select count(*) = 11 * (select count(*) from raw.order_completed) from raw.message_read")[0][0]; got == "" {
		t.Error("the warehouse does not answer")
	}
	if err := p.db.Close(); err != nil {
		t.Error(err)
	}
}

// Another process opens the link for reading, again and again, while it moves.
func TestAnotherProcessReadsTheLinkWhileItMoves(t *testing.T) {
	t.Parallel()
	p := newPublisher(t, warehouse.Limits{})
	p.publish(t, "create table n as select 1 as a, 1 as b")
	person := start(t, "read-link", warehouse.PublishedLink(p.data))
	wantLine(t, person.lines, "first")
	for n := 2; n <= 20; n++ {
		p.publish(t, fmt.Sprintf("create table n as select %d as a, %d as b", n, n))
	}
	person.stdin.Close()
	wantLine(t, person.lines, "last 20")
	person.stop(t)
}

func wantLine(t testing.TB, lines *bufio.Scanner, want string) {
	t.Helper()
	if !lines.Scan() || lines.Text() != want {
		t.Fatalf("the other process said %q, want %q", lines.Text(), want)
	}
}

// readLink is the child of TestAnotherProcessReadsTheLinkWhileItMoves: a person
// with a DuckDB shell. It reads until its standard input ends, and once more.
func readLink(ctx context.Context, link string) error {
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		ended <- err
	}()
	last, said := 0, false
	for done := false; ; {
		select {
		case err := <-ended:
			if err != nil {
				return err
			}
			done = true
		default:
		}
		db, err := sql.Open("duckdb", link+"?access_mode=READ_ONLY")
		if err != nil {
			return err
		}
		var a, b int
		err = db.QueryRowContext(ctx, "select a, b from n").Scan(&a, &b)
		if err := errors.Join(err, db.Close()); err != nil {
			return err
		}
		if a != b || a < last {
			return fmt.Errorf("read (%d, %d) after %d", a, b, last)
		}
		last = a
		if !said {
			said = true
			fmt.Println("first")
		}
		if done {
			fmt.Println("last", last)
			return nil
		}
	}
}

// Who opens the published file to write is told that it is read-only.
func TestThePublishedFileCannotBeWritten(t *testing.T) {
	t.Parallel()
	p := newPublisher(t, warehouse.Limits{})
	p.publish(t)
	stat, err := os.Stat(warehouse.PublishedLink(p.data))
	if err != nil {
		t.Fatal(err)
	}
	if stat.Mode().Perm() != 0o444 {
		t.Errorf("mode %v", stat.Mode())
	}
}

func TestABuildIsClosedIn(t *testing.T) {
	t.Parallel()
	p := newPublisher(t, warehouse.Limits{})
	publication, err := p.library.New(runTime(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.db.Copy(t.Context(), publication.Path()); err != nil {
		t.Fatal(err)
	}
	build, err := warehouse.OpenBuild(t.Context(), publication.Path(), warehouse.BuildLimits{MemoryBytes: 200_000_000, TempBytes: 50_000_000, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer build.Close()
	var got string
	err = build.QueryRowContext(t.Context(), "select current_setting('threads') || ' ' || current_setting('timezone') || ' ' || current_setting('memory_limit')").Scan(&got)
	if err != nil || got != "1 UTC 190.7 MiB" {
		t.Errorf("%s, %v", got, err)
	}
	for _, statement := range []string{
		"create table x as from read_csv('/etc/passwd')", "create table x as from '/etc/passwd'", "attach '" + p.db.Path() + "' (read_only)", "install httpfs",
		"copy (select 1) to '/tmp/x.csv'", "set memory_limit = '10GB'", "set threads = 8", "set enable_external_access = true", "create table x as from glob('/*')",
		"create table x as select uuid() as a, uuid() as b, uuid() as c from range(20000000) order by a",
	} {
		if _, err := build.ExecContext(t.Context(), statement); err == nil {
			t.Errorf("%s was done", statement)
		}
	}
	for _, statement := range []string{
		"set variable as_of = timestamp '2026-01-01'", "create schema marts", "create table marts.x as select n, getvariable('as_of') as at from range(5) r(n)",
		"create view marts.y as from marts.x", "begin", "create or replace table marts.x as select 1 as n", "rollback", "checkpoint",
	} {
		if _, err := build.ExecContext(t.Context(), statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if err := publication.Abort(); err != nil {
		t.Error(err)
	}
	if _, err := warehouse.OpenBuild(t.Context(), filepath.Join(p.data, "nothing"), warehouse.BuildLimits{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
