package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goodhour/goodhour/ingest"
)

// Config is everything that can be set. A flag wins over the environment
// (GOODHOUR_KAFKA_BROKERS for kafka.brokers), the environment over the YAML
// file, the file over the defaults below.
type Config struct {
	// Data is the data directory.
	Data      string          `yaml:"data"`
	Kafka     KafkaConfig     `yaml:"kafka"`
	Identity  IdentityConfig  `yaml:"identity"`
	Load      LoadConfig      `yaml:"load"`
	Warehouse WarehouseConfig `yaml:"warehouse"`
	Models    ModelsConfig    `yaml:"models"`
	SQL       SQLConfig       `yaml:"sql"`
	API       APIConfig       `yaml:"api"`
	Log       LogConfig       `yaml:"log"`
	// Accounts are those that campaigns may be sent from.
	Accounts []AccountConfig `yaml:"accounts"`
	Sender   SenderConfig    `yaml:"sender"`
	// Sources are topics in another shape than goodhour's.
	Sources []SourceConfig `yaml:"sources"`

	// demo is set by the command of that name alone.
	demo bool
	// origin says where its settings were given.
	origin configOrigin
}

// KafkaConfig says where the topics are. Without brokers goodhour runs an
// embedded broker in the data directory.
type KafkaConfig struct {
	Brokers []string `yaml:"brokers"` // host:port
	// TopicPrefix comes before every topic's name.
	TopicPrefix string `yaml:"topic_prefix"`
	// Group is the consumer group that offsets are mirrored to.
	Group string `yaml:"group"`
	// Partitions and Replication are used for topics that goodhour creates.
	Partitions  int `yaml:"partitions"`
	Replication int `yaml:"replication"`
	// EmbeddedRetention is how much log the embedded broker keeps of what has
	// been loaded: it reads all of it again when it starts after a kill.
	EmbeddedRetention Size `yaml:"embedded_retention"`

	TLS  TLSConfig  `yaml:"tls"`
	SASL SASLConfig `yaml:"sasl"`
}

// TLSConfig turns TLS to the brokers on.
type TLSConfig struct {
	Enabled    bool   `yaml:"enabled"`
	CAFile     string `yaml:"ca_file"`   // PEM; empty: the system's
	CertFile   string `yaml:"cert_file"` // PEM client certificate
	KeyFile    string `yaml:"key_file"`  // PEM client key
	ServerName string `yaml:"server_name"`
}

// SASLConfig logs in to the brokers. The password comes from the environment
// or a file, never from a flag, where other users of the machine could read it.
type SASLConfig struct {
	Mechanism    string        `yaml:"mechanism"` // plain, scram-sha-256, scram-sha-512
	Username     string        `yaml:"username"`
	Password     ingest.Secret `yaml:"password"`
	PasswordFile string        `yaml:"password_file"`
}

// IdentityConfig says how customers are recognised.
type IdentityConfig struct {
	// KeyFile holds the installation's key; made on first use. Without it the
	// pseudonyms in the warehouse cannot be made again: back it up.
	KeyFile string `yaml:"key_file"` // empty: <data>/identity.key
}

// LoadConfig says when a batch is committed: at the first limit reached.
type LoadConfig struct {
	BatchRows  int      `yaml:"batch_rows"`
	BatchBytes Size     `yaml:"batch_bytes"`
	BatchAge   Duration `yaml:"batch_age"`
}

// WarehouseConfig limits the process that writes.
type WarehouseConfig struct {
	MemoryLimit Size `yaml:"memory_limit"`
	Threads     int  `yaml:"threads"`
}

// ModelsConfig says what is built from the events, and when.
type ModelsConfig struct {
	// Dir is a folder with the analyst's own models; empty: none.
	Dir string `yaml:"dir"`
	// AsOf is the instant that the models look from: now, last-event, a day or
	// an instant.
	AsOf string `yaml:"as_of"`
	// Every is how often serve publishes while events arrive.
	Every       Duration `yaml:"every"`
	MemoryLimit Size     `yaml:"memory_limit"`
	Threads     int      `yaml:"threads"`
	// Deadline of one of goodhour's own models, OwnDeadline of an analyst's.
	Deadline    Duration `yaml:"deadline"`
	OwnDeadline Duration `yaml:"own_deadline"`
	// Settings override those of staging.settings, by name.
	Settings map[string]any `yaml:"settings"`
}

