package main

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goodhour/goodhour/sender/plan"
	"github.com/goodhour/goodhour/sender/sandbox"
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
	out := dumpFile(ctx, t, warehouse.PublishedLink(i.data))
	if len(out) < 30 || out["marts.customers"] == "" {
		t.Errorf("only %d tables are published", len(out))
	}
	return out
}

func dump(ctx context.Context, conn *sql.Conn) (map[string]string, error) {
	names, err := textColumn(ctx, conn, `
		select format('"{}"."{}"', schema_name, table_name) from duckdb_tables() where not internal
		union all
		select format('"{}"."{}"', schema_name, view_name) from duckdb_views() where not internal`)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string)
	for _, name := range names {
		lines, err := textColumn(ctx, conn, fmt.Sprintf(`select r::varchar from %s as r`, name))
		if err != nil {
			return nil, fmt.Errorf("dump %s: %w", name, err)
		}
		out[strings.ReplaceAll(name, `"`, "")] = strings.Join(lines, "\n")
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

// secretsOf are what is personal in an installation: all that its two places
// for it hold, and the parts of a name.
type secretsOf struct {
	words []string
	found map[string]bool // in the places that may hold them
}

// find returns how many of the words a text holds, as they are or inside
// base64, and an example.
func (s *secretsOf) find(text string) (n int, example string) {
	text += "\n" + decoded(text)
	for _, word := range s.words {
		escaped := html.EscapeString(word)
		if strings.Contains(text, word) || escaped != word && strings.Contains(text, escaped) {
			n, example = n+1, word
		}
	}
	return n, example
}

// decoded is what stands in all that looks like base64, of either alphabet: ids
// of messages, cursors.
func decoded(text string) string {
	var out strings.Builder
	for token := range strings.FieldsFuncSeq(text, outsideBase64) {
		if len(token) < 16 {
			continue
		}
		token = strings.NewReplacer("-", "+", "_", "/").Replace(token)
		if b, err := base64.RawStdEncoding.DecodeString(token[:len(token)/4*4]); err == nil {
			out.Write(b)
			out.WriteByte('\n')
		}
	}
	return out.String()
}

func outsideBase64(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '+' && r != '/' && r != '-' && r != '_'
}

// TestPersonalDataStaysWhereItBelongs plans and sends a campaign whose template
// says the customers' names, hears their answers, and looks for every phone,
// e-mail, user id, name and text everywhere but in the warehouse's schema pii, the
// ledger's two tables and the broker.
func TestPersonalDataStaysWhereItBelongs(t *testing.T) {
	t.Parallel()
	ctx := deadline(t, 3*time.Minute)
	s := newShop(t, newVirtualClock(t), 80)
	s.open(ctx)
	world := sandbox.NewWorld(s.world)
	s.publishEvents(ctx, slices.Collect(world.History())...)
	s.publish(ctx)
	id := s.plan(ctx, strings.Replace(everyone("news", "2026-06-01T18:00"), "schedule:", "overrides: {include_cold: true}\nschedule:", 1))
	s.drive(ctx, stopBegins.Add(30*time.Hour))
	talker := world.Customer(0)
	for i := 1; talker.Phone == "" || talker.BSUID == ""; i++ {
		talker = world.Customer(i)
	}
	at := s.clock.Now()
	said := inbound("wamid.talk", talker.Phone[1:], talker.BSUID, at, typed("my secret: the blue door, 4th floor"))
	stop := inbound("wamid.stop", talker.Phone[1:], talker.BSUID, at.Add(time.Second), typed("STOP"))
	profile := object{"wa_id": talker.Phone[1:], "user_id": talker.BSUID, "profile": object{"name": "Nickname Of Somebody"}}
	s.accept(ctx, s.webhook("messages", object{"contacts": []object{profile}, "messages": []object{said, stop}}))
	// What cannot be read is kept whole, as a dead letter.
	s.accept(ctx, s.webhook("messages", object{"contacts": []object{profile}, "messages": []object{{"from": talker.Phone[1:]}}}))
	s.drive(ctx, s.clock.Now().Add(time.Hour))
	s.publish(ctx)

	if states := s.status(ctx, id).States; states[plan.Accepted] < 40 {
		t.Errorf("the campaign reached %v: the test shows little", states)
	}
	secrets := s.secrets(ctx)
	for name, text := range s.answers(ctx, id, talker.Key) {
		if n, example := secrets.find(text); n > 0 {
			t.Errorf("%s shows %d personal values, such as %s", name, n, example)
		}
	}
	s.lookInWarehouse(ctx, secrets)
	s.stop()
	s.lookInLedger(ctx, secrets)
	for name, text := range dumpFile(ctx, t, warehouse.PublishedLink(s.home.data)) {
		s.look("the published "+name, text, secrets, false)
	}
	if n, example := secrets.find(s.log.String()); n > 0 {
		t.Errorf("the log holds %d personal values, such as %s", n, example)
	}
	s.lookInFiles(secrets)
	if missing := len(secrets.words) - len(secrets.found); missing > 0 {
		t.Errorf("%d of %d words are not even where they belong: the search sees less than it should", missing, len(secrets.words))
	}
}

// secrets collects what is personal from where it may be.
func (s *shop) secrets(ctx context.Context) *secretsOf {
	s.t.Helper()
	out := &secretsOf{found: make(map[string]bool)}
	for what, query := range map[string]string{
		"phones":   `select replace(value, '+', '') from pii.identifiers join raw.identities using (identity_id) where namespace = 'phone'`,
		"user ids": `select value from pii.identifiers join raw.identities using (identity_id) where namespace = 'bsuid'`,
		"e-mails":  `select value from pii.identifiers join raw.identities using (identity_id) where namespace = 'email'`,
		"names":    `select distinct name from pii.customer_updated where name is not null`,
		// One word alone ("STOP") is no secret.
		"texts": `select distinct text from pii.message_received where length(text) > 12`,
	} {
		var words []string
		err := s.app.warehouse.View(ctx, func(conn *sql.Conn) (err error) {
			words, err = textColumn(ctx, conn, query)
			return err
		})
		if err != nil {
			s.t.Fatal(err)
		}
		if len(words) == 0 {
			s.t.Errorf("the story has no %s", what)
		}
		out.words = append(out.words, words...)
	}
	out.words = append(out.words, "Nickname Of Somebody")
	return out
}

func (s *shop) lookInWarehouse(ctx context.Context, secrets *secretsOf) {
	s.t.Helper()
	for name, text := range dumpTables(ctx, s.t, s.app.warehouse) {
		s.look("the warehouse's "+name, text, secrets, strings.HasPrefix(name, "pii."))
	}
}

// look looks for secrets in a relation, which may hold some or not.
func (s *shop) look(name, text string, secrets *secretsOf, may bool) {
	s.t.Helper()
	if may {
		for _, word := range secrets.words {
			if strings.Contains(text, word) {
				secrets.found[word] = true
			}
		}
		return
	}
	if n, example := secrets.find(text); n > 0 {
		s.t.Errorf("%s holds %d personal values, such as %s", name, n, example)
	}
}

// lookInLedger reads the ledger's file. Nobody may have it open.
func (s *shop) lookInLedger(ctx context.Context, secrets *secretsOf) {
	s.t.Helper()
	cfg := s.home.cli().cfg
	tables := dumpFile(ctx, s.t, ledgerPath(&cfg))
	var inside int
	for name, text := range tables {
		may := name == "pii.identifiers" || name == "pii.parameters"
		s.look("the ledger's "+name, text, secrets, may)
		if n, _ := secrets.find(text); may && n > 0 {
			inside++
		}
	}
	if inside != 2 || len(tables) < 20 {
		s.t.Errorf("found personal data in %d of the ledger's 2 tables for it, among %d", inside, len(tables))
	}
}

// dumpFile returns every relation of a file that nobody writes to.
func dumpFile(ctx context.Context, t *testing.T, path string) map[string]string {
	t.Helper()
	db, err := sql.Open("duckdb", path+"?access_mode=READ_ONLY")
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
	return out
}

// answers are what somebody without the scope pii is shown: exports, answers of
// the API and pages, by address.
func (s *shop) answers(ctx context.Context, planID, key string) map[string]string {
	s.t.Helper()
	out := make(map[string]string)
	base := "http://" + s.address
	var found struct {
		Customer struct {
			ID string `json:"customer_id"`
		}
	}
	_, body := s.get(ctx, base+"/v1/customers/"+key)
	s.decode(body, &found)
	campaign := "/v1/campaigns/" + planID
	for _, path := range []string{
		"/v1/audiences", "/v1/segments", "/v1/campaigns", "/v1/reports/funnel", "/v1/snapshots", "/v1/lag", "/metrics", "/readyz",
		"/v1/customers/" + key, "/v1/templates?account=" + shopAccount, "/v1/audiences/all_reachable/customers",
		campaign, campaign + "/report", campaign + "/decisions?limit=1000", campaign + "/explain?customer=" + key,
		"/", "/segments", "/hours", "/campaigns", "/campaigns/" + planID, "/customers", "/customers/" + found.Customer.ID, "/sql", "/nowhere",
	} {
		status, body := s.get(ctx, base+path)
		if status != http.StatusOK && path != "/nowhere" {
			s.t.Errorf("GET %s answers %d: %s", path, status, body)
		}
		out[path] = body
	}
	for _, format := range []string{"csv", "parquet", "arrow"} {
		path := "/v1/audiences/all_reachable/customers?format=" + format
		status, body := s.get(ctx, base+path)
		if format == "arrow" && status == http.StatusNotImplemented {
			continue // this build was made without it
		}
		if status != http.StatusOK || len(body) < 1000 {
			s.t.Errorf("GET %s answers %d: %d bytes", path, status, len(body))
		}
		if format == "parquet" {
			body = s.readParquet(ctx, body)
		}
		out[path] = body
	}
	for _, relation := range []string{"marts.customers", "marts.messages", "marts.decisions"} {
		out["export of "+relation] = s.home.run(ctx, s.t, "export", "--format", "csv", relation)
	}
	return out
}

// readParquet is a Parquet file as text: its pages are compressed.
func (s *shop) readParquet(ctx context.Context, body string) string {
	s.t.Helper()
	name := writeTemp(s.t, "export.parquet", body)
	db, err := sql.Open("duckdb", "")
	if err != nil {
		s.t.Fatal(err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	lines, err := textColumn(ctx, conn, fmt.Sprintf(`select r::varchar from read_parquet('%s') as r`, name))
	if err = errors.Join(err, conn.Close(), db.Close()); err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// lookInFiles reads the bytes of every file of the data directory but the two
// databases' and the broker's.
func (s *shop) lookInFiles(secrets *secretsOf) {
	s.t.Helper()
	files := 0
	err := filepath.WalkDir(s.home.data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && (name == "live" || name == "broker") {
			return filepath.SkipDir
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		files++
		b, err := os.ReadFile(path)
		s.look("the file "+path, string(b), secrets, false)
		return err
	})
	if err != nil || files < 4 {
		s.t.Errorf("looked into %d files: %v", files, err)
	}
}
