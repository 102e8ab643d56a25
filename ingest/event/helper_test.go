package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goodhour/goodhour/ingest/identity"
)

// tester is what the helpers need of testing.TB, and *rapid.T has too.
type tester interface {
	Helper()
	Error(...any)
	Errorf(string, ...any)
	Fatal(...any)
	Fatalf(string, ...any)
}

const testTopic = "goodhour.test"

var testTime = time.Date(2026, 11, 24, 10, 20, 30, 123456000, time.UTC)

func newTestKeyer(tb tester) *identity.Keyer {
	tb.Helper()
	keyer, err := identity.NewKeyer([]byte("a test key of 32 bytes or more.."))
	if err != nil {
		tb.Fatal(err)
	}
	return keyer
}

// binaryRecord is an event with the data given as JSON text.
func binaryRecord(kind Kind, subject, data string) Record {
	headers := []Header{
		{Key: "ce_specversion", Value: []byte("1.0")},
		{Key: "ce_id", Value: []byte("e-1")},
		{Key: "ce_source", Value: []byte("/shop")},
		{Key: "ce_type", Value: []byte(kind.String())},
		{Key: "ce_time", Value: []byte("2026-11-24T10:20:30.123456Z")},
		{Key: "content-type", Value: []byte("application/json")},
	}
	if subject != "" {
		headers = append(headers, Header{Key: "ce_subject", Value: []byte(subject)})
	}
	return Record{
		Topic: testTopic, Partition: 3, Offset: 42, Time: testTime.Add(time.Second),
		Value: []byte(data), Headers: headers,
	}
}

// structuredRecord has the same meaning as binaryRecord.
func structuredRecord(kind Kind, subject, data string) Record {
	value := `{"specversion":"1.0","id":"e-1","source":"/shop","type":"` + kind.String() +
		`","time":"2026-11-24T10:20:30.123456Z","data":` + data
	if subject != "" {
		quoted, err := json.Marshal(subject)
		if err != nil {
			panic(err)
		}
		value += `,"subject":` + string(quoted)
	}
	return Record{
		Topic: testTopic, Partition: 3, Offset: 42, Time: testTime.Add(time.Second),
		Value: []byte(value + "}"), Headers: []Header{{Key: "content-type", Value: []byte("application/cloudevents+json; charset=utf-8")}},
	}
}

func decodeOne(tb tester, rec Record) *Batch {
	tb.Helper()
	var b Batch
	NewDecoder(newTestKeyer(tb)).Decode(&rec, &b)
	if got := b.EventCount() + len(b.DeadLetters); got != 1 || b.Records != 1 {
		tb.Fatalf("one record became %d rows and dead letters, of %d records", got, b.Records)
	}
	return &b
}

// mustRow is the dump of the only row of a record that is to be accepted.
func mustRow(tb tester, rec Record) string {
	tb.Helper()
	b := decodeOne(tb, rec)
	if len(b.DeadLetters) > 0 {
		tb.Fatalf("dead letter: %s", b.DeadLetters[0].Reason)
	}
	return dump(tb, b)
}

// mustReason is why a record that is to be refused was refused.
func mustReason(tb tester, rec Record) string {
	tb.Helper()
	b := decodeOne(tb, rec)
	if len(b.DeadLetters) == 0 {
		tb.Fatalf("accepted as\n%s", dump(tb, b))
	}
	if len(b.Identities)+len(b.Links)+len(b.Unlinks) > 0 {
		tb.Error("a dead letter left identities or links")
	}
	return b.DeadLetters[0].Reason
}

// dump writes all that a batch holds, one value a line, nulls left out.
func dump(tb tester, b *Batch) string {
	tb.Helper()
	var out strings.Builder
	names := map[identity.ID]string{}
	for _, id := range b.Identities {
		names[id.ID] = id.Namespace + "=" + id.Value
	}
	for _, rows := range b.Rows {
		if rows == nil {
			continue
		}
		spec := rows.Kind.Spec()
		for i := range rows.Len() {
			fmt.Fprintf(&out, "%s\n", rows.Kind)
			fmt.Fprintf(&out, "  ce_source = %s\n  ce_id = %s\n", rows.Source.At(i), rows.ID.At(i))
			fmt.Fprintf(&out, "  ce_time = %s\n", microText(rows.Time[i]))
			fmt.Fprintf(&out, "  identity = %s\n", names[rows.Identity[i]])
			fmt.Fprintf(&out, "  at = %s/%d/%d received %s\n", b.Topics[rows.Topic[i]], rows.Partition[i], rows.Offset[i], microText(rows.ReceivedAt[i]))
			for c := range rows.Columns {
				if rows.Columns[c].Valid[i] {
					schema := "raw"
					if spec.Columns[c].Personal {
						schema = "pii"
					}
					fmt.Fprintf(&out, "  %s.%s = %s\n", schema, spec.Columns[c].Name, cellText(&rows.Columns[c], i))
				}
			}
			if rows.Extra.Valid[i] {
				fmt.Fprintf(&out, "  pii.extra = %s\n", canonical(tb, rows.Extra.Text.At(i)))
			}
		}
		fmt.Fprintf(&out, "  personal rows = %d\n", rows.PersonalRows)
	}
	for _, id := range b.Identities {
		fmt.Fprintf(&out, "identity %s\n", names[id.ID])
	}
	for _, l := range b.Links {
		fmt.Fprintf(&out, "link %s ~ %s at %d\n", names[l.A], names[l.B], l.Offset)
	}
	for _, l := range b.Unlinks {
		fmt.Fprintf(&out, "unlink %s ~ %s at %d\n", names[l.A], names[l.B], l.Offset)
	}
	return out.String()
}

// sortedLines is for comparing dumps as sets: identities and links come in the
// order of the event's fields.
func sortedLines(dump string) string {
	lines := strings.Split(dump, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func microText(micros int64) string {
	return time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05.999999Z07:00")
}

func cellText(c *ColumnData, i int) string {
	switch c.Type {
	case Text, JSON:
		return string(c.Text.At(i))
	case Float:
		return fmt.Sprint(c.Float[i])
	case Bool:
		return strconv.FormatBool(c.Bool[i])
	case Decimal:
		return Amount(c.Int[i]).String()
	case Timestamp:
		return microText(c.Int[i])
	default:
		return strconv.FormatInt(c.Int[i], 10)
	}
}

// canonical is a JSON object with its keys sorted, numbers as they stand.
func canonical(tb tester, text []byte) string {
	tb.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value map[string]any
	if err := decoder.Decode(&value); err != nil {
		tb.Fatalf("extra is no JSON object: %v\n%s", err, text)
	}
	sorted, err := json.Marshal(value)
	if err != nil {
		tb.Fatal(err)
	}
	return string(sorted)
}
