package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/goodhour/goodhour/ingest/event"
)

// cloudEventText is an order in CloudEvents' JSON format; changes replace
// members, and remove those that are nil.
func cloudEventText(t *testing.T, id string, changes map[string]any) string {
	t.Helper()
	e := map[string]any{
		"specversion": "1.0", "id": id, "source": "shop", "type": "commerce.order.completed.v1",
		"subject": "c-1", "time": "2026-02-03T04:05:06Z",
		"data": map[string]any{"order_id": id, "amount": "12.50", "currency": "BRL"},
	}
	for name, value := range changes {
		e[name] = value
		if value == nil {
			delete(e, name)
		}
	}
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

func TestEventsAreInTheLogWhenTheyAreAccepted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.key("write")
	batch := "[" + cloudEventText(t, "o1", nil) + "," + cloudEventText(t, "o2", nil) + "]"
	got := b.call(http.MethodPost, "/v1/events", token, batch, "Content-Type", mediaEventBatch).is(http.StatusAccepted, "")
	if diff := partOf(any(map[string]any{
		"accepted": json.Number("2"), "events": json.Number("2"), "rejected": json.Number("0"), "errors": []any{},
	}), any(got.json()), ""); diff != "" {
		t.Error(diff)
	}
	b.call(http.MethodPost, "/v1/events", token, cloudEventText(t, "o3", nil), "Content-Type", mediaEvent+"; charset=utf-8").is(http.StatusAccepted, "")
	records := b.published(event.TopicPurchase, 3)
	for i, r := range records {
		if header(r, "ce_id") != fmt.Sprintf("o%d", i+1) || header(r, "ce_source") != "shop" || string(r.Key) != "c-1" ||
			header(r, "ce_time") != "2026-02-03T04:05:06Z" || !strings.Contains(string(r.Value), `"12.50"`) {
			t.Errorf("record %d: key %s, headers %v, value %s", i, r.Key, r.Headers, r.Value)
		}
	}
	b.call(http.MethodPost, "/v1/events", token, "[]", "Content-Type", mediaEventBatch).is(http.StatusAccepted, "")
}

func TestABadEventIsNamedAndNothingIsPublished(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.key("write")
	bad := []struct {
		reason  string
		changes map[string]any
	}{
		{"specversion", map[string]any{"specversion": "0.3"}},
		{"specversion", map[string]any{"specversion": nil}},
		{"id", map[string]any{"id": nil}},
		{"id", map[string]any{"id": 7}},
		{"source", map[string]any{"source": ""}},
		{"type", map[string]any{"type": "commerce.order.completed.v9"}},
		{"sender", map[string]any{"type": "goodhour.message.attempted.v1"}},
		{"undoes a STOP", map[string]any{"type": "customer.consent.changed.v1", "data": map[string]any{
			"category": "marketing", "state": "opted_in", "source": "inbound_message",
		}}},
		{"undoes a STOP", map[string]any{"type": "customer.consent.changed.v1", "data": map[string]any{
			"category": "all", "state": "opted_in", "source": "provider_preference",
		}}},
		{"time", map[string]any{"time": nil}},
		{"time", map[string]any{"time": "yesterday"}},
		{"24 hours", map[string]any{"time": time.Now().Add(25 * time.Hour).Format(time.RFC3339)}},
		{"data", map[string]any{"data": nil}},
		{"data", map[string]any{"data": []int{1}}},
		{"data_base64", map[string]any{"data": nil, "data_base64": "e30="}},
		{"order_id", map[string]any{"data": map[string]any{"amount": 1, "currency": "BRL"}}},
		{"amount", map[string]any{"data": map[string]any{"order_id": "x", "amount": "a lot", "currency": "BRL"}}},
		{"currency", map[string]any{"data": map[string]any{"order_id": "x", "amount": 1, "currency": "reais"}}},
		{"identifier", map[string]any{"subject": nil}},
		{"control", map[string]any{"id": "a\nb"}},
		{"bytes", map[string]any{"data": map[string]any{"order_id": "x", "amount": 1, "currency": "BRL", "note": strings.Repeat("x", 950_000)}}},
	}
	items := []string{cloudEventText(t, "good", nil)}
	for i, c := range bad {
		items = append(items, cloudEventText(t, fmt.Sprintf("secret-%d", i), c.changes))
	}
	items = append(items, "7", "null", `"text"`)
	batch := "[" + strings.Join(items, ",") + "]"
	got := b.call(http.MethodPost, "/v1/events", token, batch, "Content-Type", mediaEventBatch).is(http.StatusUnprocessableEntity, "rejected-items")
	errs := got.json()["errors"].([]any)
	if len(errs) != len(items)-1 {
		t.Fatalf("%d items refused, want %d: %s", len(errs), len(items)-1, got.body)
	}
	for i, c := range bad {
		e := errs[i].(map[string]any)
		if e["index"] != json.Number(fmt.Sprint(i+1)) || !strings.Contains(e["detail"].(string), c.reason) {
			t.Errorf("item %d: %v, want a reason with %q", i+1, e, c.reason)
		}
	}
	if strings.Contains(string(got.body), "secret-") || strings.Contains(string(got.body), "a lot") {
		t.Errorf("the answer quotes the items: %s", got.body)
	}
	// With invalid=skip the good one is published, and only it: nothing was before.
	got = b.call(http.MethodPost, "/v1/events?invalid=skip", token, batch, "Content-Type", mediaEventBatch).is(http.StatusAccepted, "")
	if answer := got.json(); answer["accepted"] != json.Number("1") || answer["rejected"] != json.Number(fmt.Sprint(len(items)-1)) {
		t.Errorf("%s", got.body)
	}
	if records := b.published(event.TopicPurchase, 1); header(records[0], "ce_id") != "good" {
		t.Errorf("published %s", header(records[0], "ce_id"))
	}
}

