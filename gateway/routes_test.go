package gateway

import (
	"net/http"
	"strings"
	"testing"

	"sluice/gateway/ingest"
)

// TestWrongPathNamesTheRightOne: the answer names the path that the client probably meant, or both event paths, and
// repeats nothing of the path that was sent.
func TestWrongPathNamesTheRightOne(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for path, right := range map[string]string{
		pathEvents + "/": "POST " + pathEvents + "?", "/API/v1/Events": "POST " + pathEvents + "?", "/events": "POST " + pathEvents + "?",
		"/v1/events": "POST " + pathEvents + "?", "//api/v1/events": "POST " + pathEvents + "?", "/api/v1/event": "POST " + pathEvents + "?",
		pathEvents + "//bulk/": "POST " + pathBulk + "?", "/api/v1/bulk": "POST " + pathBulk + "?", "/api/v1/events/batch": "POST " + pathBulk + "?",
		"/health": "GET " + pathHealth + "?", pathHealth + "/": "GET " + pathHealth + "?", "/api/openapi.json": "GET " + pathOpenAPI + "?",
		"/secret-word": pathBulk, "/api/v1/secret-word/events/x": pathBulk,
		"/" + strings.Repeat("secret-word", 20) + "/events": pathBulk,
	} {
		got := s.do(request{path: path, body: `{"message":"x"}`})
		if got.status != 404 || got.body.Code != "not_found" || !strings.Contains(got.body.Error, right) || strings.Contains(got.text, "secret") {
			t.Errorf("%.40s: got %d %s", path, got.status, got.text)
		}
	}
	for _, r := range routes {
		got := s.do(request{method: http.MethodDelete, path: r.path})
		if got.status != 405 || got.header.Get("Allow") != r.allow || !strings.Contains(got.body.Error, r.methods[0]) {
			t.Errorf("%s: got %d %v %s", r.path, got.status, got.header, got.text)
		}
	}
}

// TestRefusalsSayWhatToDo: a 401 says how to send a key, and a 413 how large is too large.
func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config, _ *Deps) { c.MaxEventBytes, c.MaxBulkBytes = 1234, 5678 })
	for _, header := range []map[string]string{nil, {"Authorization": testKey}, {"Authorization": "Bearer nobody"}} {
		got := s.do(request{path: pathEvents, body: "{}", noKey: true, header: header})
		for _, want := range []string{"Authorization: Bearer", "X-API-Key:", "?api_key="} {
			if got.status != 401 || !strings.Contains(got.body.Error, want) {
				t.Errorf("%v: got %d %s", header, got.status, got.text)
			}
		}
	}
	for _, r := range []struct {
		request
		limit, bytes string
	}{
		{request{path: pathEvents, body: strings.Repeat(" ", 1235)}, ingest.LimitEventBytes, "1234 bytes"},
		{request{path: pathEvents, body: strings.Repeat(" ", 1235), chunked: true}, ingest.LimitEventBytes, "1234 bytes"},
		{encoded(pathEvents, "gzip", strings.Repeat(" ", 1235)), ingest.LimitEventBytes, "1234 bytes"},
		{request{path: pathBulk, body: strings.Repeat(" ", 5679)}, ingest.LimitBulkBytes, "5678 bytes"},
		{request{path: pathHealth, method: http.MethodGet, header: map[string]string{"X-Long": strings.Repeat("a", 16<<10)}}, ingest.LimitHeaderBytes, "16384 bytes"},
	} {
		got := s.do(r.request)
		if got.body.Code != "too_large" || got.body.Limit != r.limit || !strings.Contains(got.body.Error, r.limit) || !strings.Contains(got.body.Error, r.bytes) {
			t.Errorf("%s: got %d %s", r.path, got.status, got.text)
		}
	}
	small := serve(t, withProjects(t, limited(3, "60s")))
	got := small.do(request{path: pathBulk + "?atomic=true", body: events(4, nil)})
	if got.status != 413 || got.body.Limit != ingest.LimitRate || !strings.Contains(got.body.Error, "3 events") {
		t.Errorf("atomic: got %d %s", got.status, got.text)
	}
}
