package event

import (
	"fmt"
	"testing"
	"time"
)

// deliveredRecords are events of about 300 bytes of JSON and 200 of headers,
// each about one of persons, known by subject and phone. As in a response of
// Kafka, one record lies behind the other in memory.
func deliveredRecords(tb tester, n, persons int, encode func(*Event, string) (Record, error)) []Record {
	tb.Helper()
	records := make([]Record, n)
	response := make([]byte, 0, 1<<20)
	place := func(b []byte) []byte {
		if len(response)+len(b) > cap(response) {
			response = make([]byte, 0, 1<<20)
		}
		start := len(response)
		response = append(response, b...)
		return response[start:len(response):len(response)]
	}
	headers := make([]Header, 0, 8*n)
	start := time.Date(2026, 11, 1, 8, 0, 0, 123456000, time.UTC)
	for i := range records {
		person := i * 7919 % persons
		at := start.Add(time.Duration(i) * 37 * time.Millisecond)
		billable := i%3 == 0
		ev, err := New(
			fmt.Sprintf("wamid.HBgNNTUxMTk5OTk5MDAwMBUCABEYEjdG%012d:delivered", i), "/providers/meta/106540352242922",
			fmt.Sprintf("c-%07d", person), at,
			MessageDeliveredData{
				Person: Person{Phone: fmt.Sprintf("+5511%09d", 900_000_000+person)},
				Message: Message{
					MessageID: fmt.Sprintf("m-%032d", i), ProviderMessageID: fmt.Sprintf("wamid.HBgNNTUxMTk5OTk5MDAwMBUCABEYEjdG%012d", i),
					Provider: "meta", NumberID: "106540352242922", CampaignID: "launch-2026-11",
				},
				Pricing: &Pricing{Billable: &billable, Category: "marketing", Type: "regular"},
			})
		if err != nil {
			tb.Fatal(err)
		}
		if records[i], err = encode(&ev, "goodhour."); err != nil {
			tb.Fatal(err)
		}
		start := len(headers)
		for _, h := range records[i].Headers {
			headers = append(headers, Header{Key: h.Key, Value: place(h.Value)})
		}
		records[i].Headers = headers[start:]
		records[i].Key, records[i].Value = place(records[i].Key), place(records[i].Value)
		records[i].Offset = int64(i)
		records[i].Time = at.Add(time.Second)
	}
	return records
}

// BenchmarkDecode decodes batches of 50,000 delivered events. "known" are
// 20,000 persons, which the decoder's cache holds; "unknown" are a million, of
// whom it forgets most before they come again.
func BenchmarkDecode(b *testing.B) {
	const batchSize = 50_000
	for _, c := range []struct {
		name       string
		n, persons int
		encode     func(*Event, string) (Record, error)
	}{
		{"binary/known", batchSize, 20_000, (*Event).Record},
		{"binary/unknown", 10 * batchSize, 1_000_000, (*Event).Record},
		{"structured/known", batchSize, 20_000, (*Event).Structured},
	} {
		b.Run(c.name, func(b *testing.B) {
			records := deliveredRecords(b, c.n, c.persons, c.encode)
			d := NewDecoder(newTestKeyer(b))
			var batch Batch
			bytes := len(records[0].Value)
			for i := range batchSize { // grow the batch's memory, as a running consumer has
				d.Decode(&records[i], &batch)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if batch.Records == batchSize {
					batch.Reset()
				}
				d.Decode(&records[i%len(records)], &batch)
				i++
			}
			if len(batch.DeadLetters) > 0 {
				b.Fatal(batch.DeadLetters[0].Reason)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(bytes), "JSON-bytes/event")
		})
	}
}
