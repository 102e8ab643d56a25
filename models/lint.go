package models

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// Rule is something that [Lint] looks for.
type Rule struct {
	// Name stands in [Finding.Rule].
	Name string
	// Doc says what it demands and why.
	Doc string
	// Load: a model that breaks it is not built.
	Load bool
}

// Rules are all the rules.
func Rules() []Rule {
	return []Rule{
		{"file", "A model is a readable file schema/name.sql, with a name that needs no quotes.", true},
		{"header", "A header says doc, grain and columns, and names only columns that it documents. The file is the documentation.", true},
		{"syntax", "A model is one select that DuckDB's parser reads.", true},
		{"name", "A relation is defined once.", true},
		{"unknown-relation", "A model reads models and tables of the warehouse, by schema and name.", true},
		{"layer", "Only staging reads raw, and no layer reads a later one. Each step has one place.", true},
		{"cycle", "No relation needs itself.", true},
		{"outside", "A model reads no file, no catalog and no query in a string: its inputs are the graph's.", true},
		{"pure", "A model has no clock, no chance and no session in it; time is getvariable('as_of'). A rebuild gives the same rows.", false},
		{"float-order", "An aggregate that adds up DOUBLEs is ordered or fixed-point: their sum depends on the order, which differs from run to run.", false},
		{"list-order", "An aggregate that keeps an order says which: otherwise it differs from run to run.", false},
		{"star", "Past an import CTE (select * from one relation) columns are named. Changes must be visible.", false},
		{"positional-group", "Group by names, or by all. A position changes its meaning when a column is put in.", false},
		{"columns", "The header documents the columns that the select makes, in that order.", false},
		{"chain", "Marts read marts at most two deep: a step that several share gets a name in intermediate.", false},
	}
}

// Lint reads the models and returns everything that is wrong with them, an
// analyst's last, by file and line. What keeps a model from being built is
// among it. Any DuckDB connection will do: only its parser is used.
func Lint(ctx context.Context, conn *sql.Conn, project Project) ([]Finding, error) {
	graph, err := load(ctx, conn, project)
	if err != nil {
		return nil, err
	}
	l := &linter{floats: floatSources(), depth: make(map[Relation]int)}
	var findings []Finding
	for _, node := range slices.Concat(graph.nodes, graph.metrics, graph.refused) {
		l.node, l.findings = node, slices.Clone(node.Problems)
		if node.tree != nil {
			l.text = node.builder.definition()
			l.lint()
		}
		findings = append(findings, l.findings...)
	}
	slices.SortStableFunc(findings, func(a, b Finding) int {
		if a.Own != b.Own {
			if b.Own {
				return -1
			}
			return 1
		}
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.What, b.What))
	})
	return findings, nil
}

// linter goes through the nodes in the order of a build, so that it knows what
// the inputs are like.
type linter struct {
	node     *Node
	text     string
	findings []Finding
	// floats are the columns of each relation that are DOUBLE, as far as their
	// expressions show.
	floats map[Relation]names
	// depth is how many marts a mart is built on, one upon the other.
	depth map[Relation]int
}

// wholeFile is the offset of what has no place of its own.
const wholeFile = -1

func (l *linter) found(rule string, offset int, what, fix string) {
	l.findings = append(l.findings, Finding{
		Rule: rule, File: l.node.File, Line: lineOf(l.text, offset), Own: l.node.Own, What: what, Fix: fix,
	})
}

func (l *linter) lint() {
	if l.node.Own && l.node.Header.Doc == "" {
		l.found("header", wholeFile, "the file does not say what it is", "begin it with /* goodhour … */: doc, grain and columns")
	}
	l.columns()
	l.chain()
	l.stars(l.node.tree, false)
	walk(l.node.tree, func(o object) {
		l.pure(o)
		l.group(o)
		l.order(o)
	})
	l.floats[l.node.Relation] = l.query(l.node.tree, nil, nil)
}

// columns compares the header with the last select, where that names everything.
func (l *linter) columns() {
	last := l.node.tree
	for last.text("type") == "SET_OPERATION_NODE" {
		last = last.object("left")
	}
	if len(l.node.Header.Columns) == 0 {
		return
	}
	var made []string
	for _, item := range last.objects("select_list") {
		name := outputName(item)
		if name == "" {
			return
		}
		made = append(made, name)
	}
	if difference := columnDifferences(l.node.Header.columnNames(), made); difference != "" {
		l.found("columns", wholeFile, difference, "let the header say what the select makes")
	}
}

