package event

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// shape is how the data of one kind is read: its fields as a tree.
type shape struct {
	spec *Spec
	root *object
	// The columns of a received text and its length, else -1.
	text, textChars int
}

// object is a JSON object whose members have columns.
type object struct {
	fields map[string]*field
	// first is the field that came first in the record before; see lookup.
	first *field
}

// field is one member of an object: exactly one of column, group, identifier
// and externalIDs is set.
type field struct {
	name string
	path string // for reasons: "data.pricing.category"
	bit  uint64 // in Decoder.seen

	column      *Column
	cell        int // index of the column
	group       *object
	identifier  bool
	externalIDs bool

	// next is the field that came after this one in the record before.
	next *field
}

// lookup finds a field by its key. Producers write the fields of a kind in one
// order, so the guess is nearly always right and spares hashing the key.
func (o *object) lookup(key []byte, guess **field) *field {
	if f := *guess; f != nil && f.name == string(key) {
		return f
	}
	f := o.fields[string(key)]
	if f != nil {
		*guess = f
	}
	return f
}

func newShape(spec *Spec) *shape {
	s := &shape{spec: spec, root: &object{fields: map[string]*field{}}, text: -1, textChars: -1}
	bit := uint64(1)
	add := func(o *object, name, path string) *field {
		f := &field{name: name, path: path, bit: bit}
		bit <<= 1
		o.fields[name] = f
		return f
	}
	for _, name := range []string{FieldPhone, FieldBSUID, FieldEmail} {
		add(s.root, name, "data."+name).identifier = true
	}
	add(s.root, FieldExternalIDs, "data."+FieldExternalIDs).externalIDs = true
	for i := range spec.Columns {
		column := &spec.Columns[i]
		parent := s.root
		name := column.Field
		if group, rest, nested := strings.Cut(name, "."); nested {
			if parent.fields[group] == nil {
				add(parent, group, "data."+group).group = &object{fields: map[string]*field{}}
			}
			parent, name = parent.fields[group].group, rest
		}
		f := add(parent, name, "data."+column.Field)
		f.column, f.cell = column, i
	}
	if spec.Kind == MessageReceived {
		s.text, s.textChars = spec.Column("text"), spec.Column("text_chars")
	}
	return s
}

// readData fills the cells, the people and the extra fields from the data.
func (d *Decoder) readData(shape *shape) error {
	n := len(shape.spec.Columns)
	if cap(d.cells) < n {
		d.cells = make([]cell, n)
	}
	d.cells = d.cells[:n]
	clear(d.cells)

	s := scanner{data: d.envelope.data}
	if s.peek() != '{' {
		return errors.New("data: want a JSON object")
	}
	if err := d.readObject(&s, shape.root, "data"); err != nil {
		return err
	}
	if s.peek() != 0 || s.pos < len(s.data) {
		return inValue(s.fail("nothing after the object"))
	}
	for i := range d.cells {
		if column := &shape.spec.Columns[i]; column.Required && !d.cells[i].set {
			return fmt.Errorf("data.%s: missing", column.Field)
		}
	}
	if shape.text >= 0 {
		d.countText(shape)
	}
	return nil
}

func (d *Decoder) readObject(s *scanner, o *object, path string) error {
	if err := s.open(); err != nil {
		return inValue(err)
	}
	unknown := len(d.unknown)
	guess := &o.first
	for n := 0; ; n++ {
		key, more, err := s.member()
		if err != nil {
			return inValue(err)
		}
		if !more {
			return nil
		}
		if n == MaxFields {
			return fmt.Errorf("%s: over %d members", path, MaxFields)
		}
		if f := o.lookup(d.keyText(key), guess); f != nil {
			guess = &f.next
			err = d.readField(s, f, key)
		} else {
			err = d.keepUnknown(s, path, key, unknown)
		}
		if err != nil {
			return err
		}
	}
}

