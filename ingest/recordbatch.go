package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/segmentio/kafka-go/compress"

	"github.com/goodhour/goodhour/ingest/event"
)

// The layout of a record batch, format 2:
// https://kafka.apache.org/documentation/#recordbatch, checked 2026-11-25.
const (
	batchLengthAt    = 8  // int32: the bytes after this field
	batchPrefix      = 12 // base offset and length
	batchMagicAt     = 16
	batchCRCAt       = 17
	batchCheckedFrom = 21 // the CRC covers the rest
	batchHeaderBytes = 61
	oldestPrefix     = 17 // offset, size, CRC and magic of the older formats

	attributeCodec         = 0x07
	attributeLogAppendTime = 0x08
	attributeTransactional = 0x10
	attributeControl       = 0x20
)

// maxBatchBytes bounds what one batch may decompress to, so that a hostile one
// cannot take the memory of the machine.
const maxBatchBytes = 256 << 20

// recordBatch is one batch of a fetch response. Its bytes are borrowed.
type recordBatch struct {
	baseOffset int64
	// lastOffset is the last offset that the batch stands for; after
	// compaction it may have no record there, or none at all.
	lastOffset     int64
	attributes     int16
	firstTimestamp int64 // milliseconds
	maxTimestamp   int64 // milliseconds
	producerID     int64
	count          int32
	raw            []byte // the whole batch
	// broken says why the records cannot be read; checked only when they are.
	broken error
}

var (
	errOldFormat = errors.New("message format 0 or 1, which goodhour does not read: the producer is older than Kafka 0.11")
	errChecksum  = errors.New("the checksum does not fit the bytes")
	errMalformed = errors.New("the records are malformed")
	errTooLarge  = fmt.Errorf("the records are larger than %d bytes when decompressed", maxBatchBytes)
)

// nextBatch takes the first batch off b. ok is false at the end, and before a
// batch that the broker cut off to keep to the fetch size.
func nextBatch(b []byte) (batch recordBatch, rest []byte, ok bool) {
	if len(b) < oldestPrefix {
		return batch, nil, false
	}
	size := int64(int32(binary.BigEndian.Uint32(b[batchLengthAt:]))) + batchPrefix
	if size < oldestPrefix || size > int64(len(b)) {
		return batch, nil, false
	}
	batch.raw, rest = b[:size:size], b[size:]
	batch.baseOffset = int64(binary.BigEndian.Uint64(b))
	batch.lastOffset = batch.baseOffset
	switch {
	case b[batchMagicAt] < 2:
		batch.broken = errOldFormat
		return batch, rest, true
	case b[batchMagicAt] > 2 || size < batchHeaderBytes:
		batch.broken = errMalformed
		return batch, rest, true
	}
	batch.attributes = int16(binary.BigEndian.Uint16(b[21:]))
	batch.lastOffset += int64(max(0, int32(binary.BigEndian.Uint32(b[23:]))))
	batch.firstTimestamp = int64(binary.BigEndian.Uint64(b[27:]))
	batch.maxTimestamp = int64(binary.BigEndian.Uint64(b[35:]))
	batch.producerID = int64(binary.BigEndian.Uint64(b[43:]))
	batch.count = int32(binary.BigEndian.Uint32(b[57:]))
	return batch, rest, true
}

// offsetAfter returns the offset after the last whole batch in b, or from
// where there is none.
func offsetAfter(b []byte, from int64) int64 {
	for {
		batch, rest, ok := nextBatch(b)
		if !ok {
			return from
		}
		from, b = max(from, batch.lastOffset+1), rest
	}
}

func (b *recordBatch) control() bool       { return b.attributes&attributeControl != 0 }
func (b *recordBatch) transactional() bool { return b.attributes&attributeTransactional != 0 }

// timestamp is the batch's newest time, for a batch whose records cannot be read.
func (b *recordBatch) timestamp() time.Time { return time.UnixMilli(b.maxTimestamp).UTC() }