func TestABodyThatIsNoBatchIsRefusedWhole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.key("write")
	f := func(body, media string, status int, problem string) {
		t.Helper()
		b.call(http.MethodPost, "/v1/events", token, body, "Content-Type", media).is(status, problem)
	}
	f("", mediaEventBatch, 400, "invalid-body")
	f("{}", mediaEventBatch, 400, "invalid-body")
	f("null", mediaEventBatch, 400, "invalid-body")
	f("[", mediaEventBatch, 400, "invalid-body")
	f("[] []", mediaEventBatch, 400, "invalid-body")
	f("[\"\xff\"]", mediaEventBatch, 400, "invalid-body")
	f("["+strings.Repeat("0,", batchItemsMax)+"0]", mediaEventBatch, 413, "body-too-large")
	f(strings.Repeat(" ", bodyBatch+1), mediaEventBatch, 413, "body-too-large")
	f(strings.Repeat("[", 20_000), mediaEventBatch, 400, "invalid-body")
	f("[]", mediaJSON, 415, "unsupported-media-type")
	f("[]", "application/x-www-form-urlencoded", 415, "unsupported-media-type")
}

// deadLog refuses everything, as a log does that cannot be reached.
type deadLog struct{ calls chan int }

func (d deadLog) Publish(_ context.Context, events []event.Event) error {
	d.calls <- len(events)
	return errors.New("dial tcp 192.0.2.1:9092: connection refused")
}

func TestAnEventThatTheLogDoesNotTakeIsNotAccepted(t *testing.T) {
	t.Parallel()
	log := deadLog{make(chan int, 2)}
	b := setup(t, func(cfg *Config) { cfg.Publisher = log })
	token := b.key("write")
	for range 2 { // the answer is not kept for its Idempotency-Key: the repeat tries again
		got := b.call(http.MethodPost, "/v1/events", token, cloudEventText(t, "o1", nil), "Content-Type", mediaEvent, "Idempotency-Key", "k")
		got.is(http.StatusServiceUnavailable, "unavailable")
		if got.header.Get("Retry-After") == "" || strings.Contains(string(got.body), "192.0.2.1") {
			t.Errorf("%v %s", got.header, got.body)
		}
	}
	if len(log.calls) != 2 {
		t.Errorf("%d attempts at the log, want 2", len(log.calls))
	}
	if !strings.Contains(b.log.String(), "connection refused") {
		t.Error("the cause is not in the log of the server")
	}
}
