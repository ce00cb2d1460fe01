package gateway

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

const (
	shop = "https://shop.example"
	blog = "https://blog.example"
	evil = "https://evil.example"
)

// twoShops makes two projects with one origin each. The second has the key blogKey.
const blogKey = "blog-key"

func twoShops(t *testing.T) option {
	return withProjects(t, limited(1000, "60s")+"    origins: [\""+shop+"\"]\n"+
		"  - id: blog\n    keys: [{name: web, sha256: "+hash(blogKey)+"}]\n    origins: [\"HTTPS://Blog.example:443\"]\n")
}

func from(origin string, r request) request {
	header := map[string]string{"Origin": origin}
	for k, v := range r.header {
		header[k] = v
	}
	r.header = header
	return r
}

// open fails the test unless a page of the origin may read the answer.
func (got reply) open(t *testing.T, origin string) {
	t.Helper()
	h := got.header
	if h.Get("Access-Control-Allow-Origin") != origin || h.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%d: Access-Control-Allow-Origin %q, want %q", got.status, h.Get("Access-Control-Allow-Origin"), origin)
	}
	if (h.Get("Vary") == "Origin") != (origin != "*") {
		t.Errorf("%d: Vary %q", got.status, h.Get("Vary"))
	}
	const exposed = "Retry-After, RateLimit, RateLimit-Policy, X-Request-Id, X-Accepted-Events, X-Rejected-Events, X-Sentry-Rate-Limits"
	if h.Get("Access-Control-Expose-Headers") != exposed {
		t.Errorf("%d: exposed %q", got.status, h.Get("Access-Control-Expose-Headers"))
	}
}

// closed fails the test if any page may read the answer.
func (got reply) closed(t *testing.T) {
	t.Helper()
	for name := range got.header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%d: %s: %q", got.status, name, got.header.Get(name))
		}
	}
	if got.header.Get("Vary") != "Origin" {
		t.Errorf("%d: Vary %q", got.status, got.header.Get("Vary"))
	}
}

// TestEveryAnswerIsForPages: pages may read every answer, errors included. A page sees an unreadable answer as a
// network error.
func TestEveryAnswerIsForPages(t *testing.T) {
	t.Parallel()
	ok := `{"message":"x"}`
	for name, test := range map[string]struct {
		options []option
		origin  string
	}{
		"any origin":       {[]option{withProjects(t, limited(8, "1h"))}, "*"},
		"an origin listed": {[]option{withProjects(t, limited(8, "1h")+"    origins: [\""+shop+"\"]\n")}, shop},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, append(test.options, func(c *Config, _ *Deps) { c.RequestTimeout = 3 * time.Second })...)
			expect := func(status int, r request) {
				t.Helper()
				got := s.do(from(shop, r))
				if got.status != status {
					t.Errorf("got %d %s, want %d", got.status, got.text, status)
				}
				got.open(t, test.origin)
			}
			expect(202, request{path: pathEvents, body: ok})
			expect(202, request{path: pathBulk, body: "[" + ok + "]"})
			expect(400, request{path: pathEvents, body: "{"})
			expect(400, request{path: pathEvents, body: ok, header: map[string]string{"X-API-Key": "other"}})
			expect(401, request{path: pathEvents, body: ok, noKey: true})
			expect(404, request{path: "/nowhere", body: ok})
			expect(405, request{path: pathEvents, method: http.MethodGet})
			expect(405, request{path: pathEvents, method: "BREW"})
			expect(413, request{path: pathEvents, body: strings.Repeat(" ", 1<<20+1)})
			expect(413, request{path: pathEvents, body: strings.Repeat(" ", 6<<20)})
			expect(415, request{path: pathEvents, body: ok, header: map[string]string{"Content-Type": "text/css"}})
			expect(200, request{path: pathHealth, method: http.MethodGet})
			expect(200, request{path: pathOpenAPI, method: http.MethodGet})
			s.producer.Failing(func() (bool, error) { return false, errors.New("broker down") })
			expect(503, request{path: pathEvents, body: ok})
			s.producer.Failing(nil)
			s.bulkOf(events(8, nil))
			expect(429, request{path: pathEvents, body: ok})
			expect(429, request{path: pathBulk, body: "[" + ok + "]"})
		})
	}
}

