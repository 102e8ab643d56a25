package models

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Header is what a model says of itself in the comment that its file begins
// with:
//
//	/* goodhour
//	doc: One row per customer.
//	grain: [customer_id]
//	materialized: table
//	checks:
//	  - accepted_values: {column: heat_class, values: [hot, warm]}
//	columns:
//	  customer_id: "the customer"
//	  heat_class: "how lately the customer engaged"
//	*/
type Header struct {
	// Doc says what a row is and what for.
	Doc string
	// Grain is the columns that name a row: together unique, none of them null.
	// Empty and HasGrain: the relation has exactly one row.
	Grain    []string
	HasGrain bool
	// View: the relation is a view. Otherwise it is a table.
	View bool
	// Checks are those besides grain and columns, in the order of the text.
	Checks []Check
	// Columns are the output columns, in order. None: an analyst's model that
	// does not say.
	Columns []Column
}

func (h Header) columnNames() []string {
	names := make([]string, len(h.Columns))
	for i, column := range h.Columns {
		names[i] = column.Name
	}
	return names
}

// Column is an output column and its meaning, with the unit.
type Column struct{ Name, Doc string }

// CheckKind is what a check demands.
type CheckKind string

// The checks. Header and Run apply grain and columns to every model.
const (
	// CheckColumns: the columns are those of the header, in that order.
	CheckColumns CheckKind = "columns"
	// CheckGrain: the grain is unique and not null.
	CheckGrain CheckKind = "grain"
	// CheckNotNull: none of the columns is ever null.
	CheckNotNull CheckKind = "not_null"
	// CheckUnique: the columns together are unique.
	CheckUnique CheckKind = "unique"
	// CheckAcceptedValues: the column is null or one of the values.
	CheckAcceptedValues CheckKind = "accepted_values"
	// CheckExpression: the expression is true for every row; null counts as false.
	CheckExpression CheckKind = "expression"
	// CheckRowsMatch: every key here is a key of the other relation. A key with
	// a null is no key.
	CheckRowsMatch CheckKind = "rows_match"
)

// Check is one thing that must hold for the rows of a model.
type Check struct {
	Kind CheckKind
	// Columns that it is about; of rows_match those that both relations have.
	Columns []string
	// Values of accepted_values, compared as text.
	Values []string
	// Expression is a SQL expression over one row.
	Expression string
	// Relation is the other relation of rows_match.
	Relation Relation
	// Warn: a failure is told and changes nothing.
	Warn bool
	// Line in the file.
	Line int
}

// String names the check in a sentence or a table.
func (c Check) String() string {
	switch c.Kind {
	case CheckExpression:
		return fmt.Sprintf("%s (%s)", c.Kind, c.Expression)
	case CheckRowsMatch:
		return fmt.Sprintf("%s (%s on %s)", c.Kind, c.Relation, strings.Join(c.Columns, ", "))
	case CheckColumns:
		return string(c.Kind)
	default:
		return fmt.Sprintf("%s (%s)", c.Kind, strings.Join(c.Columns, ", "))
	}
}

const headerOpening = "/* goodhour"

// cutHeader returns the YAML of a file's header and the line before it begins.
// ok is false where the file has none.
func cutHeader(text string) (yaml string, line int, ok bool, err error) {
	start := strings.Index(text, headerOpening)
	if start < 0 || strings.TrimSpace(text[:start]) != "" {
		return "", 0, false, nil
	}
	body, _, closed := strings.Cut(text[start+len(headerOpening):], "*/")
	if !closed {
		return "", 0, false, &yamlError{line: lineOf(text, start), what: "the header's comment has no end: close it with */"}
	}
	return body, lineOf(text, start) - 1, true, nil
}

// parseHeader reads the header of a file. ok is false where the file has none.
// Its errors are *yamlError, with lines of the file.
func parseHeader(text string) (header Header, ok bool, errs []error) {
	source, before, ok, err := cutHeader(text)
	if err != nil {
		return Header{}, false, []error{err}
	}
	if !ok {
		return Header{}, false, nil
	}
	p := &headerParser{}
	document, err := parseYAML(source)
	p.add(err)
	if err == nil && document.kind != isNull {
		p.header(document)
	}
	for _, err := range p.errs {
		if at, ok := errors.AsType[*yamlError](err); ok && at.line > 0 {
			at.line += before
		}
	}
	for i := range p.out.Checks {
		p.out.Checks[i].Line += before
	}
	return p.out, true, p.errs
}

// headerParser collects every problem, so that a person mends them at once.
type headerParser struct {
	out  Header
	errs []error
}

func (p *headerParser) add(err error) {
	if err != nil {
		p.errs = append(p.errs, err)
	}
}

func (p *headerParser) addf(line int, format string, args ...any) {
	p.add(&yamlError{line: line, what: fmt.Sprintf(format, args...)})
}

