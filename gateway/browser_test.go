package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sluice/internal/testbrowser"
)

// fetchScript sends one fetch, as the SDK of a page does, and returns what the page may see of the answer.
const fetchScript = `fetch(%q, {method: "POST", body: %q, headers: {"Authorization": "Bearer %s", "Content-Type": "application/json"}})
	.then(async r => ({status: r.status, body: await r.text(), headers: Object.fromEntries(r.headers)}), e => ({failed: String(e)}))`

// seen is what a page sees of an answer.
type seen struct {
	Status  int               `json:"status"`
	Body    string            `json:"body"`
	Headers map[string]string `json:"headers"`
	Failed  string            `json:"failed"`
}

// page is a page of an origin's server.
type page struct {
	t   *testing.T
	ctx context.Context
}

// open loads the page of an origin.
func open(t *testing.T, ctx context.Context, origin string) page {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.Navigate(origin)); err != nil {
		t.Fatal(err)
	}
	p := page{t, ctx}
	if is := evaluate[string](p, "location.origin"); is != origin {
		t.Fatalf("the page's origin is %q", is)
	}
	return p
}

// evaluate runs a script in a page and waits for its promise.
func evaluate[T any](p page, script string) T {
	p.t.Helper()
	out, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

func (p page) fetch(url, body string) seen {
	p.t.Helper()
	return evaluate[seen](p, fmt.Sprintf(fetchScript, url, body, testKey))
}

func (p page) beacon(url, body string) {
	p.t.Helper()
	if !evaluate[bool](p, fmt.Sprintf("navigator.sendBeacon(%q, %q)", url, body)) {
		p.t.Error("the browser did not take the beacon")
	}
}

// TestBrowser: pages of a listed origin send with fetch, after a preflight, and with sendBeacon, without one. They
// read what they may read. Pages of another origin send nothing and see an error.
func TestBrowser(t *testing.T) {
	t.Parallel()
	ctx := testbrowser.Start(t)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>a page</title>")
	}))
	defer site.Close()
	listed := site.URL
	foreign := strings.Replace(site.URL, "127.0.0.1", "localhost", 1) // another host is another origin
	s := serve(t, withProjects(t, limited(3, "60s")+fmt.Sprintf("    origins: [%q]\n", listed)))
	answered := func(status string) float64 {
		return s.counter("sluice_gateway_requests_total", status)
	}
	url := s.url + pathEvents

	p := open(t, ctx, listed)
	got := p.fetch(url, `{"message":"from a page"}`)
	if got.Status != 202 || !strings.Contains(got.Body, `"event_id"`) || got.Headers["ratelimit"] == "" || got.Headers["x-request-id"] == "" {
		t.Fatalf("fetch: %+v", got)
	}
	if n := answered("204"); n != 1 {
		t.Errorf("%v preflights of a fetch with a key in a header", n)
	}
	if got := p.fetch(s.url+pathBulk, `[{"message":"a"},{}]`); got.Status != 202 || got.Headers["x-accepted-events"] != "1" || got.Headers["x-rejected-events"] != "1" {
		t.Errorf("bulk: %+v", got)
	}
	preflights := answered("204")
	p.beacon(url+"?api_key="+testKey, `{"message":"from a beacon"}`)
	waitUntil(t, func() bool { return len(s.producer.Stored()) == 3 })
	if n := answered("204"); n != preflights {
		t.Error("the beacon had a preflight")
	}
	if got := string(s.producer.Stored()[2].Value); got != `{"message":"from a beacon"}` {
		t.Errorf("the beacon became %s", got)
	}
	got = p.fetch(url, `{"message":"one too many"}`)
	if got.Status != 429 || got.Headers["retry-after"] != "60" || got.Headers["ratelimit-policy"] != `"events";q=3;w=60` || got.Headers["ratelimit"] != `"events";r=0;t=60` {
		t.Errorf("over the limit: %+v", got)
	}

	p = open(t, ctx, foreign)
	if got := p.fetch(url, `{"message":"from elsewhere"}`); got.Failed == "" {
		t.Errorf("a foreign page's fetch: %+v", got)
	}
	s.clock.advance(time.Minute)
	p.beacon(url+"?api_key="+testKey, `{"message":"from elsewhere"}`)
	waitUntil(t, func() bool { return answered("403") == 1 })
	if n := len(s.producer.Stored()); n != 3 {
		t.Errorf("%d events are stored", n)
	}
}