// TestOriginsOfOtherProjects: the key decides whose pages may send. Before the key is known, the pages of all
// projects may ask.
func TestOriginsOfOtherProjects(t *testing.T) {
	t.Parallel()
	s := serve(t, twoShops(t))
	ok := request{path: pathEvents, body: `{"message":"x"}`}
	blogs := ok
	blogs.noKey, blogs.header = true, map[string]string{"X-API-Key": blogKey}

	got := s.do(from(shop, ok))
	got.open(t, shop)
	got = s.do(from(blog, blogs))
	got.open(t, blog)
	if got.status != 202 {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	if got := s.do(ok); got.status != 202 || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("no page: got %d %v", got.status, got.header)
	}
	kept := len(s.producer.Stored())
	for _, path := range []string{pathEvents, pathBulk} {
		for _, origin := range []string{evil, blog, "null", "https://shop.example.evil.example", "http://shop.example", "https://shop.example:8443", "https://SHOP.example"} {
			r := ok
			r.path = path
			got := s.do(from(origin, r))
			if got.status != 403 || got.body.Code != "forbidden" || *got.body.Retryable {
				t.Errorf("%s: got %d %s", origin, got.status, got.text)
			}
			got.closed(t)
		}
	}
	if n := len(s.producer.Stored()); n != kept {
		t.Errorf("%d events of foreign pages were kept", n-kept)
	}
	if left := s.do(ok).header.Get("RateLimit"); left != `"events";r=997;t=1` {
		t.Errorf("foreign pages cost the project's limit: %s", left)
	}
	// Without a key the project is unknown.
	nobody := ok
	nobody.noKey = true
	got = s.do(from(blog, nobody))
	got.open(t, blog)
	got = s.do(from(evil, nobody))
	got.closed(t)
}

// TestListedBesideAny: a project without origins does not open a project that lists its origins.
func TestListedBesideAny(t *testing.T) {
	t.Parallel()
	s := serve(t, withProjects(t, limited(10, "60s")+"    origins: [\""+shop+"\"]\n"+
		"  - id: any\n    keys: [{name: web, sha256: "+hash(blogKey)+"}]\n"))
	ok := request{path: pathEvents, body: `{"message":"x"}`}
	got := s.do(from(evil, ok))
	got.closed(t)
	got = s.do(from(shop, ok))
	got.open(t, shop)
	ok.noKey, ok.header = true, map[string]string{"X-API-Key": blogKey}
	got = s.do(from(evil, ok))
	got.open(t, "*")
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	open, listed := serve(t), serve(t, twoShops(t))
	ask := func(s *served, path, origin string) reply {
		return s.do(request{method: http.MethodOptions, path: path, noKey: true, header: map[string]string{
			"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type",
		}})
	}
	for _, test := range []struct {
		s                     *served
		path, origin, allowed string
		status                int
	}{
		{open, pathEvents, evil, "*", 204},
		{open, pathBulk, "null", "*", 204},
		{open, pathEvents + "?api_key=x", evil, "*", 204},
		{listed, pathEvents, shop, shop, 204},
		{listed, pathBulk, blog, blog, 204},
		{listed, pathEvents, evil, "", 204},
		{listed, "/nowhere", shop, shop, 204},
		{listed, "/nowhere", evil, "", 204},
		{open, "/nowhere", evil, "*", 204}, // so that the page can read the 404 that comes
		{open, pathEvents + "/", evil, "*", 204},
	} {
		got := ask(test.s, test.path, test.origin)
		h := got.header
		if got.status != test.status || h.Get("Access-Control-Allow-Origin") != test.allowed || h.Get("X-Request-Id") == "" {
			t.Errorf("%s from %s: got %d %v", test.path, test.origin, got.status, h)
		}
		if test.allowed == "" {
			got.closed(t)
		}
		if test.status != 204 || test.allowed == "" {
			continue
		}
		if !strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") || h.Get("Access-Control-Max-Age") != "7200" || got.text != "" {
			t.Errorf("%s from %s: got %v %q", test.path, test.origin, h, got.text)
		}
		for _, name := range []string{
			"Authorization", "Content-Type", "Content-Encoding", "X-API-Key", "X-Sentry-Auth", "X-Request-Id", "X-Sent-At", "Idempotency-Key", "Traceparent",
		} {
			if !strings.Contains(", "+h.Get("Access-Control-Allow-Headers")+",", ", "+name+",") {
				t.Errorf("%s is not allowed: %q", name, h.Get("Access-Control-Allow-Headers"))
			}
		}
	}
	if got := ask(open, pathHealth, evil); got.status != 204 || got.header.Get("Access-Control-Allow-Methods") != "GET, HEAD" {
		t.Errorf("health: got %d %v", got.status, got.header)
	}
	got := open.do(request{method: http.MethodOptions, path: pathEvents, noKey: true, header: map[string]string{
		"Origin": evil, "Access-Control-Request-Method": "PUT",
	}})
	if got.status != 204 || !strings.Contains(got.header.Get("Access-Control-Allow-Methods"), "PUT") {
		t.Errorf("a method that is answered 405: got %d %v", got.status, got.header)
	}
	if got := open.do(request{method: http.MethodOptions, path: "/nowhere", noKey: true}); got.status != 404 {
		t.Errorf("no page, an unknown path: got %d", got.status)
	}
	// No page asks. The answer names the methods and says nothing to browsers.
	got = open.do(request{method: http.MethodOptions, path: pathEvents, body: "x", noKey: true})
	if got.status != 204 || got.header.Get("Allow") != "POST, OPTIONS" || got.header.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("plain OPTIONS: got %d %v", got.status, got.header)
	}
}

