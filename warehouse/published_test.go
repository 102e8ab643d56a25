package warehouse_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/warehouse"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

// publisher is a warehouse with its library, as a run sees them.
type publisher struct {
	data    string
	db      *warehouse.DB
	library *warehouse.Library
	runs    int
}

func newPublisher(t testing.TB, limits warehouse.Limits) *publisher {
	t.Helper()
	data := t.TempDir()
	p := &publisher{data: data, db: warehousetest.Open(t, filepath.Join(data, "live", "warehouse.duckdb"))}
	p.library = openLibrary(t, data, limits)
	return p
}

func openLibrary(t testing.TB, data string, limits warehouse.Limits) *warehouse.Library {
	t.Helper()
	library, err := warehouse.OpenLibrary(t.Context(), data, limits, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := library.Close(); err != nil {
			t.Error(err)
		}
	})
	return library
}

// runTime is the time of run n.
func runTime(n int) time.Time {
	return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Minute)
}

// build makes the next publication up to its Commit; the statements stand for
// the models.
func (p *publisher) build(ctx context.Context, statements ...string) (*warehouse.Publication, error) {
	p.runs++
	publication, err := p.library.New(runTime(p.runs))
	if err != nil {
		return nil, err
	}
	if _, err := p.db.Copy(ctx, publication.Path()); err != nil {
		return nil, err
	}
	build, err := warehouse.OpenBuild(ctx, publication.Path(), warehouse.BuildLimits{})
	if err != nil {
		return nil, err
	}
	for _, statement := range statements {
		if _, err := build.ExecContext(ctx, statement); err != nil {
			return nil, errors.Join(err, build.Close())
		}
	}
	info := warehouse.Info{
		AsOf: runTime(p.runs - 1), PublishedAt: runTime(p.runs), ModelVersion: "m1", ConfigHash: "c1", Version: "v0",
	}
	if err := errors.Join(warehouse.Describe(ctx, build, info), build.Close()); err != nil {
		return nil, err
	}
	return publication, nil
}

