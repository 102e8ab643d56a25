package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/fileimport"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/ingest/source"
)

// SourceConfig maps a topic that is somebody else's to goodhour's events.
type SourceConfig struct {
	// Name of the system: the events' source is "topic:" and this name, and
	// their ids are unique in it.
	Name  string `yaml:"name"`
	Topic string `yaml:"topic"` // full name
	// Kind is what a row of the select is, as for import: orders, customers,
	// consents or messages.
	Kind string `yaml:"kind"`
	// Select is one SQL select from record, whose columns are fields of the kind.
	Select string `yaml:"select"`
	// Values gives a field one value for every row.
	Values map[string]string `yaml:"values"`
	// TimeFormat, TimeZone, PhoneRegion and KeyNamespace as import has them.
	TimeFormat   string `yaml:"time_format"`
	TimeZone     string `yaml:"time_zone"`
	PhoneRegion  string `yaml:"phone_region"`
	KeyNamespace string `yaml:"key_namespace"`
}

// open returns the source; its select is checked on first use.
func (c *SourceConfig) open() (*source.Source, error) {
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("time_zone: no zone %q: want an IANA name such as America/Sao_Paulo", c.TimeZone)
	}
	return source.New(source.Config{
		Topic: c.Topic, Select: c.Select,
		Rows: fileimport.Options{
			Kind: fileimport.Kind(c.Kind), Source: c.Name, Values: c.Values,
			TimeFormat: c.TimeFormat, TimeZone: zone, PhoneRegion: c.PhoneRegion, KeyNamespace: c.KeyNamespace,
		},
	}), nil
}

// sourceProblems says what is wrong with the sources, but for their selects,
// which need DuckDB: see checkSources.
func sourceProblems(c *Config) []error {
	var p []error
	names, topics := map[string]bool{}, map[string]bool{}
	own := map[string]bool{c.Kafka.TopicPrefix + string(event.TopicDeadLetter): true}
	for _, k := range event.Kinds() {
		own[c.Kafka.TopicPrefix+string(k.Spec().Topic)] = true
	}
	for i := range c.Sources {
		s := &c.Sources[i]
		add := func(ok bool, format string, args ...any) {
			if !ok {
				p = append(p, fmt.Errorf("sources[%d].%w", i, fmt.Errorf(format, args...)))
			}
		}
		add(s.Name != "" && !names[s.Name], "name: want a name of its own, got %q", s.Name)
		add(s.Topic != "" && !topics[s.Topic], "topic: want a topic that no other source has, got %q", s.Topic)
		add(!own[s.Topic], "topic: %s is goodhour's own, which needs no source", s.Topic)
		add(fileimport.Fields(fileimport.Kind(s.Kind)) != nil, "kind: want orders, customers, consents or messages, got %q", s.Kind)
		add(s.Select != "", "select: say how a record becomes %s", s.Kind)
		_, err := s.open()
		add(err == nil, "%v", err)
		names[s.Name], topics[s.Topic] = true, true
	}
	return p
}

// sourceTopics are the topics of all sources.
func (c *Config) sourceTopics() []string {
	topics := make([]string, len(c.Sources))
	for i := range c.Sources {
		topics[i] = c.Sources[i].Topic
	}
	return topics
}

// openSources makes a consumer's own sources, by topic. A select that does not
// run is an error here, before anything is read.
func (a *app) openSources(ctx context.Context) (map[string]ingest.Source, error) {
	sources := make(map[string]ingest.Source, len(a.cfg.Sources))
	for i := range a.cfg.Sources {
		s, err := a.cfg.Sources[i].open()
		if err != nil {
			return nil, fmt.Errorf("sources[%d].%w", i, err)
		}
		a.sources = append(a.sources, s)
		if err := s.Check(ctx); err != nil {
			return nil, fmt.Errorf("source %s: %w", a.cfg.Sources[i].Name, err)
		}
		sources[a.cfg.Sources[i].Topic] = s
	}
	return sources, nil
}

// tailRecords is how many records of a topic config check looks at.
const tailRecords = 20

// checkSources runs each select on the last records of its topic and prints
// what would become of them.
func checkSources(ctx context.Context, c *cli) []error {
	var problems []error
	for i := range c.cfg.Sources {
		if err := checkSource(ctx, c, i); err != nil {
			problems = append(problems, fmt.Errorf("source %s: %w", c.cfg.Sources[i].Name, err))
		}
	}
	return problems
}

func checkSource(ctx context.Context, c *cli, i int) (err error) {
	cfg := &c.cfg.Sources[i]
	s, err := cfg.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Check(ctx); err != nil {
		fault, ok := errors.AsType[*source.SelectError](err)
		if given := c.cfg.origin[fmt.Sprintf("sources[%d].select", i)]; ok && given.file != "" {
			given.line += fault.Line - 1
			return fmt.Errorf("%s: sources[%d].select: %s", given, i, fault.Message)
		}
		return err
	}
	if len(c.cfg.Kafka.Brokers) == 0 {
		fmt.Fprintf(c.stdout, "Source %s: the select is understood. Without kafka.brokers there are no records to try it on.\n", cfg.Name)
		return nil
	}
	connection, err := c.cfg.Kafka.connection()
	if err != nil {
		return err
	}
	connection.OtherTopics = c.cfg.sourceTopics()
	kafka, err := ingest.Connect(connection)
	if err != nil {
		return err
	}
	defer kafka.Close()
	partition, records, err := kafka.Tail(ctx, cfg.Topic, tailRecords)
	if err != nil {
		return err
	}
	keyer, err := identity.NewKeyer(make([]byte, 32)) // what it derives is thrown away
	if err != nil {
		return err
	}
	decoder, batch, filtered := event.NewDecoder(keyer), new(event.Batch), 0
	for n := range records {
		err := s.Map(ctx, partition[n], records[n:n+1], func(_ int, events []event.Record, reason string) bool {
			if len(events) == 0 && reason == "" {
				filtered++
			}
			decoder.DecodeMapped(&records[n], events, reason, batch)
			return true
		})
		if err != nil {
			return err
		}
	}
	fmt.Fprintf(c.stdout, "Source %s: of the last %d records of %s, %d would become dead letters and %d be left out; %d events.\n",
		cfg.Name, len(records), cfg.Topic, len(batch.DeadLetters), filtered, batch.EventCount())
	for _, letter := range batch.DeadLetters {
		fmt.Fprintf(c.stdout, "  partition %d offset %d: %s\n", letter.Partition, letter.Offset, letter.Reason)
	}
	return nil
}
