package warehouse_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
)

// given is an event as a test writes it down. Values go to the columns of
// those names: string, int64, float64 and bool; what is missing is null.
type given struct {
	kind      event.Kind
	source    string
	id        string
	at        int64 // microseconds
	identity  identity.ID
	values    map[string]any
	extra     string
	partition int32
	offset    int64
}

const testTopic = "goodhour.test"

func appendEvents(t testing.TB, b *event.Batch, events ...given) {
	t.Helper()
	if len(b.Topics) == 0 {
		b.Topics = append(b.Topics, testTopic)
	}
	for _, e := range events {
		appendEvent(t, b, e)
	}
}

func appendEvent(t testing.TB, b *event.Batch, e given) {
	t.Helper()
	r := b.RowsOf(e.kind)
	r.Source.Append([]byte(e.source))
	r.ID.Append([]byte(e.id))
	r.Time = append(r.Time, e.at)
	r.Identity = append(r.Identity, e.identity)
	r.Topic = append(r.Topic, 0)
	r.Partition = append(r.Partition, e.partition)
	r.Offset = append(r.Offset, e.offset)
	r.ReceivedAt = append(r.ReceivedAt, e.at+1)
	personal := false
	used := 0
	for i := range r.Columns {
		column, spec := &r.Columns[i], &e.kind.Spec().Columns[i]
		value, ok := e.values[spec.Name]
		if !ok {
			column.AppendNull()
			continue
		}
		used++
		personal = personal || spec.Personal
		switch v := value.(type) {
		case string:
			column.AppendText([]byte(v))
		case int64:
			column.AppendInt(v)
		case float64:
			column.AppendFloat(v)
		case bool:
			column.AppendBool(v)
		default:
			t.Fatalf("column %s: %T", spec.Name, value)
		}
	}
	if used != len(e.values) {
		t.Fatalf("%s has no column for one of %v", e.kind, e.values)
	}
	if e.extra == "" {
		r.Extra.AppendNull()
	} else {
		r.Extra.AppendText([]byte(e.extra))
		personal = true
	}
	if personal {
		r.PersonalRows++
	}
}

// partition is the log that tests read.
func partition(n int32) event.Partition {
	return event.Partition{ClusterID: "cluster", Topic: testTopic, TopicID: "topic-id", Partition: n}
}

// customer is the identity of customer n.
func customer(n int) identity.ID {
	var id identity.ID
	binary.BigEndian.PutUint64(id[:8], uint64(n)*0x9E3779B97F4A7C15)
	binary.BigEndian.PutUint64(id[8:], uint64(n)+1)
	return id
}

// appendReads adds n message_read events, all new, 13 columns each and about as
// long as real ones. times gives each its time.
func appendReads(b *event.Batch, random *rand.Rand, n int, times func(i int) int64) {
	if len(b.Topics) == 0 {
		b.Topics = append(b.Topics, "goodhour.read")
	}
	r := b.RowsOf(event.MessageRead)
	var text []byte
	for i := range n {
		at := times(i)
		who := random.IntN(200_000)
		r.Source.Append([]byte("meta:102290129340398"))
		text = fmt.Appendf(text[:0], "%016x%016x", random.Uint64(), random.Uint64())
		r.ID.Append(text)
		r.Time = append(r.Time, at)
		r.Identity = append(r.Identity, customer(who))
		r.Topic = append(r.Topic, 0)
		r.Partition = append(r.Partition, int32(who%6))
		r.Offset = append(r.Offset, int64(i))
		r.ReceivedAt = append(r.ReceivedAt, at+2_000_000)
		text = fmt.Appendf(text[:0], "%016x%016x", random.Uint64(), random.Uint64())
		r.Columns[0].AppendText(text)
		text = fmt.Appendf(text[:0], "wamid.HBgNNTUxMTk5OTk5%016x%016xAA==", random.Uint64(), random.Uint64())
		r.Columns[1].AppendText(text)
		r.Columns[2].AppendText([]byte("meta"))
		r.Columns[3].AppendText([]byte("106540352242922"))
		text = fmt.Appendf(text[:0], "cmp_%04d", random.IntN(40))
		r.Columns[4].AppendText(text)
		r.Extra.AppendNull()
	}
	b.Records = n
}
