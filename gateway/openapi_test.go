package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	bodyroom "sluice/gateway/body"
	"sluice/gateway/broker"
	"sluice/gateway/ingest"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Every answer that a test of this package gets through the default client is checked against openapi.json. An answer
// that the document does not describe fails its request.
func init() {
	described = readDescription()
	http.DefaultClient.Transport = described
}

var described *description

// description is openapi.json, prepared to check answers, with what it has seen of them.
type description struct {
	doc     map[string]any
	schemas *jsonschema.Compiler

	mu       sync.Mutex
	compiled map[string]*jsonschema.Schema
	answered map[string]bool // "POST /api/v1/events 202", with codes appended where there is one
	headers  map[string]bool
}

func readDescription() *description {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPIText))
	if err != nil {
		panic(err)
	}
	d := &description{
		doc:      value.(map[string]any),
		schemas:  jsonschema.NewCompiler(),
		compiled: map[string]*jsonschema.Schema{}, answered: map[string]bool{}, headers: map[string]bool{},
	}
	// The document allows unknown fields, as clients must. For our own tests it must name every field.
	for _, name := range []string{"Accepted", "BulkAccepted", "BulkRejected", "ItemError", "Error", "Health"} {
		d.at("components", "schemas", name).(map[string]any)["additionalProperties"] = false
	}
	d.schemas.AssertFormat()
	if err := d.schemas.AddResource("openapi.json", d.doc); err != nil {
		panic(err)
	}
	return d
}

// at follows names, and references on the way, into the document. It returns nil if nothing is there.
func (d *description) at(path ...string) any {
	var v any = d.doc
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = d.resolved(m[name])
	}
	return v
}

func (d *description) resolved(v any) any {
	if m, ok := v.(map[string]any); ok {
		if ref, ok := m["$ref"].(string); ok {
			return d.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
	}
	return v
}

// schema compiles the schema at a place of the document.
func (d *description) schema(path ...string) (*jsonschema.Schema, error) {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	// The pointer must not lead through a reference, so this loop follows references itself.
	var at []string
	var v any = d.doc
	for _, name := range path {
		v = v.(map[string]any)[name]
		at = append(at, escape.Replace(name))
		if m, ok := v.(map[string]any); ok {
			if ref, ok := m["$ref"].(string); ok {
				at = strings.Split(strings.TrimPrefix(ref, "#/"), "/")
				v = d.resolved(v)
			}
		}
	}
	pointer := "openapi.json#/" + strings.Join(at, "/")
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.compiled[pointer]; s != nil {
		return s, nil
	}
	s, err := d.schemas.Compile(pointer)
	if err == nil {
		d.compiled[pointer] = s
	}
	return s, err
}

// RoundTrip is part of http.RoundTripper.
func (d *description) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if err := d.check(r.Method, r.URL.Path, resp, body); err != nil {
		return nil, fmt.Errorf("openapi.json: %d %.300q: %w", resp.StatusCode, body, err)
	}
	return resp, nil
}

