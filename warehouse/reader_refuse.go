package warehouse

import (
	"fmt"
	"regexp"
	"strings"
)

// openDoors are the functions of DuckDB 1.5.5 that a locked, read-only instance
// still runs and that reach beyond the query. Everything else DuckDB refuses
// itself.
var openDoors = []struct{ name, does string }{
	// A log that cannot be written, and here none can, ends the whole process
	// when the connection is closed.
	{"enable_logging", "would log the queries of others"},
	{"disable_logging", "would change the instance's log"},
	// They print to this process's standard output.
	{"enable_profil", "would print to the server's output: use EXPLAIN ANALYZE"},
	{"enable_peg_parser", "would change how other queries are read"},
	{"disable_peg_parser", "would change how other queries are read"},
	// It runs SQL that is put together only when it runs, unseen by this check.
	{"json_execute_serialized_sql", "runs SQL that cannot be checked before"},
}

// pipeNames finds the ways to learn the name of the pipe that an export's result
// goes through. A query that read it would wait for itself for ever. The name
// is random, so who cannot learn it cannot use it.
var pipeNames = regexp.MustCompile(`(?i)\b(current_setting|duckdb_settings|pg_settings|current_query|show)\b`)

// checkExportSQL is CheckSQL for an export.
func checkExportSQL(sql string) error {
	if name := pipeNames.FindString(sql); name != "" {
		return &QueryError{
			Kind: QueryRefused, Message: name + " cannot be exported: it would tell what the export itself is made with",
			Hint: "run it as a query",
		}
	}
	return CheckSQL(sql)
}

// dynamicQuery finds a call of the table function query(), which also runs SQL
// that is put together when it runs. After the word may stand spaces, Unicode
// ones too, and comments; so anything but a plain continuation is taken for a
// call.
var dynamicQuery = regexp.MustCompile(`(?i)(^|[^a-z0-9_$])query"?[ \t\r\n]*([^a-z0-9_$ \t\r\n,;.)=<>!+*%|'":\]"]|$)`)

// CheckSQL refuses the few things that an analyst's SQL must not do and that
// DuckDB would let it do, in a query as in a model. The error is a *QueryError.
func CheckSQL(sql string) error {
	lower := strings.ToLower(sql)
	for _, door := range openDoors {
		if strings.Contains(lower, door.name) {
			return &QueryError{Kind: QueryRefused, Message: fmt.Sprintf("%s is not allowed: it %s", door.name, door.does)}
		}
	}
	if match := dynamicQuery.FindStringSubmatch(sql); match != nil && match[2] != "" {
		return &QueryError{
			Kind: QueryRefused, Message: "the function query() is not allowed: it runs SQL that cannot be checked before",
			Hint: "write the SQL itself; a column of that name is no trouble where a space, comma, dot or operator follows it",
		}
	}
	return nil
}
