package event

import (
	"bytes"
	"fmt"
	"slices"
)

func isCurrency(text []byte) bool {
	return len(text) == 3 && !slices.ContainsFunc(text, func(c byte) bool { return c < 'A' || c > 'Z' })
}

// plainURL returns what raw may keep of a URL: see FormURL. It is shorter than
// text exactly if something was cut off.
func (d *Decoder) plainURL(text []byte) []byte {
	scheme := len("http://")
	if hasPrefixFold(text, "https://") {
		scheme++
	} else if !hasPrefixFold(text, "http://") {
		return nil
	}
	end := len(text)
	if i := bytes.IndexAny(text, "?#"); i >= 0 {
		end = i
	}
	host := scheme
	slash := bytes.IndexByte(text[scheme:end], '/')
	pathStart := end
	if slash >= 0 {
		pathStart = scheme + slash
	}
	if i := bytes.LastIndexByte(text[scheme:pathStart], '@'); i >= 0 {
		host = scheme + i + 1
	}
	if path := text[pathStart:end]; bytes.IndexByte(path, '@') >= 0 || bytes.Contains(path, []byte("%40")) {
		end = pathStart
	}
	if host == scheme {
		return text[:end]
	}
	start := len(d.arena)
	d.arena = append(append(d.arena, text[:scheme]...), text[host:end]...)
	return d.arena[start:]
}

func (d *Decoder) columnJSON(f *field, tok token) ([]byte, error) {
	start := len(d.arena)
	var err error
	switch f.column.Form {
	case FormItems:
		err = d.appendItems(f, tok)
	case FormTags:
		err = d.appendTags(f, tok)
	default:
		d.arena = appendCompact(d.arena, tok.raw)
	}
	return d.arena[start:], err
}

// appendTags appends an array of strings.
func (d *Decoder) appendTags(f *field, tok token) error {
	err := eachElement(f, tok, func(i int, s *scanner) error {
		tag, err := s.value()
		if err == nil && tag.kind != tokenString {
			err = fmt.Errorf("%s[%d]: want a string, got %s", f.path, i, tag.kind)
		}
		return err
	})
	d.arena = appendCompact(d.arena, tok.raw)
	return err
}

// appendItems appends the items with the members that raw keeps; the rest of
// each goes to the same place in an array in extra.
func (d *Decoder) appendItems(f *field, tok token) error {
	kept := extraFields{buf: append(d.arena, '[')}
	mark := d.extra.open(f.name, '[')
	rest := false
	err := eachElement(f, tok, func(i int, s *scanner) error {
		if s.peek() != '{' {
			item, err := s.value()
			if err == nil {
				err = fmt.Errorf("%s[%d]: want an object, got %s", f.path, i, item.kind)
			}
			return err
		}
		kept.comma()
		kept.buf = append(kept.buf, '{')
		d.extra.comma()
		d.extra.buf = append(d.extra.buf, '{')
		more, err := d.splitItem(f, i, s, &kept)
		rest = rest || more
		kept.buf = append(kept.buf, '}')
		d.extra.buf = append(d.extra.buf, '}')
		return err
	})
	kept.buf = append(kept.buf, ']')
	d.arena = kept.buf
	d.extra.buf = append(d.extra.buf, ']')
	if !rest {
		d.extra.buf = d.extra.buf[:mark]
	}
	return err
}

// splitItem reports whether any member was left for extra.
func (d *Decoder) splitItem(f *field, index int, s *scanner, kept *extraFields) (rest bool, err error) {
	if err := s.open(); err != nil {
		return false, err
	}
	seen := 0
	for {
		key, more, err := s.member()
		if err != nil || !more {
			return rest, err
		}
		value, err := s.value()
		if err != nil {
			return rest, err
		}
		bit := itemField(key)
		if seen&bit != 0 {
			return rest, fmt.Errorf("%s[%d]: a member given twice", f.path, index)
		}
		seen |= bit
		if bit != 0 && value.kind != tokenObject && value.kind != tokenArray {
			kept.add(key.raw, value.raw)
		} else {
			d.extra.add(key.raw, value.raw)
			rest = true
		}
	}
}

// itemField is the bit of a member in ItemFields, 0 for another. A key written
// with escapes counts as another.
func itemField(key token) int {
	switch string(key.inner()) {
	case "sku":
		return 1
	case "id":
		return 2
	case "name":
		return 4
	case "category":
		return 8
	case "quantity":
		return 16
	case "price":
		return 32
	}
	return 0
}

// eachElement walks an array that the scanner has accepted before.
func eachElement(f *field, tok token, visit func(i int, s *scanner) error) error {
	if err := wantKind(f.path, tok, tokenArray, "an array"); err != nil {
		return err
	}
	s := scanner{data: tok.raw}
	if err := s.open(); err != nil {
		return inValue(err)
	}
	for i := 0; ; i++ {
		more, err := s.more(']')
		if err != nil || !more {
			return err
		}
		if err := visit(i, &s); err != nil {
			return err
		}
	}
}