func (d *Decoder) readField(s *scanner, f *field, key token) error {
	if d.seen&f.bit != 0 {
		return fmt.Errorf("%s: given twice", f.path)
	}
	d.seen |= f.bit
	if f.group != nil && s.peek() == '{' {
		unknown := len(d.unknown)
		mark := d.extra.open(f.name, '{')
		err := d.readObject(s, f.group, f.path)
		d.extra.close(mark)
		d.unknown = d.unknown[:unknown]
		return err
	}
	tok, err := s.value()
	if err != nil {
		return inValue(err)
	}
	switch {
	case tok.kind == tokenNull: // says nothing, as an absent field
		return nil
	case f.group != nil:
		return fmt.Errorf("%s: want an object, got %s", f.path, tok.kind)
	case f.identifier:
		return d.setIdentifier(f, key, tok)
	case f.externalIDs:
		return d.setExternalIDs(f, tok)
	default:
		return d.setColumn(f, key, tok)
	}
}

func (d *Decoder) keepUnknown(s *scanner, path string, key token, from int) error {
	tok, err := s.value()
	if err != nil {
		return inValue(err)
	}
	if err := d.noteUnknown(path, key, from); err != nil {
		return err
	}
	d.extra.add(key.raw, tok.raw)
	return nil
}

// noteUnknown refuses a key without a column that the object, whose keys begin at
// from, has already. Which of two values is meant, nobody can know.
func (d *Decoder) noteUnknown(path string, key token, from int) error {
	text := d.keyText(key)
	for _, other := range d.unknown[from:] {
		if bytes.Equal(other, text) {
			return fmt.Errorf("%s: a key given twice", path)
		}
	}
	d.unknown = append(d.unknown, text)
	return nil
}

// keepSubject keeps a subject that is no identifier, beside the unknown fields.
func (d *Decoder) keepSubject() {
	const name = "ce_subject"
	for _, key := range d.unknown {
		if string(key) == name {
			return
		}
	}
	d.subject = append(d.subject[:0], '"')
	for _, c := range d.envelope.subject { // UTF-8 without control characters
		if c == '"' || c == '\\' {
			d.subject = append(d.subject, '\\')
		}
		d.subject = append(d.subject, c)
	}
	d.subject = append(d.subject, '"')
	d.extra.add([]byte(`"`+name+`"`), d.subject)
}

func (d *Decoder) setColumn(f *field, key, tok token) error {
	c := &d.cells[f.cell]
	var err error
	switch f.column.Type {
	case Text:
		c.text, err = d.columnText(f, key, tok)
		c.set = len(c.text) > 0 // empty text says nothing, as an absent field
		return err
	case JSON:
		c.text, err = d.columnJSON(f, tok)
	case Int:
		c.number, err = columnInt(f, tok)
	case Float:
		c.float, err = columnFloat(f, tok)
	case Bool:
		c.flag = tok.raw[0] == 't'
		err = wantKind(f.path, tok, tokenBool, "a boolean")
	case Decimal:
		c.number, err = d.columnDecimal(f, tok)
	case Timestamp:
		c.number, err = d.columnTime(f, tok)
	}
	c.set = true
	return err
}

func (d *Decoder) columnText(f *field, key, tok token) ([]byte, error) {
	isID := f.column.Form == FormMessageID || f.column.Form == FormOwnMessageID
	free := f.column.Enum == nil && f.column.Form == FormAny
	text, err := d.textOf(f.path, tok, free || isID)
	if err != nil || free || len(text) == 0 {
		return text, err
	}
	switch {
	case isID:
		stored := d.storedID(text)
		if f.column.Form == FormOwnMessageID && !bytes.Equal(stored, text) {
			d.extra.add(key.raw, tok.raw)
		}
		return stored, nil
	case f.column.Form == FormURL:
		plain := d.plainURL(text)
		if len(plain) != len(text) {
			d.extra.add(key.raw, tok.raw)
		}
		return plain, nil
	case f.column.Form == FormCurrency && !isCurrency(text):
		return nil, fmt.Errorf("%s: want three capital letters", f.path)
	case f.column.Enum != nil && !slices.Contains(f.column.Enum, string(text)):
		return nil, fmt.Errorf("%s: want one of %s", f.path, strings.Join(f.column.Enum, ", "))
	}
	return text, nil
}

