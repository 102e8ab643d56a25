package ingest_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/broker/brokertest"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/warehouse"
)

const (
	benchEvents     = 1_200_000
	benchPartitions = 6
	benchCustomers  = 100_000
	benchBatch      = 50_000 // the default of goodhour's configuration
)

// benchEvent is a delivery receipt as the webhook of Meta's Cloud API gives it.
func benchEvent(b *testing.B, random *rand.Rand, n int) event.Event {
	b.Helper()
	hash := sha256.Sum256(fmt.Appendf(nil, "%d", n))
	phone := fmt.Sprintf("+55119%08d", random.IntN(benchCustomers))
	billable := n%4 != 0
	e, err := event.New("delivered:wamid."+base64.StdEncoding.EncodeToString(hash[:24]), "meta/1029384756", "phone:"+phone,
		happenedAt(0).Add(time.Duration(n)*50*time.Millisecond),
		event.MessageDeliveredData{
			Person: event.Person{Phone: phone},
			Message: event.Message{
				MessageID: hex.EncodeToString(hash[:16]), ProviderMessageID: "wamid." + base64.StdEncoding.EncodeToString(hash[:24]),
				Provider: "meta", NumberID: "106540352242922", CampaignID: fmt.Sprintf("spring-sale-2026-%02d", n%20),
			},
			Pricing: &event.Pricing{Billable: &billable, Category: "marketing", Type: "regular"},
		})
	if err != nil {
		b.Fatal(err)
	}
	return e
}

// BenchmarkIngest measures the whole way from a broker in its own process to
// committed in DuckDB, exactly once and de-duplicated, and beside it, in the
// same run, what the driver's bare Appender does with the same rows, without
// Kafka, JSON, identities, de-duplication or offsets.
func BenchmarkIngest(b *testing.B) {
	process := brokertest.Start(b, brokertest.Options{Dir: b.TempDir()})
	k, err := ingest.Connect(ingest.KafkaConfig{Brokers: []string{process.Addr}, TopicPrefix: "goodhour."})
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close()
	topic := k.Topic(event.TopicDelivery)
	if err := k.EnsureTopics(b.Context(), benchPartitions, 1, topic); err != nil {
		b.Fatal(err)
	}
	rows, size := publishBench(b, k)
	for b.Loop() {
		b.StopTimer()
		bare := appendBare(b, rows)
		rate := ingestBench(b, k, topic)
		b.ReportMetric(rate, "events/s")
		b.ReportMetric(bare, "appender_rows/s")
		b.ReportMetric(rate/bare, "ratio")
		b.ReportMetric(size, "B/event")
		b.StartTimer()
	}
}

// publishBench publishes the events and returns them decoded, for the bare
// Appender, and the mean size of a record.
func publishBench(b *testing.B, k *ingest.Kafka) (*event.Batch, float64) {
	b.Helper()
	producer := ingest.NewProducer(k)
	defer producer.Close()
	random := rand.New(rand.NewPCG(1, 2))
	decoder, batch, bytes := newDecoder(), new(event.Batch), 0
	const chunk = 50_000
	for from := 0; from < benchEvents; from += chunk {
		events := make([]event.Event, 0, chunk)
		for n := from; n < from+chunk; n++ {
			e := benchEvent(b, random, n)
			record, err := e.Record("goodhour.")
			if err != nil {
				b.Fatal(err)
			}
			record.Time, record.Offset = happenedAt(n), int64(n)
			decoder.Decode(&record, batch)
			bytes += len(record.Key) + len(record.Value)
			for _, h := range record.Headers {
				bytes += len(h.Key) + len(h.Value)
			}
			events = append(events, e)
		}
		if err := producer.Publish(b.Context(), events); err != nil {
			b.Fatal(err)
		}
	}
	if batch.EventCount() != benchEvents {
		b.Fatalf("%d of %d events can be decoded", batch.EventCount(), benchEvents)
	}
	return batch, float64(bytes) / benchEvents
}

