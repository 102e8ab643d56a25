package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/identity"
	"github.com/goodhour/goodhour/warehouse"
)

// operator is what the commands ask of the process that has the data directory
// open: this one, or a running serve over its socket.
type operator interface {
	// Log says how the topics are reached.
	Log(ctx context.Context) (logInfo, error)
	// WaitForEnd waits until what the topics hold now is loaded.
	WaitForEnd(ctx context.Context) error
	// Publish runs the models on what is loaded and publishes the file.
	Publish(ctx context.Context, r publishRequest) (*publication, error)
	Offsets(ctx context.Context) ([]partitionInfo, error)
	AcceptBreak(ctx context.Context, r acceptRequest) (acceptedInfo, error)
	DeadLetters(ctx context.Context, filter warehouse.DeadLetterFilter) ([]warehouse.DeadLetterSummary, error)
	DeadLetter(ctx context.Context, id int64) (deadLetterInfo, error)
	ReplayDeadLetter(ctx context.Context, id int64) error
	// Personal is for exports with --pii.
	warehouse.PersonalSource
}

type personalRequest struct {
	People [][]identity.ID `json:"people"`
	Fields []string        `json:"fields"`
}

type logInfo struct {
	Brokers  []string `json:"brokers"`
	Embedded bool     `json:"embedded"`
}

type publishRequest struct {
	// AsOf as in models.as_of; empty: the configured one.
	AsOf string `json:"as_of"`
}

type partitionInfo struct {
	Topic          string     `json:"topic"`
	Partition      int32      `json:"partition"`
	NextOffset     int64      `json:"next_offset"`
	Lag            int64      `json:"lag"` // offsets still to be loaded
	LastReceivedAt *time.Time `json:"last_received_at,omitempty"`
	Break          string     `json:"break,omitempty"`
	Error          string     `json:"error,omitempty"`
}

type acceptRequest struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	By        string `json:"by"`
}

type acceptedInfo struct {
	Break      string `json:"break"`
	Detail     string `json:"detail"`
	NextOffset int64  `json:"next_offset"`
}

type deadLetterInfo struct {
	ID         int64             `json:"id"`
	Topic      string            `json:"topic"`
	Partition  int32             `json:"partition"`
	Offset     int64             `json:"offset"`
	ReceivedAt time.Time         `json:"received_at"`
	Reason     string            `json:"reason"`
	Key        string            `json:"key"`
	Value      string            `json:"value"`
	Headers    map[string]string `json:"headers"`
}

// withOperator runs do with the running serve if there is one, else with the
// data directory opened here.
func withOperator(ctx context.Context, c *cli, do func(operator) error) error {
	a, client, err := openOrAsk(ctx, c)
	switch {
	case err != nil:
		return err
	case client != nil:
		return do(client)
	}
	return errors.Join(do(a), a.Close())
}

func (a *app) Log(context.Context) (logInfo, error) {
	if a.broker != nil {
		return logInfo{Brokers: []string{a.broker.Addr()}, Embedded: true}, nil
	}
	return logInfo{Brokers: a.cfg.Kafka.Brokers}, nil
}

func (a *app) WaitForEnd(ctx context.Context) error { return a.consumer.WaitForEnd(ctx) }

func (a *app) Publish(ctx context.Context, r publishRequest) (*publication, error) {
	if r.AsOf == "" {
		r.AsOf = a.cfg.Models.AsOf
	}
	return a.publish(ctx, r.AsOf)
}

