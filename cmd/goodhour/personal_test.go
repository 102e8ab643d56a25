package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goodhour/goodhour/warehouse"
)

// personalWords are what is personal in a story: phones, BSUIDs, e-mails,
// names, texts.
var personalWords = regexp.MustCompile(`55119\d{8}|BR\.99\d{12}|secret-mail|Zelda|Hidden\d|confidential words`)

// TestPersonalDataStaysInPII loads a story in which every event carries
// personal data and looks for it in every table outside schema pii, in the
// log, and in every table of the published file. That it is found inside pii
// shows that the search can find it.
func TestPersonalDataStaysInPII(t *testing.T) {
	t.Parallel()
	ctx := deadline(t, 2*time.Minute)
	home := newInstallation(t, nil)
	var log strings.Builder
	c := home.cli()
	c.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a, err := openApp(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	err = a.producer.Publish(ctx, story(t, 3, 5_000))
	if err = errors.Join(err, a.WaitForEnd(ctx)); err != nil {
		t.Fatal(err)
	}
	inside, outside := 0, 0
	for table, text := range dumpTables(ctx, t, a.warehouse) {
		found := personalWords.FindString(text)
		switch {
		case strings.HasPrefix(table, "pii."):
			if found != "" {
				inside++
			}
		case found != "":
			t.Errorf("table %s holds personal data: a match of %d characters", table, len(found))
		default:
			outside++
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if inside < 5 || outside < 15 {
		t.Errorf("found personal data in %d tables of pii, and none in %d others: the search does not see what it should", inside, outside)
	}
	for table, text := range home.dumpPublished(ctx, t) {
		if found := personalWords.FindString(text); found != "" {
			t.Errorf("published table %s holds personal data: a match of %d characters", table, len(found))
		}
	}
	if found := personalWords.FindString(log.String()); found != "" {
		t.Errorf("the log holds personal data: a match of %d characters", len(found))
	}
}

// dumpTables returns every table of the warehouse as text.
func dumpTables(ctx context.Context, t *testing.T, db *warehouse.DB) map[string]string {
	t.Helper()
	var out map[string]string
	err := db.View(ctx, func(conn *sql.Conn) (err error) {
		out, err = dump(ctx, conn)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// dumpPublished publishes and returns every table of the file as text.
func (i *installation) dumpPublished(ctx context.Context, t *testing.T) map[string]string {
	t.Helper()
	i.run(ctx, t, "publish")
	db, err := sql.Open("duckdb", warehouse.PublishedLink(i.data)+"?access_mode=READ_ONLY")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	out, err := dump(ctx, conn)
	if err := errors.Join(err, conn.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	if len(out) < 30 || out["marts.customers"] == "" {
		t.Errorf("only %d tables are published", len(out))
	}
	return out
}

func dump(ctx context.Context, conn *sql.Conn) (map[string]string, error) {
	names, err := textColumn(ctx, conn, `select schema_name || '.' || table_name from duckdb_tables() where not internal`)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string)
	for _, name := range names {
		lines, err := textColumn(ctx, conn, fmt.Sprintf(`select r::varchar from %s as r`, name))
		if err != nil {
			return nil, fmt.Errorf("dump %s: %w", name, err)
		}
		out[name] = strings.Join(lines, "\n")
	}
	return out, nil
}

// textColumn returns the one text column of a query.
func textColumn(ctx context.Context, conn *sql.Conn, query string) ([]string, error) {
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}
