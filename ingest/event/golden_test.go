package event

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/golden/*.row from what Decode makes")

// goldenRecord is the golden event of a kind, with a value in every column.
func goldenRecord(tb tester, kind Kind) Record {
	tb.Helper()
	value, err := os.ReadFile(filepath.Join("testdata", "golden", kind.String()+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	return Record{Topic: kind.TopicName("goodhour."), Partition: 1, Offset: 7, Time: testTime.Add(2 * time.Second), Value: value}
}

func TestGoldenEvents(t *testing.T) {
	t.Parallel()
	for _, kind := range Kinds() {
		got := mustRow(t, goldenRecord(t, kind))
		path := filepath.Join("testdata", "golden", kind.String()+".row")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
}

// An event read from its JSON form and sent again in either form is the same.
func TestEventsSurviveTheirForms(t *testing.T) {
	t.Parallel()
	for _, kind := range Kinds() {
		golden := goldenRecord(t, kind)
		want := mustRow(t, golden)
		var ev Event
		if err := json.Unmarshal(golden.Value, &ev); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		for _, encode := range []func(*Event, string) (Record, error){(*Event).Record, (*Event).Structured} {
			rec, err := encode(&ev, "goodhour.")
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			if string(rec.Key) != ev.Subject || rec.Topic != golden.Topic || !rec.Time.IsZero() {
				t.Errorf("%s: key %q, topic %q, time %s", kind, rec.Key, rec.Topic, rec.Time)
			}
			rec.Partition, rec.Offset, rec.Time = golden.Partition, golden.Offset, golden.Time
			if diff := cmp.Diff(want, mustRow(t, rec)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", kind, diff)
			}
		}
	}
}
