package broker

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/goodhour/goodhour/ingest"
)

// Config says where the broker keeps its log and how it is reached.
type Config struct {
	// Dir holds the log and the port last used; it is made if missing.
	Dir string
	// Port on 127.0.0.1. 0: the one used last in this directory, if it is free
	// now, else any free one.
	Port int
	// TLS, if set, is spoken on every connection.
	TLS *tls.Config
	// Users, if any, may log in and nobody else.
	Users []User
	// Settings are further broker settings by their Kafka names, such as
	// message.max.bytes.
	Settings map[string]string
	Logger   *slog.Logger
}

// User may log in.
type User struct {
	Mechanism string // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	Name      string
	Password  ingest.Secret
}

// Files in Dir beside the log.
const (
	portFile = "port"
	lockFile = "lock"
	logDir   = "log"
)

// segmentBytes is how much log lies in one file: retention frees whole files.
const segmentBytes = 16 << 20

// Broker is a running broker.
type Broker struct {
	cluster *kfake.Cluster
	lock    *os.File
	addr    string
	logger  *slog.Logger
	close   sync.Once
}

// Start opens the log in cfg.Dir and listens. One process at a time can have a
// directory open.
func Start(cfg Config) (*Broker, error) {
	if cfg.Dir == "" || cfg.Logger == nil {
		return nil, errors.New("embedded broker: a directory and a logger are needed")
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	lock, err := acquire(filepath.Join(cfg.Dir, lockFile))
	if err != nil {
		return nil, fmt.Errorf("embedded broker: %s is in use by another process: %w", cfg.Dir, err)
	}
	b := &Broker{lock: lock, logger: cfg.Logger}
	if err := b.start(cfg); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("embedded broker in %s: %w", cfg.Dir, err)
	}
	return b, nil
}

func (b *Broker) start(cfg Config) (err error) {
	options := cfg.options()
	port := cfg.Port
	if port == 0 {
		port = rememberedPort(cfg.Dir)
	}
	b.cluster, err = kfake.NewCluster(append(options, kfake.Ports(port))...)
	if err != nil && cfg.Port == 0 && port != 0 && inUse(err) {
		cfg.Logger.Warn("the embedded broker's last port is taken, taking another", "port", port)
		b.cluster, err = kfake.NewCluster(append(options, kfake.Ports(0))...)
	}
	if err != nil {
		return err
	}
	b.addr = b.cluster.ListenAddrs()[0]
	_, chosen, _ := strings.Cut(b.addr, ":")
	if err := os.WriteFile(filepath.Join(cfg.Dir, portFile), []byte(chosen+"\n"), 0o600); err != nil {
		b.cluster.Close()
		return err
	}
	return nil
}

func (cfg Config) options() []kfake.Opt {
	settings := map[string]string{
		"log.segment.bytes": strconv.Itoa(segmentBytes),
		"log.retention.ms":  "-1",
	}
	maps.Copy(settings, cfg.Settings)
	options := []kfake.Opt{
		kfake.DataDir(filepath.Join(cfg.Dir, logDir)),
		kfake.SyncWrites(),
		// A cluster id of its own, kept in the log's directory: a log that was
		// thrown away and begun anew is another cluster, and is noticed.
		kfake.ClusterID(newClusterID()),
		kfake.BrokerConfigs(settings),
		kfake.WithLogger(logger{cfg.Logger}),
	}
	if cfg.TLS != nil {
		options = append(options, kfake.TLS(cfg.TLS))
	}
	if len(cfg.Users) > 0 {
		options = append(options, kfake.EnableSASL())
	}
	for _, u := range cfg.Users {
		options = append(options, kfake.Superuser(u.Mechanism, u.Name, u.Password.Reveal()))
	}
	return options
}

// newClusterID makes an id in Kafka's form: 16 random bytes in base64.
func newClusterID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails: crypto/rand
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// rememberedPort returns 0 where there is none.
func rememberedPort(dir string) int {
	text, err := os.ReadFile(filepath.Join(dir, portFile))
	if err != nil {
		return 0
	}
	port, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || port < 1 || port > 65535 {
		return 0
	}
	return port
}

// Addr is the host:port to connect to.
func (b *Broker) Addr() string { return b.addr }

// Close saves the broker's state and stops it. It is idempotent.
func (b *Broker) Close() {
	b.close.Do(func() {
		b.cluster.Close()
		_ = b.lock.Close()
	})
}

// ApplyRetention deletes old records until about limit bytes are left of the
// partitions in loaded: the same share of the oldest from each, and never any
// that has not been loaded. loaded is, for each partition, the offset up to
// which everybody who needs the records has them. Files are freed as a whole.
func (b *Broker) ApplyRetention(loaded map[ingest.TopicPartition]int64, limit int64) error {
	var total int64
	logs := make(map[ingest.TopicPartition]*kfake.PartitionInfo, len(loaded))
	for tp := range loaded {
		if info := b.cluster.PartitionInfo(tp.Topic, tp.Partition); info != nil {
			logs[tp] = info
			total += info.NumBytes
		}
	}
	if limit < 0 || total <= limit {
		return nil
	}
	share := float64(total-limit) / float64(total)
	var problems []error
	for tp, log := range logs {
		// The last record always stays: kfake finds the end of a log after a
		// crash by its records, and an end before what was loaded would look
		// like a truncated log.
		cut := min(log.LogStartOffset+int64(share*float64(log.HighWatermark-log.LogStartOffset)), loaded[tp], log.HighWatermark-1)
		if cut <= log.LogStartOffset {
			continue
		}
		if err := b.cluster.DeleteRecords(tp.Topic, tp.Partition, cut); err != nil {
			problems = append(problems, fmt.Errorf("delete records of %s before offset %d: %w", tp, cut, err))
		}
	}
	return errors.Join(problems...)
}

// logger passes on what kfake warns of.
type logger struct{ slog *slog.Logger }

func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	if level == kfake.LogLevelError || level == kfake.LogLevelWarn {
		l.slog.Warn("embedded broker", "message", fmt.Sprintf(format, args...))
	}
}

// inUse reports whether a port is taken.
func inUse(err error) bool { return errors.Is(err, errAddressInUse) }
