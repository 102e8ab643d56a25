package warehouse

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

// opsComments says what the columns of schema ops mean in a published file: a
// line "table.column: words" each. Models say it of their own.
//
//go:embed comments.txt
var opsComments string

// commentOps puts the comments on the columns that the file has.
func commentOps(ctx context.Context, build *sql.DB) error {
	var columns string
	err := build.QueryRowContext(ctx, `
		select coalesce(string_agg(table_name || '.' || column_name, ' '), '') from duckdb_columns() where schema_name = 'ops'`).Scan(&columns)
	if err != nil {
		return fmt.Errorf("list the columns of ops: %w", err)
	}
	there := strings.Fields(columns)
	var statements strings.Builder
	for line := range strings.Lines(opsComments) {
		name, words, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if table, column, _ := strings.Cut(name, "."); slices.Contains(there, name) {
			statements.WriteString("comment on column ops." + quoteName(table) + "." + quoteName(column) + " is " + quoteText(words) + ";\n")
		}
	}
	if _, err := build.ExecContext(ctx, statements.String()); err != nil {
		return fmt.Errorf("comment on the columns of ops: %w", err)
	}
	return nil
}
