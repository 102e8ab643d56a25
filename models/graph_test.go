package models

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func loadForTest(t *testing.T, project Project) *Graph {
	t.Helper()
	graph, err := load(t.Context(), openConn(t), project)
	if err != nil {
		t.Fatal(err)
	}
	return graph
}

// problemsOf is every finding of the files whose name contains name.
func problemsOf(graph *Graph, name string) string {
	var out []string
	for _, node := range append(graph.all(), graph.metrics...) {
		for _, problem := range node.Problems {
			if strings.Contains(node.File, name) {
				out = append(out, problem.Rule+": "+problem.String())
			}
		}
	}
	return strings.Join(out, "\n")
}

func TestNodesComeAfterWhatTheyRead(t *testing.T) {
	t.Parallel()
	graph := loadForTest(t, Project{
		shipped: shippedFolder(t,
			"audience/a.sql", "select i from marts.z",
			"marts/z.sql", "select i from intermediate.m",
			"marts/b.sql", "select i from marts.z join staging.s using (i)",
			"intermediate/m.sql", "with s as (select * from staging.s) select i from s",
			"staging/s.sql", "select 1 as i from RAW.Order_Completed",
		),
		Own: folder(t,
			"early.sql", "select i from analyst.later",
			"later.sql", "select * from marts.b",
			"audience/mine.sql", "select * from analyst.early join raw.order_refunded on true",
			"notes.txt", "not a model",
			".early.sql", "an editor's",
			"deeper/than/this.sql", "not a model either",
		),
	})
	var got []string
	for _, node := range graph.Nodes() {
		got = append(got, node.Relation.String()+" < "+joinRelations(node.Inputs))
	}
	want := []string{
		"staging.identity_customers < raw.identities, raw.identity_links, raw.identity_unlinks",
		"staging.s < raw.order_completed",
		"staging.settings < ",
		"intermediate.m < staging.s",
		"marts.z < intermediate.m",
		"marts.b < staging.s, marts.z",
		"audience.a < marts.z",
		"analyst.later < marts.b",
		"analyst.early < analyst.later",
		"audience.mine < raw.order_refunded, analyst.early",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if problems := problemsOf(graph, ""); problems != "" {
		t.Error(problems)
	}
}

func TestAModelMayReadOnlyWhatItsLayerAllows(t *testing.T) {
	t.Parallel()
	graph := loadForTest(t, Project{
		shipped: shippedFolder(t,
			"staging/s.sql", "select 1 as i",
			"marts/raw.sql", "select i\nfrom raw.order_completed",
			"marts/unqualified.sql", "select i from s",
			"marts/misspelt.sql", "select i\nfrom staging.customer",
			"marts/pii.sql", "select i from pii.identifiers",
			"marts/catalog.sql", "select i from other.staging.s",
			"marts/own.sql", "select i from analyst.mine",
			"marts/itself.sql", "select i from marts.itself",
			"staging/late.sql", "select i from marts.raw",
			"staging/clash.sql", "select 1 as i",
			"marts/file.sql", "select i from read_csv('orders.csv'), 'x.parquet'",
			"marts/query.sql", "select i from query_table('pii.identifiers')",
			"marts/catalogue.sql", "select i from (show tables)",
			"marts/view.sql", "/* goodhour\ndoc: a\ngrain: []\nmaterialized: view\ncolumns: {i: a}\n*/ select getvariable('as_of') as i",
			"marts/bare.sql", "select 1 as i /* goodhour */",
			"nowhere/a.sql", "select 1 as i",
			"marts/Big.sql", "select 1 as i",
		),
		Own: folder(t, "mine.sql", "select 1 as i"),
	})
	f := func(file, want string) {
		t.Helper()
		if got := problemsOf(graph, file); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", file, got, want)
		}
	}
	f("marts/raw.sql", "layer: marts/raw.sql:8: a model in marts may not read raw.order_completed; read one of staging")
	f("unqualified", "it reads s, which is no model and no table of the warehouse; say staging.s")
	f("misspelt", "unknown-relation: marts/misspelt.sql:8: it reads staging.customer, which is no model and no table of the warehouse; "+
		"staging has clash, identity_customers, late, s, settings")
	f("pii", "it reads pii.identifiers, which is no model")
	f("catalog.sql", "it reads other.staging.s, which is no model")
	f("marts/own.sql", "it reads analyst.mine, which is no model")
	f("itself", "cycle: marts/itself.sql:7: it reads itself")
	f("late", "a model in staging may not read marts.raw")
	f("marts/file.sql", "outside: marts/file.sql:7: read_csv reads what is no relation of the graph")
	f("marts/file.sql", "it reads x.parquet, which is no model")
	f("marts/query.sql", "query_table reads what is no relation of the graph")
	f("catalogue", "read the catalog")
	f("marts/view.sql", "a view is computed by its readers, who have no as_of")
	f("bare", "the file has no header")
	f("nowhere", "there is no schema nowhere")
	f("Big", `"Big" is no name for a relation`)

	_, err := Load(t.Context(), openConn(t), Project{shipped: shippedFolder(t, "marts/a.sql", "select i from b", "marts/c.sql", "selec")})
	if err == nil || !strings.Contains(err.Error(), "marts/a.sql:7: it reads b") || !strings.Contains(err.Error(), "marts/c.sql:7: syntax error") {
		t.Errorf("the error does not name every problem: %v", err)
	}
}