func (p *headerParser) header(document value) {
	if err := document.expect(isMapping, "the header"); err != nil {
		p.add(err)
		return
	}
	var err error
	for _, e := range document.entries {
		switch e.key {
		case "doc":
			p.out.Doc, err = e.scalar("doc")
		case "grain":
			p.out.HasGrain = true
			p.out.Grain, err = e.scalars("grain")
		case "materialized":
			err = p.materialized(e.value)
		case "checks":
			err = p.checks(e.value)
		case "columns":
			err = p.columns(e.value)
		default:
			err = &yamlError{line: e.keyLine, what: fmt.Sprintf(
				"the header has no %q: it has doc, grain, materialized, checks and columns", e.key)}
		}
		p.add(err)
	}
	p.names()
}

func (p *headerParser) materialized(v value) error {
	switch v.text {
	case "table":
		p.out.View = false
	case "view":
		p.out.View = true
	default:
		return &yamlError{line: v.line, what: fmt.Sprintf("materialized is table or view, not %q", v.text)}
	}
	return nil
}

func (p *headerParser) columns(v value) error {
	if err := v.expect(isMapping, "columns"); err != nil {
		return err
	}
	for _, e := range v.entries {
		doc, err := e.scalar("the meaning of column " + e.key)
		if err != nil {
			return err
		}
		if strings.TrimSpace(doc) == "" {
			p.addf(e.keyLine, "column %s has no meaning: say what it holds, with its unit", e.key)
		}
		p.out.Columns = append(p.out.Columns, Column{e.key, doc})
	}
	return nil
}

func (p *headerParser) checks(v value) error {
	if err := v.expect(isList, "checks"); err != nil {
		return err
	}
	for _, element := range v.list {
		if err := element.expect(isMapping, "each check"); err != nil {
			p.add(err)
			continue
		}
		check, err := parseCheck(element)
		p.add(err)
		if err == nil {
			p.out.Checks = append(p.out.Checks, check)
		}
	}
	return nil
}

func parseCheck(v value) (Check, error) {
	check := Check{Line: v.line}
	for _, e := range v.entries {
		if e.key == "severity" {
			switch e.text {
			case "error":
			case "warn":
				check.Warn = true
			default:
				return Check{}, &yamlError{line: e.line, what: fmt.Sprintf("severity is error or warn, not %q", e.text)}
			}
			continue
		}
		if check.Kind != "" {
			return Check{}, &yamlError{line: e.keyLine, what: fmt.Sprintf(
				"one check is %s and %s at once: begin each with its own dash", check.Kind, e.key)}
		}
		check.Kind = CheckKind(e.key)
		if err := check.read(e); err != nil {
			return Check{}, err
		}
	}
	if check.Kind == "" {
		return Check{}, &yamlError{line: v.line, what: "a check says nothing"}
	}
	return check, nil
}

// read takes the arguments of a check of the kind that is set.
func (c *Check) read(e entry) (err error) {
	switch c.Kind {
	case CheckNotNull, CheckUnique:
		c.Columns, err = e.scalars(e.key)
		return err
	case CheckExpression:
		c.Expression, err = e.scalar(e.key)
		return err
	case CheckAcceptedValues:
		return readFields(e, map[string]func(value) error{
			"column": func(v value) error {
				name, err := v.scalar("column")
				c.Columns = []string{name}
				return err
			},
			"values": func(v value) (err error) {
				c.Values, err = v.scalars("values")
				return err
			},
		})
	case CheckRowsMatch:
		return readFields(e, map[string]func(value) error{
			"relation": func(v value) (err error) {
				c.Relation, err = ParseRelation(v.text)
				if err != nil {
					return &yamlError{line: v.line, what: err.Error()}
				}
				return nil
			},
			"on": func(v value) (err error) {
				c.Columns, err = v.scalars("on")
				return err
			},
		})
	case CheckColumns, CheckGrain:
	}
	return &yamlError{line: e.keyLine, what: fmt.Sprintf(
		"there is no check %q: there are not_null, unique, accepted_values, expression and rows_match", e.key)}
}

// readFields reads a mapping that must have exactly the fields.
func readFields(e entry, fields map[string]func(value) error) error {
	if err := e.expect(isMapping, e.key); err != nil {
		return err
	}
	for _, field := range e.entries {
		read, known := fields[field.key]
		if !known {
			return &yamlError{line: field.keyLine, what: fmt.Sprintf("%s has no %q", e.key, field.key)}
		}
		if err := read(field.value); err != nil {
			return err
		}
		delete(fields, field.key)
	}
	for _, missing := range slices.Sorted(maps.Keys(fields)) {
		return &yamlError{line: e.keyLine, what: fmt.Sprintf("%s has no %q", e.key, missing)}
	}
	return nil
}

// names tells of columns that a check or the grain names and the header does
// not document.
func (p *headerParser) names() {
	if len(p.out.Columns) == 0 {
		return
	}
	documented := func(name string) bool {
		return slices.ContainsFunc(p.out.Columns, func(c Column) bool { return strings.EqualFold(c.Name, name) })
	}
	for _, name := range p.out.Grain {
		if !documented(name) {
			p.addf(0, "the grain names %s, which is not among the columns", name)
		}
	}
	for _, check := range p.out.Checks {
		for _, name := range check.Columns {
			if !documented(name) {
				p.addf(check.Line, "%s names %s, which is not among the columns", check.Kind, name)
			}
		}
	}
}
