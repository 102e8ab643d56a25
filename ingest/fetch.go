package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchVersion is the first that asks by topic id, so that a topic made anew
// between two requests cannot be read in place of the old one. Brokers before
// Kafka 3.1 are asked in their own newest version, by name.
const (
	fetchVersion       = 13
	oldestFetchVersion = 4 // record batches of format 2; Kafka 0.11
)

// fetchWait is how long a broker may hold a request when it has nothing new.
const fetchWait = 500 * time.Millisecond

// readCommitted: the broker gives records up to the last stable offset, and
// says which transactions in them were aborted.
const readCommitted = 1

// fetched is what one request brought: at most one chunk a partition.
type fetched struct {
	chunks []chunk
	// release gives the memory of the chunks back; call it once, after them.
	release func()
}

// chunk is what a request brought of one partition: all that the log holds
// from one offset to another.
type chunk struct {
	flow       *flow
	from, next int64
	batches    []byte // record batches; the last may be cut off
	aborted    []kmsg.FetchResponseTopicPartitionAbortedTransaction
}

// fetcher reads the partitions of one leader, one request at a time. While the
// records of one answer are decoded, the next is on its way.
type fetcher struct {
	kafka    *Kafka
	leader   int32
	flows    []*flow
	consumer *Consumer
	maxBytes int32
	out      chan<- fetched
	// stale asks for a look at the cluster: a leader moved, or more.
	stale func()
	// replan ends the session in good order, for a new start from what is stored.
	replan  func()
	version int16
	buffers chan []byte
}

// run fetches until ctx ends.
func (f *fetcher) run(ctx context.Context) {
	f.buffers = make(chan []byte, 1) // one is read into while the other is decoded
	what := fmt.Sprintf("broker %d", f.leader)
	pause := newBackoff(100*time.Millisecond, 5*time.Second)
	for ctx.Err() == nil {
		err := f.once(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			f.consumer.told.trouble(what, err)
			for _, flow := range f.flows {
				f.consumer.setTrouble(flow.id, err)
			}
			f.stale()
			pause.wait(ctx)
		default:
			f.consumer.told.over(what)
			pause.reset()
		}
	}
}

// once makes one request and hands on what it brought.
func (f *fetcher) once(ctx context.Context) error {
	if f.version == 0 {
		if err := f.negotiate(ctx); err != nil {
			return err
		}
	}
	due, wait := f.due()
	if len(due) == 0 {
		sleep(ctx, wait)
		return nil
	}
	requestCtx, cancel := context.WithTimeout(ctx, fetchWait+requestTimeout)
	defer cancel()
	got, err := f.kafka.ask(requestCtx, f.leader, f.request(due), f.buffer())
	if err != nil {
		f.version = 0 // the broker may come back as another version
		return fmt.Errorf("fetch: %w", err)
	}
	response := got.response.(*kmsg.FetchResponse)
	if err := kafkaError(response.ErrorCode); err != nil {
		f.version = 0
		return fmt.Errorf("fetch: %w", err)
	}
	out := fetched{release: func() {
		select {
		case f.buffers <- got.buffer:
		default:
		}
	}}
	// A broker that had a record for any of the partitions would have sent one,
	// if only one; but a throttled answer is empty.
	empty := response.ThrottleMillis == 0 && !hasRecords(response)
	for i := range response.Topics {
		for j := range response.Topics[i].Partitions {
			t, p := &response.Topics[i], &response.Topics[i].Partitions[j]
			if flow := find(due, t, p.Partition); flow != nil {
				out.chunks = f.take(ctx, flow, p, empty, out.chunks)
			}
		}
	}
	if len(out.chunks) == 0 {
		out.release()
	} else {
		select {
		case f.out <- out:
		case <-ctx.Done():
			return nil
		}
	}
	if response.ThrottleMillis > 0 {
		sleep(ctx, time.Duration(response.ThrottleMillis)*time.Millisecond)
	}
	return nil
}

func (f *fetcher) negotiate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	versions, err := f.kafka.versions(ctx, f.leader)
	if err != nil {
		return err
	}
	newest := versions[int16(kmsg.Fetch)]
	if newest < oldestFetchVersion {
		return fmt.Errorf("fetch requests only up to version %d: goodhour reads Kafka 0.11 or newer", newest)
	}
	f.version = min(fetchVersion, newest)
	for _, flow := range f.flows {
		if flow.topicID == [16]byte{} {
			f.version = min(f.version, fetchVersion-1)
		}
	}
	return nil
}

// due returns the partitions to ask for now, or how long to wait for the first.
func (f *fetcher) due() ([]*flow, time.Duration) {
	// The broker fills an answer in the order asked: begin with another one
	// each time, so that a busy partition cannot starve the rest.
	f.flows = append(f.flows[1:], f.flows[0])
	due := make([]*flow, 0, len(f.flows))
	wait, now := fetchWait, f.consumer.cfg.Now()
	for _, flow := range f.flows {
		switch pause := flow.retryAt.Sub(now); {
		case flow.stopped:
		case pause > 0:
			wait = min(wait, pause)
		default:
			due = append(due, flow)
		}
	}
	return due, wait
}

