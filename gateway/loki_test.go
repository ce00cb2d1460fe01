package gateway

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestLokiPush: streams in any order of members, and entries that are none.
func TestLokiPush(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]struct {
		status int
		values []string
	}{
		`{"streams":[{"values":[["1","a"],["2","b",{"k":"v"}]],"stream":{"app":"x"}},{"stream":{},"values":[["3","c"]]}],"more":{}}`: {204, []string{
			`{"stream":{"app":"x"},"ts":"1","line":"a"}`, `{"stream":{"app":"x"},"ts":"2","line":"b","metadata":{"k":"v"}}`,
			`{"stream":{},"ts":"3","line":"c"}`}},
		` { "streams" : [ { "stream" : { "a" : "b" } , "values" : [ [ "1" , "x" ] ] } ] } `: {204, []string{`{"stream":{ "a" : "b" },"ts":"1","line":"x"}`}},
		`{"streams":[{"values":[["1","a"],["2"],7,["3","c",{},1],["4","d"]]}]}`:             {400, []string{`{"stream":{},"ts":"1","line":"a"}`, `{"stream":{},"ts":"4","line":"d"}`}},
		"{\"streams\":[{\"values\":[[\"1\",\"\xff\"],[\"2\",\"b\"]]}]}":                     {400, []string{`{"stream":{},"ts":"2","line":"b"}`}},
		`{"streams":[{"stream":{"a":1,"a":2},"values":[["1","a"]]}]}`:                       {400, nil},
		`{"streams":[{"stream":{"a":"b"},"values":[["1","a"]]}]} x`:                         {400, nil},
		`{"streams":[{"stream":{"a":"b"},"values":[["1","a"]]}`:                             {400, nil},
		`{"streams":[{"values":[["1","a"]},{]}`:                                             {400, nil},
		`{"streams":[{"values":{}}]}`:                                                       {400, nil},
		`{"streams":[1]}`:                                                                   {400, nil},
		`{"streams":{}}`:                                                                    {400, nil},
		`{"streams":[]}`:                                                                    {400, nil},
		`{"streams":[{"stream":{}}]}`:                                                       {400, nil},
		`{}`:                                                                                {400, nil},
		`[]`:                                                                                {400, nil},
	} {
		s := serve(t)
		got := s.do(request{path: pathLoki, body: body, header: map[string]string{"Content-Type": "application/json", "X-Scope-OrgID": "tenant"}})
		assert.Equal(t, want.status, got.status, "%s: %s", body, got.text)
		assert.Equal(t, want.values, s.producer.Values(), body)
	}
}

// TestLokiProtobuf: labels in their own notation, and bytes that are no push.
func TestLokiProtobuf(t *testing.T) {
	t.Parallel()
	push := func(s *served, body, contentType string) reply {
		return s.do(request{path: pathLoki, body: body, header: map[string]string{"Content-Type": contentType}})
	}
	for labels, want := range map[string]string{
		`{app="shop", level="error"}`: `{"app":"shop","level":"error"}`, `{}`: `{}`, ``: `{}`, `{a="b\"\n\u00e9{},="}`: `{"a":"b\"\né{},="}`,
		`{a="b",c=broken}`: `{"a":"b"}`, `{a="b`: `{}`, `nonsense`: `{}`,
	} {
		s := serve(t)
		for _, contentType := range []string{"application/x-protobuf", ""} {
			got := push(s, lokiProtobuf(labels, "a line"), contentType)
			assert.Equal(t, 204, got.status, "%s: %s", labels, got.text)
		}
		assert.Equal(t, []string{`{"stream":` + want + `,"ts":"1795840630896000000","line":"a line"}`}, s.producer.Values(), labels)
	}
	s := serve(t)
	whole := lokiProtobuf("{}", "a line")
	for _, body := range []string{whole[:len(whole)-1], whole + "x", "\x00", "\x01", "\x04\x0c\xff\xff\xff\xff", "x"} {
		assert.Equal(t, 400, push(s, body, "application/x-protobuf").status, "%q", body)
	}
	assert.Empty(t, s.producer.Stored())
}

// TestLokiLabelsDoNotMultiply: each entry repeats the labels of its stream, and all of them together are bounded.
func TestLokiLabelsDoNotMultiply(t *testing.T) {
	t.Parallel()
	s := serve(t)
	push := func(label int) reply {
		return s.do(request{path: pathLoki, header: map[string]string{"Content-Type": "application/json"}, body: `{"streams":[{"stream":{"a":"` +
			strings.Repeat("a", label) + `"},"values":[` + strings.Repeat(`["1","l"],`, 9999) + `["1","l"]]}]}`})
	}
	assert.Equal(t, 204, push(2000).status)
	got := push(2100)
	assert.Equal(t, 413, got.status)
	assert.Equal(t, "max_bulk_bytes", got.body.Limit)
	assert.Len(t, s.producer.Stored(), 10_000)
}
