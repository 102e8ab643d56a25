package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxResponseBytes bounds what a broker can make us hold: Kafka's own
// socket.request.max.bytes default, checked 2026-11-25 at
// https://kafka.apache.org/documentation/#brokerconfigs.
const maxResponseBytes = 100 << 20

// anyBroker lets the transport choose.
const anyBroker = int32(-1)

// exchange carries one request over kafka-go's Transport (its connections,
// TLS, login and routing) in a version that kafka-go has no type for. kmsg
// only lays out the bytes. It is used once: an exchange that was given up may
// still be written to by the connection that it was sent on.
type exchange struct {
	request kmsg.Request
	broker  int32
	client  string
	buffer  []byte // memory for the answer; grown when too small
}

// answer is what a broker said. Byte fields of the response point into buffer.
type answer struct {
	response kmsg.Response
	buffer   []byte
}

func (x *exchange) ApiKey() protocol.ApiKey { return protocol.ApiKey(x.request.Key()) }
func (a *answer) ApiKey() protocol.ApiKey   { return protocol.ApiKey(a.response.Key()) }

// Broker routes the request: the transport knows every broker's address.
func (x *exchange) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	if x.broker == anyBroker {
		return protocol.Broker{ID: anyBroker}, nil
	}
	broker, ok := cluster.Brokers[x.broker]
	if !ok {
		return broker, fmt.Errorf("broker %d is not in the cluster now", x.broker)
	}
	return broker, nil
}

// Required says that the transport must leave the bytes to RawExchange.
func (x *exchange) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange writes the request and reads its answer. The connection carries
// one request at a time, so any correlation id will do.
func (x *exchange) RawExchange(conn io.ReadWriter) (protocol.Message, error) {
	const correlation = 1
	format := kmsg.NewRequestFormatter(kmsg.FormatterClientID(x.client))
	if _, err := conn.Write(format.AppendRequest(nil, x.request, correlation)); err != nil {
		return nil, err
	}
	var head [8]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil, err
	}
	size := int64(binary.BigEndian.Uint32(head[:])) - 4
	if got := binary.BigEndian.Uint32(head[4:]); size < 0 || got != correlation {
		return nil, fmt.Errorf("the broker's answer has length %d and correlation %d: not a Kafka broker?", size+4, got)
	}
	if size > maxResponseBytes {
		return nil, fmt.Errorf("the broker's answer of %d bytes is over goodhour's limit of %d: lower the fetch size", size, maxResponseBytes)
	}
	if int64(cap(x.buffer)) < size {
		x.buffer = make([]byte, size)
	}
	body := x.buffer[:size]
	if _, err := io.ReadFull(conn, body); err != nil {
		return nil, err
	}
	response := x.request.ResponseKind()
	// A flexible response has tags after the correlation id, but that of
	// ApiVersions (key 18) never has: KIP-511.
	payload, err := body, error(nil)
	if response.IsFlexible() && response.Key() != 18 {
		payload, err = skipTags(body)
	}
	if err == nil {
		err = response.ReadFrom(payload)
	}
	if err != nil {
		return nil, fmt.Errorf("read the broker's answer to %s: %w", kmsg.NameForKey(x.request.Key()), err)
	}
	return &answer{response: response, buffer: x.buffer}, nil
}

var errTags = errors.New("malformed tagged fields")

// skipTags skips a header's tagged fields (KIP-482).
func skipTags(b []byte) ([]byte, error) {
	uvarint := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			b = nil
			return 0
		}
		b = b[n:]
		return v
	}
	for count := uvarint(); count > 0; count-- {
		uvarint() // the tag
		size := uvarint()
		if uint64(len(b)) < size || b == nil {
			return nil, errTags
		}
		b = b[size:]
	}
	if b == nil {
		return nil, errTags
	}
	return b, nil
}

// ask sends a request, which must be one that only reads, to a broker and
// waits for its answer.
func (k *Kafka) ask(ctx context.Context, broker int32, request kmsg.Request, buffer []byte) (*answer, error) {
	// That a pooled connection died while idle shows when it is used; it says
	// nothing about the broker.
	const attempts = 3
	for attempt := 1; ; attempt++ {
		x := &exchange{request: request, broker: broker, client: k.clientID, buffer: buffer}
		message, err := k.transport.RoundTrip(ctx, k.addr, x)
		if err == nil {
			return message.(*answer), nil
		}
		if !brokenConnection(err) || ctx.Err() != nil {
			return nil, err
		}
		if attempt == attempts {
			// It is all that a refused login or a TLS port gives, too.
			return nil, fmt.Errorf("the broker closed the connection (if this lasts, check SASL and TLS settings): %w", err)
		}
	}
}

func brokenConnection(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// versions asks a broker for the newest version of each request it knows.
func (k *Kafka) versions(ctx context.Context, broker int32) (map[int16]int16, error) {
	// Version 0: every broker answers it, and its layout never changed.
	got, err := k.ask(ctx, broker, kmsg.NewPtrApiVersionsRequest(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask for API versions: %w", err)
	}
	out := make(map[int16]int16)
	for _, key := range got.response.(*kmsg.ApiVersionsResponse).ApiKeys {
		out[key.ApiKey] = key.MaxVersion
	}
	return out, nil
}
