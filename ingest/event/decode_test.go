package event

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/identity"
)

// only returns the lines of a dump that begin with one of the prefixes.
func only(dump string, prefixes ...string) string {
	var out []string
	for line := range strings.Lines(dump) {
		for _, prefix := range prefixes {
			if strings.HasPrefix(strings.TrimSpace(line), prefix) {
				out = append(out, strings.TrimSpace(line))
			}
		}
	}
	return strings.Join(out, "\n")
}

func wantLines(tb tester, got string, want ...string) {
	tb.Helper()
	if diff := cmp.Diff(strings.Join(want, "\n"), got); diff != "" {
		tb.Errorf("(-want +got):\n%s", diff)
	}
}

const okOrder = `"order_id":"7","amount":"1","currency":"EUR"`

func TestKeyIsTheSubjectWhereThereIsNone(t *testing.T) {
	t.Parallel()
	rec := binaryRecord(CustomerUpdated, "", "{}")
	rec.Key = []byte("phone:5511900000001")
	wantLines(t, only(mustRow(t, rec), "identity"), "identity = phone=+5511900000001", "identity phone=+5511900000001")
	rec = binaryRecord(CustomerUpdated, "c-1", "{}")
	rec.Key = []byte{0xff, 0} // not looked at
	wantLines(t, only(mustRow(t, rec), "identity ="), "identity = external:customer=c-1")
}

