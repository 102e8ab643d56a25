package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const openAPIURL = "openapi.json"

// document is openapi.yaml as a JSON value with its $refs, and the compiler
// that resolves them.
var document = sync.OnceValues(func() (map[string]any, error) {
	b, err := openAPIJSON()
	if err != nil {
		return nil, err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return value.(map[string]any), nil
})

// schemas holds the compiled schemas by their place in the document.
var schemas = struct {
	sync.Mutex
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}{compiled: make(map[string]*jsonschema.Schema)}

func schemaAt(t testing.TB, pointer string) *jsonschema.Schema {
	t.Helper()
	schemas.Lock()
	defer schemas.Unlock()
	if s := schemas.compiled[pointer]; s != nil {
		return s
	}
	if schemas.compiler == nil {
		doc, err := document()
		if err != nil {
			t.Fatal(err)
		}
		schemas.compiler = jsonschema.NewCompiler()
		schemas.compiler.AssertFormat()
		if err := schemas.compiler.AddResource(openAPIURL, doc); err != nil {
			t.Fatal(err)
		}
	}
	s, err := schemas.compiler.Compile(openAPIURL + "#" + pointer)
	if err != nil {
		t.Fatalf("%s: %v", pointer, err)
	}
	schemas.compiled[pointer] = s
	return s
}

func escapePointer(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(s)
}

// resolve follows a $ref and returns the value with its place.
func resolve(t testing.TB, value any, pointer string) (map[string]any, string) {
	t.Helper()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	object, ok := value.(map[string]any)
	if !ok {
		t.Fatalf("%s: no object", pointer)
	}
	for {
		ref, ok := object["$ref"].(string)
		if !ok {
			return object, pointer
		}
		pointer = strings.TrimPrefix(ref, "#")
		var found any = doc
		for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
			found = found.(map[string]any)[part]
		}
		if object, ok = found.(map[string]any); !ok {
			t.Fatalf("%s refers to nothing", ref)
		}
	}
}

// operation is a method of a path in the document.
func operation(t testing.TB, method, path string) (map[string]any, string) {
	t.Helper()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	methods, _ := doc["paths"].(map[string]any)[path].(map[string]any)
	op, _ := methods[strings.ToLower(method)].(map[string]any)
	return op, "/paths/" + escapePointer(path) + "/" + strings.ToLower(method)
}

// routeOf finds the row of the table that a request matches.
func routeOf(method, path string) *route {
	table := routes()
	for i := range table {
		pattern := regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(table[i].path, `[^/]+`)
		if ok, _ := regexp.MatchString("^"+pattern+"$", path); ok && (table[i].method == method || table[i].method == http.MethodGet && method == http.MethodHead) {
			return &table[i]
		}
	}
	return nil
}

// checkAnswer holds every answer of every test to the document: the status and
// the media type are described, JSON fits its schema, and the headers that all
// answers have are there.
func checkAnswer(t testing.TB, r *http.Request, got reply) {
	t.Helper()
	if got.header.Get("Goodhour-Request-Id") == "" || got.header.Get("X-Content-Type-Options") != "nosniff" ||
		got.header.Get("Cache-Control") != "no-store" || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%s %s: headers %v", r.Method, r.URL.Path, got.header)
	}
	media, _, _ := strings.Cut(got.header.Get("Content-Type"), ";")
	rt := routeOf(r.Method, r.URL.EscapedPath())
	if rt == nil || rt.scope == "" && media == problemMediaTypeName {
		validate(t, schemaAt(t, "/components/schemas/Problem"), got.body, r)
		return
	}
	op, place := operation(t, rt.method, rt.path)
	responses := op["responses"].(map[string]any)
	status := fmt.Sprint(got.status)
	if responses[status] == nil && got.status >= 400 {
		status = "default"
	}
	if responses[status] == nil {
		t.Errorf("%s %s: status %d is not described", rt.method, rt.path, got.status)
		return
	}
	response, place := resolve(t, responses[status], place+"/responses/"+status)
	if response["content"] == nil {
		if len(got.body) > 0 || media != "" {
			t.Errorf("%s %s: status %d has a body of %q that is not described", rt.method, rt.path, got.status, media)
		}
		return
	}
	described, ok := response["content"].(map[string]any)[media].(map[string]any)
	if !ok {
		t.Errorf("%s %s: status %d with %q is not described", rt.method, rt.path, got.status, media)
		return
	}
	if described["schema"] != nil && strings.HasSuffix(media, "json") && r.Method != http.MethodHead {
		validate(t, schemaAt(t, place+"/content/"+escapePointer(media)+"/schema"), got.body, r)
	}
	headers, _ := response["headers"].(map[string]any)
	for name := range headers {
		if got.header.Get(name) == "" {
			t.Errorf("%s %s: no header %s", rt.method, rt.path, name)
		}
	}
}

