package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/goodhour/goodhour/api/web/texts"
)

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
	for _, tag := range texts.Tags()[1:] {
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
}
