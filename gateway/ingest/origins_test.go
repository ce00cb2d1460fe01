package ingest

import (
	"net/http"
	"testing"

	bodyroom "sluice/gateway/body"

	"github.com/valyala/fasthttp"
)

// TestPlainRequestsCostNothing: rare headers cost other requests no memory.
func TestPlainRequestsCostNothing(t *testing.T) {
	var ctx fasthttp.RequestCtx
	ctx.Init(&fasthttp.Request{}, nil, nil)
	ctx.Request.Header.SetMethod(http.MethodPost)
	ctx.Request.SetRequestURI(pathEvents)
	ctx.Request.Header.Set("Authorization", "Bearer "+testKey)
	any := projectsIn(t, "projects: [{id: a}]")
	listed := projectsIn(t, "projects: [{id: a, origins: [\""+shop+"\"]}]")
	everywhere, one := origins{any.Origins()}, origins{listed.Origins()}
	look := func() {
		if !everywhere.answer(&ctx) || !one.answer(&ctx) || !sentAt(&ctx).IsZero() {
			t.Error("it is a plain request")
		}
		if key, p := idempotencyKey(&ctx); key != nil || p != nil {
			t.Error("it has no key")
		}
		if err := new(bodyroom.Reader).CheckHead(&ctx); err != nil {
			t.Error("it is not encoded", err)
		}
	}
	if n := testing.AllocsPerRun(100, look); n > 0 {
		t.Errorf("%g allocations", n)
	}
	ctx.Request.Header.Set("Origin", shop)
	if n := testing.AllocsPerRun(100, func() { one.answer(&ctx) }); n > 0 {
		t.Errorf("from a page: %g allocations", n)
	}
}
