package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// configOrigin says where settings were given, by key. What was not given is
// not in it.
type configOrigin map[string]givenAt

// givenAt is a file and line, or in words a variable or a flag.
type givenAt struct {
	file  string
	line  int
	words string
}

func (g givenAt) String() string {
	if g.file == "" {
		return g.words
	}
	return fmt.Sprintf("%s:%d", g.file, g.line) // as compilers and editors write it
}

// at puts the origin of the setting that a problem begins with before it:
// that of the longest key that was given.
func (o configOrigin) at(problem error) error {
	text := problem.Error()
	given := ""
	for key := range o {
		rest, begins := strings.CutPrefix(text, key)
		if begins && len(key) > len(given) && (rest == "" || strings.ContainsAny(rest[:1], ":. ,[")) {
			given = key
		}
	}
	if given == "" {
		return problem
	}
	return fmt.Errorf("%s: %w", o[given], problem)
}

// configFile reads a YAML file over a configuration, and goes on after each
// problem, so that all are told at once.
type configFile struct {
	name     string
	origin   configOrigin
	anchors  map[string]ast.Node
	problems []error
}

// readFile reads the YAML file over the defaults. Without a name it reads
// goodhour.yaml in the working directory if there is one.
func (c *Config) readFile(name string, required bool) []error {
	if name == "" {
		name = defaultConfigFile
	}
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) && !required {
		return nil
	}
	if err != nil {
		return []error{fmt.Errorf("read the configuration: %w", err)}
	}
	parsed, err := parser.ParseBytes(b, 0)
	if err != nil {
		return []error{fmt.Errorf("%s is no YAML: %s", name, strings.TrimSpace(yaml.FormatError(err, false, true)))}
	}
	f := configFile{name: name, origin: c.origin, anchors: make(map[string]ast.Node)}
	for i, doc := range parsed.Docs {
		switch {
		case doc.Body == nil: // only comments
		case i > 0:
			f.problem(doc.Body, "", "a second document: put all settings into one")
		default:
			f.object(doc.Body, reflect.ValueOf(c).Elem(), "", "")
		}
	}
	return f.problems
}

const defaultConfigFile = "goodhour.yaml"

// place is where a value stands; for a block of text its first line.
func (f *configFile) place(node ast.Node) givenAt {
	line := node.GetToken().Position.Line
	if block, ok := node.(*ast.LiteralNode); ok {
		line = block.Start.Position.Line + 1 // below its sign
	}
	return givenAt{file: f.name, line: line}
}

func (f *configFile) problem(node ast.Node, key, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if key != "" {
		text = key + ": " + text
	}
	f.problems = append(f.problems, fmt.Errorf("%s: %s", f.place(node), text))
}

// value reads a node into a setting. A list's items have a second key, by which
// the checks of the values name them: accounts.shop beside accounts[0].
func (f *configFile) value(node ast.Node, v reflect.Value, key, alias string) {
	f.origin[key] = f.place(node)
	if alias != "" {
		f.origin[alias] = f.place(node)
	}
	node = f.resolved(node)
	switch scalar, isScalar := node.(ast.ScalarNode); {
	case node.Type() == ast.NullType:
		// As if it was not there.
	case v.Kind() == reflect.Struct:
		f.object(node, v, key, alias)
	case v.Kind() == reflect.Slice:
		f.list(node, v, key)
	case v.Kind() == reflect.Map:
		if err := yaml.NodeToValue(node, v.Addr().Interface()); err != nil {
			f.problem(node, key, "%s", yamlMessage(err))
		}
	case !isScalar:
		f.problem(node, key, "want one value, not a list or a group of settings")
	default:
		if err := setField(v, scalarText(scalar)); err != nil {
			f.problem(node, key, "%v", err)
		}
	}
}

// resolved follows anchors and aliases, and passes tags over: what a setting is
// is known here.
func (f *configFile) resolved(node ast.Node) ast.Node {
	switch n := node.(type) {
	case *ast.AnchorNode:
		f.anchors[n.Name.GetToken().Value] = n.Value
		return f.resolved(n.Value)
	case *ast.AliasNode:
		if anchored, known := f.anchors[n.Value.GetToken().Value]; known {
			return f.resolved(anchored)
		}
	case *ast.TagNode:
		return f.resolved(n.Value)
	}
	return node
}

// scalarText is a value as it is written, but for a text's quotes or indent.
func scalarText(node ast.ScalarNode) string {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	}
	return node.GetToken().Value
}

// object reads a group of settings.
func (f *configFile) object(node ast.Node, v reflect.Value, key, alias string) {
	group, isGroup := node.(ast.MapNode)
	if !isGroup {
		f.problem(node, key, "want a group of settings: %s", strings.Join(fieldNames(v.Type()), ", "))
		return
	}
	under := func(key, name string) string {
		if key == "" {
			return name
		}
		return key + "." + name
	}
	for pairs := group.MapRange(); pairs.Next(); {
		name := pairs.Key().GetToken().Value
		field, known := fieldNamed(v, name)
		if !known {
			names := fieldNames(v.Type())
			f.problem(pairs.Key(), under(key, name), "there is no such setting; is %s meant? There are %s",
				nearest(name, names), strings.Join(names, ", "))
			continue
		}
		other := ""
		if alias != "" {
			other = alias + ": " + name
		}
		f.value(pairs.Value(), field, under(key, name), other)
	}
}

// list reads a list: of texts, which may stand in one line, or of groups.
func (f *configFile) list(node ast.Node, v reflect.Value, key string) {
	sequence, isList := node.(*ast.SequenceNode)
	scalar, isScalar := node.(ast.ScalarNode)
	switch ofTexts := v.Type().Elem().Kind() == reflect.String; {
	case isScalar && ofTexts:
		v.Set(reflect.ValueOf(splitList(scalarText(scalar))))
		return
	case !isList:
		f.problem(node, key, "want a list, each item on a line that begins with -")
		return
	}
	items := reflect.MakeSlice(v.Type(), len(sequence.Values), len(sequence.Values))
	for i, item := range sequence.Values {
		alias := ""
		if group, isGroup := item.(ast.MapNode); isGroup {
			alias = nameIn(group)
		}
		if alias != "" {
			alias = key + "." + alias
		}
		f.value(item, items.Index(i), fmt.Sprintf("%s[%d]", key, i), alias)
	}
	v.Set(items)
}

// nameIn is the setting name of a group, by which its problems are told.
func nameIn(group ast.MapNode) string {
	for pairs := group.MapRange(); pairs.Next(); {
		if scalar, isScalar := pairs.Value().(ast.ScalarNode); isScalar && pairs.Key().GetToken().Value == "name" {
			return scalarText(scalar)
		}
	}
	return ""
}

func fieldNamed(v reflect.Value, name string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if field := v.Type().Field(i); field.IsExported() && field.Tag.Get("yaml") == name {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func fieldNames(t reflect.Type) []string {
	var names []string
	for field := range t.Fields() {
		if field.IsExported() {
			names = append(names, field.Tag.Get("yaml"))
		}
	}
	slices.Sort(names)
	return names
}

// yamlMessage is an error of the library without its picture of the file.
func yamlMessage(err error) string {
	if problem, ok := errors.AsType[yaml.Error](err); ok {
		return problem.GetMessage()
	}
	return err.Error()
}
