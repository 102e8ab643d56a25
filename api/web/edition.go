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

	"golang.org/x/text/language"

	"github.com/goodhour/goodhour/api/web/texts"
)

// edition is the pages in one language.
type edition struct {
	*texts.Language
	templates map[string]*template.Template
}

// readEditions returns one for each language, in the order of texts.Tags.
func readEditions(a *assets, data string) ([]*edition, error) {
	languages, err := texts.Read()
	if err != nil {
		return nil, err
	}
	var editions []*edition
	for _, language := range languages {
		e := &edition{Language: language}
		if err := e.readTemplates(a, data); err != nil {
			return nil, err
		}
		editions = append(editions, e)
	}
	return editions, nil
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
		"t": e.T, "num": e.Num, "percent": e.Percent, "when": e.When, "ago": e.Ago,
		"words": e.Words, "asset": a.address, "nav": newNavItem, "classes": cellClasses, "headClasses": headClasses,
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
	return line + " --data " + texts.ShellWords(data)
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
	if err != nil || !slices.Contains(texts.Tags(), chosen) {
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
			if e.Tag.String() == cookie.Value {
				return e
			}
		}
	}
	wanted, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		return p.editions[0]
	}
	return p.editions[texts.Nearest(wanted...)]
}
