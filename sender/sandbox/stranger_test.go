package sandbox

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/sender/provider"
)

// outsiders are people of no world: in a country that it knows, in one that it
// does not, and known by a BSUID only.
func outsiders(n int) []provider.Address {
	list := make([]provider.Address, n)
	for i := range list {
		switch i % 3 {
		case 0:
			list[i] = provider.Address{Phone: fmt.Sprintf("+49151001%05d", i)}
		case 1:
			list[i] = provider.Address{Phone: fmt.Sprintf("+336120%05d", i)}
		default:
			list[i] = provider.Address{BSUID: fmt.Sprintf("BR.12345678901%06d", i)}
		}
	}
	return list
}

func (b *bundle) write(t *testing.T, to []provider.Address) {
	t.Helper()
	for i := range to {
		if _, err := b.adapter.Send(t.Context(), request(t, to[i], i)); err != nil {
			t.Fatal(err)
		}
	}
}

func ids(events []event.Event) map[string]string {
	out := make(map[string]string, len(events))
	for i := range events {
		out[events[i].ID] = events[i].Kind.String() + " " + events[i].Subject
	}
	return out
}

func TestAdmittedStrangersDoAsCustomersDo(t *testing.T) {
	t.Parallel()
	admit := func(c *Config) { c.AdmitStrangers = true }
	to := outsiders(90)
	b := open(t, t.TempDir(), admit)
	b.write(t, to)
	b.advance(t, 30*time.Hour)
	got := kinds(b.receiver.all())
	for kind, atLeast := range map[string]int{"whatsapp.message.sent.v1": 80, "whatsapp.message.delivered.v1": 75, "whatsapp.message.read.v1": 20, "whatsapp.message.received.v1": 1} {
		if got[kind] < atLeast {
			t.Errorf("%d of %s, want at least %d", got[kind], kind, atLeast)
		}
	}

	// A restart in between changes nothing, though the strangers are met anew.
	dir := t.TempDir()
	first := open(t, dir, admit)
	first.write(t, to)
	first.stop()
	second := open(t, dir, admit)
	second.advance(t, 30*time.Hour)
	all := ids(first.receiver.all())
	maps.Copy(all, ids(second.receiver.all()))
	if !maps.Equal(all, ids(b.receiver.all())) {
		t.Errorf("with a restart in between: %v, without: %v", kinds(second.receiver.all()), got)
	}
	second.stop()

	// Who is no longer admitted is gone, and the log is still read.
	third := open(t, dir, nil)
	if n := third.Counts().Submissions; n != len(to) {
		t.Errorf("%d submissions in the log, want %d", n, len(to))
	}
}
