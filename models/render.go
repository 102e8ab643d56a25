package models

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteText writes the models in the order of a build, with what each reads.
func (g *Graph) WriteText(w io.Writer) error {
	var out strings.Builder
	for _, node := range g.all() {
		fmt.Fprintf(&out, "%s  (%s, %s)\n", node.Relation, node.kind(), node.File)
		if len(node.Inputs) > 0 {
			fmt.Fprintf(&out, "    reads %s\n", joinRelations(node.Inputs))
		}
		for _, problem := range node.Problems {
			fmt.Fprintf(&out, "    cannot be built: %s\n", problem)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// all is every file of the graph that is a model.
func (g *Graph) all() []*Node { return slices.Concat(g.nodes, g.refused) }

func joinRelations(relations []Relation) string {
	names := make([]string, len(relations))
	for i, relation := range relations {
		names[i] = relation.String()
	}
	return strings.Join(names, ", ")
}

// nodeJSON is a node as MarshalJSON writes it.
type nodeJSON struct {
	Relation     Relation     `json:"relation"`
	File         string       `json:"file"`
	Own          bool         `json:"own,omitempty"`
	Materialized string       `json:"materialized"`
	Doc          string       `json:"doc,omitempty"`
	Grain        []string     `json:"grain,omitempty"`
	Inputs       []Relation   `json:"inputs"`
	Columns      []columnJSON `json:"columns,omitempty"`
	Checks       []string     `json:"checks,omitempty"`
	Problems     []Finding    `json:"problems,omitempty"`
}

type columnJSON struct {
	Name string `json:"name"`
	Doc  string `json:"doc"`
}

// MarshalJSON writes an object with the list "models", in the order of a build.
func (g *Graph) MarshalJSON() ([]byte, error) {
	list := []nodeJSON{}
	for _, node := range g.all() {
		out := nodeJSON{
			Relation: node.Relation, File: node.File, Own: node.Own, Materialized: node.kind(), Doc: node.Header.Doc,
			Grain: node.Header.Grain, Inputs: append([]Relation{}, node.Inputs...), Problems: node.Problems,
		}
		for _, column := range node.Header.Columns {
			out.Columns = append(out.Columns, columnJSON(column))
		}
		for _, check := range node.Header.Checks {
			out.Checks = append(out.Checks, check.String())
		}
		list = append(list, out)
	}
	return json.Marshal(map[string]any{"models": list})
}

// WriteMermaid writes the graph as a Mermaid flowchart, a box for each schema.
func (g *Graph) WriteMermaid(w io.Writer) error {
	var relations []Relation
	for _, node := range g.nodes {
		relations = append(append(relations, node.Relation), node.Inputs...)
	}
	slices.SortFunc(relations, Relation.Compare)
	relations = slices.Compact(relations)

	id := func(r Relation) string { return r.Schema + "_" + r.Name }
	var out strings.Builder
	out.WriteString("flowchart LR\n")
	for i, relation := range relations {
		if i == 0 || relations[i-1].Schema != relation.Schema {
			fmt.Fprintf(&out, "  subgraph %s\n", relation.Schema)
		}
		fmt.Fprintf(&out, "    %s[%s]\n", id(relation), relation.Name)
		if i == len(relations)-1 || relations[i+1].Schema != relation.Schema {
			out.WriteString("  end\n")
		}
	}
	for _, node := range g.nodes {
		for _, input := range node.Inputs {
			fmt.Fprintf(&out, "  %s --> %s\n", id(input), id(node.Relation))
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}
