package source

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// SelectError is what DuckDB says against a select itself.
type SelectError struct {
	// Line of the select that is at fault, from 1.
	Line int
	// Message says what is wrong and quotes only the select.
	Message string
}

func (e *SelectError) Error() string {
	return fmt.Sprintf("line %d of the select: %s", e.Line, e.Message)
}

// linesBefore is how many lines of the query stand before the select.
var linesBefore = strings.Count(picked, "\n")

// checkSelect lets one select through, and nothing else.
func (e *engine) checkSelect(ctx context.Context, query string) error {
	var failed bool
	var message, position *string
	var statements int
	err := e.conn.QueryRowContext(ctx, `
		with parsed as (select json_serialize_sql(?::varchar) as tree)
		select (tree ->> 'error')::boolean, tree ->> 'error_message', tree ->> 'position',
			coalesce(json_array_length(tree, 'statements'), 0)
		from parsed`, query).Scan(&failed, &message, &position, &statements)
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return selectFault(err, 0)
	case failed && message != nil:
		fault := &SelectError{Line: 1, Message: *message}
		if position != nil {
			if at, err := strconv.Atoi(*position); err == nil && at <= len(query) {
				fault.Line += strings.Count(query[:at], "\n")
			}
		}
		return fault
	case failed || statements != 1:
		return &SelectError{Line: 1, Message: fmt.Sprintf("want one select, got %d statements", statements)}
	}
	return nil
}

// atLine is how DuckDB points into a query, behind its message.
var atLine = regexp.MustCompile(`(?s)\s*LINE (\d+):.*`)

// selectFault is what DuckDB says of a query whose select stands behind so many lines.
func selectFault(err error, before int) error {
	var fault *duckdb.Error
	if !errors.As(err, &fault) {
		return err
	}
	out := &SelectError{Line: 1, Message: atLine.ReplaceAllString(fault.Msg, "")}
	if found := atLine.FindStringSubmatch(fault.Msg); found != nil {
		if line, err := strconv.Atoi(found[1]); err == nil {
			out.Line = max(1, line-before)
		}
	}
	return out
}
