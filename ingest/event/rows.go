package event

import "github.com/goodhour/goodhour/ingest/identity"

// Rows are events of one kind, column by column, ready to be appended to
// DuckDB or walked by the ledger. They own their bytes: nothing points into a
// Kafka response. Reset keeps the memory.
type Rows struct {
	Kind Kind

	// The CloudEvents attributes and the Kafka coordinates, one value a row.
	Source TextColumn // ce_source
	ID     TextColumn // ce_id
	Time   []int64    // ce_time, microseconds UTC
	// Identity is the event's first identity in the order of package identity;
	// the zero ID where the kind is not Identified and the event carries none.
	Identity   []identity.ID
	Topic      []uint16 // index into Batch.Topics
	Partition  []int32
	Offset     []int64
	ReceivedAt []int64 // Kafka's timestamp, microseconds UTC

	// Columns has one entry per Spec.Columns, in that order.
	Columns []ColumnData
	// Extra is the unknown fields as one JSON object, null where there are none.
	Extra ColumnData
	// PersonalRows counts the rows with any personal value: a declared
	// personal column or Extra.
	PersonalRows int
}

// Len is the number of rows.
func (r *Rows) Len() int { return len(r.Time) }

// TextColumn is many strings in one buffer.
type TextColumn struct {
	Bytes []byte
	// Ends[i] is the end of string i in Bytes; it begins where i-1 ended.
	Ends []uint32
}

// At returns string i. The bytes belong to the column and last until Reset.
func (c *TextColumn) At(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = c.Ends[i-1]
	}
	return c.Bytes[start:c.Ends[i]]
}

// Append adds one string.
func (c *TextColumn) Append(s []byte) {
	c.Bytes = append(c.Bytes, s...)
	c.Ends = append(c.Ends, uint32(len(c.Bytes)))
}

// ColumnData is one column of values. Valid[i] is false for null; then the
// value at i is a zero placeholder, so positions always line up.
type ColumnData struct {
	Type  ColumnType
	Valid []bool
	Text  TextColumn // Text, JSON
	Int   []int64    // Int, Decimal (ten-thousandths), Timestamp (microseconds)
	Float []float64  // Float
	Bool  []bool     // Bool
}

// AppendNull adds a null.
func (c *ColumnData) AppendNull() {
	c.Valid = append(c.Valid, false)
	switch c.Type {
	case Text, JSON:
		c.Text.Append(nil)
	case Int, Decimal, Timestamp:
		c.Int = append(c.Int, 0)
	case Float:
		c.Float = append(c.Float, 0)
	case Bool:
		c.Bool = append(c.Bool, false)
	}
}

// AppendText adds a Text or JSON value.
func (c *ColumnData) AppendText(s []byte) {
	c.Valid = append(c.Valid, true)
	c.Text.Append(s)
}

// AppendInt adds an Int, Decimal or Timestamp value.
func (c *ColumnData) AppendInt(v int64) {
	c.Valid = append(c.Valid, true)
	c.Int = append(c.Int, v)
}

// AppendFloat adds a Float value.
func (c *ColumnData) AppendFloat(v float64) {
	c.Valid = append(c.Valid, true)
	c.Float = append(c.Float, v)
}

// AppendBool adds a Bool value.
func (c *ColumnData) AppendBool(v bool) {
	c.Valid = append(c.Valid, true)
	c.Bool = append(c.Bool, v)
}

func (c *ColumnData) reset() {
	c.Valid = c.Valid[:0]
	c.Text.reset()
	c.Int = c.Int[:0]
	c.Float = c.Float[:0]
	c.Bool = c.Bool[:0]
}

func (c *TextColumn) reset() { c.Bytes, c.Ends = c.Bytes[:0], c.Ends[:0] }

func newRows(k Kind) *Rows {
	spec := k.Spec()
	r := &Rows{Kind: k, Columns: make([]ColumnData, len(spec.Columns)), Extra: ColumnData{Type: JSON}}
	for i := range spec.Columns {
		r.Columns[i].Type = spec.Columns[i].Type
	}
	return r
}

// Reset empties the rows and keeps their memory.
func (r *Rows) Reset() {
	r.Source.reset()
	r.ID.reset()
	r.Time = r.Time[:0]
	r.Identity = r.Identity[:0]
	r.Topic = r.Topic[:0]
	r.Partition = r.Partition[:0]
	r.Offset = r.Offset[:0]
	r.ReceivedAt = r.ReceivedAt[:0]
	for i := range r.Columns {
		r.Columns[i].reset()
	}
	r.Extra.reset()
	r.PersonalRows = 0
}
