package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// reply is the answer to a capture.
type reply struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
}

// answeredWell checks that an answer is what the request's client takes for success.
func (c *capture) answeredWell(t *testing.T, got reply) {
	t.Helper()
	kind := got.Header.Get("Content-Type")
	if c.Request.Method == http.MethodOptions {
		assert.Equal(t, http.StatusNoContent, got.Status)
		assert.NotEmpty(t, got.Header.Get("Access-Control-Allow-Origin"))
		assert.Contains(t, got.Header.Get("Access-Control-Allow-Headers"), "Authorization")
		return
	}
	if c.header("Origin") != "" {
		assert.NotEmpty(t, got.Header.Get("Access-Control-Allow-Origin"), "a page may not read the answer")
	}
	switch {
	case c.Family == "sentry":
		assert.Equal(t, http.StatusOK, got.Status)
		assert.Regexp(t, `^\{("id":"[0-9a-f]{32}")?\}$`, got.Body)
	case c.Family == "segment":
		assert.Equal(t, http.StatusOK, got.Status)
		assert.JSONEq(t, `{"success":true}`, got.Body)
	case c.Family == "otlp" && c.header("Content-Type") == "application/json":
		assert.Equal(t, http.StatusOK, got.Status)
		assert.Equal(t, "application/json", kind)
		assert.JSONEq(t, `{"partialSuccess":{}}`, got.Body)
	case c.Family == "otlp":
		assert.Equal(t, http.StatusOK, got.Status)
		assert.Equal(t, "application/x-protobuf", kind)
		assert.Empty(t, got.Body)
	case c.Family == "posthog":
		assert.Equal(t, http.StatusOK, got.Status)
		assert.JSONEq(t, `{"status":1}`, got.Body)
	case strings.HasPrefix(c.Request.Target, "/loki/"):
		assert.Equal(t, http.StatusNoContent, got.Status)
	case strings.HasPrefix(c.Request.Target, "/services/"):
		assert.Equal(t, http.StatusOK, got.Status)
		assert.JSONEq(t, `{"text":"Success","code":0}`, got.Body)
	case c.Request.Target == "/_bulk":
		assert.Equal(t, http.StatusOK, got.Status)
		assert.Equal(t, "Elasticsearch", got.Header.Get("X-Elastic-Product"))
		// Of what the recorded requests ask for, only a delete is refused.
		deletes := bytes.Contains(c.body(), []byte(`{"delete":`))
		assert.Contains(t, got.Body, fmt.Sprintf(`"errors":%t`, deletes))
	default:
		assert.Equal(t, http.StatusAccepted, got.Status)
	}
}

// identifies reports whether the request's events keep their ids when it is sent again. Our own paths draw the ids of
// events that have none, unless the request has an Idempotency-Key.
func (c *capture) identifies() bool {
	return !strings.HasPrefix(c.Request.Target, "/api/v1/")
}

// answerMasks replace what the gateway draws.
var answerMasks = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`), "<UUIDv7>"},
	{regexp.MustCompile(`[0-9a-f]{12}7[0-9a-f]{19}`), "<UUIDv7 of 32 digits>"},
	{regexp.MustCompile(`"took":\d+`), `"took":0`},
}

// masked is the answer with the headers that the protocols differ in, and without what the gateway draws.
func (r reply) masked() reply {
	kept := http.Header{}
	for _, name := range []string{
		"Content-Type", "X-Elastic-Product", "X-Sentry-Rate-Limits", "Retry-After", "X-Accepted-Events", "X-Rejected-Events",
		"Access-Control-Allow-Origin",
	} {
		if values := r.Header.Values(name); len(values) > 0 {
			kept[name] = values
		}
	}
	r.Header = kept
	for _, m := range answerMasks {
		r.Body = m.pattern.ReplaceAllString(r.Body, m.with)
	}
	return r
}
