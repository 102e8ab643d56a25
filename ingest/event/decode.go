package event

import (
	"unicode/utf8"

	"github.com/goodhour/goodhour/ingest/identity"
)

// Decoder turns records into rows. It reuses its buffers: one goroutine each.
type Decoder struct {
	// CustomerNamespace is the namespace of the caller's own keys, the bare
	// subjects. Empty means identity.NamespaceCustomer. Set it before the
	// first Decode.
	CustomerNamespace string

	keyer  *identity.Keyer
	types  map[string]Kind
	shapes [NumKinds]*shape
	known  map[string]*person // by subject; see maxKnown

	// The record in hand. Slices point into it or into arena.
	envelope      envelope
	cells         []cell // one per column of the kind
	seen          uint64 // the bits of the fields that were read
	unknown       [][]byte
	people        []*person
	badIdentifier error // the first identifier that was none
	extra         extraFields
	subject       []byte
	arena         []byte

	trial *Decoder // made on first use, see DecodeMapped
}

// cell is the value of one column before the row is known to be good.
type cell struct {
	set    bool
	flag   bool
	number int64
	float  float64
	text   []byte
}

// NewDecoder returns a decoder that derives identities with keyer.
func NewDecoder(keyer *identity.Keyer) *Decoder {
	d := &Decoder{keyer: keyer, types: make(map[string]Kind), known: make(map[string]*person)}
	for _, k := range Kinds() {
		d.types[k.String()] = k
		d.shapes[k] = newShape(k.Spec())
	}
	return d
}

// Decode appends the record to the batch: as one row of its kind with its
// identities and links, or as a dead letter with the reason. It does not touch
// Batch.Moves. What it accepts stands in the package comment.
func (d *Decoder) Decode(rec *Record, b *Batch) {
	b.Records++
	if err := d.decode(rec, b); err != nil {
		b.addDeadLetter(rec, refusal(rec, err))
	}
}

// TypeUnreadable is the ce_type of a record that was refused before it came to
// the log, such as a webhook that could not be read: its value is the original,
// and HeaderReason says why. It is a dead letter for whoever reads it.
const TypeUnreadable = "goodhour.webhook.unreadable.v1"

// HeaderReason of a record says why it could not become an event.
const HeaderReason = "goodhour_deadletter_reason"

// reasonBytesMax bounds a reason that comes with a record.
const reasonBytesMax = 1000

// refusal is why a record is a dead letter: what was said when it was refused,
// else what is wrong with it now.
func refusal(rec *Record, err error) string {
	var unreadable bool
	var reason []byte
	for i := range rec.Headers {
		switch h := &rec.Headers[i]; h.Key {
		case "ce_type":
			unreadable = string(h.Value) == TypeUnreadable
		case HeaderReason:
			reason = h.Value
		}
	}
	if !unreadable || len(reason) == 0 || len(reason) > reasonBytesMax || !utf8.Valid(reason) {
		return err.Error()
	}
	return "webhook: " + string(reason)
}

func (d *Decoder) decode(rec *Record, b *Batch) error {
	d.reset()
	if err := d.readEnvelope(rec); err != nil {
		return err
	}
	kind, micros, err := d.checkEnvelope(rec)
	if err != nil {
		return err
	}
	if err := d.readData(d.shapes[kind]); err != nil {
		return err
	}
	if err := d.checkPeople(kind.Spec()); err != nil {
		return err
	}
	at := Coordinates{
		Topic:      b.topicIndex(rec.Topic),
		Partition:  rec.Partition,
		Offset:     rec.Offset,
		ReceivedAt: rec.Time.UnixMicro(),
	}
	d.addPeople(kind, at, b)
	d.appendRow(b.RowsOf(kind), micros, at, b)
	return nil
}

func (d *Decoder) reset() {
	d.envelope = envelope{}
	d.seen = 0
	d.unknown = d.unknown[:0]
	d.people = d.people[:0]
	d.badIdentifier = nil
	d.extra.reset()
	d.arena = d.arena[:0]
}

// rowBytes is what a row takes beside its columns and texts.
const rowBytes = 2*4 + 8 + 16 + 2 + 4 + 8 + 8 + 1 + 4

// appendRow copies what was read. Nothing can go wrong any more.
func (d *Decoder) appendRow(rows *Rows, micros int64, at Coordinates, b *Batch) {
	rows.Source.Append(d.envelope.source)
	id := d.storedID(d.envelope.id)
	rows.ID.Append(id)
	rows.Time = append(rows.Time, micros)
	rows.Identity = append(rows.Identity, d.firstPerson())
	rows.Topic = append(rows.Topic, at.Topic)
	rows.Partition = append(rows.Partition, at.Partition)
	rows.Offset = append(rows.Offset, at.Offset)
	rows.ReceivedAt = append(rows.ReceivedAt, at.ReceivedAt)

	bytes := rowBytes + len(d.envelope.source) + len(id)
	personal := false
	columns := rows.Kind.Spec().Columns
	for i := range rows.Columns {
		c := &d.cells[i]
		bytes += appendCell(&rows.Columns[i], c)
		personal = personal || c.set && columns[i].Personal
	}
	if extra := d.extra.object(); extra != nil {
		rows.Extra.AppendText(extra)
		bytes += len(extra)
		personal = true
	} else {
		rows.Extra.AppendNull()
	}
	if personal {
		rows.PersonalRows++
	}
	b.Bytes += bytes
}

// appendCell appends a value and returns the memory it takes.
func appendCell(column *ColumnData, c *cell) int {
	switch {
	case !c.set:
		column.AppendNull()
	case column.Type == Text || column.Type == JSON:
		column.AppendText(c.text)
	case column.Type == Float:
		column.AppendFloat(c.float)
	case column.Type == Bool:
		column.AppendBool(c.flag)
	default:
		column.AppendInt(c.number)
	}
	switch column.Type {
	case Text, JSON:
		return 1 + 4 + len(c.text)
	case Bool:
		return 2
	default:
		return 1 + 8
	}
}

// countText fills in the length of a received text.
func (d *Decoder) countText(s *shape) {
	text, chars := &d.cells[s.text], &d.cells[s.textChars]
	if text.set && !chars.set {
		chars.set = true
		chars.number = int64(utf8.RuneCount(text.text))
	}
}
