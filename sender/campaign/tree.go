package campaign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// node is a value of a file that knows its line, whichever of the two forms the
// file has: what is wrong is told by its place, and all of it at once, which a
// decoder into structs cannot do.
type node struct {
	line  int // from 1
	kind  kind
	text  string // of a scalar, as written, without quotes
	items []node
	// fields of a mapping, in the order of the file, repeated ones too.
	fields []field
}

type field struct {
	name string
	line int
	node
}

type kind uint8

const (
	nothing kind = iota
	scalar
	list
	mapping
)

func (k kind) String() string {
	return [...]string{"nothing", "a value", "a list", "a mapping"}[k]
}

const (
	fileBytesMax = 256 << 10
	// depthMax is more than any campaign needs.
	depthMax = 16
)

// syntaxError is why a text is no YAML or JSON.
type syntaxError struct {
	line int
	text string
}

func (e *syntaxError) Error() string { return e.text }

var errDeep = fmt.Errorf("nested over %d levels deep", depthMax)

// readTree reads a file: JSON if it begins like an object, else YAML. Its error
// is a *syntaxError.
func readTree(file []byte) (node, error) {
	trimmed := bytes.TrimSpace(file)
	switch {
	case len(file) > fileBytesMax:
		return node{}, &syntaxError{text: fmt.Sprintf("over %d bytes", fileBytesMax)}
	case len(trimmed) == 0:
		return node{}, &syntaxError{text: "empty"}
	case trimmed[0] == '{':
		return readJSON(file)
	}
	return readYAML(file)
}

// jsonReader walks over JSON's tokens.
type jsonReader struct {
	file    []byte
	decoder *json.Decoder
	line    int
	counted int64 // up to where line is counted
}

func readJSON(file []byte) (node, error) {
	r := &jsonReader{file: file, decoder: json.NewDecoder(bytes.NewReader(file)), line: 1}
	r.decoder.UseNumber()
	out, err := r.value(0)
	if err == nil {
		if _, err = r.decoder.Token(); err == nil {
			err = errors.New("there is more after the object")
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		r.count()
		return node{}, &syntaxError{line: r.line, text: err.Error()}
	}
	return out, nil
}

// count moves line to where the decoder is.
func (r *jsonReader) count() {
	at := min(r.decoder.InputOffset(), int64(len(r.file)))
	r.line += bytes.Count(r.file[r.counted:at], []byte("\n"))
	r.counted = at
}

func (r *jsonReader) token() (json.Token, error) {
	token, err := r.decoder.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	r.count()
	return token, err
}

func (r *jsonReader) value(depth int) (node, error) {
	token, err := r.token()
	if err != nil {
		return node{}, err
	}
	out := node{line: r.line}
	switch t := token.(type) {
	case nil:
		return out, nil
	case json.Delim:
		if depth == depthMax {
			return node{}, errDeep
		}
		if t == '[' {
			return r.items(out, depth)
		}
		return r.fields(out, depth)
	default: // string, json.Number, bool
		out.kind, out.text = scalar, fmt.Sprint(t)
	}
	return out, nil
}

func (r *jsonReader) items(out node, depth int) (node, error) {
	out.kind = list
	for r.decoder.More() {
		item, err := r.value(depth + 1)
		if err != nil {
			return node{}, err
		}
		out.items = append(out.items, item)
	}
	_, err := r.token()
	return out, err
}

func (r *jsonReader) fields(out node, depth int) (node, error) {
	out.kind = mapping
	for r.decoder.More() {
		name, err := r.token()
		if err != nil {
			return node{}, err
		}
		line := r.line
		value, err := r.value(depth + 1)
		if err != nil {
			return node{}, err
		}
		out.fields = append(out.fields, field{name: fmt.Sprint(name), line: line, node: value})
	}
	_, err := r.token()
	return out, err
}

func readYAML(text []byte) (node, error) {
	// A repeated key is the reader's to tell, with its place.
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	var syntax yaml.Error
	switch {
	case errors.As(err, &syntax):
		out := &syntaxError{text: syntax.GetMessage()}
		if token := syntax.GetToken(); token != nil {
			out.line = token.Position.Line
		}
		return node{}, out
	case err != nil:
		first, _, _ := strings.Cut(err.Error(), "\n")
		return node{}, &syntaxError{text: first}
	case len(file.Docs) > 1:
		return node{}, &syntaxError{text: "there is more than one YAML document"}
	case len(file.Docs) == 0 || file.Docs[0].Body == nil:
		return node{}, &syntaxError{text: "empty"}
	}
	return fromYAML(file.Docs[0].Body, 0)
}

func fromYAML(in ast.Node, depth int) (node, error) {
	out := node{line: in.GetToken().Position.Line}
	if depth > depthMax {
		return node{}, &syntaxError{line: out.line, text: errDeep.Error()}
	}
	switch n := in.(type) {
	case *ast.NullNode:
		return out, nil
	case *ast.MappingNode:
		return fromYAMLMapping(out, n.Values, depth)
	case *ast.MappingValueNode:
		return fromYAMLMapping(out, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		out.kind = list
		for _, value := range n.Values {
			item, err := fromYAML(value, depth+1)
			if err != nil {
				return node{}, err
			}
			out.items = append(out.items, item)
		}
		return out, nil
	case *ast.StringNode:
		out.kind, out.text = scalar, n.Value
		return out, nil
	case *ast.LiteralNode:
		out.kind, out.text = scalar, n.Value.Value
		return out, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		out.kind, out.text = scalar, in.GetToken().Value
		return out, nil
	}
	return node{}, &syntaxError{line: out.line, text: fmt.Sprintf("%s is not used in a campaign: write the value itself", in.Type())}
}

func fromYAMLMapping(out node, values []*ast.MappingValueNode, depth int) (node, error) {
	out.kind = mapping
	for _, pair := range values {
		value, err := fromYAML(pair.Value, depth+1)
		if err != nil {
			return node{}, err
		}
		key := pair.Key.GetToken()
		out.fields = append(out.fields, field{name: key.Value, line: key.Position.Line, node: value})
	}
	return out, nil
}
