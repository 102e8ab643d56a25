package models

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Project is the set of models: goodhour's own with their settings, and those
// of an analyst.
type Project struct {
	// Own is the analyst's folder: name.sql becomes analyst.name, and
	// staging/, intermediate/, marts/, audience/ and analyst/ hold models of
	// those schemas. Nil: none.
	Own fs.FS
	// Settings override those of settings.yaml, by name.
	Settings map[string]any

	// shipped stands in for the embedded models in tests.
	shipped fs.FS
}

// Graph is the models and what they read of each other.
type Graph struct {
	// nodes in the order in which they are built, goodhour's own first.
	nodes []*Node
	// metrics are the selects of the metric snapshots, by name. No run builds them.
	metrics []*Node
	// refused are an analyst's files that have no place in the graph: nothing
	// can read them.
	refused  []*Node
	byName   map[Relation]*Node
	settings settings
}

// Load reads the models. Any DuckDB connection will do, an empty one in memory
// too: only its parser is used. The error names every problem of goodhour's own
// models and of the settings; those of an analyst's are kept in the nodes.
func Load(ctx context.Context, conn *sql.Conn, project Project) (*Graph, error) {
	graph, err := load(ctx, conn, project)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, node := range slices.Concat(graph.nodes, graph.metrics) {
		if !node.Own {
			findings = append(findings, node.Problems...)
		}
	}
	return graph, asError(findings)
}

// load is Load that keeps the problems of goodhour's own models in the nodes too.
func load(ctx context.Context, db database, project Project) (*Graph, error) {
	if project.shipped == nil {
		project.shipped = shipped
	}
	graph := &Graph{byName: make(map[Relation]*Node)}
	var err error
	if graph.settings, err = readSettings(project.shipped, project.Settings); err != nil {
		return nil, err
	}
	folder, err := fs.Sub(project.shipped, "sql")
	if err != nil {
		return nil, fmt.Errorf("open the models: %w", err)
	}
	nodes, err := readModels(ctx, db, folder, false)
	if err != nil {
		return nil, err
	}
	nodes = append(nodes, graph.settings.node(), identityCustomersNode())
	if project.Own != nil {
		// A name that is mistyped in the configuration must not pass for a folder
		// without models.
		if _, err := fs.Stat(project.Own, "."); err != nil {
			return nil, fmt.Errorf("open the folder of your own models: %w", err)
		}
		own, err := readModels(ctx, db, project.Own, true)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, own...)
	}
	graph.add(nodes)
	graph.resolve()
	graph.order()
	return graph, nil
}

// add gives each node its name. Own nodes come last in the list.
func (g *Graph) add(nodes []*Node) {
	taken := make(map[Relation]*Node)
	for _, relation := range sources() {
		taken[relation] = nil
	}
	for _, node := range nodes {
		other, exists := taken[node.Relation]
		switch {
		case !exists:
			taken[node.Relation] = node
		case other == nil:
			node.problem("name", 0, node.Relation.String()+" is a table of the warehouse", "give the file another name")
		default:
			node.problem("name", 0, fmt.Sprintf("%s is already defined by %s", node.Relation, other.File), "give the file another name")
		}
		switch {
		case node.Own && len(node.Problems) > 0 && taken[node.Relation] != node:
			g.refused = append(g.refused, node)
		case node.Relation.Schema == metricSchema && !node.Own:
			g.metrics = append(g.metrics, node)
		default:
			g.nodes = append(g.nodes, node)
			if !exists {
				g.byName[node.Relation] = node
			}
		}
	}
	slices.SortFunc(g.metrics, func(a, b *Node) int { return a.Relation.Compare(b.Relation) })
}

// resolve finds the inputs of every node.
func (g *Graph) resolve() {
	var relations, ofOurs []Relation
	for relation, node := range g.byName {
		relations = append(relations, relation)
		if !node.Own {
			ofOurs = append(ofOurs, relation)
		}
	}
	relations, ofOurs = append(relations, sources()...), append(ofOurs, sources()...)
	for _, node := range slices.Concat(g.nodes, g.metrics) {
		switch {
		case node.tree == nil:
		case node.Own:
			node.resolve(relations)
		default:
			node.resolve(ofOurs)
		}
	}
}

// resolve sets the node's inputs, which must be among the known relations, and
// tells of what it may not read.
func (n *Node) resolve(known []Relation) {
	text := n.builder.definition()
	for _, r := range references(n.tree) {
		relation := Relation{strings.ToLower(r.schema), strings.ToLower(r.name)}
		if n.input(r.String(), relation, r.catalog, lineOf(text, r.offset), known) && !slices.Contains(n.Inputs, relation) {
			n.Inputs = append(n.Inputs, relation)
		}
	}
	slices.SortFunc(n.Inputs, Relation.Compare)
	for _, check := range n.Header.Checks {
		if check.Kind == CheckRowsMatch {
			n.input(check.Relation.String(), check.Relation, "", check.Line, known)
		}
	}
}