// SQLConfig limits the queries and exports of everybody who reads.
type SQLConfig struct {
	// MemoryLimit of one query, so all may use Queries times that.
	MemoryLimit Size     `yaml:"memory_limit"`
	Threads     int      `yaml:"threads"`
	Queries     int      `yaml:"queries"` // at once
	Timeout     Duration `yaml:"timeout"`
}

// APIConfig says where the API listens.
type APIConfig struct {
	// Listen is a host:port. Everything but a loopback address needs keys and
	// a TLS proxy in front.
	Listen string `yaml:"listen"`
	// RequireKey refuses requests without a key even on loopback.
	RequireKey bool `yaml:"require_key"`
	// PublicURL is how the world reaches the API, such as https://wa.example.org:
	// providers call <public_url>/webhooks/<provider>. Empty: http://<listen>.
	PublicURL string `yaml:"public_url"`
}

// SenderConfig limits the sender's ledger and says by which rules it sends.
type SenderConfig struct {
	MemoryLimit Size `yaml:"memory_limit"`
	Threads     int  `yaml:"threads"`
	// RulesFile holds the policy's rules; empty: the built-in ones.
	RulesFile string `yaml:"rules_file"`
	// ParametersKept is how long a settled message's parameters, which are
	// personal, stay in the ledger.
	ParametersKept Duration `yaml:"parameters_kept"`
}

// LogConfig says what is logged and how.
type LogConfig struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text, json
}

func defaultConfig() Config {
	return Config{
		Data: "data",
		Kafka: KafkaConfig{
			TopicPrefix: "goodhour.",
			Group:       "goodhour",
			Partitions:  6,
			Replication: 1,

			EmbeddedRetention: 1 << 30,
		},
		Load:      LoadConfig{BatchRows: 50_000, BatchBytes: 64 << 20, BatchAge: Duration(500 * time.Millisecond)},
		Warehouse: WarehouseConfig{MemoryLimit: 1 << 30, Threads: 2},
		Models: ModelsConfig{
			AsOf: asOfNow, Every: Duration(5 * time.Minute), MemoryLimit: 2 << 30, Threads: 2,
			Deadline: Duration(10 * time.Minute), OwnDeadline: Duration(time.Minute),
		},
		SQL:    SQLConfig{MemoryLimit: 512 << 20, Threads: 2, Queries: 4, Timeout: Duration(30 * time.Second)},
		API:    APIConfig{Listen: "127.0.0.1:8080"},
		Log:    LogConfig{Level: "info", Format: "text"},
		Sender: SenderConfig{MemoryLimit: 512 << 20, Threads: 1, ParametersKept: Duration(7 * 24 * time.Hour)},
	}
}

// Size is a number of bytes: "64MiB", "1GB", "1000".
type Size int64

// UnmarshalYAML reads a size.
func (s *Size) UnmarshalYAML(b []byte) error {
	return s.set(strings.Trim(strings.TrimSpace(string(b)), `"'`))
}

// MarshalYAML writes a size.
func (s Size) MarshalYAML() (any, error) { return s.String(), nil } //nolint:unparam // the interface wants it