// textOf is the text of a string or, where integers are taken for text, of a
// number: producers write ids and error codes as either. Only integers have
// one way to be written.
func (d *Decoder) textOf(path string, tok token, integers bool) ([]byte, error) {
	if tok.kind == tokenNumber && integers {
		n, fault := scaled(tok.raw, 0)
		if fault != numberFits {
			return nil, fmt.Errorf("%s: want a string, or an integer of 64 bits", path)
		}
		start := len(d.arena)
		d.arena = strconv.AppendInt(d.arena, n, 10)
		return d.arena[start:], nil
	}
	if err := wantKind(path, tok, tokenString, "a string"); err != nil {
		return nil, err
	}
	text := d.unescape(tok)
	if len(text) > MaxTextChars && utf8.RuneCount(text) > MaxTextChars {
		return nil, fmt.Errorf("%s: over %d characters", path, MaxTextChars)
	}
	if tok.escaped && bytes.IndexByte(text, 0) >= 0 {
		return nil, fmt.Errorf("%s: a NUL character", path)
	}
	return text, nil
}

func columnInt(f *field, tok token) (int64, error) {
	if err := wantKind(f.path, tok, tokenNumber, "an integer"); err != nil {
		return 0, err
	}
	n, fault := scaled(tok.raw, 0)
	switch fault {
	case numberTooFine:
		return 0, fmt.Errorf("%s: want an integer, got a fraction", f.path)
	case numberTooLarge:
		return 0, fmt.Errorf("%s: want an integer of 64 bits", f.path)
	default:
		return n, f.checkRange(float64(n))
	}
}

func columnFloat(f *field, tok token) (float64, error) {
	if err := wantKind(f.path, tok, tokenNumber, "a number"); err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(string(tok.raw), 64)
	if err != nil {
		return 0, fmt.Errorf("%s: too large for a double", f.path)
	}
	return v, f.checkRange(v)
}

func (f *field) checkRange(v float64) error {
	if r := f.column.Range; r != nil && !(v >= r.Min && v <= r.Max) {
		return fmt.Errorf("%s: want %s to %s", f.path, plainFloat(r.Min), plainFloat(r.Max))
	}
	return nil
}

func plainFloat(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

const (
	decimalScale = 4
	decimalMax   = 1_000_000_000_000_000_000 // the first that DECIMAL(18,4) cannot hold
)

func (d *Decoder) columnDecimal(f *field, tok token) (int64, error) {
	digits := tok.raw
	switch tok.kind {
	case tokenString:
		if digits = d.unescape(tok); !isPlainDecimal(digits) {
			return 0, fmt.Errorf("%s: want digits with at most one point in the string", f.path)
		}
	case tokenNumber:
	default:
		return 0, fmt.Errorf("%s: want a decimal string or number, got %s", f.path, tok.kind)
	}
	n, fault := scaled(digits, decimalScale)
	switch {
	case fault == numberTooFine:
		return 0, fmt.Errorf("%s: over %d decimals", f.path, decimalScale)
	case fault == numberTooLarge || n >= decimalMax || n <= -decimalMax:
		return 0, fmt.Errorf("%s: too large for DECIMAL(18,4)", f.path)
	case n < 0:
		return 0, fmt.Errorf("%s: negative", f.path)
	case n == 0 && f.column.Positive:
		return 0, fmt.Errorf("%s: want more than zero", f.path)
	}
	return n, nil
}

func (d *Decoder) columnTime(f *field, tok token) (int64, error) {
	if err := wantKind(f.path, tok, tokenString, "a string"); err != nil {
		return 0, err
	}
	micros, ok := parseTime(d.unescape(tok))
	if !ok {
		return 0, fmt.Errorf("%s: %s", f.path, wantedTime)
	}
	return micros, nil
}

func wantKind(path string, tok token, kind tokenKind, want string) error {
	if tok.kind != kind {
		return fmt.Errorf("%s: want %s, got %s", path, want, tok.kind)
	}
	return nil
}

// keyText is the text of a key.
func (d *Decoder) keyText(key token) []byte { return d.unescape(key) }

// unescape returns the text of a string, in the record where it has no escapes.
func (d *Decoder) unescape(tok token) []byte {
	if !tok.escaped {
		return tok.inner()
	}
	start := len(d.arena)
	d.arena = appendUnescaped(d.arena, tok.inner())
	return d.arena[start:]
}