func TestCyclesAreToldWithTheirPath(t *testing.T) {
	t.Parallel()
	graph := loadForTest(t, Project{
		shipped: shippedFolder(t,
			"marts/a.sql", "select i from marts.b",
			"marts/b.sql", "select i from marts.c",
			"marts/c.sql", "select i from marts.a",
			"marts/d.sql", "select i from marts.c",
			"marts/x.sql", "/* goodhour\ndoc: a\ngrain: []\nchecks: [rows_match: {relation: marts.y, on: [i]}]\ncolumns: {i: a}\n*/ select 1 as i",
			"marts/y.sql", "select i from marts.x",
		),
	})
	const path = "it is part of a cycle: marts.a reads marts.b reads marts.c reads marts.a"
	for _, file := range []string{"marts/a.sql", "marts/b.sql", "marts/c.sql"} {
		if got := problemsOf(graph, file); !strings.Contains(got, path) {
			t.Errorf("%s: got %q", file, got)
		}
	}
	if got := problemsOf(graph, "marts/d.sql"); got != "" {
		t.Errorf("a model that reads a cycle is no part of it: %s", got)
	}
	if got := problemsOf(graph, "marts/y.sql"); !strings.Contains(got, "marts.x reads marts.y reads marts.x") {
		t.Errorf("a check that closes a cycle: got %q", got)
	}
}

func TestAnAnalystCannotTakeTheNameOfAModel(t *testing.T) {
	t.Parallel()
	graph := loadForTest(t, Project{
		shipped: shippedFolder(t, "marts/a.sql", "select 1 as i"),
		Own: folder(t,
			"marts/a.sql", "select 2 as i",
			"reader.sql", "select i from marts.a",
			"metrics/m.sql", "select 1 as i",
			"x.sql", "select 1 as i",
			"analyst/x.sql", "select 1 as i",
		),
	})
	if got := problemsOf(graph, "marts/a.sql"); got != "name: marts/a.sql: marts.a is already defined by marts/a.sql; give the file another name" {
		t.Errorf("got %q", got)
	}
	if got := problemsOf(graph, "analyst/x.sql"); !strings.Contains(got, "analyst.x is already defined by x.sql") {
		t.Errorf("got %q", got)
	}
	if got := problemsOf(graph, "reader.sql"); got != "" {
		t.Errorf("who reads goodhour's own has no problem: %s", got)
	}
	if len(graph.metrics) > 0 || !strings.Contains(problemsOf(graph, "metrics/m.sql"), "no schema metrics") {
		t.Error("an analyst's folder may not add metrics")
	}
}