func (s Size) String() string {
	for _, u := range sizeUnits {
		if u.binary && s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

var sizeUnits = []struct {
	name   string
	bytes  int64
	binary bool
}{
	{"GiB", 1 << 30, true},
	{"MiB", 1 << 20, true},
	{"KiB", 1 << 10, true},
	{"GB", 1e9, false},
	{"MB", 1e6, false},
	{"KB", 1e3, false},
	{"B", 1, false},
}

func (s *Size) set(text string) error {
	number, factor := text, int64(1)
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(text, u.name); ok {
			number, factor = strings.TrimSpace(n), u.bytes
			break
		}
	}
	v, err := strconv.ParseInt(number, 10, 64)
	if err != nil || v < 0 || v > (1<<62)/factor {
		return fmt.Errorf("want a size such as 64MiB or 1GB, got %q", text)
	}
	*s = Size(v * factor)
	return nil
}

// Duration is a time span: "500ms", "5m".
type Duration time.Duration

// UnmarshalYAML reads a duration.
func (d *Duration) UnmarshalYAML(b []byte) error {
	return d.set(strings.Trim(strings.TrimSpace(string(b)), `"'`))
}

// MarshalYAML writes a duration.
func (d Duration) MarshalYAML() (any, error) { return time.Duration(d).String(), nil } //nolint:unparam // the interface wants it

func (d *Duration) set(text string) error {
	v, err := time.ParseDuration(text)
	if err != nil || v < 0 {
		return fmt.Errorf("want a time span such as 500ms or 5m, got %q", text)
	}
	*d = Duration(v)
	return nil
}

// loadConfig merges defaults, file, environment and --set flags, in that
// order, and reports every problem it finds at once.
func loadConfig(file string, env func(string) (string, bool), sets []string) (Config, error) {
	cfg := defaultConfig()
	cfg.origin = make(configOrigin)
	problems := cfg.readFile(file, file != "")
	fields := settableFields(reflect.ValueOf(&cfg).Elem(), "")
	byKey := make(map[string]reflect.Value, len(fields))
	for _, f := range fields {
		byKey[f.key] = f.value
		name := environmentName(f.key)
		if v, ok := env(name); ok {
			cfg.origin[f.key] = givenAt{words: "environment " + name}
			if err := setField(f.value, v); err != nil {
				problems = append(problems, fmt.Errorf("environment %s: %w", name, err))
			}
		}
	}
	for _, kv := range sets {
		key, v, ok := strings.Cut(kv, "=")
		field, known := byKey[key]
		switch {
		case !ok:
			problems = append(problems, fmt.Errorf("--set %s: want KEY=VALUE", key))
		case !known:
			problems = append(problems, fmt.Errorf("--set %s: no such setting; the settings are %s", key, strings.Join(keysOf(fields), ", ")))
		case field.Type() == reflect.TypeFor[ingest.Secret]():
			problems = append(problems, fmt.Errorf("--set %s: a secret on the command line can be read by others; use the environment, or a file", key))
		default:
			cfg.origin[key] = givenAt{words: "--set " + key}
			if err := setField(field, v); err != nil {
				problems = append(problems, fmt.Errorf("--set %s: %w", key, err))
			}
		}
	}
	for _, problem := range cfg.problems() {
		problems = append(problems, cfg.origin.at(problem))
	}
	return cfg, errors.Join(problems...)
}

type settableField struct {
	key   string
	value reflect.Value
}

// settableFields lists the leaves of the configuration by their dotted keys.
func settableFields(v reflect.Value, prefix string) []settableField {
	var out []settableField
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue
		}
		key := prefix + v.Type().Field(i).Tag.Get("yaml")
		if f := v.Field(i); f.Kind() == reflect.Struct {
			out = append(out, settableFields(f, key+".")...)
		} else {
			out = append(out, settableField{key, f})
		}
	}
	return out
}

func keysOf(fields []settableField) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	slices.Sort(keys)
	return keys
}

func setField(f reflect.Value, text string) error {
	switch p := f.Addr().Interface().(type) {
	case *Size:
		return p.set(text)
	case *Duration:
		return p.set(text)
	case *ingest.Secret:
		*p = ingest.Secret(text)
	case *string:
		*p = text
	case *[]string:
		*p = splitList(text)
	case *int:
		v, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("want a whole number, got %q", text)
		}
		*p = v
	case *bool:
		v, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("want true or false, got %q", text)
		}
		*p = v
	default:
		return fmt.Errorf("a setting of type %s can only be given in the file", f.Type())
	}
	return nil
}

