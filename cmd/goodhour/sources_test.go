package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/broker"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/warehouse"
)

// exampleSources are the sources of examples/sources.yaml, for an installation
// that reads them from a file of its own.
func exampleSources(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../examples/sources.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sourced is an installation with a configuration file.
type sourced struct {
	*installation
	file string
}

func newSourced(t *testing.T, brokers []string, yaml string) *sourced {
	t.Helper()
	s := &sourced{installation: newInstallation(t, brokers), file: filepath.Join(t.TempDir(), "goodhour.yaml")}
	s.configure(t, yaml)
	return s
}

func (s *sourced) configure(t *testing.T, yaml string) {
	t.Helper()
	if err := os.WriteFile(s.file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *sourced) open(ctx context.Context, t *testing.T) *app {
	t.Helper()
	c := s.cli()
	cfg, err := loadConfig(s.file, func(string) (string, bool) { return "", false }, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.cfg.Sources = cfg.Sources
	a, err := openApp(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// with opens the installation, loads all that the topics hold, and uses it.
func (s *sourced) with(ctx context.Context, t *testing.T, use func(*app) error) {
	t.Helper()
	a := s.open(ctx, t)
	err := errors.Join(a.WaitForEnd(ctx), a.sending.consumer.WaitForEnd(ctx))
	if err == nil && use != nil {
		err = use(a)
	}
	if err := errors.Join(err, a.Close()); err != nil {
		t.Fatal(err)
	}
}

// foreignTopics makes the topics of examples/sources.yaml and returns a producer.
func foreignTopics(ctx context.Context, t *testing.T, brokers []string) *ingest.Producer {
	t.Helper()
	topics := []string{"shop.orders", "erp.public.orders"}
	kafka, err := ingest.Connect(ingest.KafkaConfig{Brokers: brokers, TopicPrefix: "goodhour.", OtherTopics: topics})
	if err != nil {
		t.Fatal(err)
	}
	producer := ingest.NewProducer(kafka)
	t.Cleanup(func() {
		if err := producer.Close(); err != nil {
			t.Error(err)
		}
		kafka.Close()
	})
	if err := kafka.EnsureTopics(ctx, 3, 1, topics...); err != nil {
		t.Fatal(err)
	}
	return producer
}

// plainOrder and debeziumOrder are order n as the two topics have it.
func plainOrder(n int) event.Record {
	return event.Record{Topic: "shop.orders", Key: fmt.Append(nil, n%97), Value: fmt.Appendf(nil,
		`{"number":"S%d","status":"paid","customer":{"id":"k%d","phone":"+551190000%04d"},"total":%d.5,"currency":"BRL","created_at":"2026-05-%02dT10:00:00Z"}`,
		n, n%97, n%97, 1+n%50, 1+n%19)}
}

func debeziumOrder(n int) event.Record {
	at := time.Date(2026, 5, 1+n%19, 9, 0, 0, 0, time.UTC).UnixMicro()
	return event.Record{Topic: "erp.public.orders", Key: fmt.Append(nil, n%89), Value: fmt.Appendf(nil,
		`{"op":"c","before":null,"after":{"id":%d,"customer_id":"k%d","total":"%d.25","placed_at":%d,"status":"paid"}}`,
		n, n%89, 1+n%70, at)}
}

func TestSourcesLoadRefuseAndReplay(t *testing.T) {
	ctx := deadline(t, time.Minute)
	b, err := broker.Start(broker.Config{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	brokers := []string{b.Addr()}
	producer := foreignTopics(ctx, t, brokers)
	var records []event.Record
	for n := range 50 {
		records = append(records, plainOrder(n), debeziumOrder(n))
	}
	const changed = `{"number":"S900","status":"paid","customer":"k1","sum":"secret"}`
	records = append(records,
		event.Record{Topic: "erp.public.orders", Key: []byte("1"), Value: []byte(`{"op":"d","before":{"id":1},"after":null}`)},
		event.Record{Topic: "erp.public.orders", Key: []byte("1")},
	)
	// The changed shape comes last of all.
	last := []event.Record{{Topic: "shop.orders", Key: []byte("1"), Value: []byte(changed)}}
	if err := errors.Join(producer.PublishRecords(ctx, records), producer.PublishRecords(ctx, last)); err != nil {
		t.Fatal(err)
	}
	s := newSourced(t, brokers, exampleSources(t))
	s.with(ctx, t, func(a *app) error {
		letters, err := a.DeadLetters(ctx, warehouse.DeadLetterFilter{})
		if err != nil {
			return err
		}
		if len(letters) != 1 || letters[0].Reason != "source shop: no identifier: customer, phone and email are empty" {
			t.Errorf("dead letters: %+v", letters)
		}
		return nil
	})
	if rows := s.hashes(ctx, t)["raw.order_completed"].Rows; rows != 100 {
		t.Fatalf("%d of 100 orders are loaded", rows)
	}

	out, talk, code := s.try(ctx, "config", "check", "--config", s.file)
	if code != exitOK || !strings.Contains(out, "Source shop: of the last 20 records of shop.orders, 1 would become dead letters") ||
		!strings.Contains(out, "no identifier") || strings.Contains(out, "secret") {
		t.Errorf("config check: exit code %d\n%s%s", code, out, talk)
	}
	s.configure(t, "data: data\nsources:\n  - name: shop\n    topic: shop.orders\n    kind: orders\n    select: |\n      select 1\n      frm record x y\n")
	if _, talk, code = s.try(ctx, "config", "check", "--config", s.file); code == exitOK || !strings.Contains(talk, "goodhour.yaml:8:") {
		t.Errorf("config check of a broken select: exit code %d\n%s", code, talk)
	}

	// The select is mended for the shape that the topic has now.
	mended := strings.NewReplacer(
		"value->>'$.customer.id'", "coalesce(value->>'$.customer.id', value->>'$.customer')",
		"value->>'$.total'", "coalesce(value->>'$.total', '12')",
		"value->>'$.currency'", "coalesce(value->>'$.currency', 'BRL')",
		"value->>'$.created_at'", "coalesce(value->>'$.created_at', '2026-05-02')").Replace(exampleSources(t))
	s.configure(t, mended)
	s.with(ctx, t, func(a *app) error {
		return errors.Join(a.ReplayDeadLetter(ctx, 1), a.WaitForEnd(ctx))
	})
	if rows := s.hashes(ctx, t)["raw.order_completed"].Rows; rows != 101 {
		t.Errorf("%d of 101 orders are loaded after the replay", rows)
	}
}
