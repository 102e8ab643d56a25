package fileimport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// The columns of the view "file" that are not the file's own.
const (
	viewFilename = "filename"
	viewLine     = "line"
)

// viewColumns are the names that the headings of all files have in the view
// "file": themselves, or with _2, _3 behind where a name is taken. SQL does
// not tell case apart.
func viewColumns(headings []string) []string {
	taken := map[string]bool{viewFilename: true, viewLine: true}
	names := make([]string, len(headings))
	for i, h := range headings {
		if h == "" || strings.ContainsRune(h, 0) {
			h = "column" + strconv.Itoa(i+1)
		}
		name := h
		for n := 2; taken[strings.ToLower(name)]; n++ {
			name = fmt.Sprintf("%s_%d", h, n)
		}
		taken[strings.ToLower(name)] = true
		names[i] = name
	}
	return names
}

// loadView makes the relation "file" of all files, columns matched by name.
func (s *stage) loadView(ctx context.Context, o *Options, inputs []*input, reject func(place, Reason), progress func(int)) error {
	names := make([][]string, len(inputs))
	var union []string
	for i, in := range inputs {
		names[i] = viewColumns(in.headings)
		for _, name := range names[i] {
			if !slices.ContainsFunc(union, func(u string) bool { return strings.EqualFold(u, name) }) {
				union = append(union, name)
			}
		}
	}
	if len(union) > o.Limits.Columns {
		return refuse("the files have %d columns together, the limit is %d", len(union), o.Limits.Columns)
	}
	parquet := slices.ContainsFunc(inputs, func(in *input) bool { return in.format == formatParquet })
	text := slices.ContainsFunc(inputs, func(in *input) bool { return in.format != formatParquet })
	if parquet && text {
		return refuse("a select reads either Parquet files or text files, not both at once: import them one after the other")
	}
	if parquet {
		return s.viewParquet(ctx, inputs, names)
	}
	return s.viewText(ctx, o, inputs, names, union, reject, progress)
}

func (s *stage) viewText(ctx context.Context, o *Options, inputs []*input, names [][]string, union []string, reject func(place, Reason), progress func(int)) error {
	var ddl strings.Builder
	for _, name := range union {
		ddl.WriteString(", " + quoteName(name) + " varchar")
	}
	if err := s.exec(ctx, "create table file (filename varchar, line bigint"+ddl.String()+")"); err != nil {
		return fmt.Errorf("create the view file: %w", err)
	}
	for i, in := range inputs {
		positions := make([]int, len(union))
		for j, u := range union {
			positions[j] = slices.IndexFunc(names[i], func(n string) bool { return strings.EqualFold(n, u) })
		}
		err := s.appendText(ctx, o, "file", in.name, in, positions, func(at int64, why Reason) { reject(place{i, at}, why) }, progress)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) viewParquet(ctx context.Context, inputs []*input, names [][]string) error {
	var parts []string
	for i, in := range inputs {
		var list strings.Builder
		for j, heading := range in.headings {
			list.WriteString(", " + quoteName(heading) + " as " + quoteName(names[i][j]))
		}
		parts = append(parts, "select "+quoteText(in.name)+" as filename, file_row_number + 1 as line"+list.String()+
			" from "+s.parquet(i))
	}
	if err := s.exec(ctx, "create view file as "+strings.Join(parts, " union all by name ")); err != nil {
		return fmt.Errorf("create the view file: %w", err)
	}
	return nil
}

// stageSelect fills the staging table with what the user's select gives, and
// returns the mapping that its output columns are.
func (s *stage) stageSelect(ctx context.Context, o *Options, inputs []*input) (*mapping, error) {
	if err := s.checkSelect(ctx, o.Select); err != nil {
		return nil, err
	}
	// A view takes the text as it is, with a semicolon or a comment at its end.
	if err := s.exec(ctx, "create view picked as\n"+o.Select); err != nil {
		return nil, refuse("the select does not run: %v", err)
	}
	names, kinds, err := s.describe(ctx, "picked")
	if err != nil {
		return nil, fmt.Errorf("describe the select: %w", err)
	}
	m := &mapping{}
	at, file := "row_number() over ()", "-1"
	var list strings.Builder
	var problems []string
	for i, name := range names {
		switch name {
		case viewLine:
			at = `"line"::bigint`
		case viewFilename:
			file = "coalesce(list_position(" + fileNames(inputs) + `, "filename"), 0) - 1`
		default:
			if problem := m.addSelected(o.Kind, name, ", and filename and line"); problem != "" {
				problems = append(problems, problem)
				continue
			}
			list.WriteString(", " + asText(name, kinds[i]))
		}
	}
	m.addValues(o)
	problems = append(problems, m.missing(o, nil)...)
	if len(problems) > 0 {
		return nil, &Refusal{Problems: problems}
	}
	if err := s.createStaged(ctx, m.columnFields()); err != nil {
		return nil, err
	}
	err = s.exec(ctx, "insert into staged select "+file+", "+at+list.String()+" from picked")
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, refuse("the select stops at a row: %s", sqlFault(err))
	}
	return m, nil
}

// sqlFault is what kind of error ended a query. DuckDB's own words would quote
// the value that it could not convert.
func sqlFault(err error) string {
	var fault *duckdb.Error
	if !errors.As(err, &fault) {
		return err.Error()
	}
	switch fault.Type {
	case duckdb.ErrorTypeConversion, duckdb.ErrorTypeInvalidInput, duckdb.ErrorTypeOutOfRange:
		return "a value cannot be converted; use try_cast or try_strptime, or leave the column as text"
	case duckdb.ErrorTypeOutOfMemory:
		return "it needs more memory than the import may take"
	default:
		kind, _, _ := strings.Cut(fault.Msg, ":")
		return kind
	}
}

// fileNames is the list of the files' names as SQL.
func fileNames(inputs []*input) string {
	quoted := make([]string, len(inputs))
	for i, in := range inputs {
		quoted[i] = quoteText(in.name)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// checkSelect lets one select through, and nothing else.
func (s *stage) checkSelect(ctx context.Context, query string) error {
	var failed bool
	var message *string
	var statements int64
	err := s.db.QueryRowContext(ctx, `
		with parsed as (select json_serialize_sql(?::varchar) as tree)
		select (tree ->> 'error')::boolean, tree ->> 'error_message', coalesce(json_array_length(tree, 'statements'), 0)
		from parsed`, query).Scan(&failed, &message, &statements)
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return refuse("the select is not understood: %v", err)
	case failed && message != nil:
		return refuse("the select is not understood: %s", *message)
	case failed || statements != 1:
		return refuse("want one select, got %d statements", statements)
	}
	return nil
}
