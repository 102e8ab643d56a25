package warehouse_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/warehouse"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

// childEnv makes the test binary play the part of another process: see child.
const childEnv = "GOODHOUR_WAREHOUSE_TEST_CHILD"

func TestMain(m *testing.M) {
	if role := os.Getenv(childEnv); role != "" {
		if err := child(role, os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child does what a role says with the file at path, and exits.
func child(role, path string) error {
	ctx := context.Background()
	switch role {
	case "hold":
		db, err := openAt(ctx, path)
		if err != nil {
			return err
		}
		defer db.Close()
		return holdUntilStdinEnds()
	case "shell":
		db, err := sql.Open("duckdb", path)
		if err != nil {
			return err
		}
		defer db.Close()
		if err := db.PingContext(ctx); err != nil {
			return err
		}
		return holdUntilStdinEnds()
	case "load":
		return loadToTheEnd(ctx, path)
	case "measure":
		return measureLoads(ctx, path)
	case "load-full-wal":
		return loadOnFullDisk(ctx, path, ".wal")
	case "load-full-file":
		return loadOnFullDisk(ctx, path, "")
	case "copy-full":
		return copyToFullDisk(ctx, path)
	case "read-link":
		return readLink(ctx, path)
	}
	return fmt.Errorf("no role %s", role)
}

func holdUntilStdinEnds() error {
	fmt.Println("open")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

func openAt(ctx context.Context, path string) (*warehouse.DB, error) {
	return warehouse.Open(ctx, warehouse.Options{Path: path, Now: warehousetest.Now, Logger: slog.New(slog.DiscardHandler)})
}

// process is a child that runs.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
}

// start starts a child; the test's end kills it.
func start(t testing.TB, role, path string) *process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], path)
	cmd.Env = append(os.Environ(), childEnv+"="+role)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &process{cmd: cmd, stdin: stdin, lines: bufio.NewScanner(stdout)}
}

// stop lets the child end and waits for it.
func (p *process) stop(t testing.TB) {
	t.Helper()
	p.stdin.Close()
	for p.lines.Scan() {
	}
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestSecondOpenerIsToldWhoHoldsTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "w.duckdb")
	f := func(pid int, words string) {
		t.Helper()
		_, err := openAt(t.Context(), path)
		var locked *warehouse.LockedError
		if !errors.As(err, &locked) || locked.PID != pid || !strings.Contains(err.Error(), words) {
			t.Errorf("got %v, want process %d", err, pid)
		}
	}
	db := warehousetest.Open(t, path)
	f(os.Getpid(), "is open in this process already: only one may open it; stop the other, or ask it, or read the published file instead")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	for _, role := range []string{"hold", "shell"} {
		other := start(t, role, path)
		if !other.lines.Scan() {
			t.Fatal("the other process did not open the file")
		}
		pid := other.cmd.Process.Pid
		f(pid, fmt.Sprintf("is open in process %d", pid))
		other.stop(t)
		// And when it is gone, so is its lock.
		if err := warehousetest.Open(t, path).Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestClosedWarehouseSaysSo(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	for range 2 {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := db.Load(t.Context(), &event.Batch{}); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("Load: %v", err)
	}
	if _, err := db.Positions(t.Context()); err == nil {
		t.Error("Positions of a closed warehouse")
	}
}

func TestPathsThatTheDriverWouldMisreadAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "a?b", "100%"} {
		path := name
		if name != "" {
			path = filepath.Join(t.TempDir(), name)
		}
		if db, err := openAt(t.Context(), path); err == nil {
			t.Errorf("%q was opened", name)
			db.Close()
		}
	}
	// Others are taken as they are, folders and all.
	path := filepath.Join(t.TempDir(), "new folder", "é #1 'x'", "w:1.duckdb")
	warehousetest.Open(t, path)
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestViewIsOneStateAndCannotWrite(t *testing.T) {
	t.Parallel()
	db := warehousetest.New(t)
	load(t, db, order("shop", "1", 0, "a"))
	count := func(conn *sql.Conn) (n int) {
		if err := conn.QueryRowContext(t.Context(), "select count(*) from raw.order_completed").Scan(&n); err != nil {
			t.Error(err)
		}
		return n
	}
	err := db.View(t.Context(), func(conn *sql.Conn) error {
		before := count(conn)
		load(t, db, order("shop", "2", 0, "b"))
		if after := count(conn); before != 1 || after != 1 {
			t.Errorf("saw %d, then %d", before, after)
		}
		_, err := conn.ExecContext(t.Context(), "delete from raw.order_completed")
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("got %v", err)
	}
	// The connection is good again.
	for range 10 {
		if got := orderIDs(t, db); got != "a b" {
			t.Errorf("got %s", got)
		}
	}
}