func (p *publisher) publish(t testing.TB, statements ...string) {
	t.Helper()
	publication, err := p.build(t.Context(), statements...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := publication.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (p *publisher) acquire(t testing.TB) (*warehouse.Reader, func()) {
	t.Helper()
	reader, release, err := p.library.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	return reader, release
}

// reader publishes the statements and returns the reader of the file.
func reader(t testing.TB, limits warehouse.Limits, statements ...string) *warehouse.Reader {
	t.Helper()
	p := newPublisher(t, limits)
	p.publish(t, statements...)
	reader, release := p.acquire(t)
	t.Cleanup(release)
	return reader
}

// one returns the only value of a query.
func one(t testing.TB, reader *warehouse.Reader, query string, args ...any) any {
	t.Helper()
	table, err := reader.Table(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if len(table.Rows) != 1 || len(table.Rows[0]) != 1 {
		t.Fatalf("%s: %v", query, table.Rows)
	}
	return table.Rows[0][0]
}

// folders lists what lies under data/published.
func folders(t testing.TB, data string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(data, "published"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func folderOf(t testing.TB, data string) string {
	t.Helper()
	target, err := os.Readlink(warehouse.PublishedLink(data))
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Base(filepath.Dir(target))
}

func TestNothingIsPublishedAtFirst(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	library := openLibrary(t, data, warehouse.Limits{})
	if _, _, err := library.Acquire(); !errors.Is(err, warehouse.ErrNotPublished) {
		t.Errorf("Acquire: %v", err)
	}
	if _, err := warehouse.OpenReader(t.Context(), warehouse.PublishedLink(data), warehouse.Limits{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("OpenReader: %v", err)
	}
}

func TestAPublicationSaysWhatItIs(t *testing.T) {
	t.Parallel()
	p := newPublisher(t, warehouse.Limits{})
	load(t, p.db, order("shop", "1", 1_000_000, "A-1"), order("shop", "2", 2_000_000, "A-2"))
	p.publish(t, "create schema marts", "create table marts.orders as select order_id from raw.order_completed",
		"create view marts.newest as select max(order_id) as order_id from marts.orders")
	reader, release := p.acquire(t)
	defer release()

	positions, err := p.db.Positions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := warehouse.Info{
		AsOf: runTime(0), PublishedAt: runTime(1), Offsets: positions, ModelVersion: "m1", ConfigHash: "c1", Version: "v0",
	}
	if diff := cmp.Diff(want, reader.Info()); diff != "" {
		t.Error(diff)
	}
	orders, ok := reader.Relation("marts.orders")
	if want := (warehouse.Relation{Schema: "marts", Name: "orders", Columns: []warehouse.Column{{Name: "order_id", Type: "VARCHAR"}}, Rows: 2}); !ok || !cmp.Equal(want, orders) {
		t.Errorf("marts.orders: %+v", orders)
	}
	if newest, ok := reader.Relation("marts.newest"); !ok || newest.Rows != -1 {
		t.Errorf("marts.newest: %+v", newest)
	}
	for _, name := range []string{"orders", "marts", "marts.orders; drop table x", "pii.order_completed", ""} {
		if _, ok := reader.Relation(name); ok {
			t.Errorf("there is a relation %q", name)
		}
	}
	// The SQL of a model runs as it stands.
	if got := one(t, reader, "select getvariable('as_of') = timestamp '2026-11-25 12:00:00'"); got != true {
		t.Error("as_of is not the file's")
	}
	for _, relation := range reader.Relations() {
		if relation.Schema == "pii" {
			t.Errorf("personal data: %+v", relation)
		}
	}
}

func TestAPublicationWithoutDescriptionIsRefused(t *testing.T) {
	t.Parallel()
	p := newPublisher(t, warehouse.Limits{})
	p.publish(t)
	published := folderOf(t, p.data)

	publication, err := p.library.New(runTime(9))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.db.Copy(t.Context(), publication.Path()); err != nil {
		t.Fatal(err)
	}
	if _, err := publication.Commit(t.Context()); err == nil || !strings.Contains(err.Error(), "ops.publication") {
		t.Errorf("Commit: %v", err)
	}
	if got := folderOf(t, p.data); got != published {
		t.Errorf("the link moved to %s", got)
	}
	if diff := cmp.Diff([]string{published}, folders(t, p.data)); diff != "" {
		t.Error(diff)
	}
}

func TestAFileThatIsStillBeingBuiltIsRefused(t *testing.T) {
	t.Parallel()
	p := newPublisher(t, warehouse.Limits{})
	publication, err := p.library.New(runTime(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.db.Copy(t.Context(), publication.Path()); err != nil {
		t.Fatal(err)
	}
	build, err := warehouse.OpenBuild(t.Context(), publication.Path(), warehouse.BuildLimits{})
	if err != nil {
		t.Fatal(err)
	}
	defer build.Close()
	if err := warehouse.Describe(t.Context(), build, warehouse.Info{}); err != nil {
		t.Fatal(err)
	}
	if _, err := publication.Commit(t.Context()); err == nil || !strings.Contains(err.Error(), "still open for building") {
		t.Errorf("Commit: %v", err)
	}
	if _, _, err := p.library.Acquire(); !errors.Is(err, warehouse.ErrNotPublished) {
		t.Errorf("Acquire: %v", err)
	}
}

func TestAnAbortedPublicationLeavesNothing(t *testing.T) {
	t.Parallel()
	p := newPublisher(t, warehouse.Limits{})
	publication, err := p.build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := publication.Abort(); err != nil {
			t.Error(err)
		}
	}
	if got := folders(t, p.data); len(got) != 0 {
		t.Errorf("left %v", got)
	}
	if _, err := publication.Commit(t.Context()); err == nil {
		t.Error("committed after an abort")
	}
}

// A running query keeps its file; the newest two stay; the others go.
func TestOldFilesGoWhenTheirLastReaderIsReleased(t *testing.T) {
	t.Parallel()
	p := newPublisher(t, warehouse.Limits{})
	p.publish(t, "create table n as select 1 as n")
	first, releaseFirst := p.acquire(t)
	rows, err := first.Query(t.Context(), "select n, range from n, range(100000)")
	if err != nil {
		t.Fatal(err)
	}
	firstFolder := folderOf(t, p.data)
	var seen []string
	for n := 2; n <= 4; n++ {
		p.publish(t, fmt.Sprintf("create table n as select %d as n", n))
		seen = append(seen, folderOf(t, p.data))
		newest, release := p.acquire(t)
		if got := one(t, newest, "from n"); got != int64(n) {
			t.Errorf("publication %d: n = %v", n, got)
		}
		release()
	}
	if diff := cmp.Diff([]string{firstFolder, seen[1], seen[2]}, folders(t, p.data)); diff != "" {
		t.Error("while the first is in use:", diff)
	}
	count := 0
	for rows.Next() {
		if rows.Values()[0] != any(int64(1)) {
			t.Fatal("the rows of another file")
		}
		count++
	}
	if err := rows.Err(); err != nil || count != 100_000 {
		t.Errorf("%d rows, %v", count, err)
	}
	rows.Close()
	if got := one(t, first, "from n"); got != int64(1) {
		t.Errorf("n = %v before the release", got)
	}
	releaseFirst()
	releaseFirst() // once counts
	if diff := cmp.Diff(seen[1:], folders(t, p.data)); diff != "" {
		t.Error("after the release:", diff)
	}
}

func TestAClockThatStandsStillMakesNewNames(t *testing.T) {
	t.Parallel()
	p := newPublisher(t, warehouse.Limits{})
	p.publish(t)
	p.runs = -5 // an hour that was before
	p.publish(t, "create table later as select 1 as n")
	names := folders(t, p.data)
	if len(names) != 2 || !slices.IsSorted(names) || folderOf(t, p.data) != names[1] {
		t.Errorf("link on %s of %v", folderOf(t, p.data), names)
	}
	a, err := p.library.New(runTime(50))
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.library.New(runTime(50))
	if err != nil {
		t.Fatal(err)
	}
	if a.Path() == b.Path() {
		t.Error("two publications in one folder")
	}
}

// Whatever a crash leaves, the next start finds a whole file or none.
func TestStartAfterACrash(t *testing.T) {
	t.Parallel()
	p := newPublisher(t, warehouse.Limits{})
	var names []string
	for n := 1; n <= 3; n++ {
		p.publish(t, fmt.Sprintf("create table n as select %d as n", n))
		names = append(names, folderOf(t, p.data))
	}
	if err := p.library.Close(); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(p.data, "published")
	link := warehouse.PublishedLink(p.data)

	// A crash while building, and one between the final name and the link.
	unfinished := filepath.Join(root, ".building-20261125T130000.000000Z")
	unlinked := filepath.Join(root, "20261125T140000.000000Z")
	foreign := filepath.Join(root, "not ours")
	for _, dir := range []string{unfinished, unlinked, foreign} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(unlinked, "goodhour.duckdb"), []byte("torn"), 0o644); err != nil {
		t.Fatal(err)
	}
	p.library = openLibrary(t, p.data, warehouse.Limits{})
	current, release := p.acquire(t)
	if got := one(t, current, "from n"); got != int64(3) {
		t.Errorf("n = %v", got)
	}
	release()
	if diff := cmp.Diff([]string{names[1], names[2], "not ours"}, folders(t, p.data)); diff != "" {
		t.Error(diff)
	}

	// The link is gone, or hangs in the air: the newest whole file is taken.
	for _, broken := range []string{"", "nowhere/goodhour.duckdb", "published/20261125T150000.000000Z/goodhour.duckdb"} {
		if err := errors.Join(p.library.Close(), os.Remove(link)); err != nil {
			t.Fatal(err)
		}
		if broken != "" {
			if err := os.Symlink(broken, link); err != nil {
				t.Fatal(err)
			}
		}
		p.library = openLibrary(t, p.data, warehouse.Limits{})
		if got := folderOf(t, p.data); got != names[2] {
			t.Errorf("link %q: now on %s", broken, got)
		}
	}

	// A file of someone else's in the link's place is not touched.
	if err := errors.Join(p.library.Close(), os.Remove(link), os.WriteFile(link, []byte("mine"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, err := warehouse.OpenLibrary(t.Context(), p.data, warehouse.Limits{}, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a file was taken for the link")
	}
	if b, err := os.ReadFile(link); err != nil || string(b) != "mine" {
		t.Errorf("the file: %q, %v", b, err)
	}
}

func TestTheDataDirectoryCanBeMoved(t *testing.T) {
	t.Parallel()
	p := newPublisher(t, warehouse.Limits{})
	p.publish(t, "create table n as select 7 as n")
	if err := errors.Join(p.library.Close(), p.db.Close()); err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(t.TempDir(), "it's moved")
	if err := os.Rename(p.data, moved); err != nil {
		t.Fatal(err)
	}
	p.library = openLibrary(t, moved, warehouse.Limits{})
	reader, release := p.acquire(t)
	defer release()
	if got := one(t, reader, "from n"); got != int64(7) {
		t.Errorf("n = %v", got)
	}
	var csv strings.Builder
	if _, err := reader.Export(t.Context(), &csv, warehouse.CSV, warehouse.Source{Relation: "main.n"}, warehouse.ExportOptions{}); err != nil || csv.String() != "n\r\n7\r\n" {
		t.Errorf("export %q: %v", csv.String(), err)
	}
}

func TestAClosedLibrarySaysSo(t *testing.T) {
	t.Parallel()
	p := newPublisher(t, warehouse.Limits{})
	p.publish(t)
	publication, err := p.build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.library.Close(), p.library.Close()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.library.Acquire(); err == nil {
		t.Error("acquired after Close")
	}
	if _, err := publication.Commit(t.Context()); err == nil {
		t.Error("committed after Close")
	}
}
