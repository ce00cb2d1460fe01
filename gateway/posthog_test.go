package gateway

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPostHogBodies: a batch, an array, an event and a form, plain and compressed, with the key where clients of all
// kinds put it.
func TestPostHogBodies(t *testing.T) {
	t.Parallel()
	const item = `{"event":"Paid","distinct_id":"u"}`
	form := func(text string) string {
		return "data=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(text)))
	}
	single := `{"event":"Paid","distinct_id":"u","api_key":"test-key"}`
	for name, r := range map[string]request{
		"node":             {path: "/batch/", body: `{"api_key":"test-key","batch":[` + item + `],"sent_at":"2026-11-23T12:00:00Z"}`},
		"python":           {path: "/batch/", body: `{"batch":[` + item + `],"sentAt":"2026-11-23T12:00:00Z","api_key":"test-key"}`},
		"go, no slash":     {path: "/batch", body: `{"api_key":"test-key","historical_migration":false,"batch":[` + item + `]}`},
		"gzip":             encoded("/batch/", "gzip", `{"api_key":"test-key","batch":[`+item+`]}`),
		"js":               {path: "/e/?ip=0&_=1795435200000&ver=1.449", body: single},
		"js, gzip-js":      {path: "/e/?compression=gzip-js", body: encoded("", "gzip", single).body, header: map[string]string{"Content-Type": "text/plain"}},
		"js, token within": {path: "/e/", body: `{"event":"Paid","properties":{"token":"test-key","distinct_id":"u"}}`},
		"js, array":        {path: "/i/v0/e/", body: `[{"event":"Paid","properties":{"token":"test-key","distinct_id":"u"}}]`},
		"capture":          {path: "/capture/", body: single},
		"capture, bare":    {path: "/capture", body: single},
		"track":            {path: "/track/", body: single},
		"form":             {path: "/e/?compression=base64", body: form(single), header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}},
		"form, more":       {path: "/e/", body: form(single) + "&ip=1"},
		"form, unescaped":  {path: "/e/", body: "data=" + base64.StdEncoding.EncodeToString([]byte(single))},
		"form, no base64":  {path: "/e/", body: "data=" + url.QueryEscape(single)},
		"form, array":      {path: "/e/", body: form(`[` + single + `]`)},
	} {
		s := serve(t)
		r.noKey = true
		got := s.do(r)
		require.Equal(t, 200, got.status, "%s: %s", name, got.text)
		assert.Equal(t, `{"status":1}`, got.text)
		rows := s.rows()
		require.Len(t, rows, 1, name)
		assert.Equal(t, "Paid", rows[0].Message, name)
		assert.Equal(t, "u", rows[0].UserID, name)
		assert.Equal(t, "info", rows[0].Level, name)
		assert.Equal(t, "posthog", rows[0].Format, name)
		switch name {
		case "node", "python", "js":
			assert.Equal(t, "2026-11-23T12:00:00Z", rows[0].Sent, name)
		}
	}
}

// TestPostHogItems: the columns of events.
func TestPostHogItems(t *testing.T) {
	t.Parallel()
	const id = "0193b3c4-5d6e-7a7b-8c9d-0e1f2a3b4c5d"
	for text, want := range map[string]rowView{
		`{"event":"$pageview","distinct_id":"u","uuid":"` + id + `","properties":{"$lib":"web","$lib_version":"1.4","$app_version":"2","$browser":"Chrome","$os":"Linux","$current_url":"https://a.example/","$device_type":null,"$screen_width":7,"$set":{"email":"u@example.com"}}}`: {
			ID: id, Level: "info", Message: "$pageview", UserID: "u", UserEmail: "u@example.com", Release: "2", SDK: "web 1.4",
			Tags: map[string]string{"$browser": "Chrome", "$os": "Linux", "$current_url": "https://a.example/"},
		},
		`{"event":"Paid","properties":{"distinct_id":7,"email":"a@example.com"},"$set":{"email":"b@example.com"}}`: {
			Level: "info", Message: "Paid", UserID: "7", UserEmail: "b@example.com",
		},
		`{"event":"$exception","distinct_id":"u","properties":{"$exception_level":"fatal","$exception_list":[` +
			`{"type":"TypeError","value":"x is undefined","mechanism":{"handled":false},"stacktrace":{"type":"raw","frames":[` +
			`{"platform":"web:javascript","filename":"app.js","function":"pay","lineno":4,"in_app":true},{"abs_path":"/lib.js","function":"call","in_app":false},7]}},` +
			`{"type":"Cause","value":"y"}]}}`: {
			Level: "fatal", Message: "TypeError: x is undefined", Type: "TypeError", Value: "x is undefined", UserID: "u",
			Frames: []string{"app.js|pay|true", "/lib.js|call|false"},
		},
		`{"event":"$exception","properties":{"$exception_type":"E","$exception_message":"m"}}`: {
			Level: "error", Message: "E: m", Type: "E", Value: "m",
		},
		`{"event":"$exception","properties":{"$exception_list":7}}`:                                      {Level: "error", Message: "$exception"},
		`{"event":"Paid","properties":"x","uuid":"00000000-0000-0000-0000-000000000000","timestamp":[]}`: {Level: "info", Message: "Paid"},
	} {
		s := serve(t)
		got := s.do(request{path: "/batch/", body: `{"batch":[` + text + `,{"event":"other"}]}`})
		require.Equal(t, 200, got.status, "%s: %s", text, got.text)
		row := s.rows()[0]
		if want.ID == "" {
			assert.Equal(t, byte('8'), row.ID[14], "made of the bytes: a UUIDv8")
			want.ID = row.ID
		}
		want.Format, want.Time, want.Client, want.Sent = "posthog", row.Time, row.Client, row.Sent
		assert.Equal(t, want, row, text)
		assert.Len(t, s.rows(), 2)
	}
}

