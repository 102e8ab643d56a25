package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/warehouse"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// bundle is a running server with all that is real behind it.
type bundle struct {
	t       testing.TB
	data    string
	library *warehouse.Library
	keys    *Keys
	clock   *clock
	server  *Server
	url     string
	socket  string // the base address of the trusted door
	log     *lockedBuffer
	kafka   *ingest.Kafka
	prefix  string        // of the topics
	empty   *warehouse.DB // what publish copies
}

// option changes the configuration before the server is made.
type option func(*Config)

// setup starts a server on the published world.
func setup(t *testing.T, options ...option) *bundle {
	t.Helper()
	return setupIn(t, worldData(t), options...)
}

// setupIn starts a server on a data directory.
func setupIn(t testing.TB, data string, options ...option) *bundle {
	t.Helper()
	b := &bundle{t: t, data: data, clock: newClock(), log: &lockedBuffer{}}
	var err error
	b.library, err = warehouse.OpenLibrary(t.Context(), data, warehouse.Limits{Wait: patience}, quietLogger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.library.Close(); err != nil {
			t.Error(err)
		}
	})
	b.keys = openKeys(t, filepath.Join(data, "keys.json"), b.clock.now)
	cfg := Config{
		Library: b.library, Publisher: b.producer(), Keyer: testKeyer(), Keys: b.keys,
		People: warehousetest.New(t),
		Audit:  OpenAudit(filepath.Join(data, "audit.log"), b.clock.now),
		Status: func(context.Context) Status { return Status{} },
		Now:    b.clock.now, Logger: slog.New(slog.NewJSONHandler(b.log, nil)), Version: "v1.2.3",
		Limits: Limits{RequestsPerSecond: 1e6, Burst: 1e6},
	}
	for _, change := range options {
		change(&cfg)
	}
	if b.server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	b.url, b.socket = b.listen(b.server.Handler()), b.listen(b.server.SocketHandler())
	return b
}

// listen serves on loopback until the test's end, before what is behind closes.
func (b *bundle) listen(handler http.Handler) string {
	server := httptest.NewUnstartedServer(nil)
	server.Config = b.server.HTTPServer(handler)
	server.Start()
	b.t.Cleanup(server.Close)
	return server.URL
}

var prefixes atomic.Int64

// producer publishes to topics of the test's own.
func (b *bundle) producer() *ingest.Producer {
	b.t.Helper()
	broker, err := shared.broker()
	if err != nil {
		b.t.Fatal(err)
	}
	b.prefix = fmt.Sprintf("t%d.", prefixes.Add(1))
	if b.kafka, err = ingest.Connect(ingest.KafkaConfig{Brokers: []string{broker.Addr()}, TopicPrefix: b.prefix}); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(b.kafka.Close)
	if err := b.kafka.EnsureTopics(b.t.Context(), 1, 1, b.kafka.EventTopics()...); err != nil {
		b.t.Fatal(err)
	}
	producer := ingest.NewProducer(b.kafka)
	b.t.Cleanup(func() {
		if err := producer.Close(); err != nil {
			b.t.Error(err)
		}
	})
	return producer
}

// published reads n records of a topic from its beginning, with another client
// than ours, and decodes them; a dead letter is an error.
func (b *bundle) published(topic event.Topic, n int) []*kgo.Record {
	b.t.Helper()
	broker, err := shared.broker()
	if err != nil {
		b.t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.Addr()), kgo.ConsumeTopics(b.prefix+string(topic)))
	if err != nil {
		b.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	var out []*kgo.Record
	for len(out) < n {
		fetches := client.PollFetches(ctx)
		if err := errors.Join(fetches.Err(), ctx.Err()); err != nil {
			b.t.Fatalf("%d of %d records of %s: %v", len(out), n, topic, err)
		}
		out = append(out, fetches.Records()...)
	}
	decoder, batch := event.NewDecoder(testKeyer()), &event.Batch{}
	for _, r := range out {
		record := event.Record{Topic: r.Topic, Offset: r.Offset, Time: r.Timestamp, Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			record.Headers = append(record.Headers, event.Header{Key: h.Key, Value: h.Value})
		}
		decoder.Decode(&record, batch)
	}
	if len(out) != n || len(batch.DeadLetters) > 0 {
		b.t.Fatalf("%d records of %s, want %d; dead letters: %+v", len(out), topic, n, batch.DeadLetters)
	}
	return out
}

