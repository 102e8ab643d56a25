package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/event"
)

func TestCustomersBecomeEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.key("write")
	body := `[
		{"external_id":"c-1","external_ids":{"shop":"77"},"phone":"+55 11 99999-0001","email":"Ana@Example.com","name":"Ana",
		 "country":"BR","tags":["vip"],"updated_at":"2026-02-03T04:05:06.123456789+03:00","loyalty":{"level":3},
		 "consents":[{"category":"marketing","state":"opted_in","evidence":"checkout","changed_at":"2026-01-01T00:00:00Z"},
		             {"category":"utility","state":"opted_out","source":"form"}]},
		{"phone":"+5511999990002","updated_at":"2026-02-03T00:00:00Z"}]`
	got := b.call(http.MethodPost, "/v1/customers?source=crm", token, body, "Content-Type", mediaJSON).is(http.StatusAccepted, "")
	if answer := got.json(); answer["accepted"] != json.Number("2") || answer["events"] != json.Number("4") {
		t.Errorf("%s", got.body)
	}
	records := b.published(event.TopicCustomer, 4)
	type published struct{ Type, Source, Subject, Time, Data string }
	var out []published
	ids := make(map[string]bool)
	for _, r := range records {
		ids[header(r, "ce_id")] = true
		out = append(out, published{header(r, "ce_type"), header(r, "ce_source"), header(r, "ce_subject"), header(r, "ce_time"), string(r.Value)})
	}
	want := []published{
		{"customer.updated.v1", "api:crm", "c-1", "2026-02-03T01:05:06.123456Z", `{"country":"BR","email":"Ana@Example.com","external_ids":{"shop":"77"},"loyalty":{"level":3},"name":"Ana","phone":"+55 11 99999-0001","tags":["vip"]}`},
		{"customer.consent.changed.v1", "api:crm", "c-1", "2026-01-01T00:00:00Z", `{"category":"marketing","state":"opted_in","source":"crm","evidence":"checkout"}`},
		{"customer.consent.changed.v1", "api:crm", "c-1", "2026-02-03T01:05:06.123456Z", `{"category":"utility","state":"opted_out","source":"form"}`},
		{"customer.updated.v1", "api:crm", "phone:+5511999990002", "2026-02-03T00:00:00Z", `{"phone":"+5511999990002"}`},
	}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	if len(ids) != 4 {
		t.Errorf("%d ids for 4 events", len(ids))
	}
	// The same rows again are the same events.
	b.call(http.MethodPost, "/v1/customers?source=crm", token, body, "Content-Type", mediaJSON).is(http.StatusAccepted, "")
	for _, r := range b.published(event.TopicCustomer, 8)[4:] {
		if !ids[header(r, "ce_id")] {
			t.Errorf("the repeat has an event of its own: %s", r.Value)
		}
	}
}

func TestCSVCustomersAreTheSameEventsAsJSON(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.key("write")
	jsonBody := `[{"external_id":"c-1","external_ids":{"erp":"9","shop":"77"},"phone":"+5511999990001","tags":["a","b"],"city":"São Paulo",
		"updated_at":"2026-02-03T04:05:06Z","consents":[{"category":"marketing","state":"opted_in","source":"form","evidence":"page 1, \"box\"","changed_at":"2026-01-01T00:00:00Z"}]}]`
	csvBody := "\ufeffexternal_id,external_ids.shop,external_ids.erp,phone,tags,city,name,updated_at,consent_marketing,consent_utility,consent_source,consent_evidence,consent_changed_at\r\n" +
		"c-1,77,9,+5511999990001,a| b |,São Paulo,,2026-02-03T04:05:06Z,opted_in,,form,\"page 1, \"\"box\"\"\",2026-01-01T00:00:00Z\r\n"
	b.call(http.MethodPost, "/v1/customers", token, jsonBody, "Content-Type", mediaJSON).is(http.StatusAccepted, "")
	b.call(http.MethodPost, "/v1/customers", token, csvBody, "Content-Type", mediaCSV).is(http.StatusAccepted, "")
	records := b.published(event.TopicCustomer, 4)
	for i := range 2 {
		if string(records[i].Value) != string(records[i+2].Value) || header(records[i], "ce_id") != header(records[i+2], "ce_id") {
			t.Errorf("JSON %s\nCSV  %s", records[i].Value, records[i+2].Value)
		}
	}
}

func TestARowWithoutATimeIsOfNow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.clock.now()
	b.call(http.MethodPost, "/v1/customers", b.key("write"), `[{"external_id":"c-1","name":null}]`, "Content-Type", mediaJSON).is(http.StatusAccepted, "")
	r := b.published(event.TopicCustomer, 1)[0]
	if at := header(r, "ce_time"); at < before.UTC().Format("2006-01-02T15:04:05") {
		t.Errorf("time %s", at)
	}
	if header(r, "ce_source") != "api:customers" {
		t.Errorf("source %s", header(r, "ce_source"))
	}
}

