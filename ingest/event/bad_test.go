package event

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

func readCases(tb tester, name string) []txtar.File {
	tb.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return archive.Files
}

func TestBadDataIsADeadLetterWithItsReason(t *testing.T) {
	t.Parallel()
	for _, c := range readCases(t, "bad_data.txtar") {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			reason, rest, _ := strings.Cut(string(c.Data), "\n")
			name, data, _ := strings.Cut(rest, "\n")
			kind, known := KindOf(name)
			if !known {
				t.Fatalf("unknown type %q", name)
			}
			if got := mustReason(t, binaryRecord(kind, "c-1", strings.TrimSuffix(data, "\n"))); got != reason {
				t.Errorf("reason %q, want %q", got, reason)
			}
		})
	}
}

func TestBadEventIsADeadLetterWithItsReason(t *testing.T) {
	t.Parallel()
	for _, c := range readCases(t, "bad_event.txtar") {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			reason, value, _ := bytes.Cut(c.Data, []byte("\n"))
			rec := structuredRecord(CustomerUpdated, "c-1", "{}")
			rec.Value = bytes.TrimSuffix(value, []byte("\n"))
			for _, header := range []bool{true, false} { // the form is known by its content type, or found
				if !header {
					rec.Headers = nil
				}
				if got := mustReason(t, rec); got != string(reason) {
					t.Errorf("with header %t: reason %q, want %q", header, got, reason)
				}
			}
		})
	}
}

func TestBadHeadersAndBytes(t *testing.T) {
	t.Parallel()
	f := func(want string, change func(*Record)) {
		t.Helper()
		rec := binaryRecord(CustomerUpdated, "c-1", "{}")
		change(&rec)
		if got := mustReason(t, rec); got != want {
			t.Errorf("reason %q, want %q", got, want)
		}
	}
	header := func(key, value string) func(*Record) {
		return func(rec *Record) {
			for i := range rec.Headers {
				if rec.Headers[i].Key == key {
					rec.Headers[i].Value = []byte(value)
				}
			}
		}
	}
	f("specversion: want 1.0", header("ce_specversion", "2.0"))
	f("id: missing", header("ce_id", ""))
	f("id: broken UTF-8", header("ce_id", "\xff"))
	f("source: a control character", header("ce_source", "/a\u0085"))
	f("subject: broken UTF-8", header("ce_subject", "c-\xff"))
	f("time: want RFC 3339, in the year 1971 or later", header("ce_time", "2026-11-24T10:20:30+0300"))
	f("content-type: want application/json or application/cloudevents+json", header("content-type", "application/avro"))
	f("content-type: want one event in a record, got a batch", header("content-type", "application/cloudevents-batch+json"))
	f("content-type: want application/json or application/cloudevents+json", header("content-type", "application/cloudevents+avro"))
	f("id: header ce_id given twice", func(rec *Record) {
		rec.Headers = append(rec.Headers, Header{Key: "ce_id", Value: []byte("e-1")})
	})
	// A webhook that could not be read says why itself, and nobody else does.
	said := func(ceType, reason string) func(*Record) {
		return func(rec *Record) {
			header("ce_type", ceType)(rec)
			rec.Headers = append(rec.Headers, Header{Key: HeaderReason, Value: []byte(reason)})
		}
	}
	f("webhook: message: no time", said(TypeUnreadable, "message: no time"))
	f("type: unknown", said(TypeUnreadable, "\xff"))
	f("type: unknown", said(TypeUnreadable, strings.Repeat("x", 1001)))
	f("type: unknown", said("customer.updated.v9", "message: no time"))
	f("value: empty, want a JSON object", func(rec *Record) { rec.Value = nil }) // a tombstone
	f("value: broken UTF-8", func(rec *Record) { rec.Value = []byte("{\"name\":\"\xc3\x28\"}") })
	f("value: over 1048576 bytes", func(rec *Record) { rec.Value = make([]byte, 1<<20+1) })
	f("subject: broken UTF-8", func(rec *Record) { // the key stands in for the subject
		rec.Headers = rec.Headers[:len(rec.Headers)-1]
		rec.Key = []byte{0, 0, 0, 7, 0xff}
	})
	f("data.name: over 65536 characters", func(rec *Record) {
		rec.Value = []byte(`{"name":"` + strings.Repeat("é", 65537) + `"}`)
	})
	f("data: over 512 members", func(rec *Record) {
		var value strings.Builder
		value.WriteString(`{"k":0`)
		for i := range 600 {
			value.WriteString(`,"k` + strings.Repeat("k", i+1) + `":0`)
		}
		rec.Value = []byte(value.String() + "}")
	})
}

// An operator sees the reason; nobody may find a person in it.
func TestReasonsNeverQuoteTheRecord(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-Ana-5511900000001"
	for _, kind := range Kinds() {
		var bad []string
		for _, column := range kind.Spec().Columns {
			group, rest, nested := strings.Cut(column.Field, ".")
			for _, value := range []string{`"` + secret + `"`, `["` + secret + `"]`, `{"` + secret + `":1}`, `5511900000001.5`, `-5511900000001`} {
				data := `{"` + column.Field + `":` + value + `}`
				if nested {
					data = `{"` + group + `":{"` + rest + `":` + value + `}}`
				}
				bad = append(bad, data)
			}
		}
		for _, name := range []string{FieldPhone, FieldEmail, FieldBSUID} {
			bad = append(bad, `{"`+name+`":"`+secret+`"}`)
		}
		bad = append(bad, `{"external_ids":{"`+secret+` ":"`+secret+`"}}`, `{"`+secret+`":"`+secret+`",}`,
			`{"`+secret+`":1,"`+secret+`":2}`, secret, `{"x":`+secret+`}`)
		for _, data := range bad {
			for _, rec := range []Record{binaryRecord(kind, "", data), structuredRecord(kind, "", data), binaryRecord(kind, "phone:"+secret, data)} {
				b := decodeOne(t, rec)
				for _, letter := range b.DeadLetters {
					if strings.Contains(letter.Reason, "s3cr3t") || strings.Contains(letter.Reason, "5511900000001") {
						t.Errorf("%s of %s: the reason %q quotes it", kind, data, letter.Reason)
					}
				}
			}
		}
	}
}