func TestContentTypesAndForms(t *testing.T) {
	t.Parallel()
	want := mustRow(t, binaryRecord(CustomerUpdated, "c-1", `{"country":"BR"}`))
	f := func(rec Record, change func(*Record)) {
		t.Helper()
		change(&rec)
		if diff := cmp.Diff(want, mustRow(t, rec)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	binary := func() Record { return binaryRecord(CustomerUpdated, "c-1", `{"country":"BR"}`) }
	structured := func() Record { return structuredRecord(CustomerUpdated, "c-1", ` { "country" : "BR" } `) }
	contentType := func(value string) func(*Record) {
		return func(rec *Record) {
			for i := range rec.Headers {
				if rec.Headers[i].Key == "content-type" {
					rec.Headers[i] = Header{Key: "Content-Type", Value: []byte(value)}
				}
			}
		}
	}
	f(binary(), contentType("application/json; charset=utf-8"))
	f(binary(), contentType("Application/Vnd.Shop+JSON"))
	f(binary(), func(rec *Record) { rec.Headers = append(rec.Headers[:5], rec.Headers[6]) })                           // no content type
	f(binary(), func(rec *Record) { rec.Headers = append(rec.Headers, Header{"ce_traceparent", []byte("00-1-2-3")}) }) // an extension
	f(binary(), func(rec *Record) { rec.Value = []byte("\r\n\t{\"country\":\"BR\"}\n") })
	f(structured(), func(*Record) {})
	f(structured(), contentType("APPLICATION/CloudEvents+JSON"))
	f(structured(), contentType("application/json"))
	f(structured(), func(rec *Record) { rec.Headers = nil })
	f(structured(), func(rec *Record) { rec.Headers = append(rec.Headers, Header{"ce_id", []byte("other")}) }) // the content type decides
	f(structured(), func(rec *Record) {                                                                        // extensions, absent attributes, escapes, another order
		rec.Value = []byte(`{"traceparent":{"x":[1]},"data":{"country":"BR"},"dataschema":null,"ti\u006de":"2026-11-24T11:20:30.1234569+01:00",` +
			`"subject":"c\u002d1","specversion":"1.0","id":"e-1","source":"\/shop","type":"customer.updated.v1"}`)
	})
}

func TestSeveralIdentifiersAreLinked(t *testing.T) {
	t.Parallel()
	got := mustRow(t, binaryRecord(MessageRead, "external:shop:8812",
		`{"phone":"551199990000","bsuid":"BR.1","email":"A@b.cc","external_ids":{"shop":8812},"provider":"meta","number_id":"1"}`))
	wantLines(t, only(got, "identity ="), "identity = external:shop=8812")
	if n := strings.Count(got, "\nidentity "); n != 4 {
		t.Errorf("%d identities, want 4", n)
	}
	if n := strings.Count(got, "\nlink "); n != 6 {
		t.Errorf("%d links, want every pair of 4", n)
	}
	var b Batch
	d := NewDecoder(newTestKeyer(t))
	for _, data := range []string{`{"phone":"+5511999990000"}`, `{"phone":"+551199990000"}`, `{"phone":"5511999990000"}`} {
		rec := binaryRecord(CustomerUpdated, "c-1", data)
		d.Decode(&rec, &b)
	}
	if len(b.Identities) != 2 || len(b.Links) != 1 || b.Links[0].Offset != 42 || b.Rows[CustomerUpdated].Len() != 3 {
		t.Errorf("one phone in three forms became %d identities, %d links", len(b.Identities), len(b.Links))
	}
	if l := b.Links[0]; !l.A.Less(l.B) {
		t.Errorf("link %s, %s is the wrong way round", l.A, l.B)
	}
	b.Reset()
	rec := binaryRecord(CustomerUpdated, "c-1", `{"phone":"+5511999990000"}`)
	d.Decode(&rec, &b)
	if len(b.Identities) != 2 || len(b.Links) != 1 {
		t.Errorf("after a reset the batch has %d identities, %d links", len(b.Identities), len(b.Links))
	}
	var b2 Batch
	d.Decode(&rec, &b2)
	if len(b2.Identities) != 2 || len(b2.Links) != 1 {
		t.Errorf("a second batch has %d identities, %d links", len(b2.Identities), len(b2.Links))
	}
}

func TestUnlinkedIdentifiersAreNotLinked(t *testing.T) {
	t.Parallel()
	got := mustRow(t, binaryRecord(IdentityUnlinked, "c-1", `{"source":"crm","phone":"+5511900000001","email":"a@b.cc"}`))
	if links, unlinks := strings.Count(got, "\nlink "), strings.Count(got, "unlink "); links != 0 || unlinks != 3 {
		t.Errorf("%d links, %d unlinks; want 0 and 3", links, unlinks)
	}
}

func TestBestIdentityNamesTheRow(t *testing.T) {
	t.Parallel()
	f := func(subject, data, want string) {
		t.Helper()
		wantLines(t, only(mustRow(t, binaryRecord(CustomerUpdated, subject, data)), "identity ="), "identity = "+want)
	}
	f("email:a@b.cc", `{"bsuid":"BR.1","phone":"+5511900000001"}`, "phone=+5511900000001")
	f("email:a@b.cc", `{"bsuid":"BR.1"}`, "bsuid=BR.1")
	f("a@b.cc", `{}`, "email=a@b.cc")
	f("phone:+5511900000001", `{"external_ids":{"shop":"1"}}`, "external:shop=1")
	keyer := newTestKeyer(t)
	first := "1"
	if keyer.ID("external:shop", "2").Less(keyer.ID("external:shop", "1")) {
		first = "2"
	}
	f("external:shop:1", `{"external_ids":{"Shop":"2"}}`, "external:shop="+first)
}

func TestAnInvalidIdentifierBesideAValidOneIsKept(t *testing.T) {
	t.Parallel()
	got := mustRow(t, binaryRecord(CustomerUpdated, "c-1",
		`{"phone":"call me","email":7,"bsuid":"nobody","external_ids":{"shop":"8812","my shop":"x","a:b":"c","crm":null},"ce_subject2":1}`))
	wantLines(t, only(got, "pii.", "identity e"),
		`pii.extra = {"bsuid":"nobody","ce_subject2":1,"email":7,"external_ids":{"a:b":"c","my shop":"x"},"phone":"call me"}`,
		`identity external:shop=8812`, `identity external:customer=c-1`)
	got = mustRow(t, binaryRecord(CustomerUpdated, `phone:"\none`, `{"email":"a@b.cc"}`))
	wantLines(t, only(got, "pii.", "identity "),
		`identity = email=a@b.cc`, `pii.extra = {"ce_subject":"phone:\"\\none"}`, `identity email=a@b.cc`)
	got = mustRow(t, binaryRecord(CustomerUpdated, "phone:none", `{"email":"a@b.cc","ce_subject":"mine"}`))
	wantLines(t, only(got, "pii."), `pii.extra = {"ce_subject":"mine"}`)
}

func TestKeysThatArePersonalLieInPersonalNamespaces(t *testing.T) {
	t.Parallel()
	got := mustRow(t, binaryRecord(CustomerUpdated, "Ana@Example.com", `{"external_ids":{"shop":"+5511900000001","crm":"ana@example.com"}}`))
	wantLines(t, only(got, "identity "),
		"identity = phone=+5511900000001", "identity phone=+5511900000001", "identity email=ana@example.com")
	d := NewDecoder(newTestKeyer(t))
	d.CustomerNamespace = "external:crm"
	var b Batch
	rec := binaryRecord(CustomerUpdated, "77", `{"external_ids":{"crm":77}}`)
	d.Decode(&rec, &b)
	wantLines(t, only(dump(t, &b), "identity "), "identity = external:crm=77", "identity external:crm=77")
}

func TestUnknownFieldsAreKept(t *testing.T) {
	t.Parallel()
	f := func(kind Kind, data, want string) {
		t.Helper()
		got := mustRow(t, binaryRecord(kind, "c-1", data))
		wantLines(t, only(got, "pii.extra", "personal"), "pii.extra = "+want, "personal rows = 1")
	}
	f(CustomerUpdated, "{ \"a\" : [ 1 , 2.50, \"x y\\\" \\u00e9\" ] ,\n\"b\":{ \"c\" : { } }, \"n\":null }", `{"a":[1,2.50,"x y\" é"],"b":{"c":{}},"n":null}`)
	f(MessageSent, `{"provider":"meta","number_id":"1","pricing":{"category":"utility","volume_tier":3},"x":1}`, `{"pricing":{"volume_tier":3},"x":1}`)
	f(OrderCompleted, `{`+okOrder+`,"items":[{"sku":"a"},{"sku":{"id":1},"gift":true}]}`, `{"items":[{},{"gift":true,"sku":{"id":1}}]}`)
	got := mustRow(t, binaryRecord(MessageSent, "c-1", `{"provider":"meta","number_id":"1","pricing":{},"campaign_id":null}`))
	wantLines(t, only(got, "pii", "personal"), "personal rows = 0")
}

func TestOrderItems(t *testing.T) {
	t.Parallel()
	f := func(items, want string) {
		t.Helper()
		wantLines(t, only(mustRow(t, binaryRecord(OrderCompleted, "c-1", `{`+okOrder+`,"items":`+items+`}`)), "raw.items"), "raw.items = "+want)
	}
	f(`[]`, `[]`)
	f(`[ {}, { } ]`, `[{},{}]`)
	f(`[{"quantity": 1e0, "price": null, "sku": "a\"b", "id": 7, "name": "N", "category": "C", "x": [{"sku":"no"}]}]`,
		`[{"quantity":1e0,"price":null,"sku":"a\"b","id":7,"name":"N","category":"C"}]`)
}

func TestURLsAreStripped(t *testing.T) {
	t.Parallel()
	f := func(url, want string) {
		t.Helper()
		got := only(mustRow(t, binaryRecord(LinkClicked, "c-1", `{"url":"`+url+`"}`)), "raw.url", "pii.extra")
		var lines []string
		if want != "" {
			lines = append(lines, "raw.url = "+want)
		}
		if url != want {
			lines = append(lines, `pii.extra = {"url":"`+url+`"}`)
		}
		wantLines(t, got, lines...)
	}
	f("https://shop.example/p/1", "https://shop.example/p/1")
	f("HTTPS://shop.example", "HTTPS://shop.example")
	f("https://shop.example/p/1?email=ana@example.com", "https://shop.example/p/1")
	f("https://shop.example/p/1#a@b", "https://shop.example/p/1")
	f("https://shop.example?q=1/2", "https://shop.example")
	f("https://ana:geheim@shop.example/p?x", "https://shop.example/p")
	f("https://a@b@shop.example:8080/", "https://shop.example:8080/")
	f("http://shop.example/u/ana@example.com/orders", "http://shop.example")
	f("http://shop.example/u/ana%40example.com", "http://shop.example")
	f("mailto:ana@example.com", "")
	f("whatsapp://send?phone=5511900000001", "")
	f("//shop.example/p", "")
	f("http:", "")
}

func TestTextCharsAreCountedWhereAbsent(t *testing.T) {
	t.Parallel()
	f := func(fields string, want ...string) {
		t.Helper()
		got := mustRow(t, binaryRecord(MessageReceived, "c-1", `{"provider_message_id":"w","provider":"meta","number_id":"1","kind":"text"`+fields+`}`))
		wantLines(t, only(got, "raw.text_chars"), want...)
	}
	f(`,"text":"olá \ud83d\udc4d"`, "raw.text_chars = 5")
	f(`,"text":"olá","text_chars":99`, "raw.text_chars = 99")
	f(`,"text_chars":12`, "raw.text_chars = 12")
	f("")
	f(`,"text":""`)
}

func TestValuesAreReadByWhatTheyMean(t *testing.T) {
	t.Parallel()
	order := func(amount string) string { return `{"order_id":"7","currency":"EUR","amount":` + amount + `}` }
	f := func(kind Kind, data, column, want string) {
		t.Helper()
		wantLines(t, only(mustRow(t, binaryRecord(kind, "c-1", data)), "raw."+column+" "), "raw."+column+" = "+want)
	}
	for amount, want := range map[string]string{
		`0`: "0.00", `-0`: "0.00", `19.9`: "19.90", `"19.9"`: "19.90", `1.50000000`: "1.50", `"0001.5000000"`: "1.50",
		`15e-1`: "1.50", `1.5E+2`: "150.00", `0.0001`: "0.0001", `1e14`: "", `99999999999999.9999`: "99999999999999.9999",
		`"99999999999999.99990"`: "99999999999999.9999", `0.1e1`: "1.00", `0e9999`: "0.00",
	} {
		if want != "" {
			f(OrderCompleted, order(amount), "amount", want)
		} else {
			mustReason(t, binaryRecord(OrderCompleted, "c-1", order(amount)))
		}
	}
	for id, want := range map[string]string{`7`: "7", `"7"`: "7", `7.0`: "7", `7e2`: "700", `"07"`: "07", `-3`: "-3", `9223372036854775807`: "9223372036854775807"} {
		f(OrderCompleted, `{"amount":"1","currency":"EUR","order_id":`+id+`}`, "order_id", want)
	}
	attempt := func(field string) string {
		return `{"message_id":"m","attempt_id":"a","category":"marketing","provider":"meta","number_id":"1","outcome":"unknown",` + field + `}`
	}
	f(MessageAttempted, attempt(`"send_hour_local":23`), "send_hour_local", "23")
	f(MessageAttempted, attempt(`"send_hour_local":0.2e1`), "send_hour_local", "2")
	f(MessageAttempted, attempt(`"propensity":1`), "propensity", "1")
	f(MessageAttempted, attempt(`"propensity":2.5e-3`), "propensity", "0.0025")
	f(MessageAttempted, attempt(`"content":{"has_link":true}`), "content_has_link", "true")
}

func TestLateAndNearlyEarlyEventsAreWelcome(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"1971-01-01T00:00:00z", "2026-11-25t10:20:31.123456Z", "2026-11-25T13:20:31.123456999+03:00"} {
		rec := binaryRecord(CustomerUpdated, "c-1", "{}")
		rec.Headers[4].Value = []byte(at)
		mustRow(t, rec)
	}
}

func TestDeadLetterOwnsACopy(t *testing.T) {
	t.Parallel()
	rec := binaryRecord(CustomerUpdated, "c-1", `{"tags":1}`)
	rec.Key = []byte("c-1")
	b := decodeOne(t, rec)
	want := DeadLetter{
		Topic: testTopic, Partition: 3, Offset: 42, ReceivedAt: rec.Time, Reason: "data.tags: want an array, got a number",
		Key: []byte("c-1"), Value: []byte(`{"tags":1}`),
	}
	for _, h := range rec.Headers {
		want.Headers = append(want.Headers, Header{h.Key, []byte(string(h.Value))})
	}
	clear(rec.Key)
	clear(rec.Value)
	for _, h := range rec.Headers {
		clear(h.Value)
	}
	if diff := cmp.Diff([]DeadLetter{want}, b.DeadLetters); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if b.Bytes < len(want.Value)+len(want.Reason) {
		t.Errorf("the batch counts %d bytes", b.Bytes)
	}
}

// One decoder and one batch for everything must give what a new one gives.
func TestDecoderKeepsNothingBetweenRecords(t *testing.T) {
	t.Parallel()
	d := NewDecoder(newTestKeyer(t))
	var b Batch
	for range 3 {
		for _, kind := range Kinds() {
			for _, rec := range []Record{goldenRecord(t, kind), binaryRecord(kind, "", `{"x":[`), binaryRecord(kind, "c-2", `{"a":1,"tags":["x"]}`)} {
				b.Reset()
				d.Decode(&rec, &b)
				fresh := decodeOne(t, rec)
				if diff := cmp.Diff(dump(t, fresh), dump(t, &b)); diff != "" {
					t.Fatalf("%s (-new +used):\n%s", kind, diff)
				}
				if diff := cmp.Diff(fresh.DeadLetters, b.DeadLetters); diff != "" {
					t.Fatalf("%s (-new +used):\n%s", kind, diff)
				}
				if fresh.Bytes != b.Bytes {
					t.Fatalf("%s: %d bytes, new %d", kind, b.Bytes, fresh.Bytes)
				}
			}
		}
	}
}

func TestBatchCountsTopicsRecordsAndBytes(t *testing.T) {
	t.Parallel()
	d := NewDecoder(newTestKeyer(t))
	var b Batch
	for i := range 6 {
		rec := binaryRecord(CustomerUpdated, "c-1", `{"name":"`+strings.Repeat("n", 1000)+`"}`)
		rec.Topic = []string{"a", "b", "a"}[i%3]
		before := b.Bytes
		d.Decode(&rec, &b)
		if grew := b.Bytes - before; grew < 1000 || grew > 1400 {
			t.Errorf("a row of 1000 bytes counts as %d", grew)
		}
	}
	rows := b.Rows[CustomerUpdated]
	if diff := cmp.Diff([]string{"a", "b"}, b.Topics); diff != "" || b.Records != 6 || b.EventCount() != 6 || rows.PersonalRows != 6 {
		t.Errorf("topics %v, %d records, %d rows, %d personal", b.Topics, b.Records, b.EventCount(), rows.PersonalRows)
	}
	if diff := cmp.Diff([]uint16{0, 1, 0, 0, 1, 0}, rows.Topic); diff != "" {
		t.Error(diff)
	}
}

func TestKnownPersonsAreBounded(t *testing.T) {
	t.Parallel()
	d := NewDecoder(newTestKeyer(t))
	var b Batch
	for i := range maxKnown + 10 {
		rec := binaryRecord(CustomerUpdated, fmt.Sprint("c-", i), "{}")
		d.Decode(&rec, &b)
	}
	rec := binaryRecord(CustomerUpdated, strings.Repeat("k", maxKnownBytes+1), "{}")
	d.Decode(&rec, &b)
	if len(d.known) != 10 || b.EventCount() != maxKnown+11 {
		t.Errorf("%d known after %d persons", len(d.known), b.EventCount())
	}
}

func TestEventForms(t *testing.T) {
	t.Parallel()
	f := func(want string, change func(*Event)) {
		t.Helper()
		ev, err := New("e-1", "/shop", "c-1", testTime, CustomerUpdatedData{Country: "BR"})
		if err != nil {
			t.Fatal(err)
		}
		change(&ev)
		_, err = ev.Record("goodhour.")
		_, err2 := ev.Structured("goodhour.")
		if err == nil || err2 == nil || err.Error() != want || err2.Error() != want {
			t.Errorf("errors %v and %v, want %q", err, err2, want)
		}
	}
	f("event of no kind: want one of event.Kinds", func(ev *Event) { ev.Kind = 0 })
	f("event of no kind: want one of event.Kinds", func(ev *Event) { ev.Kind = NumKinds })
	f("customer.updated.v1 event: id: missing; source: missing", func(ev *Event) { ev.ID, ev.Source = "", "" })
	f("customer.updated.v1 event: subject: a control character", func(ev *Event) { ev.Subject = "a\tb" })
	f("customer.updated.v1 event: time: want RFC 3339, in the year 1971 or later", func(ev *Event) { ev.Time = time.Time{} })
	f("customer.updated.v1 event: time: want RFC 3339, in the year 1971 or later", func(ev *Event) { ev.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) })
	f("customer.updated.v1 event: data: want a JSON object", func(ev *Event) { ev.Data = nil })
	f("customer.updated.v1 event: data: broken JSON at byte 1: want a key in quotes", func(ev *Event) { ev.Data = []byte("{x}") })
	f("customer.updated.v1 event: data: want one JSON object in UTF-8", func(ev *Event) { ev.Data = []byte("{}{}") })
	f("customer.updated.v1 event: data: want one JSON object in UTF-8", func(ev *Event) { ev.Data = []byte("{\"a\":\"\xff\"}") })

	var ev Event
	for _, text := range []string{`{}`, `[]`, `{"specversion":"1.0"}`, `{"specversion":"1.0","id":"1","source":"s","type":"customer.updated.v1","data":{}}`} {
		if err := ev.UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s became %v", text, ev)
		}
	}
}

func TestIsPlainASCIIAtEveryPlace(t *testing.T) {
	t.Parallel()
	for length := range 20 {
		for place := range length {
			for c := range 256 {
				text := []byte(strings.Repeat("~", length))
				text[place] = byte(c)
				if got, want := isPlainASCII(text), c >= ' ' && c < 0x7f; got != want {
					t.Fatalf("%d at %d of %d: %t", c, place, length, got)
				}
			}
		}
	}
}

func TestFirstPersonOfNobody(t *testing.T) {
	t.Parallel()
	if got := (&Decoder{}).firstPerson(); got != (identity.ID{}) {
		t.Errorf("nobody is %s", got)
	}
}