func TestABadCustomerIsNamedAndNothingIsPublished(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.key("write")
	rows := []struct{ reason, row string }{
		{"", `{"external_id":"good"}`},
		{"no identifier", `{"name":"Secret Name"}`},
		{"phone", `{"phone":"99999-secret"}`},
		{"phone", `{"external_id":"x","phone":"11999990001"}`},
		{"email", `{"email":"secret at example"}`},
		{"bsuid", `{"bsuid":"secret"}`},
		{"external_id", `{"external_id":123}`},
		{"external_id", `{"external_id":"` + strings.Repeat("x", 600) + `"}`},
		{"external_ids", `{"external_ids":{"Shop Nr 1":"77"}}`},
		{"external_ids", `{"external_ids":["77"]}`},
		{"time", `{"external_id":"x","updated_at":"secret"}`},
		{"time", `{"external_id":"x","updated_at":"2999-01-01T00:00:00Z"}`},
		{"tags", `{"external_id":"x","tags":"secret"}`},
		{"category", `{"external_id":"x","consents":[{"state":"opted_in"}]}`},
		{"state", `{"external_id":"x","consents":[{"category":"marketing","state":"secret"}]}`},
		{"source", `{"external_id":"x","consents":[{"category":"marketing","state":"opted_in","source":"inbound_message"}]}`},
		{"source", `{"external_id":"x","consents":[{"category":"marketing","state":"opted_in","source":"provider_preference"}]}`},
		{"object", `7`},
		{"object", `null`},
	}
	var items []string
	for _, r := range rows {
		items = append(items, r.row)
	}
	body := "[" + strings.Join(items, ",") + "]"
	got := b.call(http.MethodPost, "/v1/customers", token, body, "Content-Type", mediaJSON).is(http.StatusUnprocessableEntity, "rejected-items")
	errs := got.json()["errors"].([]any)
	for i, r := range rows[1:] {
		if i >= len(errs) {
			t.Fatalf("%d refused, want %d: %s", len(errs), len(rows)-1, got.body)
		}
		e := errs[i].(map[string]any)
		if e["index"] != json.Number(fmt.Sprint(i+1)) || !strings.Contains(e["detail"].(string), r.reason) {
			t.Errorf("%s: %v, want a reason with %q", r.row, e, r.reason)
		}
	}
	if strings.Contains(strings.ToLower(string(got.body)), "secret") || strings.Contains(b.log.String(), "ecret") {
		t.Errorf("personal data is quoted: %s", got.body)
	}
	b.call(http.MethodPost, "/v1/customers?invalid=skip", token, body, "Content-Type", mediaJSON).is(http.StatusAccepted, "")
	if r := b.published(event.TopicCustomer, 1)[0]; header(r, "ce_subject") != "good" {
		t.Errorf("published %s", r.Key)
	}
}

func TestBadCSVIsNamedByLine(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.key("write")
	post := func(body string) reply {
		t.Helper()
		return b.call(http.MethodPost, "/v1/customers", token, body, "Content-Type", "text/csv; charset=utf-8")
	}
	got := post("external_id,phone\nc-1,+5511999990001\n\"c\n2\",1\nc-3\nc-4,,\n,\n").is(http.StatusUnprocessableEntity, "rejected-items")
	var at []string
	for _, e := range got.json()["errors"].([]any) {
		at = append(at, fmt.Sprint(e.(map[string]any)["index"], " ", e.(map[string]any)["line"]))
	}
	if diff := cmp.Diff([]string{"1 3", "2 5", "3 6", "4 7"}, at); diff != "" {
		t.Errorf("%s\n%s", diff, got.body)
	}
	for _, body := range []string{"", "\n", "external_id,\nc-1,x\n", "phone,phone\n", "consents\n", "external_id\n\"c-1\n", "external_id\nc\"1\n"} {
		post(body).is(http.StatusBadRequest, "invalid-body")
	}
	post("external_id\n"+strings.Repeat("x\n", batchItemsMax+1)).is(http.StatusRequestEntityTooLarge, "body-too-large")
	post("external_id\n").is(http.StatusAccepted, "")
	b.call(http.MethodPost, "/v1/customers?source=My%20CRM", token, "external_id\n", "Content-Type", mediaCSV).is(http.StatusBadRequest, "invalid-parameter")
}

// A key that would be read as another kind of identifier is written in full.
func TestOwnKeysStayOwnKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keys := []string{"c-1", "phone:1", "external:shop:1", "bsuid:x", ":x", "a:b"}
	var rows []string
	for _, key := range keys {
		rows = append(rows, fmt.Sprintf(`{"external_id":%q,"updated_at":"2026-02-03T00:00:00Z"}`, key))
	}
	b.call(http.MethodPost, "/v1/customers", b.key("write"), "["+strings.Join(rows, ",")+"]", "Content-Type", mediaJSON).is(http.StatusAccepted, "")
	decoder, batch := event.NewDecoder(testKeyer()), &event.Batch{}
	for _, r := range b.published(event.TopicCustomer, len(keys)) {
		decoder.Decode(&event.Record{Time: r.Timestamp, Key: r.Key, Value: r.Value, Headers: []event.Header{
			{Key: "ce_specversion", Value: []byte("1.0")},
			{Key: "ce_id", Value: []byte(header(r, "ce_id"))},
			{Key: "ce_source", Value: []byte("x")},
			{Key: "ce_type", Value: []byte(header(r, "ce_type"))},
			{Key: "ce_time", Value: []byte(header(r, "ce_time"))},
			{Key: "ce_subject", Value: []byte(header(r, "ce_subject"))},
		}}, batch)
	}
	var got []string
	for _, id := range batch.Identities {
		if id.Namespace == "external:customer" {
			got = append(got, id.Value)
		}
	}
	if diff := cmp.Diff(keys, got); diff != "" {
		t.Error(diff)
	}
}
