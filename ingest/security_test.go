package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
)

func TestASecretNeverShows(t *testing.T) {
	t.Parallel()
	const value = "correct horse"
	s := Secret(value)
	config := SASLConfig{Mechanism: "plain", Username: "u", Password: s}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "config", config)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "config", config)
	encoded, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	text := log.String() + string(encoded)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		text += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, config) + fmt.Sprintf(verb, &config)
	}
	if strings.Contains(text, value) || strings.Contains(text, fmt.Sprintf("%x", value)) {
		t.Errorf("the secret shows in %s", text)
	}
	if s.Reveal() != value || Secret("").String() != "" || s.String() != "[redacted]" {
		t.Error("Reveal, or the empty secret, or String is wrong")
	}
}

func TestConnectReportsEveryProblem(t *testing.T) {
	t.Parallel()
	f := func(cfg KafkaConfig, want ...string) {
		t.Helper()
		k, err := Connect(cfg)
		if len(want) == 0 {
			if err != nil {
				t.Errorf("Connect: %v", err)
				return
			}
			k.Close()
			return
		}
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("Connect(%+v): %v, want it to say %q", cfg, err, w)
			}
		}
	}
	ok := []string{"127.0.0.1:9092"}
	f(KafkaConfig{Brokers: ok})
	f(KafkaConfig{Brokers: ok, SASL: SASLConfig{Mechanism: "SCRAM-SHA-512", Username: "u", Password: "p"}, TLS: TLSConfig{Enabled: true}})
	f(KafkaConfig{}, "no broker")
	f(KafkaConfig{Brokers: []string{"nowhere", ":1"}, SASL: SASLConfig{Mechanism: "kerberos", Username: "u", Password: "p"}},
		`broker "nowhere"`, `broker ":1"`, `"kerberos" is not known`)
	f(KafkaConfig{Brokers: ok, SASL: SASLConfig{Mechanism: "plain", Username: "u"}}, "needs a user and a password")
	f(KafkaConfig{Brokers: ok, SASL: SASLConfig{Username: "u"}}, "no mechanism")
	f(KafkaConfig{Brokers: ok, TLS: TLSConfig{CAFile: "x"}}, "TLS is off")
	f(KafkaConfig{Brokers: ok, TLS: TLSConfig{Enabled: true, CAFile: filepath.Join(t.TempDir(), "none")}}, "CA file")
	f(KafkaConfig{Brokers: ok, TLS: TLSConfig{Enabled: true, CertFile: "x"}}, "needs its key")
}
