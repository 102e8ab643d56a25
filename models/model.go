package models

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/goodhour/goodhour/ingest/event"
)

// Relation names a table or view of the published file.
type Relation struct{ Schema, Name string }

// String is schema.name.
func (r Relation) String() string { return r.Schema + "." + r.Name }

// MarshalText is String, so that a Relation is a string in JSON.
func (r Relation) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

func (r Relation) quoted() string { return quote(r.Schema) + "." + quote(r.Name) }

// Compare orders relations by layer, then by name.
func (r Relation) Compare(other Relation) int {
	if c := slices.Index(schemas, r.Schema) - slices.Index(schemas, other.Schema); c != 0 {
		return c
	}
	return strings.Compare(r.String(), other.String())
}

// ParseRelation reads schema.name.
func ParseRelation(text string) (Relation, error) {
	schema, name, ok := strings.Cut(text, ".")
	if !ok || schema == "" || name == "" || strings.Contains(name, ".") {
		return Relation{}, fmt.Errorf("%q is not a relation: write schema.name, such as marts.customers", text)
	}
	return Relation{strings.ToLower(schema), strings.ToLower(name)}, nil
}

// The schemas. AnalystSchema is that of an analyst's file without a folder;
// metricSchema that of the metric snapshots, which no run builds.
const (
	AnalystSchema = "analyst"
	metricSchema  = "metrics"
)

// schemas in the order of the layers, sources first.
var schemas = []string{"raw", "ops", "staging", "intermediate", "fit", "marts", "audience", AnalystSchema, metricSchema}

// layers says which schemas a model of goodhour's own may read, and so which
// folders there are. An analyst's models may read all of them.
var layers = map[string][]string{
	"staging":      {"raw", "ops", "staging"},
	"intermediate": {"staging", "intermediate"},
	"marts":        {"staging", "intermediate", "fit", "marts", "ops"},
	"audience":     {"staging", "intermediate", "fit", "marts"},
	metricSchema:   {"staging", "marts", "audience"},
}

// ownFolders are the schemas that an analyst's folder may have.
var ownFolders = []string{"staging", "intermediate", "marts", "audience", AnalystSchema}

// sources are the relations that a run copies from the warehouse.
func sources() []Relation {
	out := []Relation{
		{"raw", "identities"},
		{"raw", "identity_links"},
		{"raw", "identity_unlinks"},
		{"ops", "offsets"},
		{"ops", "metric_snapshots"},
	}
	for _, kind := range event.Kinds() {
		out = append(out, Relation{"raw", kind.Spec().Table})
	}
	slices.SortFunc(out, Relation.Compare)
	return out
}

// builder makes a node's relation anew. There are two: a select, and Go.
type builder interface {
	build(ctx context.Context, db database, to Relation) error
	// definition is everything that the result depends on besides the inputs,
	// the settings and the as-of time. The model version is hashed over it.
	definition() string
}

// Node makes one relation of a run.
type Node struct {
	Relation Relation
	// File that defines it, as its folder names it; of a node in Go the name of
	// the computation.
	File string
	// Own: it is an analyst's.
	Own    bool
	Header Header
	// Inputs are the relations that it reads, sorted.
	Inputs []Relation
	// Problems found in its file. A node with any is never built.
	Problems []Finding

	builder builder
	tree    object // nil for a node in Go
}

// kind is what SQL calls the relation.
func (n *Node) kind() string {
	if n.Header.View {
		return "view"
	}
	return "table"
}

// checkInputs are the relations that only its checks read.
func (n *Node) checkInputs() []Relation {
	var out []Relation
	for _, check := range n.Header.Checks {
		if check.Kind == CheckRowsMatch && !slices.Contains(n.Inputs, check.Relation) {
			out = append(out, check.Relation)
		}
	}
	return out
}

// selectModel builds a relation with the select of a file.
type selectModel struct {
	text string
	kind string // of the relation, in SQL
}

