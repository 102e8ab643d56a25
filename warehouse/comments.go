package warehouse

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"strings"
)

// opsComments says what the columns of schema ops mean in a published file: a
// line "table.column: words" each. Models say it of their own.
//
//go:embed comments.txt
var opsComments string

// commentOps puts the comments on the columns that the file has.
func commentOps(ctx context.Context, build *sql.DB) error {
	for line := range strings.Lines(opsComments) {
		name, words, _ := strings.Cut(strings.TrimSpace(line), ": ")
		table, column, _ := strings.Cut(name, ".")
		var there bool
		err := build.QueryRowContext(ctx,
			"select count(*) > 0 from duckdb_columns() where schema_name = 'ops' and table_name = ? and column_name = ?", table, column).Scan(&there)
		if err == nil && there {
			_, err = build.ExecContext(ctx, "comment on column ops."+quoteName(table)+"."+quoteName(column)+" is "+quoteText(words))
		}
		if err != nil {
			return fmt.Errorf("comment on ops.%s: %w", name, err)
		}
	}
	return nil
}
