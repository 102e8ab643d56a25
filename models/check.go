package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// CheckResult is what a check found.
type CheckResult struct {
	// Check names it: what and of which columns.
	Check string `json:"check"`
	// Warn: a failure changes nothing.
	Warn bool `json:"warn,omitempty"`
	// Failed counts the rows, or for a grain and unique the keys, that break it.
	Failed int64 `json:"failed"`
	// Example is one of them, as JSON; the grain alone where there is one.
	Example string `json:"example,omitempty"`
	// Error is why the check could not be made, or what differs.
	Error    string        `json:"error,omitempty"`
	Duration time.Duration `json:"duration_ns"`
}

// OK reports whether it holds.
func (r CheckResult) OK() bool { return r.Failed == 0 && r.Error == "" }

func (r CheckResult) String() string {
	switch {
	case r.Error != "":
		return fmt.Sprintf("%s: %s", r.Check, r.Error)
	case r.Failed > 0:
		return fmt.Sprintf("%s: %d fail, such as %s", r.Check, r.Failed, r.Example)
	}
	return r.Check + ": ok"
}

// runChecks makes every check of a node whose relation stands. The error is the
// context's only: everything else is a result.
func runChecks(ctx context.Context, db database, node *Node, now func() time.Time) ([]CheckResult, error) {
	checks := []Check{{Kind: CheckColumns}}
	if node.Header.HasGrain {
		checks = append(checks, Check{Kind: CheckGrain, Columns: node.Header.Grain})
	}
	checks = append(checks, node.Header.Checks...)
	var results []CheckResult
	for _, check := range checks {
		started := now()
		result := CheckResult{Check: check.String(), Warn: check.Warn}
		var err error
		if check.Kind == CheckColumns {
			result.Error, err = compareColumns(ctx, db, node)
		} else {
			result.Failed, result.Example, err = countFailures(ctx, db, node, check)
		}
		if ctx.Err() != nil {
			return results, ctx.Err()
		}
		if err != nil {
			result.Error = firstLine(err.Error())
		}
		result.Duration = now().Sub(started)
		results = append(results, result)
	}
	return results, nil
}

// columnsOf returns the columns of a relation and their types in SQL. (The
// catalog's own function duckdb_columns looks at every relation that there is.)
func columnsOf(ctx context.Context, db database, relation Relation) (names, types []string, err error) {
	err = eachRow(ctx, db, func(rows *sql.Rows) error {
		var name, typ string
		err := rows.Scan(&name, &typ)
		names, types = append(names, name), append(types, typ)
		return err
	}, "select column_name, column_type from (describe "+relation.quoted()+")")
	return names, types, err
}

// compareColumns says where the columns differ from those of the header.
func compareColumns(ctx context.Context, db database, node *Node) (string, error) {
	if len(node.Header.Columns) == 0 {
		return "", nil
	}
	got, _, err := columnsOf(ctx, db, node.Relation)
	if err != nil {
		return "", err
	}
	return columnDifferences(node.Header.columnNames(), got), nil
}

// columnDifferences says how the columns of a select differ from those that a
// header documents; "" if they do not.
func columnDifferences(documented, made []string) string {
	var differences []string
	if missing := without(documented, made); len(missing) > 0 {
		differences = append(differences, "the header documents "+strings.Join(missing, ", ")+", which the select does not make")
	}
	if undocumented := without(made, documented); len(undocumented) > 0 {
		differences = append(differences, "the header does not document "+strings.Join(undocumented, ", "))
	}
	if len(differences) == 0 && !slices.Equal(made, documented) {
		differences = append(differences, "the header has another order; the select makes "+strings.Join(made, ", "))
	}
	return strings.Join(differences, "; ")
}

// without is the elements of a list that others has not.
func without[T comparable](list, others []T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(element T) bool { return slices.Contains(others, element) })
}

// countFailures counts the rows, or keys, of a relation that break a check.
func countFailures(ctx context.Context, db database, node *Node, check Check) (failed int64, example string, err error) {
	if isKey := check.Kind == CheckGrain || check.Kind == CheckUnique; isKey && len(check.Columns) > 0 {
		if clean, err := hashesDiffer(ctx, db, node.Relation, check); err != nil || clean {
			return 0, "", err
		}
	}
	query, args := failuresSQL(node.Relation, check)
	shown := "bad"
	if grain := node.Header.Grain; len(grain) > 0 && check.Kind != CheckUnique && check.Kind != CheckGrain {
		fields := make([]string, len(grain))
		for i, name := range grain {
			fields[i] = quote(name) + " := " + quote(name)
		}
		shown = "struct_pack(" + strings.Join(fields, ", ") + ")"
	}
	var first sql.NullString
	err = db.QueryRowContext(ctx, "select count(*), to_json(min("+shown+"))::varchar from ("+query+") as bad", args...).Scan(&failed, &first)
	return failed, first.String, err
}

// hashesDiffer reports whether no two keys can be equal, and none of a grain is
// null. Grouping 10 M keys by a 64-bit hash takes half the time and less than
// half the memory of grouping them by the texts themselves; two hashes that are
// equal, by chance or not, leave the answer to the keys.
func hashesDiffer(ctx context.Context, db database, relation Relation, check Check) (bool, error) {
	nulls := "false"
	if check.Kind == CheckGrain {
		nulls = anyNull(check.Columns)
	}
	var suspects int64
	err := db.QueryRowContext(ctx, "select count(*) from (select 1 from "+relation.quoted()+
		" group by hash("+quoteAll(check.Columns)+") having count(*) > 1 or bool_or("+nulls+"))").Scan(&suspects)
	return suspects == 0, err
}

// failuresSQL selects the rows, or keys, that break a check. The text of an
// expression was found to be one expression when its file was read.
func failuresSQL(relation Relation, check Check) (query string, args []any) {
	from := " from " + relation.quoted()
	columns := quoteAll(check.Columns)
	switch check.Kind {
	case CheckGrain, CheckUnique:
		if len(check.Columns) == 0 {
			return "select count(*) as row_count" + from + " having count(*) != 1", nil
		}
		having := " having count(*) > 1"
		if check.Kind == CheckGrain {
			having += " or " + anyNull(check.Columns)
		}
		return "select " + columns + ", count(*) as row_count" + from + " group by " + columns + having, nil
	case CheckNotNull:
		return "select *" + from + " where " + anyNull(check.Columns), nil
	case CheckAcceptedValues:
		for _, value := range check.Values {
			args = append(args, value)
		}
		return "select *" + from + " where " + columns + "::varchar not in (" + parameters(len(args)) + ")", args
	case CheckExpression:
		return "select *" + from + " where (\n" + check.Expression + "\n) is not true", nil
	case CheckRowsMatch:
		// In SQL a null equals nothing, so a key with one would never match.
		return "select *" + from + " anti join " + check.Relation.quoted() + " using (" + columns + ")" +
			" where not (" + anyNull(check.Columns) + ")", nil
	case CheckColumns:
	}
	panic("models: no query for check " + string(check.Kind))
}

func anyNull(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name) + " is null"
	}
	return strings.Join(quoted, " or ")
}

// failedChecks is the error of the checks that must hold and do not.
func failedChecks(results []CheckResult) error {
	var errs []error
	for _, result := range results {
		if !result.Warn && !result.OK() {
			errs = append(errs, errors.New("check "+result.String()))
		}
	}
	return errors.Join(errs...)
}