func validate(t testing.TB, schema *jsonschema.Schema, body []byte, r *http.Request) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		t.Errorf("%s %s: %v\n%s", r.Method, r.URL.Path, err, body)
	}
}

// TestTheDocumentIsTheTable compares openapi.yaml with the table of routes,
// both ways: paths, methods, scopes, parameters, bodies.
func TestTheDocumentIsTheTable(t *testing.T) {
	t.Parallel()
	type row struct {
		Scope, Query, Path, Consumes string
		Idempotent                   bool
	}
	described, wanted := make(map[string]row), make(map[string]row)
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	ids := make(map[string]bool)
	for path, methods := range doc["paths"].(map[string]any) {
		for method := range methods.(map[string]any) {
			op, place := operation(t, method, path)
			var out row
			var inPath, query, consumes []string
			for i := range anyList(op["parameters"]) {
				p, _ := resolve(t, anyList(op["parameters"])[i], place)
				name := p["name"].(string)
				switch p["in"] {
				case "path":
					inPath = append(inPath, name)
				case "query":
					query = append(query, name)
				case "header":
					out.Idempotent = out.Idempotent || name == "Idempotency-Key"
				}
			}
			if body, ok := op["requestBody"].(map[string]any); ok {
				for media := range body["content"].(map[string]any) {
					consumes = append(consumes, media)
				}
			}
			for _, requirement := range anyList(op["security"]) {
				for _, scope := range anyList(requirement.(map[string]any)["key"]) {
					out.Scope += scope.(string)
				}
			}
			id, _ := op["operationId"].(string)
			if id == "" || ids[id] || op["summary"] == nil || len(anyList(op["tags"])) != 1 {
				t.Errorf("%s %s: wants an operationId of its own, a summary and one tag", method, path)
			}
			ids[id] = true
			out.Path, out.Query, out.Consumes = joined(inPath), joined(query), joined(consumes)
			described[strings.ToUpper(method)+" "+path] = out
		}
	}
	for _, rt := range routes() {
		var inPath []string
		for _, variable := range regexp.MustCompile(`\{([a-z]+)\}`).FindAllStringSubmatch(rt.path, -1) {
			inPath = append(inPath, variable[1])
		}
		wanted[rt.method+" "+rt.path] = row{
			Scope: string(rt.scope), Query: joined(rt.query), Path: joined(inPath), Consumes: joined(rt.consumes),
			Idempotent: rt.effect && rt.method == http.MethodPost,
		}
		if rt.consumes != nil && rt.bodyMax == 0 {
			t.Errorf("%s %s: a body without a limit", rt.method, rt.path)
		}
		if rt.effect && rt.scope == "" {
			t.Errorf("%s %s: changes something and is open to all", rt.method, rt.path)
		}
	}
	if diff := cmp.Diff(wanted, described); diff != "" {
		t.Errorf("the table (-) and openapi.yaml (+) differ:\n%s", diff)
	}
}

func anyList(value any) []any {
	list, _ := value.([]any)
	return list
}

func joined(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	return strings.Join(names, " ")
}

// TestEverySchemaCompilesAndEveryExampleFits holds the document to JSON Schema.
func TestEverySchemaCompilesAndEveryExampleFits(t *testing.T) {
	t.Parallel()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range doc["components"].(map[string]any)["schemas"].(map[string]any) {
		schema := schemaAt(t, "/components/schemas/"+name)
		if example := value.(map[string]any)["example"]; example != nil {
			if err := schema.Validate(example); err != nil {
				t.Errorf("the example of %s: %v", name, err)
			}
		}
	}
	scopes := doc["components"].(map[string]any)["schemas"].(map[string]any)["Scope"].(map[string]any)["enum"]
	var names []any
	for _, s := range Scopes() {
		names = append(names, string(s))
	}
	if diff := cmp.Diff(names, scopes); diff != "" {
		t.Error(diff)
	}
}

func TestTheDocumentIsServed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var served, want any
	if err := json.Unmarshal(b.get("/openapi.json", "").is(http.StatusOK, "").body, &served); err != nil {
		t.Fatal(err)
	}
	text, err := openAPIJSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, served); diff != "" {
		t.Error(diff)
	}
	if version := want.(map[string]any)["openapi"]; version != "3.1.1" {
		t.Errorf("openapi is %v", version)
	}
}
