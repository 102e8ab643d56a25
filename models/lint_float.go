package models

import (
	"maps"
	"slices"
	"strings"

	"github.com/goodhour/goodhour/ingest/event"
)

// The rule float-order. DuckDB's parser knows no types, so this follows DOUBLEs
// from where they show (a division, a cast, a logarithm, a table's column) through
// the names that selects give them, from model to model.

// names is a set of columns.
type names map[string]bool

func union(sets ...names) names {
	out := make(names)
	for _, set := range sets {
		maps.Copy(out, set)
	}
	return out
}

// floatCTE is a common table expression in scope, and its DOUBLE columns.
type floatCTE struct {
	name   string
	floats names
	outer  *floatCTE
}

// floatSources are the DOUBLE columns of the warehouse's tables.
func floatSources() map[Relation]names {
	out := make(map[Relation]names)
	for _, kind := range event.Kinds() {
		spec := kind.Spec()
		relation := Relation{"raw", spec.Table}
		out[relation] = make(names)
		for _, column := range spec.Columns {
			if column.Type == event.Float {
				out[relation][column.Name] = true
			}
		}
	}
	return out
}

// query tells of the unordered aggregates in a query and returns which of its
// columns are DOUBLE. outer are the DOUBLE columns around a subquery.
func (l *linter) query(q object, ctes *floatCTE, outer names) names {
	for _, c := range q.ctes() {
		ctes = &floatCTE{c.name, l.query(c.query, ctes, outer), ctes}
	}
	switch q.text("type") {
	case "SET_OPERATION_NODE":
		return union(l.query(q.object("left"), ctes, outer), l.query(q.object("right"), ctes, outer))
	case "RECURSIVE_CTE_NODE":
		first := l.query(q.object("left"), ctes, outer)
		return union(first, l.query(q.object("right"), &floatCTE{q.text("cte_name"), first, ctes}, outer))
	}
	source := l.from(q.object("from_table"), ctes, outer)
	visible := union(source, outer)
	for field, child := range q {
		if field != "cte_map" && field != "from_table" {
			l.aggregates(child, ctes, visible)
		}
	}
	out := make(names)
	for _, item := range q.objects("select_list") {
		switch {
		case item.text("class") == "STAR":
			maps.Copy(out, source)
		case isFloat(item, visible):
			out[outputName(item)] = true
		}
	}
	return out
}

// from returns the DOUBLE columns of what a select reads.
func (l *linter) from(table object, ctes *floatCTE, outer names) names {
	switch table.text("type") {
	case "BASE_TABLE":
		schema, name := strings.ToLower(table.text("schema_name")), strings.ToLower(table.text("table_name"))
		if schema != "" {
			return l.floats[Relation{schema, name}]
		}
		for c := ctes; c != nil; c = c.outer {
			if strings.EqualFold(c.name, name) {
				return c.floats
			}
		}
	case "JOIN":
		return union(l.from(table.object("left"), ctes, outer), l.from(table.object("right"), ctes, outer))
	case "SUBQUERY":
		return l.query(table.object("subquery").object("node"), ctes, outer)
	case "PIVOT":
		return l.from(table.object("source"), ctes, outer)
	}
	return nil
}

// addingAggregates round as they go where their argument is a DOUBLE.
var addingAggregates = []string{
	"sum", "avg", "mean", "favg", "fsum", "sumkahan", "kahan_sum", "product", "geomean", "geometric_mean",
	"stddev", "stddev_pop", "stddev_samp", "var_pop", "var_samp", "variance", "sem", "skewness", "kurtosis", "kurtosis_pop",
	"corr", "covar_pop", "covar_samp", "regr_slope", "regr_intercept", "regr_r2", "regr_sxx", "regr_sxy", "regr_syy",
	"regr_avgx", "regr_avgy",
}

// aggregates tells of the aggregates in an expression that add up DOUBLEs in
// the order in which the rows come.
func (l *linter) aggregates(value any, ctes *floatCTE, visible names) {
	if array, ok := value.([]any); ok {
		for _, element := range array {
			l.aggregates(element, ctes, visible)
		}
		return
	}
	o, ok := objectOf(value)
	if !ok {
		return
	}
	if subquery := o.object("subquery").object("node"); subquery != nil {
		l.query(subquery, ctes, visible)
		l.aggregates(o["child"], ctes, visible)
		return
	}
	name := o.text("function_name")
	if o.text("class") == "FUNCTION" && slices.Contains(addingAggregates, name) && !isOrdered(o) &&
		slices.ContainsFunc(o.objects("children"), func(child object) bool { return isFloat(child, visible) }) {
		l.found("float-order", o.offset(), name+"() over a DOUBLE depends on the order of the rows",
			"say "+name+"(… order by …), or cast the argument to a decimal")
	}
	for _, child := range o {
		l.aggregates(child, ctes, visible)
	}
}

var (
	// floatFunctions return a DOUBLE whatever they are given; division does.
	floatFunctions = []string{
		"/", "ln", "log", "log10", "log2", "exp", "sqrt", "cbrt", "pow", "power", "**", "^", "sin", "cos", "tan", "atan", "atan2", "pi",
		"radians", "degrees", "gamma", "lgamma", "epoch", "julian", "avg", "mean", "favg", "fsum", "sumkahan", "kahan_sum", "product",
		"stddev", "stddev_pop", "stddev_samp", "var_pop", "var_samp", "variance", "corr", "covar_pop", "covar_samp", "median",
		"quantile_cont", "percent_rank", "cume_dist", "entropy", "skewness", "kurtosis", "regr_slope", "regr_intercept", "regr_r2",
	}
	// likeArguments return a DOUBLE if they are given one.
	likeArguments = []string{
		"+", "-", "*", "%", "abs", "round", "ceil", "ceiling", "floor", "trunc", "least", "greatest", "ifnull", "nullif", "coalesce",
		"sum", "min", "max", "any_value", "first", "last", "arg_max", "arg_min", "max_by", "min_by", "quantile_disc", "mode",
		"lag", "lead", "first_value", "last_value", "nth_value",
	}
)

// isFloat reports whether an expression is a DOUBLE, as far as it shows.
func isFloat(o object, floats names) bool {
	anyOf := func(children []object) bool {
		return slices.ContainsFunc(children, func(child object) bool { return isFloat(child, floats) })
	}
	switch o.text("class") {
	case "CONSTANT":
		return isFloatType(o.object("value").object("type"))
	case "CAST":
		return isFloatType(o.object("cast_type"))
	case "COLUMN_REF":
		return floats[columnName(o)]
	case "FUNCTION", "WINDOW":
		name := o.text("function_name")
		return slices.Contains(floatFunctions, name) || (slices.Contains(likeArguments, name) && anyOf(o.objects("children")))
	case "OPERATOR":
		return o.text("type") == "OPERATOR_COALESCE" && anyOf(o.objects("children"))
	case "CASE":
		for _, branch := range o.objects("case_checks") {
			if isFloat(branch.object("then_expr"), floats) {
				return true
			}
		}
		return o.object("else_expr") != nil && isFloat(o.object("else_expr"), floats)
	}
	return false
}

func isFloatType(typ object) bool {
	return typ.text("id") == "DOUBLE" || typ.text("id") == "FLOAT"
}
