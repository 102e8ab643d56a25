package models

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/tools/txtar"
)

// TestOptions are how model tests are run.
type TestOptions struct {
	// Open returns a new DuckDB, in memory, that holds the warehouse's tables,
	// all empty. Each test gets one of its own, and closes it.
	Open func(ctx context.Context) (*sql.DB, error)
	// Project is the models under test. A test's own settings win.
	Project Project
}

// TestResult is what became of one test.
type TestResult struct {
	// File of the test.
	File string `json:"file"`
	// Error is why the test could not be run.
	Error string `json:"error,omitempty"`
	// Diff shows the rows that only the test (-) or only the model (+) has.
	Diff string `json:"diff,omitempty"`
	// Updated is the file with the model's rows where they differ.
	Updated []byte `json:"-"`
}

// OK reports whether the test passes.
func (r TestResult) OK() bool { return r.Error == "" && r.Diff == "" }

// RunTests runs the tests in a folder: its files *.txtar, and those of them
// alone whose name without the ending matches pattern, unless that is empty
// (the syntax is that of [path.Match]).
//
// A test is a txtar archive: free text, then
//
//	-- as_of --
//	2026-03-01T00:00:00Z
//	-- settings.yaml --
//	heat_hot_days: 3
//	-- given/raw.order_completed.csv --
//	-- want/marts.customers.csv --
//
// Settings are optional. What is given is some columns of a relation, the
// others are null; a table of the warehouse that is not given is empty, and a
// model that is given is not computed. What is wanted is some columns of a
// relation and all of its rows, in any order. In a cell nothing is null and ”
// is the empty text. DOUBLE values are compared with 12 digits.
func RunTests(ctx context.Context, folder fs.FS, pattern string, options TestOptions) ([]TestResult, error) {
	files, err := fs.Glob(folder, "*.txtar")
	if err != nil {
		return nil, fmt.Errorf("list the model tests: %w", err)
	}
	var results []TestResult
	for _, file := range files {
		if pattern != "" {
			matches, err := path.Match(pattern, strings.TrimSuffix(file, ".txtar"))
			if err != nil {
				return nil, fmt.Errorf("match the names of model tests with %q: %w", pattern, err)
			}
			if !matches {
				continue
			}
		}
		data, err := fs.ReadFile(folder, file)
		if err != nil {
			return nil, fmt.Errorf("read a model test: %w", err)
		}
		result, err := runTest(ctx, data, options)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			result.Error = err.Error()
		}
		result.File = file
		results = append(results, result)
	}
	return results, nil
}

// modelTest is a test as its file says it.
type modelTest struct {
	asOf     time.Time
	settings map[string]any
	given    []rowset
	want     []rowset
}

// rowset is the rows of a relation in a test.
type rowset struct {
	relation Relation
	section  int // index of its file in the archive
	columns  []string
	rows     [][]string
}

func parseTest(archive *txtar.Archive) (*modelTest, error) {
	test := &modelTest{}
	for i, file := range archive.Files {
		text := strings.TrimSpace(string(file.Data))
		kind, name, _ := strings.Cut(file.Name, "/")
		var err error
		switch kind {
		case "as_of":
			test.asOf, err = time.Parse(time.RFC3339Nano, text)
		case settingsFile:
			test.settings, err = parseOverrides(text)
		case "given", "want":
			var rows rowset
			if rows, err = parseRows(name, file.Data); err != nil {
				break
			}
			rows.section = i
			if kind == "given" {
				test.given = append(test.given, rows)
			} else {
				test.want = append(test.want, rows)
			}
		default:
			err = errors.New("a test has the sections as_of, settings.yaml, given/schema.name.csv and want/schema.name.csv")
		}
		if err != nil {
			return nil, fmt.Errorf("section %s: %w", file.Name, err)
		}
	}
	switch {
	case test.asOf.IsZero():
		return nil, errors.New("there is no section as_of")
	case len(test.want) == 0:
		return nil, errors.New("there is no section want/schema.name.csv")
	}
	return test, nil
}

