package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go/compress"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/goodhour/goodhour/ingest/event"
)

// batchOf lays out a record batch as a producer does.
type batchOf struct {
	base       int64
	lastDelta  int32 // 0: that of the last record
	attributes int16
	producer   int64
	offsets    []int32 // deltas; nil: 0, 1, …
	values     []string
	codec      compress.Compression
}

const batchTime = int64(1_795_000_000_000)

func (b batchOf) bytes(t testing.TB) []byte {
	t.Helper()
	var records []byte
	last := int32(0)
	for i, value := range b.values {
		last = int32(i)
		if b.offsets != nil {
			last = b.offsets[i]
		}
		r := kmsg.Record{
			TimestampDelta64: int64(i), OffsetDelta: last, Key: []byte("k"), Value: []byte(value),
			Headers: []kmsg.Header{{Key: "ce_id", Value: []byte{byte(i)}}},
		}
		r.Length = int32(len(r.AppendTo(nil)) - 1)
		records = append(records, r.AppendTo(nil)...)
	}
	if b.codec != compress.None {
		var out bytes.Buffer
		w := b.codec.Codec().NewWriter(&out)
		if _, err := w.Write(records); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		records = out.Bytes()
	}
	if b.lastDelta == 0 {
		b.lastDelta = last
	}
	batch := kmsg.RecordBatch{
		FirstOffset: b.base, Length: int32(batchHeaderBytes - batchPrefix + len(records)), Magic: 2,
		Attributes: b.attributes | int16(b.codec), LastOffsetDelta: b.lastDelta,
		FirstTimestamp: batchTime, MaxTimestamp: batchTime + 1000, ProducerID: b.producer,
		NumRecords: int32(len(b.values)), Records: records,
	}
	raw := batch.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[batchCRCAt:], crc32.Checksum(raw[batchCheckedFrom:], castagnoli))
	return raw
}

// readAll reads the records of all batches, "offset time key value headers".
func readAll(raw []byte) (out []string, err error) {
	var reader recordReader
	for {
		batch, rest, ok := nextBatch(raw)
		if !ok {
			return out, nil
		}
		raw = rest
		records, err := reader.open(&batch)
		for i := int32(0); err == nil && i < batch.count; i++ {
			if records, err = reader.next(&batch, records); err == nil {
				r := &reader.record
				out = append(out, fmt.Sprintf("%d %d %s %s %s%d", r.Offset, r.Time.UnixMilli()-batchTime, r.Key, r.Value, r.Headers[0].Key, r.Headers[0].Value))
			}
		}
		if err != nil {
			return out, err
		}
	}
}

func TestRecordsAreReadUnderEveryCodec(t *testing.T) {
	t.Parallel()
	want := []string{"7 0 k one ce_id[0]", "9 1 k two ce_id[1]"}
	for _, codec := range []compress.Compression{compress.None, compress.Gzip, compress.Snappy, compress.Lz4, compress.Zstd} {
		raw := batchOf{base: 7, offsets: []int32{0, 2}, lastDelta: 5, values: []string{"one", "two"}, codec: codec}.bytes(t)
		got, err := readAll(raw)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("codec %d: %v\n%s", codec, err, diff)
		}
		// The batch stands for offsets up to 12, although compaction took the last ones.
		if next := offsetAfter(raw, 7); next != 13 {
			t.Errorf("codec %d: the offset after the batch is %d, want 13", codec, next)
		}
	}
}

