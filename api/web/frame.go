package web

import (
	"context"
	"time"

	"golang.org/x/text/language/display"

	"github.com/goodhour/goodhour/api/web/texts"
)

// statusTimeout bounds how long the other parts may take to say how they are.
const statusTimeout = time.Second

// frame is what stands around every page's own part.
type frame struct {
	Title   string
	Section string // of the navigation
	Lang    string
	// Languages are the others that the page can be read in.
	Languages []languageLink
	Body      any
	Accounts  []Account
	Demo      bool
	Version   string
	Fresh     freshness
}

// languageLink leads to the same page in another language.
type languageLink struct{ Tag, Name, Link string }

func (r *request) otherLanguages() (links []languageLink) {
	for _, tag := range texts.Tags() {
		if tag == r.Tag {
			continue
		}
		query := r.URL.Query()
		query.Set("lang", tag.String())
		links = append(links, languageLink{tag.String(), display.Self.Name(tag), samePage(r.Request, query)})
	}
	return links
}

// freshness is how old the data of a page is.
type freshness struct {
	Published   bool
	AsOf        time.Time
	PublishedAt time.Time
	// Age is since the file was published; Behind how far as-of is before it.
	Age, Behind time.Duration
	Loading     Status
}

// Old says that the models look from a day long past, as after an import of old
// orders.
func (f freshness) Old() bool { return f.Behind > 48*time.Hour }

func (p *Pages) frame(r *request, v view) frame {
	ctx, cancel := context.WithTimeout(r.Context(), statusTimeout)
	defer cancel()
	f := frame{
		Title: v.title, Section: sectionOf(r.URL.Path), Lang: r.Tag.String(), Languages: r.otherLanguages(), Body: v.body,
		Accounts: p.cfg.Accounts, Demo: p.cfg.Demo, Version: p.cfg.Version,
		Fresh: freshness{Loading: p.cfg.Status(ctx)},
	}
	if r.reader != nil {
		info := r.reader.Info()
		f.Fresh.Published = true
		f.Fresh.AsOf, f.Fresh.PublishedAt = info.AsOf.UTC(), info.PublishedAt.UTC()
		f.Fresh.Age = max(0, p.cfg.Now().Sub(info.PublishedAt))
		f.Fresh.Behind = info.PublishedAt.Sub(info.AsOf)
	}
	return f
}

// sectionOf is the first part of a path.
func sectionOf(path string) string {
	for i := 1; i < len(path); i++ {
		if path[i] == '/' {
			return path[1:i]
		}
	}
	if path == "" {
		return ""
	}
	return path[1:]
}