// parseOverrides reads settings as a test or a configuration writes them.
func parseOverrides(text string) (map[string]any, error) {
	document, err := parseYAML(text)
	if err != nil || document.kind == isNull {
		return nil, err
	}
	if err := document.expect(isMapping, "the settings"); err != nil {
		return nil, err
	}
	out := make(map[string]any)
	for _, e := range document.entries {
		if out[e.key], err = e.scalar(e.key); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func parseRows(name string, data []byte) (rowset, error) {
	relation, err := ParseRelation(strings.TrimSuffix(name, ".csv"))
	if err != nil {
		return rowset{}, err
	}
	records, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		return rowset{}, err
	}
	out := rowset{relation: relation}
	if len(records) > 0 {
		out.columns, out.rows = records[0], records[1:]
	}
	return out, nil
}

func runTest(ctx context.Context, data []byte, options TestOptions) (result TestResult, err error) {
	archive := txtar.Parse(data)
	test, err := parseTest(archive)
	if err != nil {
		return TestResult{}, err
	}
	db, err := options.Open(ctx)
	if err != nil {
		return TestResult{}, fmt.Errorf("open a database for the test: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return TestResult{}, fmt.Errorf("open a database for the test: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := test.build(ctx, conn, options.Project); err != nil {
		return TestResult{}, err
	}
	for _, want := range test.want {
		diff, updated, err := compareRows(ctx, conn, want)
		if err != nil {
			return TestResult{}, fmt.Errorf("compare %s: %w", want.relation, err)
		}
		if diff != "" {
			name := archive.Files[want.section].Name
			result.Diff += fmt.Sprintf("%s\n%s", name, diff)
			archive.Files[want.section].Data = updated
		}
	}
	result.Updated = txtar.Format(archive)
	return result, nil
}

// build makes what the test wants of what it gives.
func (t *modelTest) build(ctx context.Context, conn *sql.Conn, project Project) error {
	overrides := maps.Clone(project.Settings)
	if overrides == nil {
		overrides = make(map[string]any)
	}
	maps.Copy(overrides, t.settings)
	project.Settings = overrides
	graph, err := Load(ctx, conn, project)
	if err != nil {
		return err
	}
	nodes, err := graph.wanted(t.want)
	if err != nil {
		return err
	}
	if err := prepareSession(ctx, conn, t.asOf); err != nil {
		return err
	}
	given := make(map[Relation]rowset)
	for _, rows := range t.given {
		given[rows.relation] = rows
		if slices.Contains(sources(), rows.relation) {
			if err := giveRows(ctx, conn, rows, "table"); err != nil {
				return err
			}
			continue
		}
		if !slices.ContainsFunc(nodes, func(n *Node) bool { return n.Relation == rows.relation }) {
			return fmt.Errorf("%s is given, and nothing that is wanted reads it", rows.relation)
		}
	}
	for _, node := range nodes {
		if len(node.Problems) > 0 {
			return asError(node.Problems)
		}
		if err := createRelation(ctx, conn, node); err != nil {
			return fmt.Errorf("build %s (%s): %w", node.Relation, node.File, err)
		}
		if difference, err := compareColumns(ctx, conn, node); err != nil || difference != "" {
			return errors.Join(err, fmt.Errorf("%s (%s): %s", node.Relation, node.File, difference))
		}
		if rows, ok := given[node.Relation]; ok {
			if err := giveRows(ctx, conn, rows, node.kind()); err != nil {
				return err
			}
		}
	}
	return nil
}

// wanted is the nodes that a test's relations need, metrics among them.
func (g *Graph) wanted(want []rowset) ([]*Node, error) {
	var relations []Relation
	var metrics []*Node
	for _, rows := range want {
		i := slices.IndexFunc(g.metrics, func(n *Node) bool { return n.Relation == rows.relation })
		if i < 0 {
			relations = append(relations, rows.relation)
			continue
		}
		metrics = append(metrics, g.metrics[i])
		relations = append(relations, g.metrics[i].Inputs...)
	}
	nodes, err := g.closure(relations, false)
	return append(slices.Clone(nodes), metrics...), err
}

// giveRows replaces a relation by a table of the same columns, free of
// constraints, that holds the rows of the test.
func giveRows(ctx context.Context, db database, given rowset, kind string) error {
	const stand = "given_rows"
	relation := given.relation
	types, err := columnTypes(ctx, db, relation, given.columns)
	if err != nil {
		return fmt.Errorf("give %s: %w", relation, err)
	}
	for _, statement := range []string{
		"create table " + quote(relation.Schema) + "." + stand + " as select * from " + relation.quoted() + " limit 0",
		"drop " + kind + " " + relation.quoted(),
		"alter table " + quote(relation.Schema) + "." + stand + " rename to " + quote(relation.Name),
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("give %s: %w", relation, err)
		}
	}
	if err := insertRows(ctx, db, relation.quoted(), given, types); err != nil {
		return fmt.Errorf("give %s: %w", relation, err)
	}
	return nil
}

// columnTypes returns the SQL types of columns, which must all be there.
func columnTypes(ctx context.Context, db database, relation Relation, columns []string) ([]string, error) {
	names, types, err := columnsOf(ctx, db, relation)
	if err != nil {
		return nil, err
	}
	if unknown := without(columns, names); len(unknown) > 0 {
		return nil, fmt.Errorf("it has no column %s; it has %s", strings.Join(unknown, ", "), strings.Join(names, ", "))
	}
	out := make([]string, len(columns))
	for i, column := range columns {
		out[i] = types[slices.Index(names, column)]
	}
	return out, nil
}

func insertRows(ctx context.Context, db database, table string, rows rowset, types []string) error {
	if len(rows.rows) == 0 {
		return nil
	}
	casts := make([]string, len(types))
	for i, typ := range types {
		casts[i] = "?::varchar::" + typ
	}
	insert := "insert into " + table + " (" + quoteAll(rows.columns) + ") values (" + strings.Join(casts, ", ") + ")"
	for i, row := range rows.rows {
		args := make([]any, len(row))
		for j, cell := range row {
			switch cell {
			case "":
			case emptyText:
				args[j] = ""
			default:
				args[j] = cell
			}
		}
		if _, err := db.ExecContext(ctx, insert, args...); err != nil {
			return fmt.Errorf("row %d: %s", i+1, firstLine(err.Error()))
		}
	}
	return nil
}

// emptyText is how a test writes the empty text; an empty cell is null.
const emptyText = "''"

// compareRows shows how a relation differs from what is wanted, and what the
// section would say. No difference is "".
func compareRows(ctx context.Context, db database, want rowset) (diff string, updated []byte, err error) {
	if len(want.columns) == 0 {
		if want.columns, _, err = columnsOf(ctx, db, want.relation); err != nil {
			return "", nil, err
		}
	}
	types, err := columnTypes(ctx, db, want.relation, want.columns)
	if err != nil {
		return "", nil, err
	}
	// Through a table of the same types "1.50" and "1.5" are the same decimal.
	const wanted = "temp.wanted_rows"
	_, err = db.ExecContext(ctx, "create or replace temp table wanted_rows as select "+quoteAll(want.columns)+
		" from "+want.relation.quoted()+" limit 0")
	if err != nil {
		return "", nil, err
	}
	if err := insertRows(ctx, db, wanted, want, types); err != nil {
		return "", nil, err
	}
	wantRows, err := rowsAsText(ctx, db, wanted, want.columns, types)
	if err != nil {
		return "", nil, err
	}
	gotRows, err := rowsAsText(ctx, db, want.relation.quoted(), want.columns, types)
	if err != nil {
		return "", nil, err
	}
	missing, surplus := subtractRows(wantRows, gotRows), subtractRows(gotRows, wantRows)
	if len(missing) == 0 && len(surplus) == 0 {
		return "", nil, nil
	}
	var out strings.Builder
	fmt.Fprintf(&out, "  %s\n", csvLine(want.columns))
	for _, row := range missing {
		fmt.Fprintf(&out, "- %s\n", row)
	}
	for _, row := range surplus {
		fmt.Fprintf(&out, "+ %s\n", row)
	}
	return out.String(), []byte(csvLine(want.columns) + "\n" + strings.Join(append(gotRows, ""), "\n")), nil
}

// rowsAsText returns the rows in the order of all columns, each as a line of CSV.
func rowsAsText(ctx context.Context, db database, table string, columns, types []string) ([]string, error) {
	cells := make([]string, len(columns))
	for i, column := range columns {
		cells[i] = quote(column) + "::varchar"
		if types[i] == "DOUBLE" || types[i] == "FLOAT" {
			// Beyond 12 digits the last bits of a machine's arithmetic show.
			cells[i] = "format('{:.12g}', " + quote(column) + "::double)"
		}
	}
	texts, targets := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range texts {
		targets[i] = &texts[i]
	}
	var out []string
	err := eachRow(ctx, db, func(rows *sql.Rows) error {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		line := make([]string, len(texts))
		for i, text := range texts {
			line[i] = text.String
			if text.Valid && text.String == "" {
				line[i] = emptyText
			}
		}
		out = append(out, csvLine(line))
		return nil
	}, "select "+strings.Join(cells, ", ")+" from "+table+" order by all")
	return out, err
}

func csvLine(cells []string) string {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	// A buffer takes every write.
	_ = w.Write(cells)
	w.Flush()
	return strings.TrimSuffix(out.String(), "\n")
}

// subtractRows is the rows of a that b has less often.
func subtractRows(a, b []string) []string {
	count := make(map[string]int)
	for _, row := range b {
		count[row]++
	}
	var out []string
	for _, row := range a {
		if count[row]--; count[row] < 0 {
			out = append(out, row)
		}
	}
	return out
}
