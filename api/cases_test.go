package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// apiCase is one request and what of its answer matters. The whole answer is
// held to openapi.yaml besides.
type apiCase struct {
	Label       string `json:"label"`
	Scopes      string `json:"scopes"` // of the key; empty: none
	Method      string `json:"method"`
	Path        string `json:"path"`
	ContentType string `json:"content_type"`
	Body        string `json:"body"`
	Status      int    `json:"status"`
	Problem     string `json:"problem"`
	// Response is a part of the answer: objects may have more members, arrays
	// have as many elements.
	Response any `json:"response"`
}

//nolint:tparallel // a case is quick, and one server answers them all
func TestCases(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []apiCase
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&cases); err != nil {
		t.Fatal(err)
	}
	b := setup(t)
	tokens := map[string]string{"": ""}
	for _, c := range cases {
		if _, ok := tokens[c.Scopes]; !ok {
			tokens[c.Scopes] = b.key(c.Scopes)
		}
		t.Run(c.Label, func(t *testing.T) {
			own := *b
			own.t = t
			var headers []string
			if c.ContentType != "" {
				headers = []string{"Content-Type", c.ContentType}
			}
			got := own.call(c.Method, c.Path, tokens[c.Scopes], c.Body, headers...).is(c.Status, c.Problem)
			if c.Response == nil {
				return
			}
			if diff := partOf(c.Response, any(got.json()), ""); diff != "" {
				t.Errorf("%s\n%s", diff, got.body)
			}
		})
	}
}

// partOf says where want is no part of got, or "".
func partOf(want, got any, path string) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s: want an object, got %v", path, got)
		}
		for name, value := range w {
			if _, ok := g[name]; !ok {
				return fmt.Sprintf("%s: no member %s", path, name)
			}
			if diff := partOf(value, g[name], path+"/"+name); diff != "" {
				return diff
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s: want %d elements, got %v", path, len(w), got)
		}
		for i := range w {
			if diff := partOf(w[i], g[i], fmt.Sprintf("%s/%d", path, i)); diff != "" {
				return diff
			}
		}
	case json.Number:
		a, errA := w.Float64()
		g, ok := got.(json.Number)
		b, errB := g.Float64()
		if !ok || errA != nil || errB != nil || a != b {
			return fmt.Sprintf("%s: want %v, got %v", path, want, got)
		}
	default:
		if want != got {
			return fmt.Sprintf("%s: want %v, got %v", path, want, got)
		}
	}
	return ""
}