func (m selectModel) build(ctx context.Context, db database, to Relation) error {
	_, err := db.ExecContext(ctx, "create or replace "+m.kind+" "+to.quoted()+" as\n"+m.text)
	return err
}

func (m selectModel) definition() string { return m.text }

// Finding is one thing wrong with a model: what, where, and how to mend it.
type Finding struct {
	// Rule that found it: one of those in the table of Rules.
	Rule string `json:"rule"`
	// File as its folder names it.
	File string `json:"file"`
	// Line from 1; 0 where the whole file is meant.
	Line int `json:"line,omitempty"`
	// Own: the file is an analyst's.
	Own  bool   `json:"own,omitempty"`
	What string `json:"what"`
	Fix  string `json:"fix,omitempty"`
}

// String says what is wrong, where, and how to mend it, in one line.
func (f Finding) String() string {
	where := f.File
	if f.Line > 0 {
		where = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	if f.Fix == "" {
		return fmt.Sprintf("%s: %s", where, f.What)
	}
	return fmt.Sprintf("%s: %s; %s", where, f.What, f.Fix)
}

// asError joins findings; nil if there are none.
func asError(findings []Finding) error {
	errs := make([]error, len(findings))
	for i := range findings {
		errs[i] = errors.New(findings[i].String())
	}
	return errors.Join(errs...)
}

func (n *Node) problem(rule string, line int, what, fix string) {
	n.Problems = append(n.Problems, Finding{Rule: rule, File: n.File, Line: line, Own: n.Own, What: what, Fix: fix})
}

// maxFileBytes limits what is read of a model's file.
const maxFileBytes = 1 << 20

var nameOfModel = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// readModels reads the .sql files of a folder: schema/name.sql, and name.sql
// for the analyst schema. Other files and deeper folders are no models.
func readModels(ctx context.Context, db database, folder fs.FS, own bool) ([]*Node, error) {
	var nodes []*Node
	for _, pattern := range []string{"*.sql", "*/*.sql"} {
		files, err := fs.Glob(folder, pattern)
		if err != nil {
			return nil, fmt.Errorf("list the models: %w", err)
		}
		for _, file := range files {
			if strings.HasPrefix(path.Base(file), ".") {
				continue // an editor's
			}
			node, err := readModel(ctx, db, folder, file, own)
			if err != nil {
				return nil, err
			}
			nodes = append(nodes, node)
		}
	}
	return nodes, nil
}

// readModel reads one file. What is wrong with it is in the node's Problems;
// the error is one of DuckDB's connection.
func readModel(ctx context.Context, db database, folder fs.FS, file string, own bool) (*Node, error) {
	schema, name := path.Dir(file), strings.TrimSuffix(path.Base(file), ".sql")
	if schema == "." {
		schema = AnalystSchema
	}
	node := &Node{Relation: Relation{schema, name}, File: file, Own: own, builder: selectModel{}}
	node.checkName()
	data, err := readLimited(folder, file)
	if err != nil {
		node.problem("file", 0, err.Error(), "")
		return node, nil
	}
	text := string(data)
	node.readHeader(text)
	node.builder = selectModel{text, node.kind()}
	node.tree, err = parse(ctx, db, text)
	var refused *syntaxError
	switch {
	case errors.As(err, &refused):
		node.problem("syntax", lineOf(text, refused.offset), refused.message, "")
		return node, nil
	case err != nil:
		return nil, fmt.Errorf("parse %s: %w", file, err)
	}
	node.checkInsides(text)
	return node, node.checkExpressions(ctx, db)
}

func readLimited(folder fs.FS, file string) ([]byte, error) {
	info, err := fs.Stat(folder, file)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	case info.Size() > maxFileBytes:
		return nil, fmt.Errorf("the file has %d bytes; a model has at most %d", info.Size(), maxFileBytes)
	}
	return fs.ReadFile(folder, file)
}