// CloseIdleConnections is what http.Client calls.
func (d *description) CloseIdleConnections() {
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// place returns where the document describes an answer.
func (d *description) place(method, path string, status int) []string {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	methods, known := d.at("paths", path).(map[string]any)
	switch {
	case status == http.StatusRequestHeaderFieldsTooLarge: // before anybody looks at the path
		return []string{"components", "responses", "HeadersTooLarge"}
	case !known:
		return []string{"components", "responses", "NotFound"}
	case methods[strings.ToLower(method)] == nil:
		return []string{"components", "responses", "MethodNotAllowed"}
	}
	return []string{"paths", path, strings.ToLower(method), "responses", fmt.Sprint(status)}
}

func (d *description) check(method, path string, resp *http.Response, body []byte) error {
	if method == http.MethodOptions && resp.StatusCode == http.StatusNoContent {
		if len(body) > 0 {
			return errors.New("204 with a body")
		}
		return nil
	}
	place := d.place(method, path, resp.StatusCode)
	answer, ok := d.at(place...).(map[string]any)
	if !ok {
		return errors.New("the status is not described")
	}
	if want, known := map[string]int{"NotFound": 404, "MethodNotAllowed": 405}[place[2]]; known && resp.StatusCode != want {
		return fmt.Errorf("an unknown path or method is %d", want)
	}
	code, err := d.checkBody(place, answer, method, resp, body)
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.answered[strings.TrimSpace(fmt.Sprintf("%s %s %d %s", method, path, resp.StatusCode, code))] = true
	d.mu.Unlock()
	return d.checkHeaders(answer, resp.Header)
}

func (d *description) checkBody(place []string, answer map[string]any, method string, resp *http.Response, body []byte) (code string, err error) {
	if _, has := answer["content"]; !has || method == http.MethodHead {
		if len(body) > 0 {
			return "", errors.New("a body where none is described")
		}
		return "", nil
	}
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		return "", fmt.Errorf("content type %q", got)
	}
	schema, err := d.schema(append(slices.Clone(place), "content", "application/json", "schema")...)
	if err != nil {
		return "", err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	code, _ = value.(map[string]any)["code"].(string)
	if err := checkCode(answer, value.(map[string]any)); err != nil {
		return code, err
	}
	return code, schema.Validate(value)
}

// checkCode compares an answer's code, and whether it is retryable, with the examples of the status. The schema of a
// refusal is the same for all statuses, because generators do not understand narrower ones.
func checkCode(answer, body map[string]any) error {
	code, refused := body["code"]
	examples, _ := described.resolved(answer["content"].(map[string]any)["application/json"].(map[string]any)["examples"]).(map[string]any)
	if !refused || len(examples) == 0 {
		return nil
	}
	for _, example := range examples {
		value := example.(map[string]any)["value"].(map[string]any)
		if value["code"] == code {
			if value["retryable"] != body["retryable"] {
				return fmt.Errorf("the code %s with retryable %v", code, body["retryable"])
			}
			return nil
		}
	}
	return fmt.Errorf("the code %s is in none of the examples", code)
}

// TestOpenAPIIsForGenerators: no schema has a form that a generator of clients is known to refuse or misread.
func TestOpenAPIIsForGenerators(t *testing.T) {
	var look func(at string, v any)
	look = func(at string, v any) {
		switch v := v.(type) {
		case []any:
			for i, item := range v {
				look(fmt.Sprint(at, "/", i), item)
			}
		case map[string]any:
			types, _ := v["type"].([]any)
			if len(types) > 2 || len(types) == 2 && !slices.Contains(types, any("null")) {
				t.Errorf("%s: several types %v: use anyOf", at, types)
			}
			if items, has := v["items"]; has {
				if _, is := items.(bool); is {
					t.Errorf("%s: items is a boolean", at)
				}
			}
			if _, has := v["const"]; has && v["type"] == nil {
				t.Errorf("%s: a const without a type", at)
			}
			if v["type"] == "number" && v["format"] != "double" {
				t.Errorf("%s: a number that some read into 32 bits", at)
			}
			if _, has := v["default"]; has {
				t.Errorf("%s: a default, which some clients then send", at)
			}
			for name, inner := range v {
				if name != "examples" && name != "example" && name != "not" {
					look(at+"/"+name, inner)
				}
			}
		}
	}
	look("", described.doc)
}

// plumbing are the headers of HTTP itself.
var plumbing = map[string]bool{"Content-Type": true, "Content-Length": true, "Date": true, "Connection": true}

func (d *description) checkHeaders(answer map[string]any, got http.Header) error {
	named, _ := answer["headers"].(map[string]any)
	for name := range named {
		spec := d.resolved(named[name]).(map[string]any)
		values := got.Values(name)
		if len(values) == 0 {
			if spec["required"] == true {
				return fmt.Errorf("the header %s is missing", name)
			}
			continue
		}
		schema, err := d.schema("components", "headers", name, "schema")
		if err != nil {
			return err
		}
		if err := schema.Validate(values[0]); err != nil || len(values) > 1 {
			return fmt.Errorf("header %s %q: %w", name, values, err)
		}
		d.mu.Lock()
		d.headers[name] = true
		d.mu.Unlock()
	}
	for name := range got {
		if !plumbing[name] && named[name] == nil && !hasFold(named, name) {
			return fmt.Errorf("the header %s is not described", name)
		}
	}
	return nil
}

// hasFold ignores case, because net/http writes Www-Authenticate and Etag.
func hasFold(named map[string]any, name string) bool {
	for n := range named {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// produce gets every answer that a test can get in reasonable time.
func produce(t *testing.T) {
	t.Helper()
	ok := `{"message":"x"}`
	open := serve(t)
	for _, path := range []string{pathEvents, pathBulk} {
		for _, r := range []request{
			{body: ok, noKey: true},
			{body: ok, header: map[string]string{"X-API-Key": "other"}},
			{body: ""},
			{body: "{"},
			{body: `[{"level":"info"}]`},
			{body: ok, header: map[string]string{"Content-Type": "text/css"}},
			{body: ok, header: map[string]string{"Content-Encoding": "lzma"}},
			{body: strings.Repeat(" ", 6<<20)},
			{body: ok, header: map[string]string{"X-Long": strings.Repeat("a", 17_000)}},
			{method: http.MethodGet},
		} {
			r.path = path
			open.do(r)
		}
	}
	open.single(ok)
	open.bulkOf("[" + ok + "]")
	open.do(request{path: pathBulk + "?results=all", body: "[" + ok + `,{}]`})
	open.do(request{path: "/nowhere"})
	open.do(request{path: pathHealth, method: http.MethodGet, header: map[string]string{"X-Long": strings.Repeat("a", 17_000)}})
	open.do(request{path: pathHealth, method: http.MethodGet})
	doc := open.do(request{path: pathOpenAPI, method: http.MethodGet, header: map[string]string{"X-Long": strings.Repeat("a", 17_000)}})
	if doc.status != 431 {
		t.Errorf("got %d", doc.status)
	}
	doc = open.do(request{path: pathOpenAPI, method: http.MethodGet})
	open.do(request{path: pathOpenAPI, method: http.MethodGet, header: map[string]string{"If-None-Match": doc.header.Get("ETag")}})

	open.do(request{method: http.MethodGet, path: pathStream})
	open.do(request{method: http.MethodGet, path: pathStream, noKey: true})
	open.do(request{method: http.MethodGet, path: pathStream, header: map[string]string{"X-Long": strings.Repeat("a", 17_000)}})
	open.server.streams.Drain()
	open.do(request{method: http.MethodGet, path: pathStream})

	limit := serve(t, withProjects(t, limited(3, "60s")+"    origins: [\"https://shop.example\"]\n"))
	page := map[string]string{"Origin": "https://shop.example"}
	limit.do(request{path: pathEvents, body: ok, header: page})
	limit.do(request{path: pathEvents, body: ok, header: map[string]string{"Origin": "https://evil.example"}})
	limit.do(request{path: pathBulk, body: "[" + ok + "]", header: map[string]string{"Origin": "https://evil.example"}})
	limit.do(request{path: pathBulk + "?atomic=1", body: events(3, nil)}) // does not fit now
	limit.do(request{path: pathBulk + "?atomic=1", body: events(4, nil)}) // never fits
	limit.do(request{method: http.MethodGet, path: pathStream, header: map[string]string{"Origin": "https://evil.example"}})
	limit.bulkOf(events(3, nil))
	limit.single(ok)
	limit.do(request{method: http.MethodGet, path: pathStream})
	limit.bulkOf(events(3, nil))

	for _, failure := range []error{broker.ErrRefused, errors.New("broker down")} {
		away := serve(t, func(c *Config, _ *Deps) { c.RequestTimeout = time.Second })
		away.producer.Failing(func() (bool, error) { return false, failure })
		away.single(ok)
		away.bulkOf("[" + ok + "]")
		away.draining.Store(true)
		away.do(request{path: pathHealth, method: http.MethodGet})
	}
}

// unseen lists statuses that the document describes and produce does not get, with the reason.
var unseen = map[string]string{
	"101": "is no answer to this client; TestStream gets it",
	"408": "takes ten seconds; TestSilentClientIsCutOff gets it",
	"414": "is what a proxy may answer; the gateway answers 431",
	"500": "takes a batch that Kafka refuses while it takes others; TestTopicRefusesOne gets that",
}

// TestOpenAPIDescribesWhatIsThere: the gateway gives every status, code and header that the document describes. The
// transport checks the reverse.
func TestOpenAPIDescribesWhatIsThere(t *testing.T) {
	produce(t)
	d := described
	for path, methods := range d.at("paths").(map[string]any) {
		for method, operation := range methods.(map[string]any) {
			for status := range operation.(map[string]any)["responses"].(map[string]any) {
				if unseen[status] != "" {
					continue
				}
				if seen := d.seen(strings.ToUpper(method) + " " + path + " " + status); len(seen) == 0 {
					t.Errorf("%s %s: no answer has the status %s", method, path, status)
				}
			}
		}
	}
	codes := map[string]bool{}
	for _, a := range d.seen("") {
		if f := strings.Fields(a); len(f) == 4 {
			codes[f[3]] = true
		}
	}
	for _, code := range d.at("components", "schemas", "Code", "enum").([]any) {
		if !codes[code.(string)] && code != "timeout" && code != "internal" {
			t.Errorf("no answer has the code %s", code)
		}
	}
	for name := range d.at("components", "headers").(map[string]any) {
		if !d.headers[name] {
			t.Errorf("no answer has the header %s", name)
		}
	}
	for _, k := range ingest.Kinds() {
		if !slices.Contains(d.at("components", "schemas", "Code", "enum").([]any), any(k.Code())) {
			t.Errorf("the code %s is not described", k.Code())
		}
	}
}

// TestOpenAPIHasTheRoutes: the document has exactly the paths and methods of the table of routes, except HEAD and
// OPTIONS, which it does not name.
func TestOpenAPIHasTheRoutes(t *testing.T) {
	want := map[string]bool{}
	for _, r := range routes {
		for _, method := range r.methods {
			if method != http.MethodHead {
				want[method+" "+r.path] = true
			}
		}
	}
	got := map[string]bool{}
	for path, methods := range described.at("paths").(map[string]any) {
		for method := range methods.(map[string]any) {
			got[strings.ToUpper(method)+" "+path] = true
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("openapi.json has %v, the table %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// seen returns the answers so far that begin with a prefix.
func (d *description) seen(prefix string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(d.answered)), func(a string) bool {
		return a != prefix && !strings.HasPrefix(a, prefix+" ") && prefix != ""
	})
}

// TestOpenAPIExamples: the example requests are accepted, and the example answers match their schemas.
func TestOpenAPIExamples(t *testing.T) {
	s := serve(t)
	for path, methods := range described.at("paths").(map[string]any) {
		for method, op := range methods.(map[string]any) {
			at := []string{"paths", path, method}
			if content, ok := described.at(append(at, "requestBody", "content")...).(map[string]any); ok {
				for media := range content {
					sendExamples(t, s, path, media, append(at, "requestBody", "content", media))
				}
			}
			for status := range op.(map[string]any)["responses"].(map[string]any) {
				place := append(slices.Clone(at), "responses", status, "content", "application/json")
				examples, _ := described.at(append(place, "examples")...).(map[string]any)
				for name, example := range examples {
					schema, err := described.schema(append(place, "schema")...)
					if err != nil {
						t.Fatal(err)
					}
					if err := schema.Validate(example.(map[string]any)["value"]); err != nil {
						t.Errorf("%s %s %s: %s: %v", method, path, status, name, err)
					}
				}
			}
		}
	}
}

func sendExamples(t *testing.T, s *served, path, media string, place []string) {
	t.Helper()
	schema, err := described.schema(append(slices.Clone(place), "schema")...)
	if err != nil {
		t.Fatal(err)
	}
	for name, example := range described.at(append(slices.Clone(place), "examples")...).(map[string]any) {
		value := example.(map[string]any)["value"]
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s %s %s: %v", path, media, name, err)
		}
		body, isText := value.(string)
		if !isText {
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			body = string(text)
		}
		if got := s.do(request{path: path, body: body, header: map[string]string{"Content-Type": media}}); got.status != 202 || got.body.Rejected != 0 {
			t.Errorf("%s %s %s: got %d %s", path, media, name, got.status, got.text)
		}
	}
}

// TestOpenAPIEventSchema: the schema of an event accepts and refuses the same fields as the gateway.
func TestOpenAPIEventSchema(t *testing.T) {
	schema, err := described.schema("components", "schemas", "Event")
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t)
	values := []string{`null`, `1`, `1.5`, `true`, `"x"`, `"error"`, `"CRITICAL"`, `" "`, `"0193b3c4-5d6e-4a7b-8c9d-0e1f2a3b4c5d"`,
		`[]`, `["x"]`, `[1]`, `[["k",1]]`, `[[1,"k"]]`, `[["k"]]`, `[{}]`, `[{"lineno":"1"}]`, `[{"in_app":1}]`, `[{"filename":1}]`,
		`{}`, `{"type":"x"}`, `{"type":1}`, `{"value":"x"}`, `{"id":1}`, `{"id":true}`, `{"email":1}`, `{"name":1}`, `{"version":"1"}`, `{"k":[1]}`}
	fields := slices.Sorted(maps.Keys(described.at("components", "schemas", "Event", "properties").(map[string]any)))
	for _, field := range append(fields, "unknown") {
		for _, value := range values {
			body := fmt.Sprintf(`{"message":"m",%q:%s}`, field, value)
			if field == "message" {
				body = fmt.Sprintf(`{"message":%s}`, value)
			}
			parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.single(body), schema.Validate(parsed)
			if (got.status == 202) != (err == nil) {
				t.Errorf("%s: the gateway says %d %s, the schema %v", body, got.status, got.body.Error, err)
			}
		}
	}
}

func TestOpenAPIIsServed(t *testing.T) {
	s := serve(t)
	got := s.do(request{path: pathOpenAPI, method: http.MethodGet, noKey: true})
	if got.status != 200 || got.text != string(openAPIText) || got.header.Get("Content-Type") != "application/json" {
		t.Fatalf("got %d %v", got.status, got.header)
	}
	again := s.do(request{path: pathOpenAPI, method: http.MethodGet, header: map[string]string{"If-None-Match": "W/" + got.header.Get("ETag")}})
	if again.status != 304 || again.text != "" {
		t.Errorf("unchanged: got %d %.50q", again.status, again.text)
	}
	if head := s.do(request{path: pathOpenAPI, method: http.MethodHead}); head.status != 200 || head.text != "" {
		t.Errorf("head: got %d %.50q", head.status, head.text)
	}
	if post := s.do(request{path: pathOpenAPI}); post.status != 405 || post.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("post: got %d %v", post.status, post.header)
	}
	if name := routeByPath[pathOpenAPI].label; name != "openapi" {
		t.Errorf("its route is called %q", name)
	}
}

// TestOpenAPINamesTheLimits: the document has the code's numbers.
func TestOpenAPINamesTheLimits(t *testing.T) {
	for _, name := range []string{ingest.LimitEventBytes, ingest.LimitBulkBytes, "max_bulk_events", ingest.LimitRate} {
		if !slices.Contains(described.at("components", "schemas", "Error", "properties", "limit", "enum").([]any), any(name)) {
			t.Errorf("the limit %s is not described", name)
		}
	}
	if got := described.at("components", "parameters", "IdempotencyKey", "schema", "maxLength"); fmt.Sprint(got) != fmt.Sprint(ingest.LongestIdempotencyKey) {
		t.Errorf("Idempotency-Key: %v bytes", got)
	}
	for _, name := range strings.Split(bodyroom.AcceptedEncodings, ", ") {
		if !slices.Contains(described.at("components", "parameters", "ContentEncoding", "schema", "enum").([]any), any(name)) {
			t.Errorf("the encoding %s is not described", name)
		}
	}
	for _, name := range strings.Split(ingest.CorsExposed, ", ") {
		if described.at("components", "headers", name) == nil {
			t.Errorf("the exposed header %s is not described", name)
		}
	}
}