func TestVersionChangesWithTheModelsAndHashWithTheSettings(t *testing.T) {
	t.Parallel()
	type identity struct{ version, hash string }
	of := func(project Project) identity {
		graph := loadForTest(t, project)
		return identity{graph.Version(), graph.ConfigHash()}
	}
	base := of(Project{shipped: shippedFolder(t, "marts/a.sql", "select 1 as i")})
	if again := of(Project{shipped: shippedFolder(t, "marts/a.sql", "select 1 as i")}); again != base {
		t.Errorf("the same models: %v and %v", base, again)
	}
	if other := of(Project{shipped: shippedFolder(t, "marts/a.sql", "select 2 as i")}); other.version == base.version || other.hash != base.hash {
		t.Errorf("another text: %v and %v", base, other)
	}
	if other := of(Project{shipped: shippedFolder(t, "marts/a.sql", "select 1 as i"), Own: folder(t, "b.sql", "select 1")}); other.version == base.version {
		t.Errorf("an analyst's model more: %v and %v", base, other)
	}
	set := of(Project{shipped: shippedFolder(t, "marts/a.sql", "select 1 as i"), Settings: map[string]any{"hot_days": 3}})
	if set.version != base.version || set.hash == base.hash {
		t.Errorf("another setting: %v and %v", base, set)
	}
}

func TestAFolderOfOwnModelsMustBeThere(t *testing.T) {
	t.Parallel()
	_, err := Load(t.Context(), openConn(t), Project{shipped: shippedFolder(t), Own: os.DirFS(t.TempDir() + "/mistyped")})
	if err == nil || !strings.Contains(err.Error(), "open the folder of your own models: ") {
		t.Errorf("got %v", err)
	}
}

func TestGraphIsDrawn(t *testing.T) {
	t.Parallel()
	graph := loadForTest(t, Project{
		shipped: shippedFolder(t, "marts/a.sql", "-- columns: i\nselect 1 as i from staging.settings"),
		Own:     folder(t, "b.sql", "select i from marts.a", "c.sql", "select i from marts.nothing"),
	})
	var text, mermaid strings.Builder
	if err := graph.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	wantText := `staging.identity_customers  (table, identity.Components)
    reads raw.identities, raw.identity_links, raw.identity_unlinks
staging.settings  (table, settings.yaml)
marts.a  (table, marts/a.sql)
    reads staging.settings
analyst.b  (table, b.sql)
    reads marts.a
analyst.c  (table, c.sql)
    cannot be built: c.sql:1: it reads marts.nothing, which is no model and no table of the warehouse; marts has a
`
	if diff := cmp.Diff(wantText, text.String()); diff != "" {
		t.Error(diff)
	}
	if err := graph.WriteMermaid(&mermaid); err != nil {
		t.Fatal(err)
	}
	wantMermaid := `flowchart LR
  subgraph raw
    raw_identities[identities]
    raw_identity_links[identity_links]
    raw_identity_unlinks[identity_unlinks]
  end
  subgraph staging
    staging_identity_customers[identity_customers]
    staging_settings[settings]
  end
  subgraph marts
    marts_a[a]
  end
  subgraph analyst
    analyst_b[b]
    analyst_c[c]
  end
  raw_identities --> staging_identity_customers
  raw_identity_links --> staging_identity_customers
  raw_identity_unlinks --> staging_identity_customers
  staging_settings --> marts_a
  marts_a --> analyst_b
`
	if diff := cmp.Diff(wantMermaid, mermaid.String()); diff != "" {
		t.Error(diff)
	}
	data, err := json.Marshal(graph)
	if err != nil {
		t.Fatal(err)
	}
	var decoded struct {
		Models []struct {
			Relation string
			Inputs   []string
			Columns  []struct{ Name, Doc string }
		}
	}
	if err := json.Unmarshal(data, &decoded); err != nil {
		t.Fatal(err)
	}
	a := decoded.Models[2]
	if a.Relation != "marts.a" || len(a.Inputs) != 1 || a.Inputs[0] != "staging.settings" || a.Columns[0].Doc != "a column" {
		t.Errorf("marts.a in JSON: %+v", a)
	}
}