// ingestBench loads everything into an empty warehouse and returns events/s.
func ingestBench(b *testing.B, k *ingest.Kafka, topic string) float64 {
	b.Helper()
	logger := slog.New(slog.DiscardHandler)
	db, err := warehouse.Open(b.Context(), warehouse.Options{
		Path: filepath.Join(b.TempDir(), "warehouse.duckdb"), Now: time.Now, Logger: logger,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	timed := &timedLoader{Loader: db}
	consumer, err := ingest.NewConsumer(ingest.ConsumerConfig{
		Kafka: k, Topics: []string{topic}, Loader: timed, NewDecoder: newDecoder,
		Limits: ingest.Limits{Records: benchBatch, Bytes: 64 << 20, Age: 500 * time.Millisecond},
		Group:  "goodhour", Logger: logger, Now: time.Now,
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	done := make(chan error, 1)
	began := time.Now()
	go func() { done <- consumer.Run(ctx) }()
	if err := consumer.WaitForEnd(ctx); err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	var count int
	err = db.View(b.Context(), func(conn *sql.Conn) error {
		return conn.QueryRowContext(b.Context(), "select count(distinct (ce_source, ce_id)) from raw.message_delivered").Scan(&count)
	})
	if err != nil || count != benchEvents {
		b.Fatalf("%d of %d events are in the warehouse: %v", count, benchEvents, err)
	}
	b.Logf("%d events in %s; the loader was busy for %s in %d batches", benchEvents, took.Round(time.Millisecond),
		timed.busy.Round(time.Millisecond), timed.batches)
	return benchEvents / took.Seconds()
}

// timedLoader tells the warehouse's share of the time.
type timedLoader struct {
	ingest.Loader
	busy    time.Duration
	batches int
}

func (l *timedLoader) Load(ctx context.Context, batch *event.Batch) error {
	began := time.Now()
	defer func() { l.busy += time.Since(began); l.batches++ }()
	return l.Loader.Load(ctx, batch)
}

// appendBare appends the rows with the driver's Appender into a table like
// raw.message_delivered, a transaction a batch, and returns rows/s.
func appendBare(b *testing.B, batch *event.Batch) float64 {
	b.Helper()
	db, err := sql.Open("duckdb", filepath.Join(b.TempDir(), "bare.duckdb"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	exec := func(statement string) {
		if _, err := conn.ExecContext(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
	exec(`set memory_limit = '1GiB'`)
	exec(`set wal_autocheckpoint = '256MB'`)
	exec(`create table bare (
		ce_source varchar not null, ce_id varchar not null, ce_time timestamp not null, identity_id uuid,
		message_id varchar, provider_message_id varchar, provider varchar, number_id varchar, campaign_id varchar,
		pricing_billable boolean, pricing_category varchar, pricing_type varchar,
		topic varchar not null, "partition" integer not null, "offset" bigint not null, received_at timestamp not null)`)
	rows := batch.Rows[event.MessageDelivered]
	began := time.Now()
	for from := 0; from < rows.Len(); from += benchBatch {
		exec("begin transaction")
		err := conn.Raw(func(raw any) error {
			appender, err := duckdb.NewAppenderFromConn(raw.(driver.Conn), "", "bare")
			if err != nil {
				return err
			}
			text := func(c, i int) string { return string(rows.Columns[c].Text.At(i)) }
			for i := from; i < min(from+benchBatch, rows.Len()); i++ {
				if err := appender.AppendRow(
					string(rows.Source.At(i)), string(rows.ID.At(i)), time.UnixMicro(rows.Time[i]), duckdb.UUID(rows.Identity[i]),
					text(0, i), text(1, i), text(2, i), text(3, i), text(4, i),
					rows.Columns[5].Bool[i], text(6, i), text(7, i),
					batch.Topics[rows.Topic[i]], rows.Partition[i], rows.Offset[i], time.UnixMicro(rows.ReceivedAt[i]),
				); err != nil {
					return err
				}
			}
			return appender.Close()
		})
		if err != nil {
			b.Fatal(err)
		}
		exec("commit")
	}
	return float64(rows.Len()) / time.Since(began).Seconds()
}