func splitList(text string) []string {
	var out []string
	for s := range strings.SplitSeq(text, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// problems says everything that is wrong with the values.
func (c *Config) problems() []error {
	var p []error
	add := func(ok bool, format string, args ...any) {
		if !ok {
			p = append(p, fmt.Errorf(format, args...))
		}
	}
	add(c.Data != "", "data: name the data directory")
	add(c.Kafka.TopicPrefix != "", "kafka.topic_prefix: must not be empty, so that our topics are known among others")
	add(c.Kafka.Partitions > 0, "kafka.partitions: want at least 1, got %d", c.Kafka.Partitions)
	add(c.Kafka.Replication > 0, "kafka.replication: want at least 1, got %d", c.Kafka.Replication)
	add(c.Kafka.SASL.Password == "" || c.Kafka.SASL.PasswordFile == "",
		"kafka.sasl: give the password by GOODHOUR_KAFKA_SASL_PASSWORD or by password_file, not both")
	add(!strings.EqualFold(c.Kafka.SASL.Mechanism, "plain") || c.Kafka.TLS.Enabled,
		"kafka.sasl.mechanism: plain without TLS sends the password readable; turn kafka.tls.enabled on")
	if len(c.Kafka.Brokers) > 0 {
		if connection, err := c.Kafka.connection(); err != nil {
			p = append(p, err)
		} else if k, err := ingest.Connect(connection); err != nil {
			p = append(p, err)
		} else {
			k.Close()
		}
	}
	add(c.Load.BatchRows > 0, "load.batch_rows: want at least 1, got %d", c.Load.BatchRows)
	add(c.Load.BatchBytes >= 1<<20, "load.batch_bytes: want at least 1MiB, got %s", c.Load.BatchBytes)
	add(c.Load.BatchAge > 0, "load.batch_age: want more than 0")
	add(c.Warehouse.MemoryLimit >= 128<<20, "warehouse.memory_limit: want at least 128MiB, got %s", c.Warehouse.MemoryLimit)
	add(c.Warehouse.Threads > 0, "warehouse.threads: want at least 1, got %d", c.Warehouse.Threads)
	if c.Models.AsOf != asOfNow && c.Models.AsOf != asOfLastEvent {
		_, err := parseAsOf(c.Models.AsOf)
		add(err == nil, "models.as_of: %v", err)
	}
	add(c.Models.Every >= Duration(time.Second), "models.every: want at least 1s, got %s", time.Duration(c.Models.Every))
	add(c.Models.MemoryLimit >= 128<<20, "models.memory_limit: want at least 128MiB, got %s", c.Models.MemoryLimit)
	add(c.Models.Threads > 0, "models.threads: want at least 1, got %d", c.Models.Threads)
	add(c.SQL.MemoryLimit >= 64<<20, "sql.memory_limit: want at least 64MiB, got %s", c.SQL.MemoryLimit)
	add(c.SQL.Threads > 0 && c.SQL.Queries > 0, "sql.threads and sql.queries: want at least 1 each")
	add(c.SQL.Timeout > 0, "sql.timeout: want more than 0")
	_, _, err := net.SplitHostPort(c.API.Listen)
	add(err == nil, "api.listen: want host:port, got %q", c.API.Listen)
	if c.API.PublicURL != "" {
		u, err := url.Parse(c.API.PublicURL)
		add(err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && u.Path == "",
			"api.public_url: want https://host, got %q", c.API.PublicURL)
	}
	add(c.Sender.MemoryLimit >= 128<<20, "sender.memory_limit: want at least 128MiB, got %s", c.Sender.MemoryLimit)
	add(c.Sender.Threads > 0, "sender.threads: want at least 1, got %d", c.Sender.Threads)
	p = append(p, accountProblems(c.Accounts)...)
	p = append(p, sourceProblems(c)...)
	add(oneOf(c.Log.Level, "debug", "info", "warn", "error"), "log.level: want debug, info, warn or error, got %q", c.Log.Level)
	add(oneOf(c.Log.Format, "text", "json"), "log.format: want text or json, got %q", c.Log.Format)
	return p
}

func oneOf(s string, options ...string) bool { return slices.Contains(options, s) }

// connection is the configuration of the connection to the brokers.
func (c *KafkaConfig) connection() (ingest.KafkaConfig, error) {
	password := c.SASL.Password
	if c.SASL.PasswordFile != "" {
		b, err := os.ReadFile(c.SASL.PasswordFile)
		if err != nil {
			return ingest.KafkaConfig{}, fmt.Errorf("kafka.sasl.password_file: %w", err)
		}
		password = ingest.Secret(strings.TrimRight(string(b), "\r\n"))
	}
	return ingest.KafkaConfig{
		Brokers:     c.Brokers,
		TopicPrefix: c.TopicPrefix,
		TLS: ingest.TLSConfig{
			Enabled: c.TLS.Enabled, CAFile: c.TLS.CAFile,
			CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile, ServerName: c.TLS.ServerName,
		},
		SASL: ingest.SASLConfig{Mechanism: c.SASL.Mechanism, Username: c.SASL.Username, Password: password},
	}, nil
}

func (c *Config) identityKeyFile() string {
	if c.Identity.KeyFile != "" {
		return c.Identity.KeyFile
	}
	return filepath.Join(c.Data, "identity.key")
}