// outputName is what a select calls one of its expressions; "" if DuckDB would
// make a name up.
func outputName(item object) string {
	if alias := item.text("alias"); alias != "" {
		return alias
	}
	return columnName(item)
}

// columnName is the column that an expression is, without its table; "" if it
// is something else.
func columnName(item object) string {
	names, _ := item["column_names"].([]any)
	if item.text("class") != "COLUMN_REF" || len(names) == 0 {
		return ""
	}
	name, _ := names[len(names)-1].(string)
	return name
}

const maxMartsChain = 2

func (l *linter) chain() {
	if l.node.Relation.Schema != "marts" {
		return
	}
	for _, input := range l.node.Inputs {
		if input.Schema == "marts" {
			l.depth[l.node.Relation] = max(l.depth[l.node.Relation], l.depth[input]+1)
		}
	}
	if depth := l.depth[l.node.Relation]; depth > maxMartsChain {
		l.found("chain", wholeFile, fmt.Sprintf("it stands on %d marts, one upon the other", depth),
			"give the step that they share a name in intermediate")
	}
}

// stars tells of every star but those of import CTEs.
func (l *linter) stars(value any, isImport bool) {
	if array, ok := value.([]any); ok {
		for _, element := range array {
			l.stars(element, false)
		}
		return
	}
	node, ok := objectOf(value)
	if !ok {
		return
	}
	if node.text("class") == "STAR" && node.offset() >= 0 {
		l.found("star", node.offset(), "it selects * past an import CTE", "name the columns")
	}
	for _, c := range node.ctes() {
		l.stars(c.query, c.query.object("from_table").text("schema_name") != "")
	}
	for field, child := range node {
		switch {
		case field == "cte_map":
		case field == "select_list" && isImport:
			for _, item := range node.objects(field) {
				if item.text("class") != "STAR" {
					l.stars(item, false)
				}
			}
		default:
			l.stars(child, false)
		}
	}
}

// impureFunctions give another answer the next time, in another session or in
// another version of DuckDB.
var impureFunctions = []string{
	"now", "current_timestamp", "get_current_timestamp", "transaction_timestamp", "current_localtimestamp", "localtimestamp",
	"today", "current_date", "current_time", "get_current_time", "current_localtime", "localtime",
	"random", "setseed", "uuid", "gen_random_uuid", "uuidv4", "uuidv7",
	"nextval", "currval", "txid_current", "current_setting", "current_schema", "current_schemas", "current_database", "current_user",
	"hash", "version",
}

// impureNames are those of them that SQL writes without parentheses. No column
// should have such a name.
var impureNames = []string{
	"current_timestamp", "localtimestamp", "current_date", "current_time", "localtime", "current_user", "current_schema",
}

func (l *linter) pure(o object) {
	name := strings.ToLower(o.text("function_name"))
	arguments := o.objects("children")
	const fix = "time is getvariable('as_of'); what is drawn or numbered comes from the data"
	switch {
	case slices.Contains(impureFunctions, name), name == "age" && len(arguments) == 1:
		l.found("pure", o.offset(), name+"() gives another answer the next time", fix)
	case name == "getvariable" && (len(arguments) != 1 || arguments[0].object("value").text("value") != "as_of"):
		l.found("pure", o.offset(), "a run sets no variable but as_of", "make it a setting: cross join staging.settings")
	case slices.Contains(impureNames, strings.ToLower(columnName(o))):
		l.found("pure", o.offset(), strings.ToLower(columnName(o))+" gives another answer the next time", fix)
	}
	if sample := o.object("sample"); sample != nil {
		if seed, _ := sample["seed"].(float64); seed < 0 {
			l.found("pure", o.offset(), "a sample without a seed is another one the next time", "say repeatable (1)")
		}
	}
}

func (l *linter) group(o object) {
	for _, expression := range o.objects("group_expressions") {
		if expression.text("class") == "CONSTANT" {
			l.found("positional-group", expression.offset(), "it groups by position", "group by the column's name, or by all")
		}
	}
}

// keepingAggregates answer by the order of the rows.
var keepingAggregates = []string{"list", "array_agg", "string_agg", "group_concat", "listagg", "first", "last", "arbitrary"}

func (l *linter) order(o object) {
	name := o.text("function_name")
	if o.text("class") == "FUNCTION" && slices.Contains(keepingAggregates, name) && !isOrdered(o) {
		l.found("list-order", o.offset(), name+"() without an order takes the rows as they come",
			"say "+name+"(… order by …), or take min, max or arg_max")
	}
}

// isOrdered reports whether an aggregate is told in which order to go.
func isOrdered(o object) bool { return len(o.object("order_bys").objects("orders")) > 0 }
