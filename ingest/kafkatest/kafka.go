//go:build unix

package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	readyWithin = 60 * time.Second
	stopWithin  = 30 * time.Second
)

// Options of the broker.
type Options struct {
	// Properties are added to server.properties, over the defaults.
	Properties map[string]string
}

// Kafka is a running Apache Kafka.
type Kafka struct {
	tb         testing.TB
	java       string
	classpath  string
	dir        string
	port       int
	properties string // path
	log        string // path

	cmd      *exec.Cmd
	exited   chan exit
	watchdog *exec.Cmd
}

// exit is how a process ended.
type exit struct{ err error }

// Start formats the storage, starts Kafka, and waits until it answers. It is
// stopped at the end of the test.
func Start(tb testing.TB, options Options) *Kafka {
	tb.Helper()
	java, err := exec.LookPath("java")
	if err != nil {
		tb.Fatal("java is not installed: Apache Kafka needs Java 17 (Debian: apt-get install openjdk-17-jre-headless)")
	}
	dir := tb.TempDir()
	k := &Kafka{
		tb: tb, java: java, classpath: filepath.Join(Jars(tb), "*"), dir: dir,
		properties: filepath.Join(dir, "server.properties"), log: filepath.Join(dir, "kafka.log"),
	}
	ports := freePorts(tb, 2)
	k.port = ports[0]
	k.writeProperties(ports[1], options.Properties)
	k.format()
	tb.Cleanup(k.Stop)
	k.start()
	return k
}

// Brokers returns the addresses to connect to.
func (k *Kafka) Brokers() []string {
	return []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(k.port))}
}

// LogDir is the folder of a partition's log, for a test that damages it while
// Kafka is stopped.
func (k *Kafka) LogDir() string { return filepath.Join(k.dir, "data") }

// Restart stops Kafka in good order, if it runs, and starts it on the same
// storage and ports.
func (k *Kafka) Restart() {
	k.tb.Helper()
	k.Stop()
	k.start()
}

// Stop ends Kafka in good order, by force if that takes too long. It is idempotent.
func (k *Kafka) Stop() {
	if k.cmd == nil {
		return
	}
	_ = syscall.Kill(-k.cmd.Process.Pid, syscall.SIGTERM)
	timer := time.NewTimer(stopWithin)
	defer timer.Stop()
	select {
	case <-k.exited:
	case <-timer.C:
		k.tb.Errorf("Kafka did not stop within %s", stopWithin)
		k.kill()
		return
	}
	k.forget()
}

// Kill ends Kafka as a crash would.
func (k *Kafka) Kill() {
	if k.cmd != nil {
		k.kill()
	}
}

func (k *Kafka) kill() {
	_ = syscall.Kill(-k.cmd.Process.Pid, syscall.SIGKILL)
	<-k.exited
	k.forget()
}

func (k *Kafka) forget() {
	_ = k.watchdog.Process.Kill()
	_ = k.watchdog.Wait()
	k.cmd, k.watchdog = nil, nil
}

func (k *Kafka) writeProperties(controller int, extra map[string]string) {
	listener := k.Brokers()[0]
	properties := map[string]string{
		"process.roles":                            "broker,controller",
		"node.id":                                  "1",
		"controller.quorum.voters":                 fmt.Sprintf("1@127.0.0.1:%d", controller),
		"listeners":                                fmt.Sprintf("PLAINTEXT://%s,CONTROLLER://127.0.0.1:%d", listener, controller),
		"advertised.listeners":                     "PLAINTEXT://" + listener,
		"controller.listener.names":                "CONTROLLER",
		"listener.security.protocol.map":           "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
		"log.dirs":                                 k.LogDir(),
		"offsets.topic.replication.factor":         "1",
		"offsets.topic.num.partitions":             "1",
		"transaction.state.log.replication.factor": "1",
		"transaction.state.log.num.partitions":     "1",
		"transaction.state.log.min.isr":            "1",
		"group.initial.rebalance.delay.ms":         "0",
		"auto.create.topics.enable":                "false",
	}
	maps.Copy(properties, extra)
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		fmt.Fprintf(&text, "%s=%s\n", name, properties[name])
	}
	if err := os.WriteFile(k.properties, []byte(text.String()), 0o600); err != nil {
		k.tb.Fatal(err)
	}
}

