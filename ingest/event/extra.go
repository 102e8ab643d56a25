package event

// extraFields collects, as one compact JSON object, what has no column.
type extraFields struct{ buf []byte }

func (x *extraFields) reset() { x.buf = append(x.buf[:0], '{') }

// add takes a key in its quotes and a value, both as they stood in the record.
func (x *extraFields) add(key, value []byte) {
	x.comma()
	x.buf = append(append(x.buf, key...), ':')
	x.buf = appendCompact(x.buf, value)
}

// open begins an object or array inside and returns where to go back to.
func (x *extraFields) open(name string, bracket byte) (mark int) {
	mark = len(x.buf)
	x.comma()
	x.buf = append(append(append(x.buf, '"'), name...), '"', ':', bracket)
	return mark
}

// close ends what open began; nothing remains of an empty object.
func (x *extraFields) close(mark int) {
	if x.buf[len(x.buf)-1] == '{' {
		x.buf = x.buf[:mark]
		return
	}
	x.buf = append(x.buf, '}')
}

// object returns the whole, or nil if it is empty. Call it once.
func (x *extraFields) object() []byte {
	if len(x.buf) == 1 {
		return nil
	}
	x.buf = append(x.buf, '}')
	return x.buf
}

// comma is needed after any value. No value ends in an opening bracket.
func (x *extraFields) comma() {
	if last := x.buf[len(x.buf)-1]; last != '{' && last != '[' {
		x.buf = append(x.buf, ',')
	}
}
