package texts

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

	"golang.org/x/text/language"
)

// filesOf are the users' files of a pattern.
func filesOf(t *testing.T, pattern string) (names []string) {
	t.Helper()
	for _, folder := range users() {
		found, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	return names
}

// users are the folders whose code and templates say things through this package.
func users() []string { return []string{".", "..", "../report"} }

// textsOfCode are the texts that the code gives to T and Plural, that functions
// called ...Meaning return or are given, and that names has, by where they stand.
func textsOfCode(t *testing.T) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	set := token.NewFileSet()
	keep := func(e ast.Expr) {
		if literal, ok := e.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			texts[text] = set.Position(literal.Pos()).String()
		}
	}
	for _, name := range filesOf(t, "*.go") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				called, ok := n.Fun.(*ast.SelectorExpr)
				switch {
				case ok && called.Sel.Name == "T":
					keep(n.Args[0])
				case ok && called.Sel.Name == "Plural":
					keep(n.Args[1])
					keep(n.Args[2])
				}
			case *ast.ValueSpec:
				if filepath.Base(name) == "words.go" && len(n.Values) > 0 {
					keep(n.Values[0])
				}
			case *ast.FuncDecl:
				meanings, names := strings.HasSuffix(n.Name.Name, "Meaning"), n.Name.Name == "names"
				ast.Inspect(n, func(n ast.Node) bool {
					switch n := n.(type) {
					case *ast.ReturnStmt:
						if meanings {
							keep(n.Results[0])
						}
					case *ast.KeyValueExpr:
						if names {
							keep(n.Value)
						}
					}
					return true
				})
			}
			return true
		})
	}
	delete(texts, "")
	return texts
}

// textsOfTemplates are the texts that the templates give to t.
func textsOfTemplates(t *testing.T) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	call := regexp.MustCompile(`\bt ("(?:[^"\\]|\\.)*")`)
	for _, name := range append(filesOf(t, "*.html"), filesOf(t, "templates/*.html")...) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range call.FindAllStringSubmatch(string(b), -1) {
			text, err := strconv.Unquote(m[1])
			if err != nil {
				t.Fatal(err)
			}
			texts[text] = name
		}
	}
	return texts
}

// textsOfModels are the models' own files in one, each line break a blank: their
// headers say what columns and relations mean.
func textsOfModels(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	names, err := filepath.Glob("../../../models/sql/*/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d models found: %v", len(names), err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(strings.Join(strings.Fields(string(b)), " "))
	}
	return all.String()
}

var verb = regexp.MustCompile(`%(?:\[\d\])?([ds%])`)

// verbs are what a text has to be given, in any order.
func verbs(text string) (list []string) {
	for _, m := range verb.FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	slices.Sort(list)
	return list
}

func TestEveryTextIsInEveryLanguage(t *testing.T) {
	t.Parallel()
	wanted := textsOfCode(t)
	maps.Copy(wanted, textsOfTemplates(t))
	if len(wanted) < 350 {
		t.Fatalf("%d texts found: they are more", len(wanted))
	}
	models := textsOfModels(t)
	for _, tag := range Tags()[1:] {
		texts, err := readFile(tag)
		if err != nil {
			t.Fatal(err)
		}
		for _, english := range slices.Sorted(maps.Keys(wanted)) {
			if texts[english] == "" {
				t.Errorf("%s lacks %q (%s)", tag, english, wanted[english])
			}
		}
		for english, text := range texts {
			if !slices.Equal(verbs(english), verbs(text)) {
				t.Errorf("%s: %q wants %v, and %q %v", tag, english, verbs(english), text, verbs(text))
			}
			// Our own names are short, without capitals and signs.
			ownName := regexp.MustCompile(`^[a-z0-9 ]{1,24}$`).MatchString(english)
			if wanted[english] == "" && !ownName && !strings.Contains(models, english) {
				t.Errorf("%s: nothing says %q", tag, english)
			}
		}
	}
}

func TestCommandsCanBePasted(t *testing.T) {
	t.Parallel()
	if got, want := ShellWords("my orders.csv", "--value", "currency=EUR", "it's", ""), `'my orders.csv' --value currency=EUR 'it'\''s' ''`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTheNearestLanguage(t *testing.T) {
	t.Parallel()
	for wanted, want := range map[string]string{"zh": "zh-Hans", "zh-CN": "zh-Hans", "en-GB": "en", "pt-BR": "en", "und": "en"} {
		if got := Tags()[Nearest(language.MustParse(wanted))]; got.String() != want {
			t.Errorf("%s is read in %s, want %s", wanted, got, want)
		}
	}
	if Tags()[0] != language.English {
		t.Error("the first language is the fallback, whose texts are the keys")
	}
}