func (a *app) Offsets(ctx context.Context) ([]partitionInfo, error) {
	ends, err := a.kafka.HighWatermarks(ctx, a.kafka.EventTopics())
	if err != nil {
		return nil, fmt.Errorf("ask the brokers how far the topics go: %w", err)
	}
	status := a.consumer.Status()
	ledgerBreaks := breaks(a.sending.consumer)
	out := make([]partitionInfo, 0, len(status.Partitions))
	for _, p := range status.Partitions {
		name := ingest.TopicPartition{Topic: p.Topic, Partition: p.Partition.Partition}
		info := partitionInfo{
			Topic: p.Topic, Partition: p.Partition.Partition, NextOffset: max(p.NextOffset, 0),
			Lag: max(0, ends[name]-max(p.NextOffset, p.LogStart, 0)),
		}
		if p.LastReceivedMicros > 0 {
			t := time.UnixMicro(p.LastReceivedMicros).UTC()
			info.LastReceivedAt = &t
		}
		if p.Break != nil {
			info.Break = p.Break.Error()
		} else if broken := ledgerBreaks[name]; broken != nil {
			info.Break = "for the ledger, " + broken.Error()
		}
		if err := errors.Join(status.Error, p.Error); err != nil {
			info.Error = err.Error()
		}
		out = append(out, info)
	}
	return out, nil
}

// AcceptBreak accepts it for every projection that stands still over it: both
// read the same log, but one may have noticed, or been accepted, before the other.
func (a *app) AcceptBreak(ctx context.Context, r acceptRequest) (out acceptedInfo, err error) {
	name := ingest.TopicPartition{Topic: r.Topic, Partition: r.Partition}
	var still []*ingest.Consumer
	for _, consumer := range []*ingest.Consumer{a.consumer, a.sending.consumer} {
		// Whoever has only just begun has not looked at the log yet.
		looking, cancel := context.WithTimeout(ctx, catchUpPatience)
		_ = consumer.WaitForEnd(looking) // a break, too, is an answer
		cancel()
		if breaks(consumer)[name] != nil {
			still = append(still, consumer)
		}
	}
	if len(still) == 0 {
		still = append(still, a.consumer) // which says that there is nothing to accept
	}
	for _, consumer := range still {
		accepted, err := consumer.Accept(ctx, r.Topic, r.Partition, r.By)
		if err != nil {
			return out, err
		}
		out = acceptedInfo{Break: accepted.Break, Detail: accepted.Detail, NextOffset: accepted.NextOffset}
	}
	return out, nil
}

// breaks are the partitions that a projection stands still over.
func breaks(consumer *ingest.Consumer) map[ingest.TopicPartition]*ingest.BreakError {
	out := make(map[ingest.TopicPartition]*ingest.BreakError)
	for _, p := range consumer.Status().Partitions {
		if p.Break != nil {
			out[ingest.TopicPartition{Topic: p.Topic, Partition: p.Partition.Partition}] = p.Break
		}
	}
	return out
}

func (a *app) DeadLetters(ctx context.Context, filter warehouse.DeadLetterFilter) ([]warehouse.DeadLetterSummary, error) {
	return a.warehouse.DeadLetters(ctx, filter)
}

func (a *app) DeadLetter(ctx context.Context, id int64) (deadLetterInfo, error) {
	l, err := a.warehouse.DeadLetter(ctx, id)
	if err != nil {
		return deadLetterInfo{}, err
	}
	info := deadLetterInfo{
		ID: l.ID, Topic: l.Topic, Partition: l.Partition, Offset: l.Offset, ReceivedAt: l.ReceivedAt,
		Reason: l.Reason, Key: string(l.Key), Value: string(l.Value), Headers: make(map[string]string, len(l.Headers)),
	}
	for _, h := range l.Headers {
		info.Headers[h.Key] = string(h.Value)
	}
	return info, nil
}

func (a *app) ReplayDeadLetter(ctx context.Context, id int64) error {
	return a.producer.ReplayDeadLetter(ctx, a.warehouse, id)
}

func (a *app) Personal(ctx context.Context, people [][]identity.ID, fields []string) ([]map[string]string, error) {
	return a.warehouse.Personal(ctx, people, fields)
}

