package models

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// value is a YAML value that knows its line: what is wrong with a header is
// told by file and line, which a decoded struct cannot do.
type value struct {
	line int // from 1, in the YAML text
	kind valueKind
	text string // of a scalar, as it was written, without quotes
	// quoted: a scalar that is text whatever it looks like.
	quoted  bool
	list    []value
	entries []entry // of a mapping, in the order of the text
}

type entry struct {
	key string
	value
	keyLine int
}

type valueKind uint8

const (
	isNull valueKind = iota
	isScalar
	isList
	isMapping
)

func (k valueKind) String() string {
	return [...]string{"nothing", "a value", "a list", "a mapping"}[k]
}

// yamlError is what is wrong with a YAML text, and where in it.
type yamlError struct {
	line int // 0: unknown
	what string
}

func (e *yamlError) Error() string { return e.what }

// parseYAML reads one YAML document. Its error is a *yamlError.
func parseYAML(text string) (value, error) {
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		out := &yamlError{what: firstLine(err.Error())}
		if known, ok := errors.AsType[yaml.Error](err); ok {
			// "… already defined at [2:1]" counts from the header's first line.
			out.what, _, _ = strings.Cut(known.GetMessage(), " at [")
			out.line = known.GetToken().Position.Line
		}
		return value{}, out
	}
	switch {
	case len(file.Docs) == 0 || file.Docs[0].Body == nil:
		return value{line: 1}, nil
	case len(file.Docs) > 1:
		return value{}, &yamlError{what: "there is more than one YAML document"}
	}
	return convertYAML(file.Docs[0].Body)
}

func convertYAML(node ast.Node) (value, error) {
	out := value{line: node.GetToken().Position.Line}
	switch n := node.(type) {
	case *ast.NullNode:
		return out, nil
	case *ast.MappingNode:
		return convertMapping(out, n.Values)
	case *ast.MappingValueNode:
		return convertMapping(out, []*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		out.kind = isList
		for _, element := range n.Values {
			converted, err := convertYAML(element)
			if err != nil {
				return value{}, err
			}
			out.list = append(out.list, converted)
		}
		return out, nil
	case *ast.StringNode:
		out.kind, out.text, out.quoted = isScalar, n.Value, true
		return out, nil
	case *ast.LiteralNode:
		out.kind, out.text, out.quoted = isScalar, strings.TrimRight(n.Value.Value, "\n"), true
		return out, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		out.kind, out.text = isScalar, node.GetToken().Value
		return out, nil
	}
	return value{}, &yamlError{line: out.line, what: fmt.Sprintf("%s is not used here; write the value itself", node.Type())}
}

func convertMapping(out value, values []*ast.MappingValueNode) (value, error) {
	out.kind = isMapping
	for _, pair := range values {
		converted, err := convertYAML(pair.Value)
		if err != nil {
			return value{}, err
		}
		key := pair.Key.GetToken()
		out.entries = append(out.entries, entry{key: key.Value, value: converted, keyLine: key.Position.Line})
	}
	return out, nil
}

// expect returns a *yamlError unless the value is of the kind.
func (v value) expect(kind valueKind, what string) error {
	if v.kind != kind {
		return &yamlError{line: v.line, what: fmt.Sprintf("%s must be %s, not %s", what, kind, v.kind)}
	}
	return nil
}

// scalar returns the text of a value that is one.
func (v value) scalar(what string) (string, error) { return v.text, v.expect(isScalar, what) }

// scalars returns the texts of a list of values.
func (v value) scalars(what string) ([]string, error) {
	if err := v.expect(isList, what); err != nil {
		return nil, err
	}
	out := make([]string, 0, len(v.list))
	for _, element := range v.list {
		text, err := element.scalar("each entry of " + what)
		if err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, nil
}
