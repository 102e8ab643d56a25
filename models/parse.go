package models

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// object is a node of the tree that DuckDB's parser makes of a statement.
type object map[string]any

// reference is a relation as a statement names it.
type reference struct {
	catalog, schema, name string
	offset                int // in the file's bytes; -1 where DuckDB does not say
}

func (r reference) String() string {
	parts := []string{r.catalog, r.schema, r.name}
	for len(parts) > 1 && parts[0] == "" {
		parts = parts[1:]
	}
	return strings.Join(parts, ".")
}

// syntaxError is a statement that the parser refuses.
type syntaxError struct {
	message string
	offset  int // -1: unknown
}

func (e *syntaxError) Error() string { return e.message }

// skip_* leave out nulls, empty lists and defaults: a third of the text.
const serializeSQL = `select json_serialize_sql(?::varchar, skip_null := true, skip_empty := true, skip_default := true)::varchar`

// parse returns the tree of the one select in text, or a *syntaxError that says
// what is there instead.
func parse(ctx context.Context, db database, text string) (object, error) {
	var answer string
	if err := db.QueryRowContext(ctx, serializeSQL, text).Scan(&answer); err != nil {
		return nil, fmt.Errorf("ask DuckDB's parser: %w", err)
	}
	var serialized struct {
		Error        bool   `json:"error"`
		ErrorMessage string `json:"error_message"`
		Position     string `json:"position"`
		Statements   []struct {
			Node object `json:"node"`
		} `json:"statements"`
	}
	if err := json.Unmarshal([]byte(answer), &serialized); err != nil {
		return nil, fmt.Errorf("read the answer of DuckDB's parser: %w", err)
	}
	switch {
	case serialized.Error && strings.HasPrefix(serialized.ErrorMessage, "Only SELECT"):
		// A PIVOT whose values are not listed is two statements inside: DuckDB
		// first asks which values there are.
		return nil, &syntaxError{offset: -1, message: "the statement is not a plain select; a model only selects, " +
			"and a PIVOT must list its values: select * from (pivot … on … in (…) using …)"}
	case serialized.Error:
		offset, err := strconv.Atoi(serialized.Position)
		if err != nil {
			offset = -1
		}
		return nil, &syntaxError{message: firstLine(serialized.ErrorMessage), offset: offset}
	case len(serialized.Statements) == 0:
		return nil, &syntaxError{message: "there is no select", offset: -1}
	case len(serialized.Statements) > 1:
		return nil, &syntaxError{message: "there is more than one statement; a model is one select", offset: -1}
	}
	return serialized.Statements[0].Node, nil
}

// text returns a field that is a string, else "".
func (o object) text(field string) string {
	s, _ := o[field].(string)
	return s
}

// objectOf makes an object of a decoded JSON value.
func objectOf(value any) (object, bool) {
	switch v := value.(type) {
	case object:
		return v, true
	case map[string]any:
		return v, true
	}
	return nil, false
}

// object returns a field that is an object, else nil.
func (o object) object(field string) object {
	child, _ := objectOf(o[field])
	return child
}

// objects returns the objects in a field that is an array.
func (o object) objects(field string) []object {
	array, _ := o[field].([]any)
	out := make([]object, 0, len(array))
	for _, element := range array {
		if child, ok := objectOf(element); ok {
			out = append(out, child)
		}
	}
	return out
}

// offset is where the node begins in the file, -1 where DuckDB does not say.
func (o object) offset() int {
	if location, ok := o["query_location"].(float64); ok {
		return int(location)
	}
	return -1
}

// walk calls visit for every object of the tree, in no particular order.
func walk(value any, visit func(object)) {
	if node, ok := objectOf(value); ok {
		visit(node)
		for _, child := range node {
			walk(child, visit)
		}
		return
	}
	if array, ok := value.([]any); ok {
		for _, child := range array {
			walk(child, visit)
		}
	}
}

// scope is the names of common table expressions that hide relations.
type scope struct {
	name  string
	outer *scope
}

func (s *scope) has(name string) bool {
	for ; s != nil; s = s.outer {
		if strings.EqualFold(s.name, name) {
			return true
		}
	}
	return false
}

// cte is one common table expression of a with clause.
type cte struct {
	name  string
	query object
}

// ctes returns the with clause of a query node, in the order of the text.
func (o object) ctes() []cte {
	var out []cte
	for _, entry := range o.object("cte_map").objects("map") {
		out = append(out, cte{entry.text("key"), entry.object("value").object("query").object("node")})
	}
	return out
}

// references returns the relations that a tree names, without its common table
// expressions where they are in scope, in the order of the text.
func references(tree object) []reference {
	var out []reference
	collectReferences(tree, nil, &out)
	sort.SliceStable(out, func(i, j int) bool {
		if out[i].offset != out[j].offset {
			return out[i].offset < out[j].offset
		}
		return out[i].String() < out[j].String()
	})
	return out
}

func collectReferences(value any, names *scope, out *[]reference) {
	if array, ok := value.([]any); ok {
		for _, element := range array {
			collectReferences(element, names, out)
		}
		return
	}
	node, ok := objectOf(value)
	if !ok {
		return
	}
	// A common table expression sees those before it; itself only when recursive.
	for _, c := range node.ctes() {
		inner := names
		if c.query.text("type") == "RECURSIVE_CTE_NODE" {
			inner = &scope{c.name, names}
		}
		collectReferences(c.query, inner, out)
		names = &scope{c.name, names}
	}
	if node.text("type") == "BASE_TABLE" && node.text("table_name") != "" {
		r := reference{node.text("catalog_name"), node.text("schema_name"), node.text("table_name"), node.offset()}
		if r.catalog != "" || r.schema != "" || !names.has(r.name) {
			*out = append(*out, r)
		}
	}
	for field, child := range node {
		if field != "cte_map" {
			collectReferences(child, names, out)
		}
	}
}

// lineOf is the line, from 1, of an offset in a text; 0 if it is unknown.
func lineOf(text string, offset int) int {
	if offset < 0 || offset > len(text) {
		return 0
	}
	return 1 + strings.Count(text[:offset], "\n")
}