// The paths of the control socket, beside those of the API.
const (
	pathLog         = "/operator/log"
	pathWait        = "/operator/wait"
	pathPublish     = "/operator/publish"
	pathOffsets     = "/operator/offsets"
	pathAccept      = "/operator/offsets/accept"
	pathDeadLetters = "/operator/deadletters/list"
	pathDeadLetter  = "/operator/deadletters/show"
	pathReplay      = "/operator/deadletters/replay"
	pathPersonal    = "/operator/personal"
)

// controlHandler answers what controlClient asks, and the API's own requests.
// Who reaches the socket owns the data directory, so there are no keys here.
func controlHandler(o operator, api http.Handler) http.Handler {
	mux := http.NewServeMux()
	handle(mux, pathLog, func(ctx context.Context, _ struct{}) (logInfo, error) { return o.Log(ctx) })
	handle(mux, pathWait, func(ctx context.Context, _ struct{}) (struct{}, error) { return struct{}{}, o.WaitForEnd(ctx) })
	handle(mux, pathPublish, o.Publish)
	handle(mux, pathOffsets, func(ctx context.Context, _ struct{}) ([]partitionInfo, error) { return o.Offsets(ctx) })
	handle(mux, pathAccept, o.AcceptBreak)
	handle(mux, pathDeadLetters, o.DeadLetters)
	handle(mux, pathDeadLetter, o.DeadLetter)
	handle(mux, pathReplay, func(ctx context.Context, id int64) (struct{}, error) {
		return struct{}{}, o.ReplayDeadLetter(ctx, id)
	})
	handle(mux, pathPersonal, func(ctx context.Context, r personalRequest) ([]map[string]string, error) {
		return o.Personal(ctx, r.People, r.Fields)
	})
	mux.Handle("/", api)
	return mux
}

func handle[In, Out any](mux *http.ServeMux, path string, do func(context.Context, In) (Out, error)) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&in); err != nil {
			http.Error(w, fmt.Sprintf("read the request: %v", err), http.StatusBadRequest)
			return
		}
		out, err := do(r.Context(), in)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out) // the other side is gone
	})
}

func ask[In, Out any](ctx context.Context, c *controlClient, path string, in In) (out Out, err error) {
	err = c.call(ctx, path, in, &out)
	return out, err
}

func (c *controlClient) Log(ctx context.Context) (logInfo, error) {
	return ask[struct{}, logInfo](ctx, c, pathLog, struct{}{})
}

func (c *controlClient) WaitForEnd(ctx context.Context) error {
	_, err := ask[struct{}, struct{}](ctx, c, pathWait, struct{}{})
	return err
}

func (c *controlClient) Publish(ctx context.Context, r publishRequest) (*publication, error) {
	return ask[publishRequest, *publication](ctx, c, pathPublish, r)
}

func (c *controlClient) Personal(ctx context.Context, people [][]identity.ID, fields []string) ([]map[string]string, error) {
	return ask[personalRequest, []map[string]string](ctx, c, pathPersonal, personalRequest{people, fields})
}

func (c *controlClient) Offsets(ctx context.Context) ([]partitionInfo, error) {
	return ask[struct{}, []partitionInfo](ctx, c, pathOffsets, struct{}{})
}

func (c *controlClient) AcceptBreak(ctx context.Context, r acceptRequest) (acceptedInfo, error) {
	return ask[acceptRequest, acceptedInfo](ctx, c, pathAccept, r)
}

func (c *controlClient) DeadLetters(ctx context.Context, f warehouse.DeadLetterFilter) ([]warehouse.DeadLetterSummary, error) {
	return ask[warehouse.DeadLetterFilter, []warehouse.DeadLetterSummary](ctx, c, pathDeadLetters, f)
}

func (c *controlClient) DeadLetter(ctx context.Context, id int64) (deadLetterInfo, error) {
	return ask[int64, deadLetterInfo](ctx, c, pathDeadLetter, id)
}

func (c *controlClient) ReplayDeadLetter(ctx context.Context, id int64) error {
	_, err := ask[int64, struct{}](ctx, c, pathReplay, id)
	return err
}