// key makes a key with the scopes, separated by commas.
func (b *bundle) key(scopes string) string {
	b.t.Helper()
	list, err := ParseScopes(scopes)
	if err != nil {
		b.t.Fatal(err)
	}
	_, token, err := b.keys.Create("test", list, time.Time{}, principalLocal)
	if err != nil {
		b.t.Fatal(err)
	}
	return token.Reveal()
}

// reply is a whole answer.
type reply struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

// call sends a request; headers in pairs. An answer that is cut off is an error
// of the test.
func (b *bundle) call(method, path, token, body string, headers ...string) reply {
	b.t.Helper()
	return b.callAt(b.url, method, path, token, body, headers...)
}

func (b *bundle) callAt(base, method, path, token, body string, headers ...string) reply {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	out := reply{b.t, res.StatusCode, res.Header, text}
	checkAnswer(b.t, r, out)
	return out
}

func (b *bundle) get(path, token string, headers ...string) reply {
	b.t.Helper()
	return b.call(http.MethodGet, path, token, "", headers...)
}

// is checks status and, for a problem, its type.
func (r reply) is(status int, problem string) reply {
	r.t.Helper()
	got := ""
	if r.header.Get("Content-Type") == problemMediaTypeName {
		got = strings.TrimPrefix(r.json()["type"].(string), "/problems/")
	}
	if r.status != status || got != problem {
		r.t.Fatalf("status %d, problem %q; want %d, %q: %s", r.status, got, status, problem, r.body)
	}
	return r
}

func (r reply) json() map[string]any {
	r.t.Helper()
	var out map[string]any
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	decoder.UseNumber()
	if err := decoder.Decode(&out); err != nil {
		r.t.Fatalf("%v in %s", err, r.body)
	}
	return out
}

// at walks objects by name and arrays by index.
func at(t testing.TB, value any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch s := step.(type) {
		case string:
			object, ok := value.(map[string]any)
			if !ok {
				t.Fatalf("%v of %v: no object", path, value)
			}
			value = object[s]
		case int:
			array, ok := value.([]any)
			if !ok || s >= len(array) {
				t.Fatalf("%v of %v: no such element", path, value)
			}
			value = array[s]
		}
	}
	return value
}

// publish makes and publishes another file: the copy of an empty warehouse,
// and what the statements build in it.
func (b *bundle) publish(asOf time.Time, statements ...string) {
	b.t.Helper()
	b.publishBuilt(asOf, func(path string) error {
		if _, err := b.emptyWarehouse().Copy(b.t.Context(), path); err != nil {
			return err
		}
		build, err := warehouse.OpenBuild(b.t.Context(), path, warehouse.BuildLimits{})
		if err != nil {
			return err
		}
		for _, statement := range statements {
			if _, err := build.ExecContext(b.t.Context(), statement); err != nil {
				return errors.Join(fmt.Errorf("%s: %w", statement, err), build.Close())
			}
		}
		info := warehouse.Info{AsOf: asOf, PublishedAt: asOf.Add(5 * time.Minute), ModelVersion: "m", ConfigHash: "c", Version: "test"}
		return errors.Join(warehouse.Describe(b.t.Context(), build, info), build.Close())
	})
}

// publishModels publishes goodhour's own models of an empty warehouse.
func (b *bundle) publishModels(asOf time.Time) {
	b.t.Helper()
	b.publishBuilt(asOf, func(path string) error { return buildModels(b.t.Context(), b.emptyWarehouse(), path) })
}

func (b *bundle) publishBuilt(asOf time.Time, build func(path string) error) {
	b.t.Helper()
	publication, err := b.library.New(asOf)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := build(publication.Path()); err != nil {
		b.t.Fatal(err)
	}
	if _, err := publication.Commit(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bundle) emptyWarehouse() *warehouse.DB {
	b.t.Helper()
	if b.empty == nil {
		b.empty = warehousetest.New(b.t)
	}
	return b.empty
}

// customerID is the customer_id of an own key that was never merged.
func customerID(key string) string {
	return testKeyer().ID(identity.NamespaceCustomer, key).String()
}

// lockedBuffer collects what several goroutines write.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// lines of a log of JSON objects.
func jsonLines(t testing.TB, text string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(text) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		out = append(out, object)
	}
	return out
}
