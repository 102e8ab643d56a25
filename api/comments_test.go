package api

import (
	"fmt"
	"net/http"
	"testing"
)

// Analysts and BI tools see what every column means in the file itself.
func TestEveryColumnOfThePublishedFileHasAComment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	answer := b.call(http.MethodPost, "/v1/sql", b.key("read"), `{"sql":"select count(*), string_agg(schema_name || '.' || table_name || '.' || column_name, ', ') filter (coalesce(comment, '') = '') from duckdb_columns() where schema_name in ('staging', 'intermediate', 'marts', 'audience', 'ops')"}`,
		"Content-Type", mediaJSON).is(http.StatusOK, "").json()
	row := answer["rows"].([]any)[0].([]any)
	if columns := fmt.Sprint(row[0]); columns == "0" || row[1] != nil {
		t.Errorf("of %s columns these have no comment: %v", columns, row[1])
	}
}