func (f *fetcher) request(due []*flow) *kmsg.FetchRequest {
	request := kmsg.NewPtrFetchRequest()
	request.Version = f.version
	request.MaxWaitMillis = int32(fetchWait.Milliseconds())
	request.MinBytes = 1
	request.MaxBytes = f.maxBytes
	request.IsolationLevel = readCommitted
	// No session (id 0, epoch -1) and no leader epoch (-1, by default): a
	// session epoch of 0 would open one at each request, and a leader epoch of
	// 0 is refused after a broker's restart.
	request.SessionEpoch = -1
	index := make(map[string]int)
	for _, flow := range due {
		i, ok := index[flow.id.Topic]
		if !ok {
			i = len(request.Topics)
			index[flow.id.Topic] = i
			topic := kmsg.NewFetchRequestTopic()
			topic.Topic, topic.TopicID = flow.id.Topic, flow.topicID
			request.Topics = append(request.Topics, topic)
		}
		partition := kmsg.NewFetchRequestTopicPartition()
		partition.Partition = flow.id.Partition
		partition.FetchOffset = flow.fetch
		partition.PartitionMaxBytes = min(f.maxBytes, maxPartitionBytes)
		request.Topics[i].Partitions = append(request.Topics[i].Partitions, partition)
	}
	return request
}

// maxPartitionBytes is what one partition may bring in one request: Kafka's
// own default for consumers (max.partition.fetch.bytes).
const maxPartitionBytes = 1 << 20

func find(due []*flow, t *kmsg.FetchResponseTopic, partition int32) *flow {
	for _, flow := range due {
		if flow.id.Partition == partition && (flow.id.Topic == t.Topic || t.Topic == "" && flow.topicID == t.TopicID) {
			return flow
		}
	}
	return nil
}

// buffer returns memory for an answer.
func (f *fetcher) buffer() []byte {
	select {
	case b := <-f.buffers:
		return b
	default:
		return nil
	}
}

func hasRecords(response *kmsg.FetchResponse) bool {
	for i := range response.Topics {
		for j := range response.Topics[i].Partitions {
			if len(response.Topics[i].Partitions[j].RecordBatches) > 0 {
				return true
			}
		}
	}
	return false
}

// take handles one partition of an answer. empty: the whole answer has no record.
func (f *fetcher) take(ctx context.Context, flow *flow, p *kmsg.FetchResponseTopicPartition, empty bool, chunks []chunk) []chunk {
	if err := kafkaError(p.ErrorCode); err != nil {
		f.refused(ctx, flow, err)
		return chunks
	}
	f.consumer.setLog(flow.id, p.LogStartOffset, p.HighWatermark, p.LastStableOffset)
	next := offsetAfter(p.RecordBatches, flow.fetch)
	if empty && next < p.LastStableOffset {
		if err := f.vacant(ctx, flow, p.LastStableOffset); err != nil {
			f.refused(ctx, flow, err)
			return chunks
		}
		next = p.LastStableOffset
	}
	f.consumer.told.over(flow.name)
	flow.pause.reset()
	// The first answer for a new partition is passed on even without records:
	// its begin is worth storing, so that a later gap is noticed.
	begin := flow.fresh && flow.stored < 0
	if next == flow.fetch && !begin {
		return chunks
	}
	c := chunk{flow: flow, from: flow.fetch, next: next, batches: p.RecordBatches, aborted: p.AbortedTransactions}
	flow.fetch, flow.fresh = next, false
	return append(chunks, c)
}

// vacant returns nil if there can be no record from a partition's offset up to
// its last stable offset, although the broker counts them: compaction took the
// last ones of the log. A topic in tiered storage may give an empty answer
// when the remote store is slow, so there it proves nothing.
func (f *fetcher) vacant(ctx context.Context, flow *flow, stable int64) error {
	tiered, err := f.kafka.topicSetting(ctx, flow.id.Topic, "remote.storage.enable")
	if err != nil {
		return fmt.Errorf("the broker gives no record from offset %d to %d, and whether that is true cannot be told: %w",
			flow.fetch, stable-1, err)
	}
	if tiered != "" && tiered != "false" {
		return fmt.Errorf("the broker gives no record from offset %d to %d: is the remote store slow?", flow.fetch, stable-1)
	}
	return nil
}

// refused handles an error that the broker gave for one partition. The others
// go on.
func (f *fetcher) refused(ctx context.Context, flow *flow, err error) {
	if errors.Is(err, kafka.OffsetOutOfRange) {
		if err = f.outOfRange(ctx, flow); err == nil {
			return
		}
	}
	f.consumer.told.trouble(flow.name, err)
	f.consumer.setTrouble(flow.id, err)
	flow.retryAt = f.consumer.cfg.Now().Add(flow.pause.step())
	f.stale()
}

// outOfRange finds out why the broker has nothing at a partition's offset. It
// returns nil when that is settled: the partition begins elsewhere, stopped,
// or will be looked at again from what is stored.
func (f *fetcher) outOfRange(ctx context.Context, flow *flow) error {
	tp := TopicPartition{Topic: flow.id.Topic, Partition: flow.id.Partition}
	ranges, failed, err := f.kafka.logRanges(ctx, map[string][]int32{tp.Topic: {tp.Partition}})
	if err == nil {
		err = failed[tp]
	}
	if err != nil {
		return fmt.Errorf("offset %d is out of the log's range: %w", flow.fetch, err)
	}
	log := ranges[tp]
	switch {
	case flow.fresh && flow.stored < 0:
		flow.fetch = log.start // a new partition begins where its log does
		return nil
	case flow.fetch != flow.stored:
		// What was read since the start of the session must be committed
		// before anybody decides about the rest.
		flow.stopped = true
		f.replan()
		return nil
	case flow.stored < log.start || flow.stored > log.end:
		flow.stopped = true
		f.consumer.setBreak(offsetBreak(flow.id, flow.stored, log))
		return nil
	}
	return fmt.Errorf("the broker refuses offset %d of a log from %d to %d", flow.fetch, log.start, log.end)
}