// TestCachedAnswersAreForPages: an answer that a cache keeps must serve a later request of a page.
func TestCachedAnswersAreForPages(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		r := request{method: method, path: pathOpenAPI, noKey: true}
		got := serve(t).do(r)
		got.open(t, "*")
		if got := serve(t, twoShops(t)).do(r); got.header.Get("Vary") != "Origin" {
			t.Errorf("%s: Vary %q", method, got.header.Get("Vary"))
		}
	}
}

// TestUnreadableRequestIsForPages: the Origin of a request with too large headers is unknown.
func TestUnreadableRequestIsForPages(t *testing.T) {
	t.Parallel()
	long := from(shop, request{path: pathEvents, header: map[string]string{"X-Long": strings.Repeat("a", 17_000)}})
	got := serve(t).do(long)
	got.open(t, "*")
	got = serve(t, twoShops(t)).do(long)
	got.closed(t)
}

// TestBeacon sends what navigator.sendBeacon sends with a string: no preflight, none of our headers.
func TestBeacon(t *testing.T) {
	t.Parallel()
	s := serve(t, twoShops(t))
	for path, body := range map[string]string{
		pathEvents: `{"message":"bye"}`,
		pathBulk:   "{\"message\":\"bye\"}\n{\"message\":\"bye\"}",
	} {
		got := s.do(from(shop, request{path: path + "?api_key=" + testKey + "&sent_at=1795435200000", body: body, noKey: true,
			header: map[string]string{"Content-Type": "text/plain;charset=UTF-8", "Cookie": "a=b", "Sec-Fetch-Mode": "no-cors"}}))
		if got.status != 202 {
			t.Errorf("%s: got %d %s", path, got.status, got.text)
		}
		got.open(t, shop)
	}
	if got := s.lastEnvelope().SentAt.UnixMilli(); got != 1795435200000 {
		t.Errorf("sent at %d", got)
	}
}

// TestDisabledProjectIsReadable: pages of a disabled project see the reason.
func TestDisabledProjectIsReadable(t *testing.T) {
	t.Parallel()
	s := serve(t, withProjects(t, limited(10, "60s")+"    origins: [\""+shop+"\"]\n    disabled: true\n"))
	got := s.do(from(shop, request{path: pathEvents, body: `{"message":"x"}`}))
	if got.status != 403 {
		t.Errorf("got %d %s", got.status, got.text)
	}
	got.open(t, shop)
}

// TestPanicIsOneRequests500: a panic ends a request and not the process.
func TestPanicIsOneRequests500(t *testing.T) {
	g := serve(t).Gateway
	var ctx fasthttp.RequestCtx
	ctx.Init(&fasthttp.Request{}, nil, nil)
	app := fiber.New()
	app.Use(g.server.recoverPanic, func(*fiber.Ctx) error { panic("a decoder's mistake") })
	app.Handler()(&ctx)
	if body := string(ctx.Response.Body()); ctx.Response.StatusCode() != 500 || !strings.Contains(body, `"internal"`) || strings.Contains(body, "mistake") || !ctx.Response.ConnectionClose() {
		t.Errorf("got %d %s", ctx.Response.StatusCode(), body)
	}
}
