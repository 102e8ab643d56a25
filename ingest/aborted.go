package ingest

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// abortFilter tells which batches of one partition's fetch response belong to
// transactions that were aborted. The broker lists them by producer and first
// offset; each ends at that producer's next abort marker. The rule is that of
// Kafka's own consumer (CompletedFetch, isBatchAborted).
type abortFilter struct {
	waiting []kmsg.FetchResponseTopicPartitionAbortedTransaction
	open    map[int64]struct{} // producers inside an aborted transaction
}

func newAbortFilter(aborted []kmsg.FetchResponseTopicPartitionAbortedTransaction) abortFilter {
	return abortFilter{waiting: aborted}
}

// drops reports whether the batch holds no events: it is a control batch or
// was aborted. Batches must be shown in the order of the log. payload is the
// records of a control batch; it is not looked at for others.
func (f *abortFilter) drops(b *recordBatch, payload []byte) bool {
	kept := f.waiting[:0:0]
	for _, t := range f.waiting {
		if t.FirstOffset > b.lastOffset {
			kept = append(kept, t)
			continue
		}
		if f.open == nil {
			f.open = make(map[int64]struct{})
		}
		f.open[t.ProducerID] = struct{}{}
	}
	f.waiting = kept
	if b.control() {
		if abortMarker(payload) {
			delete(f.open, b.producerID)
		}
		return true
	}
	if !b.transactional() {
		return false
	}
	_, aborted := f.open[b.producerID]
	return aborted
}

// abortMarker reads a control record's key: version and type, both int16;
// type 0 is an abort (https://kafka.apache.org/documentation/#controlbatch).
func abortMarker(payload []byte) bool {
	length, n := binary.Varint(payload)
	if n <= 0 || length < 0 || length > int64(len(payload)-n) {
		return false
	}
	c := cursor{b: payload[n : n+int(length)]}
	c.skip(1)
	c.varint() // timestamp
	c.varint() // offset
	key := c.bytes()
	return !c.bad && len(key) >= 4 && binary.BigEndian.Uint16(key[2:]) == 0
}
