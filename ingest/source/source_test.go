package source_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/fileimport"
	"github.com/goodhour/goodhour/ingest/source"
)

const debezium = `
select value->>'$.after.customer_id' as customer, value->>'$.after.id' as order_id,
  (value->>'$.after.total')::decimal(18, 2) as amount, 'EUR' as currency,
  make_timestamp((value->>'$.after.placed_at')::bigint) as time -- io.debezium.time.MicroTimestamp
from record
where (value->>'$.op') in ('c', 'r', 'u') and (value->>'$.after.status') = 'paid';
`

func open(t *testing.T, query string) *source.Source {
	t.Helper()
	s := source.New(source.Config{Topic: "public.orders", Select: query, Rows: fileimport.Options{Kind: fileimport.Orders, Source: "shop"}})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func records(values ...string) []event.Record {
	out := make([]event.Record, len(values))
	for i, v := range values {
		out[i] = event.Record{
			Topic: "public.orders", Offset: int64(i), Time: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), Value: []byte(v),
		}
		if v == "" {
			out[i].Value = nil
		}
	}
	return out
}

// became maps records and returns what each became: its events' ids, or its
// reason in brackets.
func became(t *testing.T, s *source.Source, at event.Partition, in []event.Record) []string {
	t.Helper()
	var out []string
	err := s.Map(context.WithoutCancel(t.Context()), at, in, func(i int, events []event.Record, reason string) bool {
		if i != len(out) {
			t.Fatalf("record %d is visited as number %d", i, len(out))
		}
		var ids []string
		for _, e := range events {
			if e.Offset != in[i].Offset || e.Topic != in[i].Topic {
				t.Errorf("an event of %d has the coordinates %s %d", in[i].Offset, e.Topic, e.Offset)
			}
			for _, h := range e.Headers {
				if h.Key == "ce_id" {
					ids = append(ids, string(h.Value))
				}
			}
		}
		if reason != "" {
			ids = append(ids, "["+reason+"]")
		}
		out = append(out, strings.Join(ids, " "))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func order(id, total string) string {
	return `{"op":"c","after":{"id":"` + id + `","customer_id":"k1","total":"` + total + `","placed_at":1777600000000000,"status":"paid"}}`
}

func TestDebeziumEnvelope(t *testing.T) {
	got := became(t, open(t, debezium), event.Partition{Topic: "public.orders"}, records(
		order("1", "10.00"),
		"", // a tombstone
		`{"op":"d","before":{"id":"1"},"after":null}`,
		order("2", "a secret"),
		"not json",
		order("", "1.00"),
		order("3", "5.50"),
	))
	want := []string{
		"order:shop:1", "", "",
		"[source shop: the select fails on this record: a value cannot be converted; use try_cast or try_strptime, or leave the column as text]",
		"[source shop: the value is not JSON]",
		"[source shop: order id is empty]",
		"order:shop:3",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The rows of a record do not depend on the records that were read with it.
func TestRecordsAreSeenAlone(t *testing.T) {
	s := open(t, `select c->>'k' as customer, 1 as amount, 'EUR' as currency, "timestamp" as time
		from record, unnest((value->'$.lines')::json[]) as u(c) order by customer limit 2`)
	in := records(`{"lines":[{"k":"a"},{"k":"b"},{"k":"c"}]}`, `{"lines":[]}`, `{"lines":[{"k":"a"},{"k":"a"}]}`)
	at := event.Partition{ClusterID: "x", Topic: "public.orders", TopicID: "first"}
	together := became(t, s, at, in)
	for i := range in {
		if diff := cmp.Diff(together[i:i+1], became(t, s, at, in[i:i+1])); diff != "" {
			t.Errorf("record %d: %s", i, diff)
		}
	}
	if n := len(strings.Fields(together[0])); n != 2 || together[1] != "" {
		t.Errorf("got %q", together)
	}
	if two := strings.Fields(together[2]); len(two) != 2 || two[0] == two[1] {
		t.Errorf("equal rows have the ids %q", two)
	}
	at.TopicID = "made anew"
	if anew := became(t, s, at, in); anew[0] == together[0] {
		t.Error("a topic made anew gives the same ids at the same offsets")
	}
}

func TestIDColumn(t *testing.T) {
	s := open(t, `select key as customer, headers->>'n' as id, -1 as amount, 'EUR' as currency, 'o' as order_id, "timestamp" as time from record`)
	in := records(`{}`, `{}`)
	for i := range in {
		in[i].Key = []byte("k")
	}
	in[0].Headers = []event.Header{{Key: "n", Value: []byte("7")}}
	want := []string{"row:shop:7", "[source shop: the select's column id is empty]"}
	if diff := cmp.Diff(want, became(t, s, event.Partition{}, in)); diff != "" {
		t.Error(diff)
	}
}

func TestWrongSelects(t *testing.T) {
	for query, want := range map[string]struct {
		line int
		text string
	}{
		"select\n  1 as x\nfrom record x y":                      {3, "syntax error"},
		"select value as customer,\n  nothing as x\nfrom record": {2, "nothing"},
		"select 1; select 2":                                     {1, "want one select"},
		"drop table batch":                                       {1, "SELECT"},
		"select * from read_csv('/etc/passwd')":                  {1, "disabled"},
	} {
		err := open(t, query).Check(t.Context())
		var fault *source.SelectError
		if !errors.As(err, &fault) || fault.Line != want.line || !strings.Contains(fault.Message, want.text) {
			t.Errorf("%s: got %v, want line %d and %q", query, err, want.line, want.text)
		}
	}
	err := open(t, "select 1 as custmer from record").Check(t.Context())
	var refusal *fileimport.Refusal
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), `"custmer" is not a field`) {
		t.Errorf("got %v", err)
	}
}
