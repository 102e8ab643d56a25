package stream

import (
	"fmt"
	"strings"

	bindings "github.com/duckdb/duckdb-go-bindings"
)

type listEntry struct{ offset, length uint64 }

// childDecoder is decoderOf for a type that the caller owns.
func childDecoder(t bindings.LogicalType) (decoder, string) {
	defer bindings.DestroyLogicalType(&t)
	return decoderOf(t)
}

func listDecoder(t bindings.LogicalType) (decoder, string) {
	of, name := childDecoder(bindings.ListTypeChildType(t))
	return func(vector bindings.Vector) (cell, error) {
		child, err := of(bindings.ListVectorGetChild(vector))
		if err != nil {
			return nil, err
		}
		return fixedCell(vector, func(e listEntry) any {
			return elements(child, int(e.offset), int(e.length))
		}), nil
	}, name + "[]"
}

func arrayDecoder(t bindings.LogicalType) (decoder, string) {
	of, name := childDecoder(bindings.ArrayTypeChildType(t))
	size := int(bindings.ArrayTypeArraySize(t))
	return func(vector bindings.Vector) (cell, error) {
		child, err := of(bindings.ArrayVectorGetChild(vector))
		if err != nil {
			return nil, err
		}
		valid := validityOf(vector)
		return func(row int) any {
			if !valid(row) {
				return nil
			}
			return elements(child, row*size, size)
		}, nil
	}, fmt.Sprintf("%s[%d]", name, size)
}

func elements(child cell, offset, length int) []any {
	out := make([]any, length)
	for i := range out {
		out[i] = child(offset + i)
	}
	return out
}

func structDecoder(t bindings.LogicalType) (decoder, string) {
	count := bindings.StructTypeChildCount(t)
	names, of := make([]string, count), make([]decoder, count)
	var described []string
	for i := range count {
		names[i] = bindings.StructTypeChildName(t, i)
		var name string
		of[i], name = childDecoder(bindings.StructTypeChildType(t, i))
		described = append(described, `"`+strings.ReplaceAll(names[i], `"`, `""`)+`" `+name)
	}
	return func(vector bindings.Vector) (cell, error) {
		children := make([]cell, len(of))
		for i := range of {
			var err error
			if children[i], err = of[i](bindings.StructVectorGetChild(vector, bindings.IdxT(i))); err != nil {
				return nil, err
			}
		}
		valid := validityOf(vector)
		return func(row int) any {
			if !valid(row) {
				return nil
			}
			out := make(Struct, len(children))
			for i, child := range children {
				out[i] = Field{names[i], child(row)}
			}
			return out
		}, nil
	}, "STRUCT(" + strings.Join(described, ", ") + ")"
}

// mapDecoder reads a map as what it is in memory: a list of (key, value).
func mapDecoder(t bindings.LogicalType) (decoder, string) {
	keyOf, keyName := childDecoder(bindings.MapTypeKeyType(t))
	valueOf, valueName := childDecoder(bindings.MapTypeValueType(t))
	return func(vector bindings.Vector) (cell, error) {
		pairs := bindings.ListVectorGetChild(vector)
		key, err := keyOf(bindings.StructVectorGetChild(pairs, 0))
		if err != nil {
			return nil, err
		}
		value, err := valueOf(bindings.StructVectorGetChild(pairs, 1))
		if err != nil {
			return nil, err
		}
		return fixedCell(vector, func(e listEntry) any {
			out := make(Map, e.length)
			for i := range out {
				at := int(e.offset) + i
				out[i] = Entry{key(at), value(at)}
			}
			return out
		}), nil
	}, fmt.Sprintf("MAP(%s, %s)", keyName, valueName)
}
