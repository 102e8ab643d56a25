package web

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/text/language"
)

// textsOfCode are the texts that the code gives to t and plural, and those that
// the functions called ...Meaning return or are given, by where they stand.
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
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
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
				case ok && called.Sel.Name == "t":
					keep(n.Args[0])
				case ok && called.Sel.Name == "plural":
					keep(n.Args[1])
					keep(n.Args[2])
				}
			case *ast.ValueSpec:
				if name == "words.go" {
					keep(n.Values[0])
				}
			case *ast.FuncDecl:
				if strings.HasSuffix(n.Name.Name, "Meaning") {
					ast.Inspect(n, func(n ast.Node) bool {
						if returned, ok := n.(*ast.ReturnStmt); ok {
							keep(returned.Results[0])
						}
						return true
					})
				}
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
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := files.ReadFile(name)
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
	names, err := filepath.Glob("../../models/sql/*/*.sql")
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
	if len(wanted) < 250 {
		t.Fatalf("%d texts found: they are more", len(wanted))
	}
	models := textsOfModels(t)
	for _, tag := range languages()[1:] {
		texts, err := readTexts(tag)
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

func TestPagesAreInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	pages := testPages(t, testWorlds(t).filled)
	is := func(tag, word string, header ...string) {
		t.Helper()
		res, body := get(t, pages, "/segments?value=high", header...)
		if got := res.Header().Get("Content-Language"); got != tag || !strings.Contains(body, `<html lang="`+tag+`">`) || !strings.Contains(body, word) {
			t.Errorf("%v: the page is in %s, want %s with %q", header, got, tag, word)
		}
	}
	is("en", "Customers by frequency and heat")
	is("en", "Customers by frequency and heat", "Accept-Language", "pt-BR, en;q=0.5")
	is("zh-Hans", "按频率和热度划分的客户", "Accept-Language", "zh-CN,zh;q=0.9,en;q=0.8")
	is("zh-Hans", "按频率和热度划分的客户", "Cookie", languageCookie+"=zh-Hans", "Accept-Language", "en")
	is("en", "Customers by frequency and heat", "Cookie", languageCookie+"=xx", "Accept-Language", "en")

	// Choosing keeps the page, and leads nowhere else.
	for address, want := range map[string]string{
		"/segments?lang=zh-Hans&value=high": "/segments?value=high",
		"/?lang=en":                         "/",
		"//evil.example/?lang=en":           "/evil.example/",
		`/\evil.example/?lang=en`:           "/evil.example/",
	} {
		res, _ := get(t, pages, address)
		to, err := url.Parse(res.Header().Get("Location"))
		if err != nil || res.Code != http.StatusSeeOther && res.Code != http.StatusMovedPermanently && res.Code != http.StatusTemporaryRedirect && res.Code != http.StatusNotFound || to.Host != "" {
			t.Errorf("%s: %d to %q, %v", address, res.Code, to, err)
		}
		if res.Code == http.StatusSeeOther && res.Header().Get("Location") != want {
			t.Errorf("%s leads to %q, want %q", address, res.Header().Get("Location"), want)
		}
	}
	res, _ := get(t, pages, "/segments?lang=zh-Hans")
	if set := res.Header().Get("Set-Cookie"); !strings.HasPrefix(set, languageCookie+"=zh-Hans; ") || !strings.Contains(set, "HttpOnly") {
		t.Errorf("the choice is kept as %q", set)
	}
	if res, _ = get(t, pages, "/segments?lang=tlh"); res.Code != http.StatusOK || res.Header().Get("Set-Cookie") != "" {
		t.Errorf("a language that there is not: %d, %s", res.Code, res.Header())
	}
}

// In each language, pages hold together as in English.
func TestEveryPageInEveryLanguage(t *testing.T) {
	t.Parallel()
	pages := testPages(t, testWorlds(t).filled)
	for _, tag := range languages()[1:] {
		for _, address := range append(addresses(), filledAddresses()...) {
			t.Run(tag.String()+address, func(t *testing.T) {
				t.Parallel()
				res, body := get(t, pages, address, "Accept-Language", tag.String())
				checkPage(t, res, body)
				if strings.Contains(body, "%!") {
					t.Error("a text is given too little, or too much")
				}
			})
		}
	}
	if languages()[0] != language.English {
		t.Error("the first language is the fallback, whose texts are the keys")
	}
}