func (n *Node) checkName() {
	_, known := layers[n.Relation.Schema]
	if n.Own {
		known = slices.Contains(ownFolders, n.Relation.Schema)
	}
	if !known {
		n.problem("file", 0, fmt.Sprintf("there is no schema %s for models", n.Relation.Schema),
			"put the file into one of the folders "+strings.Join(ownFolders, ", "))
	}
	if !nameOfModel.MatchString(n.Relation.Name) {
		n.problem("file", 0, fmt.Sprintf("%q is no name for a relation", n.Relation.Name),
			"name the file with small letters, digits and underscores, a letter first")
	}
}

func (n *Node) readHeader(text string) {
	header, found, errs := parseHeader(text)
	n.Header = header
	for _, err := range errs {
		if at, ok := errors.AsType[*yamlError](err); ok {
			n.problem("header", at.line, at.what, "")
		}
	}
	// An analyst may begin with the select alone.
	if n.Own || len(errs) > 0 {
		return
	}
	if !found {
		n.problem("header", 1, "the file has no header", "begin it with /* goodhour … */: doc, grain and columns")
		return
	}
	for _, missing := range []struct {
		is   bool
		what string
	}{{header.Doc == "", "doc"}, {!header.HasGrain, "grain"}, {len(header.Columns) == 0, "columns"}} {
		if missing.is {
			n.problem("header", 1, "the header has no "+missing.what, "")
		}
	}
}

// pureTableFunctions make rows from their arguments alone. Any other would
// read what is not in the graph: a file, a catalog, a query in a string.
var pureTableFunctions = []string{
	"unnest", "range", "generate_series", "generate_subscripts", "repeat", "json_each", "json_tree", "regexp_split_to_table",
}

// outside is something that a select reads and that is no relation of the graph.
type outside struct {
	offset    int
	what, fix string
}

func readsOutside(tree object) []outside {
	var out []outside
	walk(tree, func(o object) {
		switch o.text("type") {
		case "SHOW_REF":
			out = append(out, outside{
				o.offset(), "describe, show and summarize read the catalog, not a relation's rows", "select what is needed",
			})
		case "TABLE_FUNCTION":
			if name := o.object("function").text("function_name"); !slices.Contains(pureTableFunctions, name) {
				out = append(out, outside{
					o.offset(), name + " reads what is no relation of the graph",
					"import the data, and read the relation that it becomes",
				})
			}
		}
	})
	// Maps are walked in no order; people read from top to bottom.
	slices.SortFunc(out, func(a, b outside) int { return a.offset - b.offset })
	return out
}

// checkInsides tells of what a model may not contain.
func (n *Node) checkInsides(text string) {
	for _, o := range readsOutside(n.tree) {
		n.problem("outside", lineOf(text, o.offset), o.what, o.fix)
	}
	if n.Header.View && callsFunction(n.tree, "getvariable") {
		n.problem("header", 1, "a view is computed by its readers, who have no as_of", "say materialized: table")
	}
}

func callsFunction(tree object, name string) (found bool) {
	walk(tree, func(o object) { found = found || o.text("function_name") == name })
	return found
}

// checkExpressions makes sure that each expression check is one expression over
// the row, so that it can do nothing but be true or not.
func (n *Node) checkExpressions(ctx context.Context, db database) error {
	for _, check := range n.Header.Checks {
		if check.Kind != CheckExpression {
			continue
		}
		tree, err := parse(ctx, db, "select (\n"+check.Expression+"\n)")
		var refused *syntaxError
		switch {
		case errors.As(err, &refused):
			n.problem("header", check.Line, "the expression cannot be read: "+refused.message, "")
		case err != nil:
			return fmt.Errorf("parse a check of %s: %w", n.File, err)
		case len(tree.objects("select_list")) != 1 || tree.object("from_table").text("type") != "EMPTY" ||
			len(references(tree)) > 0 || len(readsOutside(tree)) > 0:
			n.problem("header", check.Line, "the check is not one expression over the columns of a row",
				"compare with another relation by rows_match, or compute a column and check that")
		}
	}
	return nil
}