func (k *Kafka) command(class string, args ...string) *exec.Cmd {
	all := append([]string{"-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", k.classpath, class}, args...)
	return exec.CommandContext(k.ctx(), k.java, all...)
}

// ctx does not end with the test: Stop does, in good order.
func (k *Kafka) ctx() context.Context { return context.WithoutCancel(k.tb.Context()) }

// format gives the storage a cluster id of its own.
func (k *Kafka) format() {
	k.tb.Helper()
	id, err := k.command("kafka.tools.StorageTool", "random-uuid").Output()
	if err != nil {
		k.tb.Fatalf("make a cluster id: %v", err)
	}
	out, err := k.command("kafka.tools.StorageTool", "format", "-t", strings.TrimSpace(string(id)), "-c", k.properties).CombinedOutput()
	if err != nil {
		k.tb.Fatalf("format Kafka's storage: %v\n%s", err, out)
	}
}

func (k *Kafka) start() {
	k.tb.Helper()
	log, err := os.OpenFile(k.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		k.tb.Fatal(err)
	}
	defer log.Close()
	cmd := k.command("kafka.Kafka", k.properties)
	cmd.Stdout, cmd.Stderr = log, log
	// A group of its own, so that an interrupt at the terminal does not stop
	// Kafka before the test, and so that all of it can be stopped at once.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		k.tb.Fatalf("start Kafka: %v", err)
	}
	k.cmd, k.exited = cmd, make(chan exit, 1)
	go func() { k.exited <- exit{cmd.Wait()} }()
	k.watch()
	k.awaitReady()
}

// watch starts a process that stops Kafka if the test dies without cleaning
// up: its standard input ends with the test.
func (k *Kafka) watch() {
	k.tb.Helper()
	k.watchdog = exec.CommandContext(k.ctx(), "sh", "-c", `cat >/dev/null; kill -9 "$1"`, "sh", strconv.Itoa(k.cmd.Process.Pid))
	k.watchdog.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if _, err := k.watchdog.StdinPipe(); err != nil {
		k.tb.Fatal(err)
	}
	if err := k.watchdog.Start(); err != nil {
		k.tb.Fatalf("start Kafka's watchdog: %v", err)
	}
}

func (k *Kafka) awaitReady() {
	k.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := k.ready(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case end := <-k.exited:
			k.exited <- end
			k.tb.Fatalf("Kafka ended while starting: %v\n%s", end.err, k.logTail())
		case <-ctx.Done():
			k.tb.Fatalf("Kafka was not ready within %s: %v\n%s", readyWithin, err, k.logTail())
		}
	}
}

// ready asks whether the broker is registered: before that it answers, but
// with no broker in its metadata.
func (k *Kafka) ready(ctx context.Context) error {
	transport := &kafka.Transport{DialTimeout: time.Second}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(k.Brokers()...), Transport: transport, Timeout: 2 * time.Second}
	metadata, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{}})
	if err != nil {
		return err
	}
	if len(metadata.Brokers) == 0 {
		return errors.New("no broker is registered yet")
	}
	return nil
}

func (k *Kafka) logTail() string {
	const most = 4 << 10
	f, err := os.Open(k.log)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, io.SeekEnd)
	}
	text, _ := io.ReadAll(f)
	return string(text)
}

// freePorts returns ports that were free a moment ago.
func freePorts(tb testing.TB, n int) []int {
	tb.Helper()
	var ports []int
	var listen net.ListenConfig
	for range n {
		l, err := listen.Listen(tb.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}