// input reports whether the node may read a relation, and tells why not.
func (n *Node) input(named string, relation Relation, catalog string, line int, known []Relation) bool {
	switch {
	case relation == n.Relation && catalog == "":
		n.problem("cycle", line, "it reads itself", "a run builds every relation anew: compute it from its inputs")
		return false
	case catalog != "" || !slices.Contains(known, relation):
		n.problem("unknown-relation", line, fmt.Sprintf("it reads %s, which is no model and no table of the warehouse", named),
			hint(relation, without(known, []Relation{n.Relation})))
		return false
	case !n.Own && !slices.Contains(layers[n.Relation.Schema], relation.Schema):
		n.problem("layer", line, fmt.Sprintf("a model in %s may not read %s", n.Relation.Schema, relation),
			"read one of "+strings.Join(layers[n.Relation.Schema], ", "))
		return false
	}
	return true
}

// hint proposes relations that may have been meant.
func hint(meant Relation, known []Relation) string {
	var same, siblings []string
	for _, relation := range slices.SortedFunc(slices.Values(known), Relation.Compare) {
		if relation.Name == meant.Name {
			same = append(same, relation.String())
		}
		if relation.Schema == meant.Schema {
			siblings = append(siblings, relation.Name)
		}
	}
	switch {
	case len(same) > 0:
		return "say " + strings.Join(same, " or ")
	case len(siblings) > 0:
		return meant.Schema + " has " + strings.Join(siblings, ", ")
	}
	return "write schema.name, such as marts.customers"
}

// order sorts the nodes so that each comes after what it reads, goodhour's own
// before an analyst's, else by name; and tells of cycles.
func (g *Graph) order() {
	slices.SortStableFunc(g.nodes, func(a, b *Node) int {
		if a.Own != b.Own {
			if a.Own {
				return 1
			}
			return -1
		}
		return a.Relation.Compare(b.Relation)
	})
	s := &sorter{byName: g.byName, state: make(map[*Node]visit)}
	for _, node := range g.nodes {
		if s.state[node] == 0 {
			s.visit(node)
		}
	}
	g.nodes = s.sorted
}

type visit uint8

const (
	visiting visit = iota + 1
	visited
)

// sorter is a depth-first walk; path is the way to where it stands.
type sorter struct {
	byName map[Relation]*Node
	state  map[*Node]visit
	path   []*Node
	sorted []*Node
}

func (s *sorter) visit(node *Node) {
	s.state[node] = visiting
	s.path = append(s.path, node)
	for _, relation := range slices.Concat(node.Inputs, node.checkInputs()) {
		input, ok := s.byName[relation]
		switch {
		case !ok:
		case s.state[input] == visiting:
			s.cycle(input)
		case s.state[input] == 0:
			s.visit(input)
		}
	}
	s.path = s.path[:len(s.path)-1]
	s.state[node] = visited
	s.sorted = append(s.sorted, node)
}

// cycle tells every node on the way from start back to start.
func (s *sorter) cycle(start *Node) {
	round := s.path[slices.Index(s.path, start):]
	var names []string
	for _, node := range round {
		names = append(names, node.Relation.String())
	}
	way := strings.Join(append(names, start.Relation.String()), " reads ")
	for _, node := range round {
		node.problem("cycle", 0, "it is part of a cycle: "+way,
			"take the step that both need into a relation of its own; the relation of a rows_match check counts as read")
	}
}

// closure is the nodes that the relations need, themselves included, in the
// order of a build; all nodes where no relation is named. The relations that
// checks read count as needed where withChecks is set.
func (g *Graph) closure(relations []Relation, withChecks bool) ([]*Node, error) {
	if len(relations) == 0 {
		return g.nodes, nil
	}
	needed := make(map[Relation]bool)
	var need func(Relation)
	need = func(relation Relation) {
		node, ok := g.byName[relation]
		if !ok || needed[relation] {
			return
		}
		needed[relation] = true
		for _, input := range node.Inputs {
			need(input)
		}
		if withChecks {
			for _, input := range node.checkInputs() {
				need(input)
			}
		}
	}
	for _, relation := range relations {
		if _, ok := g.byName[relation]; !ok {
			known := slices.Collect(maps.Keys(g.byName))
			return nil, fmt.Errorf("there is no model %s: %s", relation, hint(relation, known))
		}
		need(relation)
	}
	var out []*Node
	for _, node := range g.nodes {
		if needed[node.Relation] {
			out = append(out, node)
		}
	}
	return out, nil
}

// Nodes are the models in the order in which a run builds them.
func (g *Graph) Nodes() []*Node { return slices.Clone(g.nodes) }

// Version names the models, not the settings: equal versions make equal
// relations of equal facts, settings and as-of times.
func (g *Graph) Version() string {
	var all strings.Builder
	for _, node := range slices.Concat(g.nodes, g.metrics) {
		fmt.Fprintf(&all, "%s %s %d\n%s\n", node.Relation, node.File, len(node.builder.definition()), node.builder.definition())
	}
	return shortHash(all.String())
}

// ConfigHash names the settings in force.
func (g *Graph) ConfigHash() string { return g.settings.hash() }
