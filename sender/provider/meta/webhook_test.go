package meta

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/sender/provider"
)

var update = flag.Bool("update", false, "rewrite the .want files; read the diff")

// payloads are webhooks, named for what is odd about them.
func payloads(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/webhook/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no payloads: %v", err)
	}
	return names
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// describe writes events and faults for the .want files.
func describe(events []event.Event, err error) string {
	var b strings.Builder
	for i := range events {
		e := &events[i]
		fmt.Fprintf(&b, "%s %s\n  %s of %s\n  %s\n", e.Time.Format(time.RFC3339Nano), e.Kind, e.ID, e.Subject, e.Data)
	}
	if faults, ok := errors.AsType[*provider.PayloadError](err); ok {
		for _, reason := range faults.Reasons {
			fmt.Fprintf(&b, "unread: %s\n", reason)
		}
	}
	return b.String()
}

func TestEveryPayloadGivesItsEvents(t *testing.T) {
	t.Parallel()
	m := newMeta(t, "", &http.Client{})
	for _, name := range payloads(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			got := describe(m.ParseWebhook(provider.Webhook{Body: read(t, name)}))
			golden := strings.TrimSuffix(name, ".json") + ".want"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(read(t, golden)), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func newDecoder(t testing.TB) *event.Decoder {
	t.Helper()
	keyer, err := identity.NewKeyer([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return event.NewDecoder(keyer)
}

// checkEvents holds what webhooks give to what ingest takes.
func checkEvents(t testing.TB, d *event.Decoder, events []event.Event) {
	t.Helper()
	var batch event.Batch
	for i := range events {
		record, err := events[i].Record("goodhour.")
		if err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		if record.Time = events[i].Time; record.Time.Year() < 1971 {
			t.Fatalf("event %d is of %s", i, record.Time)
		}
		d.Decode(&record, &batch)
	}
	for _, letter := range batch.DeadLetters {
		t.Errorf("a dead letter: %s", letter.Reason)
	}
}

func TestNoEventBecomesADeadLetter(t *testing.T) {
	t.Parallel()
	m, d := newMeta(t, "", &http.Client{}), newDecoder(t)
	for _, name := range payloads(t) {
		events, _ := m.ParseWebhook(provider.Webhook{Body: read(t, name)}) // what is unread is judged above
		checkEvents(t, d, events)
	}
}

func TestAChangedIdentifierIsALink(t *testing.T) {
	t.Parallel()
	m, d := newMeta(t, "", &http.Client{}), newDecoder(t)
	for _, name := range []string{"system_user_changed_number", "system_user_changed_user_id"} {
		events, err := m.ParseWebhook(provider.Webhook{Body: read(t, "testdata/webhook/"+name+".json")})
		if err != nil || len(events) != 1 {
			t.Fatalf("%s: %d events, %v", name, len(events), err)
		}
		record, err := events[0].Record("")
		if err != nil {
			t.Fatal(err)
		}
		record.Time = events[0].Time
		var batch event.Batch
		d.Decode(&record, &batch)
		if len(batch.Links) != 1 || len(batch.Identities) != 2 || len(batch.DeadLetters) != 0 {
			t.Errorf("%s: %d links of %d identities", name, len(batch.Links), len(batch.Identities))
		}
	}
}

func TestIDsTellWhatIsTheSame(t *testing.T) {
	t.Parallel()
	m := newMeta(t, "", &http.Client{})
	seen := map[string]bool{}
	for _, name := range []string{"status_of_every_state_out_of_order", "message_of_every_type", "preference_stop_and_resume", "status_failed_131050_is_an_opt_out"} {
		events, _ := m.ParseWebhook(provider.Webhook{Body: read(t, "testdata/webhook/"+name+".json")})
		for i := range events {
			if seen[events[i].ID] {
				t.Errorf("%s: %s twice", name, events[i].ID)
			}
			seen[events[i].ID] = true
			if strings.Contains(events[i].ID, "5511999990000") {
				t.Errorf("%s: a phone stands in an id", name)
			}
		}
	}
}

func TestWhatIsNoPayloadIsAnErrorThatDoesNotQuoteIt(t *testing.T) {
	t.Parallel()
	m := newMeta(t, "", &http.Client{})
	for _, body := range []string{"", "5511999990000", "[]", `{"object":"whatsapp_business_account","entry":{"a":"5511999990000"}}`} {
		events, err := m.ParseWebhook(provider.Webhook{Body: []byte(body)})
		var faults *provider.PayloadError
		if len(events) != 0 || !errors.As(err, &faults) || strings.Contains(err.Error(), "5511999990000") {
			t.Errorf("%q: %d events, %v", body, len(events), err)
		}
	}
}

func FuzzParseWebhook(f *testing.F) {
	for _, name := range payloads(f) {
		f.Add(read(f, name))
	}
	m, d := newMeta(f, "", &http.Client{}), newDecoder(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := m.ParseWebhook(provider.Webhook{Body: body})
		var faults *provider.PayloadError
		if err != nil && (!errors.As(err, &faults) || len(faults.Reasons) == 0) {
			t.Fatalf("%T without reasons", err)
		}
		checkEvents(t, d, events)
		again, _ := m.ParseWebhook(provider.Webhook{Body: body})
		if diff := cmp.Diff(events, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