func TestLogAppendTimeIsTheBatchesTime(t *testing.T) {
	t.Parallel()
	got, err := readAll(batchOf{attributes: attributeLogAppendTime, values: []string{"one", "two"}}.bytes(t))
	want := []string{"0 1000 k one ce_id[0]", "1 1000 k two ce_id[1]"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestABatchThatIsCutOffIsLeftForTheNextFetch(t *testing.T) {
	t.Parallel()
	raw := append(batchOf{base: 0, values: []string{"one"}}.bytes(t), batchOf{base: 1, values: []string{"two"}}.bytes(t)...)
	whole := len(raw) / 2
	for end := whole; end < len(raw); end++ {
		if next := offsetAfter(raw[:end], 0); next != 1 {
			t.Fatalf("with %d of %d bytes the next offset is %d, want 1", end, len(raw), next)
		}
	}
}

func TestADamagedBatchSaysWhy(t *testing.T) {
	t.Parallel()
	f := func(want error, damage func(raw []byte) []byte) {
		t.Helper()
		raw := damage(batchOf{values: []string{"one"}}.bytes(t))
		if _, err := readAll(raw); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	seal := func(raw []byte) []byte {
		binary.BigEndian.PutUint32(raw[batchCRCAt:], crc32.Checksum(raw[batchCheckedFrom:], castagnoli))
		return raw
	}
	f(errChecksum, func(raw []byte) []byte { raw[len(raw)-1] ^= 1; return raw })
	f(errOldFormat, func(raw []byte) []byte { raw[batchMagicAt] = 1; return raw })
	f(errMalformed, func(raw []byte) []byte { raw[batchMagicAt] = 3; return raw })
	f(errMalformed, func(raw []byte) []byte { raw[batchHeaderBytes] = 0x7f; return seal(raw) })
	f(errMalformed, func(raw []byte) []byte { binary.BigEndian.PutUint32(raw[57:], 9); return seal(raw) })
	f(nil, func(raw []byte) []byte { binary.BigEndian.PutUint32(raw[57:], 0); return seal(raw) })
	if _, err := readAll(batchOf{values: []string{"one"}, codec: 7}.badCodec(t)); err == nil || !strings.Contains(err.Error(), "codec 7") {
		t.Errorf("an unknown codec gives %v", err)
	}
	garbage := batchOf{values: []string{"one"}}.bytes(t)
	garbage[22] |= byte(compress.Lz4)
	if _, err := readAll(seal(garbage)); err == nil || !strings.Contains(err.Error(), "lz4") {
		t.Errorf("garbage for lz4 gives %v", err)
	}
}

// badCodec marks an uncompressed batch with a codec that does not exist.
func (b batchOf) badCodec(t *testing.T) []byte {
	t.Helper()
	code := b.codec
	b.codec = compress.None
	b.attributes |= int16(code)
	return b.bytes(t)
}

func TestADecompressionBombIsRefused(t *testing.T) {
	t.Parallel()
	raw := batchOf{values: []string{strings.Repeat("a", maxBatchBytes+1)}, codec: compress.Zstd}.bytes(t)
	if _, err := readAll(raw); !errors.Is(err, errTooLarge) {
		t.Errorf("%d bytes became more than the limit with error %v", len(raw), err)
	}
}

func TestAbortedTransactionsAreDropped(t *testing.T) {
	t.Parallel()
	const control = attributeControl | attributeTransactional
	aborted := []kmsg.FetchResponseTopicPartitionAbortedTransaction{
		{ProducerID: 1, FirstOffset: 10}, {ProducerID: 2, FirstOffset: 5}, {ProducerID: 1, FirstOffset: 40},
	}
	filter := newAbortFilter(aborted)
	f := func(base, producer int64, attributes int16, key string, want bool) {
		t.Helper()
		b := &recordBatch{baseOffset: base, lastOffset: base, producerID: producer, attributes: attributes}
		var payload []byte
		if attributes&attributeControl != 0 {
			r := kmsg.Record{Key: []byte(key), Value: []byte("123456")}
			r.Length = int32(len(r.AppendTo(nil)) - 1)
			payload = r.AppendTo(nil)
		}
		if got := filter.drops(b, payload); got != want {
			t.Errorf("batch at %d of producer %d: dropped %v, want %v", base, producer, got, want)
		}
	}
	const abort, commit = "\x00\x00\x00\x00", "\x00\x00\x00\x01"
	f(3, 2, attributeTransactional, "", false) // before its abort began
	f(5, 2, attributeTransactional, "", true)
	f(6, 1, attributeTransactional, "", false) // the same producer, an earlier transaction that was committed
	f(7, 1, control, commit, true)
	f(10, 1, attributeTransactional, "", true)
	f(11, 1, 0, "", false) // not in a transaction
	f(12, 3, attributeTransactional, "", false)
	f(13, 2, control, abort, true)
	f(14, 2, attributeTransactional, "", false)
	f(15, 1, attributeTransactional, "", true)
	f(16, 1, control, abort, true)
	f(17, 1, attributeTransactional, "", false)
	f(40, 1, attributeTransactional, "", true)
	f(41, 9, control, "", true) // a marker of a kind that is not known
}

func TestHeaderNamesDoNotFillTheMemory(t *testing.T) {
	t.Parallel()
	var r recordReader
	for i := range 10 * maxNames {
		name := fmt.Sprint("name-", i)
		if got := r.name([]byte(name)); got != name {
			t.Fatalf("name %q became %q", name, got)
		}
	}
	if len(r.names) != maxNames {
		t.Errorf("%d names are kept, want %d", len(r.names), maxNames)
	}
}

// FuzzRecordBatch: whatever a broker sends, reading ends without a panic, and
// an offset never goes back.
func FuzzRecordBatch(f *testing.F) {
	for _, codec := range []compress.Compression{compress.None, compress.Gzip, compress.Snappy, compress.Lz4, compress.Zstd} {
		f.Add(batchOf{base: 7, offsets: []int32{0, 2}, lastDelta: 5, values: []string{"one", "two"}, codec: codec}.bytes(f), true)
	}
	f.Add(batchOf{attributes: attributeControl | attributeTransactional, values: []string{"one"}}.bytes(f), false)
	f.Fuzz(func(t *testing.T, raw []byte, seal bool) {
		if seal && len(raw) > batchCheckedFrom {
			binary.BigEndian.PutUint32(raw[batchCRCAt:], crc32.Checksum(raw[batchCheckedFrom:], castagnoli))
		}
		if next := offsetAfter(raw, 5); next < 5 {
			t.Errorf("the offset after the batches is %d", next)
		}
		var reader recordReader
		filter := newAbortFilter([]kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 0, FirstOffset: 0}})
		for {
			batch, rest, ok := nextBatch(raw)
			if !ok {
				return
			}
			raw = rest
			records, err := reader.open(&batch)
			if err != nil {
				continue
			}
			filter.drops(&batch, records)
			for range batch.count {
				if records, err = reader.next(&batch, records); err != nil {
					break
				}
				use(&reader.record)
			}
		}
	})
}

// use touches every byte that a record hands out.
func use(r *event.Record) {
	sum := time.Duration(r.Time.UnixMilli())
	for _, b := range [][]byte{r.Key, r.Value} {
		for _, c := range b {
			sum += time.Duration(c)
		}
	}
	for _, h := range r.Headers {
		sum += time.Duration(len(h.Key) + len(h.Value))
	}
	_ = sum
}
