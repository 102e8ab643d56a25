package warehouse_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goodhour/goodhour/warehouse"
)

func TestTextForATerminal(t *testing.T) {
	t.Parallel()
	r := reader(t, warehouse.Limits{Rows: 4})
	for query, want := range map[string]string{
		"select * from (values (1, 'a', 1.50, null), (10, '日本語', -2.25, [1, 2]), (100, e'x\ny\x1b[31m', 0, [])) as t(n, word, amount, list)": "" +
			"n    word            amount  list\n" +
			"---  --------------  ------  -----\n" +
			"  1  a                 1.50  NULL\n" +
			" 10  日本語           -2.25  [1,2]\n" +
			"100  x\\ny\\u001b[31m    0.00  []\n" +
			"(3 rows)\n",
		"select 1 as one":                    "one\n---\n  1\n(1 row)\n",
		"select 1 as one where false":        "one\n---\n(0 rows)\n",
		"select range as n from range(1000)": "n\n-\n0\n1\n2\n3\n(the first 4 rows; an export has them all)\n",
		"select repeat('日', 40) as long":     "long\n" + strings.Repeat("-", 59) + "\n" + strings.Repeat("日", 29) + "…\n(1 row)\n",
		"set variable x = 1":                 "",
	} {
		table, err := r.Table(t.Context(), query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		var got strings.Builder
		if err := table.WriteText(&got); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(want, got.String()); diff != "" {
			t.Errorf("%s:\n%s", query, diff)
		}
	}
	table := warehouse.Table{Columns: []warehouse.Column{{Name: "a", Type: "VARCHAR"}}}
	if err := table.WriteText(&brokenWriter{}); err == nil {
		t.Error("a broken receiver was not noticed")
	}
}
