package report

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every text of the report is there in Chinese, with the same verbs, and there
// is none that nothing says.
func TestChineseIsComplete(t *testing.T) {
	said := make(map[string]bool)
	for _, name := range names() {
		said[name] = true
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		parsed, err := parser.ParseFile(token.NewFileSet(), source, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			if called, ok := call.Fun.(*ast.SelectorExpr); ok && called.Sel.Name == "t" {
				if text, ok := call.Args[0].(*ast.BasicLit); ok {
					english, err := strconv.Unquote(text.Value)
					if err != nil {
						t.Fatal(err)
					}
					said[english] = true
				}
			}
			return true
		})
	}
	page, err := os.ReadFile("report.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`\{\{t "([^"]*)"`).FindAllSubmatch(page, -1) {
		said[string(found[1])] = true
	}
	catalogue := chinese()
	for _, english := range slices.Sorted(maps.Keys(said)) {
		translated, ok := catalogue[english]
		if !ok {
			t.Errorf("not in Chinese: %q", english)
		}
		if got, want := verbs(translated), verbs(english); got != want {
			t.Errorf("%q has the verbs %s, in Chinese %s", english, want, got)
		}
	}
	for english := range catalogue {
		if !said[english] {
			t.Errorf("nothing says %q", english)
		}
	}
}

// verbs are the kinds of what a text is given, in any order.
func verbs(text string) string {
	found := regexp.MustCompile(`%(\[\d\])?([a-z])`).FindAllStringSubmatch(text, -1)
	kinds := make([]string, len(found))
	for i, f := range found {
		kinds[i] = f[2]
	}
	slices.Sort(kinds)
	return strings.Join(kinds, "")
}
