package main

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/broker"
)

// The doctor asks brokers that are configured: before goodhour's topics are
// there, and after.
func TestTheDoctorAsksTheBrokers(t *testing.T) {
	t.Parallel()
	ctx := deadline(t, time.Minute)
	b, err := broker.Start(broker.Config{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	home := newInstallation(t, []string{b.Addr()})
	says := func(want string) {
		t.Helper()
		out, talk, _ := home.try(ctx, "doctor")
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("doctor does not say %q\n%s%s", want, out, talk)
		}
	}
	says("look kafka " + b.Addr() + " answers; topics are missing")
	says("-> goodhour serve makes the topics")
	kafka, err := ingest.Connect(ingest.KafkaConfig{Brokers: []string{b.Addr()}, TopicPrefix: home.prefix})
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	if err := kafka.EnsureTopics(ctx, 2, 1, kafka.EventTopics()...); err != nil {
		t.Fatal(err)
	}
	says("works kafka " + b.Addr() + ": 7 topics, 14 partitions, all with a leader, 0 records so far")
}