// recordReader reads the records of batches. It reuses its memory: what it
// hands out lasts until the next record.
type recordReader struct {
	source  bytes.Reader
	plain   []byte
	record  event.Record
	headers []event.Header
	// names holds each header name once: names repeat in every record, and
	// strings made anew cost more than all else here.
	names map[string]string
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// open checks a batch and returns its records' bytes, decompressed.
func (r *recordReader) open(b *recordBatch) ([]byte, error) {
	if b.broken != nil {
		return nil, b.broken
	}
	if crc32.Checksum(b.raw[batchCheckedFrom:], castagnoli) != binary.BigEndian.Uint32(b.raw[batchCRCAt:]) {
		return nil, errChecksum
	}
	payload := b.raw[batchHeaderBytes:]
	code := compress.Compression(b.attributes & attributeCodec)
	if code == compress.None {
		return payload, nil
	}
	codec := code.Codec()
	if codec == nil {
		return nil, fmt.Errorf("compression codec %d is not known", code)
	}
	r.source.Reset(payload)
	decompressor := codec.NewReader(&r.source)
	defer decompressor.Close()
	if err := r.fill(decompressor); err != nil {
		if errors.Is(err, errTooLarge) {
			return nil, err
		}
		return nil, fmt.Errorf("decompress %s: %w", codec.Name(), err)
	}
	return r.plain, nil
}

// fill reads all of from into plain.
func (r *recordReader) fill(from io.Reader) error {
	const usual = 1 << 20
	if cap(r.plain) == 0 || cap(r.plain) > 16*usual { // do not keep the memory of an odd one
		r.plain = make([]byte, 0, usual)
	}
	r.plain = r.plain[:0]
	for {
		n, err := from.Read(r.plain[len(r.plain):cap(r.plain)])
		r.plain = r.plain[:len(r.plain)+n]
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case len(r.plain) > maxBatchBytes:
			return errTooLarge
		case len(r.plain) == cap(r.plain):
			r.plain = append(r.plain, 0)[:len(r.plain)]
		}
	}
}

// next reads the record at the head of b into r.record. Only Topic and
// Partition are the caller's to set.
func (r *recordReader) next(batch *recordBatch, b []byte) (rest []byte, err error) {
	length, n := binary.Varint(b)
	if n <= 0 || length < 0 || length > int64(len(b)-n) {
		return nil, errMalformed
	}
	c := cursor{b: b[n : n+int(length)]}
	rest = b[n+int(length):]
	c.skip(1) // attributes: none are defined
	timestamp := batch.firstTimestamp + c.varint()
	if batch.attributes&attributeLogAppendTime != 0 {
		timestamp = batch.maxTimestamp
	}
	r.record.Offset = batch.baseOffset + c.varint()
	r.record.Time = time.UnixMilli(timestamp).UTC()
	r.record.Key = c.bytes()
	r.record.Value = c.bytes()
	r.headers = r.headers[:0]
	for count := c.varint(); count > 0 && !c.bad; count-- {
		name := c.bytes()
		r.headers = append(r.headers, event.Header{Key: r.name(name), Value: c.bytes()})
	}
	r.record.Headers = r.headers
	if c.bad || r.record.Offset > batch.lastOffset {
		return nil, errMalformed
	}
	return rest, nil
}

// maxNames bounds the header names kept; a producer that makes them up anew
// must not fill the memory.
const maxNames = 1024

func (r *recordReader) name(b []byte) string {
	if name, ok := r.names[string(b)]; ok {
		return name
	}
	name := string(b)
	if r.names == nil {
		r.names = make(map[string]string)
	}
	if len(r.names) < maxNames && len(name) <= 256 {
		r.names[name] = name
	}
	return name
}

// cursor walks a record's fields; after the first that does not fit it is bad
// and returns zeros.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) skip(n int) {
	if len(c.b) < n {
		c.b, c.bad = nil, true
		return
	}
	c.b = c.b[n:]
}

func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.b, c.bad = nil, true
		return 0
	}
	c.b = c.b[n:]
	return v
}

// bytes returns nil for null.
func (c *cursor) bytes() []byte {
	size := c.varint()
	if size < 0 || c.bad {
		return nil
	}
	if size > int64(len(c.b)) {
		c.b, c.bad = nil, true
		return nil
	}
	out := c.b[:size:size]
	c.b = c.b[size:]
	return out
}