// TestPostHogResends: a retry with a fresh time of sending makes no new row.
func TestPostHogResends(t *testing.T) {
	t.Parallel()
	for name, item := range map[string]string{
		"v7":     `"uuid":"0193b3c4-5d6e-7a7b-8c9d-0e1f2a3b4c5d"`,
		"v4":     `"uuid":"0193b3c4-5d6e-4a7b-8c9d-0e1f2a3b4c5d","timestamp":"2026-11-23T11:00:00Z"`,
		"empty":  `"uuid":"","timestamp":"2026-11-23T11:00:00Z"`,
		"insert": `"properties":{"$insert_id":"i-1"}`,
		"none":   `"distinct_id":"u"`,
	} {
		s := serve(t)
		for _, sent := range []string{"2026-11-23T12:00:00Z", "2026-11-23T12:01:00Z"} {
			for _, body := range []string{
				`{"api_key":"test-key","batch":[{"event":"x",` + item + `}],"sent_at":"` + sent + `"}`,
				`{"event":"x",` + item + `,"sent_at":"` + sent + `"}`,
			} {
				assert.Equal(t, 200, s.do(request{path: "/batch/", body: body}).status, name)
			}
		}
		want := 1
		if name == "empty" || name == "none" {
			want = 2 // the two bodies hold different bytes
		}
		assert.Len(t, s.rows(), want, name)
	}
}

// TestPostHogBadInputs: what is no event is refused by itself, and a body without one as a whole.
func TestPostHogBadInputs(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for text, want := range map[string]struct {
		status int
		code   string
		kept   int
	}{
		``:                       {400, "empty", 0},
		`{}`:                     {400, "empty", 0},
		`{"api_key":"test-key"}`: {400, "empty", 0},
		`{"batch":[]}`:           {400, "empty", 0},
		`{"batch":7}`:            {400, "malformed", 0},
		`{"distinct_id":"u"}`:    {400, "invalid_event", 0},
		`{"event":" "}`:          {400, "invalid_event", 0},
		`{"batch":[{"event":"x"},{"event":{}},7]}`: {200, "", 1},
		`data=`:                     {400, "empty", 0},
		`data=!!!`:                  {400, "empty", 0},
		`data=eyJldmVudCI6`:         {400, "malformed", 0},
		`{"event":"x","event":"y"}`: {400, "malformed", 0},
	} {
		before := len(s.producer.Stored())
		got := s.do(request{path: "/e/", body: text})
		assert.Equal(t, want.status, got.status, "%s: %s", text, got.text)
		assert.Equal(t, want.code, got.body.Code, text)
		assert.Len(t, s.producer.Stored(), before+want.kept, text)
		if want.status != 200 {
			assert.Contains(t, got.text, `"status":0,`)
		}
	}
}

// TestPostHogWithoutItsService: clients find no flags and no configuration, and no errors. They need no key.
func TestPostHogWithoutItsService(t *testing.T) {
	t.Parallel()
	s := serve(t, withProjects(t, limited(1, "60s")))
	for _, r := range []request{
		{path: "/flags/?v=2&ip=0", body: `{"token":"phc_x","distinct_id":"u"}`, header: map[string]string{"Content-Type": "text/plain"}},
		{path: "/flags?v=2", body: encoded("", "gzip", `{"token":"phc_x"}`).body}, {path: "/decide/?v=3", body: `{}`},
		{path: "/flags/?v=2", method: http.MethodGet}, {path: "/array/phc_x/config", method: http.MethodGet},
		{path: "/flags/", body: strings.Repeat("x", 1<<20), chunked: true},
	} {
		r.noKey = true
		got := s.do(from(shop, r))
		assert.Equal(t, 200, got.status, got.text)
		assert.True(t, strings.Contains(got.text, `"flags":{}`) || strings.Contains(got.text, `"hasFeatureFlags":false`), got.text)
		got.open(t, "*")
	}
	got := s.do(request{method: http.MethodGet, path: "/array/phc_x/config.js", noKey: true})
	assert.Equal(t, 200, got.status)
	assert.Equal(t, "application/javascript", got.header.Get("Content-Type"))
	assert.NotContains(t, got.text, "phc_x")
	for _, path := range []string{"/array//config", "/array/a/b/config", "/array/a/config/"} {
		assert.Equal(t, 404, s.do(request{method: http.MethodGet, path: path}).status, path)
	}
	assert.Equal(t, 405, s.do(request{path: "/array/phc_x/config", body: "{}"}).status)
}

// TestPostHogRetries: a retry after a 503 makes one row.
func TestPostHogRetries(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config, _ *Deps) { c.RequestTimeout = time.Second })
	s.producer.Failing(func() (bool, error) { return true, assert.AnError })
	r := request{path: "/batch/", body: `{"api_key":"test-key","batch":[{"event":"x"},{"event":"x"}]}`, noKey: true}
	got := s.do(r)
	assert.Equal(t, 503, got.status)
	assert.NotEmpty(t, got.header.Get("Retry-After"))
	s.producer.Failing(nil)
	waitUntil(t, func() bool { return s.do(r).status == 200 })
	assert.Len(t, s.rows(), 2)
}
