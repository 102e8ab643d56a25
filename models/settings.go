package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settingsFile holds the defaults, their types and meanings:
//
//	heat_hot_days:
//	  value: 7
//	  type: INTEGER
//	  doc: "hot: engaged within this many days"
const settingsFile = "settings.yaml"

// setting is one column of staging.settings.
type setting struct {
	name  string
	typ   settingType
	value sql.NullString // as text; null: unset
	doc   string
}

// settingType is a type of DuckDB's that a setting may have.
type settingType struct {
	sql   string
	valid func(text string) bool
}

var decimalType = regexp.MustCompile(`^DECIMAL\(([0-9]{1,2}), ?([0-9]{1,2})\)$`)

// parseSettingType knows the closed set of types.
func parseSettingType(text string) (settingType, error) {
	text = strings.ToUpper(text)
	switch text {
	case "BOOLEAN":
		return settingType{text, func(text string) bool { return text == "true" || text == "false" }}, nil
	case "INTEGER":
		return settingType{text, func(text string) bool { _, err := strconv.ParseInt(text, 10, 32); return err == nil }}, nil
	case "BIGINT":
		return settingType{text, func(text string) bool { _, err := strconv.ParseInt(text, 10, 64); return err == nil }}, nil
	case "DOUBLE":
		return settingType{text, func(text string) bool {
			f, err := strconv.ParseFloat(text, 64)
			return err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
		}}, nil
	case "DATE":
		return settingType{text, func(text string) bool { _, err := time.Parse(time.DateOnly, text); return err == nil }}, nil
	case "VARCHAR":
		return settingType{text, func(string) bool { return true }}, nil
	}
	if m := decimalType.FindStringSubmatch(text); m != nil {
		// The expression admits digits only.
		precision, _ := strconv.Atoi(m[1])
		scale, _ := strconv.Atoi(m[2])
		if scale < precision && precision <= 38 {
			return settingType{text, func(text string) bool { return isDecimal(text, precision, scale) }}, nil
		}
	}
	return settingType{}, fmt.Errorf(
		"%q is no type of a setting: there are BOOLEAN, INTEGER, BIGINT, DOUBLE, DECIMAL(precision, scale), DATE and VARCHAR", text)
}

// isDecimal reports whether a number has at most so many digits in all and
// after the point, so that no cast changes it.
func isDecimal(text string, precision, scale int) bool {
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	if whole == "" || strings.Trim(whole+fraction, "0123456789") != "" || strings.HasSuffix(text, ".") {
		return false
	}
	return len(strings.TrimLeft(whole, "0")) <= precision-scale && len(fraction) <= scale
}

// settings are the thresholds and windows of the models, in the order of the file.
type settings struct {
	list []setting
	file string // the text of settings.yaml
}

// readSettings reads the defaults and applies the overrides. The error names
// everything that is wrong.
func readSettings(folder fs.FS, overrides map[string]any) (settings, error) {
	data, err := fs.ReadFile(folder, settingsFile)
	if err != nil {
		return settings{}, fmt.Errorf("read the models' settings: %w", err)
	}
	out := settings{file: string(data)}
	document, err := parseYAML(out.file)
	if err == nil && document.kind != isNull {
		err = document.expect(isMapping, "the file")
	}
	if err != nil {
		return settings{}, settingsError(err)
	}
	var errs []error
	for _, e := range document.entries {
		s, err := parseSetting(e)
		if err != nil {
			errs = append(errs, settingsError(err))
		}
		out.list = append(out.list, s)
	}
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		errs = append(errs, out.override(name, overrides[name]))
	}
	return out, errors.Join(errs...)
}

func settingsError(err error) error {
	if at, ok := errors.AsType[*yamlError](err); ok && at.line > 0 {
		return fmt.Errorf("%s:%d: %w", settingsFile, at.line, err)
	}
	return fmt.Errorf("%s: %w", settingsFile, err)
}

func parseSetting(e entry) (setting, error) {
	s := setting{name: e.key}
	if !nameOfModel.MatchString(e.key) {
		return s, &yamlError{line: e.keyLine, what: fmt.Sprintf("%q is no name for a setting: use small letters, digits and underscores", e.key)}
	}
	err := readFields(e, map[string]func(value) error{
		"value": func(v value) error {
			if v.kind == isNull {
				return nil
			}
			s.value.Valid = true
			var err error
			s.value.String, err = v.scalar("value")
			return err
		},
		"type": func(v value) (err error) {
			if s.typ, err = parseSettingType(v.text); err != nil {
				return &yamlError{line: v.line, what: err.Error()}
			}
			return nil
		},
		"doc": func(v value) (err error) {
			s.doc, err = v.scalar("doc")
			return err
		},
	})
	if err == nil && s.value.Valid && !s.typ.valid(s.value.String) {
		err = &yamlError{line: e.keyLine, what: fmt.Sprintf("%q is no value of type %s", s.value.String, s.typ.sql)}
	}
	return s, err
}

// override replaces the value of a setting.
func (s *settings) override(name string, value any) error {
	i := slices.IndexFunc(s.list, func(known setting) bool { return known.name == name })
	if i < 0 {
		names := make([]string, len(s.list))
		for i := range s.list {
			names[i] = s.list[i].name
		}
		slices.Sort(names)
		return fmt.Errorf("the models have no setting %s; they have %s", name, strings.Join(names, ", "))
	}
	set := &s.list[i]
	text, err := settingText(value)
	if err != nil || !set.typ.valid(text) {
		return fmt.Errorf("the models' setting %s is of type %s; it cannot be %q", name, set.typ.sql, fmt.Sprint(value))
	}
	set.value = sql.NullString{String: text, Valid: true}
	return nil
}

// settingText writes a decoded YAML or JSON value as settings.yaml would have it.
func settingText(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case int, int32, int64, uint32, uint64:
		return fmt.Sprint(v), nil
	}
	return "", fmt.Errorf("%T is no value of a setting", value)
}

// settingsRelation is the one row that the models cross join.
var settingsRelation = Relation{"staging", "settings"}

// node is the graph's node that builds staging.settings.
func (s settings) node() *Node {
	header := Header{Doc: "The thresholds and windows of the models, one column each; one row.", HasGrain: true}
	for _, set := range s.list {
		header.Columns = append(header.Columns, Column{set.name, set.doc})
	}
	return &Node{Relation: settingsRelation, File: settingsFile, Header: header, builder: s}
}

func (s settings) build(ctx context.Context, db database, to Relation) error {
	columns, values := make([]string, len(s.list)), make([]any, len(s.list))
	for i, set := range s.list {
		columns[i] = "?::" + set.typ.sql + " as " + quote(set.name)
		values[i] = set.value
	}
	_, err := db.ExecContext(ctx, "create or replace table "+to.quoted()+" as select "+strings.Join(columns, ", "), values...)
	return err
}

// definition is the defaults: the values in force are hashed by themselves.
func (s settings) definition() string { return s.file }

func (s settings) hash() string {
	var all strings.Builder
	for _, set := range s.list {
		fmt.Fprintf(&all, "%s %t %q\n", set.name, set.value.Valid, set.value.String)
	}
	return shortHash(all.String())
}
