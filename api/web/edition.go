package web

import (
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/message/catalog"
)

// edition is the pages in one language. Texts are keyed by their English: what
// a catalogue lacks is shown in English, never left out.
type edition struct {
	tag       language.Tag
	texts     map[string]string // by their English; empty for English
	printer   *message.Printer
	templates map[string]*template.Template
}

// languages that there are; the first is what everybody else gets. Another one
// is another entry and its file in texts.
func languages() []language.Tag { return []language.Tag{language.English, language.SimplifiedChinese} }

func readEditions(a *assets, data string) ([]*edition, error) {
	builder := catalog.NewBuilder(catalog.Fallback(language.English))
	var editions []*edition
	for _, tag := range languages() {
		texts, err := readTexts(tag)
		if err != nil {
			return nil, err
		}
		for english, text := range texts {
			if err := builder.SetString(tag, english, text); err != nil {
				return nil, fmt.Errorf("read the texts in %s: %w", tag, err)
			}
		}
		e := &edition{tag: tag, texts: texts, printer: message.NewPrinter(tag, message.Catalog(builder))}
		if err := e.readTemplates(a, data); err != nil {
			return nil, err
		}
		editions = append(editions, e)
	}
	return editions, nil
}

// readTexts reads the texts in a language, by their English.
func readTexts(tag language.Tag) (map[string]string, error) {
	if tag == language.English {
		return nil, nil
	}
	name := "texts/" + tag.String() + ".yaml"
	b, err := files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the texts in %s: %w", tag, err)
	}
	var texts map[string]string
	if err := yaml.Unmarshal(b, &texts); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return texts, nil
}

// readTemplates makes one template of the layout, the parts and each page.
func (e *edition) readTemplates(a *assets, data string) error {
	shared, err := template.New("layout.html").Funcs(e.funcs(a, data)).
		ParseFS(files, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return fmt.Errorf("read the templates: %w", err)
	}
	pages, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return fmt.Errorf("list the templates: %w", err)
	}
	e.templates = make(map[string]*template.Template)
	for _, file := range pages {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		each, err := shared.Clone()
		if err == nil {
			each, err = each.ParseFS(files, file)
		}
		if err != nil {
			return fmt.Errorf("read the template %s: %w", name, err)
		}
		e.templates[name] = each
	}
	return nil
}

func (e *edition) funcs(a *assets, data string) template.FuncMap {
	return template.FuncMap{
		"t": e.t, "num": e.num, "percent": e.percent, "when": e.when, "ago": e.ago,
		"words": e.words, "asset": a.address, "nav": newNavItem, "classes": cellClasses, "headClasses": headClasses,
		"list":    func(texts ...string) []string { return texts },
		"command": func(line string) string { return onData(line, data) },
	}
}

// onData is a command as it works when it is pasted: about the data directory
// that the pages are of; data is empty for the one that commands take by
// themselves.
func onData(line, data string) string {
	if data == "" {
		return line
	}
	return line + " --data " + shellQuoted(data)
}

// shellQuoted is a text as one word of a POSIX shell.
func shellQuoted(s string) string {
	plain := func(c rune) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("/._-+:,@", c)
	}
	if s != "" && !strings.ContainsFunc(s, func(c rune) bool { return !plain(c) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// navItem is a link of the navigation.
type navItem struct {
	Name, Link string
	Current    bool
}

func newNavItem(section, name, current string) navItem {
	return navItem{name, "/" + section, section == current}
}

// headClasses are the style classes of a column's head.
func headClasses(c column) string { return cellClasses(c, cell{}) }

// cellClasses are the style classes of a cell.
func cellClasses(of column, c cell) string {
	var classes []string
	if of.Number {
		classes = append(classes, "n")
	}
	if of.Minor {
		classes = append(classes, "minor")
	}
	if c.Level > 0 {
		classes = append(classes, "l"+strconv.Itoa(c.Level))
	}
	if c.Mark {
		classes = append(classes, "mark")
	}
	return strings.Join(classes, " ")
}

// languageCookie keeps what was chosen at the foot of a page.
const languageCookie = "goodhour_language"

// chooseLanguage answers a request that chooses the pages' language: the choice
// is kept, and the same page shown in it. It says whether the request is one.
func chooseLanguage(w http.ResponseWriter, r *http.Request) bool {
	query := r.URL.Query()
	chosen, err := language.Parse(query.Get("lang"))
	if err != nil || !slices.Contains(languages(), chosen) {
		return false
	}
	http.SetCookie(w, &http.Cookie{
		Name: languageCookie, Value: chosen.String(), Path: "/", MaxAge: 365 * 24 * 60 * 60,
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	query.Del("lang")
	http.Redirect(w, r, samePage(r, query), http.StatusSeeOther)
	return true
}

// samePage is the address of a page with another query. It is of this host,
// whatever the path is.
func samePage(r *http.Request, query url.Values) string {
	here := func(path string) string { return "/" + strings.TrimLeft(path, `/\`) }
	address := url.URL{Path: here(r.URL.Path), RawPath: here(r.URL.EscapedPath()), RawQuery: query.Encode()}
	return address.String()
}

// editionFor is the one that was chosen, else that which the browser's
// languages fit best.
func (p *Pages) editionFor(r *http.Request) *edition {
	if cookie, err := r.Cookie(languageCookie); err == nil {
		for _, e := range p.editions {
			if e.tag.String() == cookie.Value {
				return e
			}
		}
	}
	matcher := language.NewMatcher(languages())
	wanted, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		return p.editions[0]
	}
	_, i, _ := matcher.Match(wanted...)
	return p.editions[i]
}
