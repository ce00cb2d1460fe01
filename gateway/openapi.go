package gateway

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"

	"sluice/gateway/ingest"

	"github.com/valyala/fasthttp"
)

// openAPIText describes the public surface in OpenAPI 3.1. It is written by hand. The tests compare its paths with
// the table of routes, and every answer that they get with its schemas.
//
//go:embed openapi.json
var openAPIText []byte

var openAPITag = func() string {
	sum := sha256.Sum256(openAPIText)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}()

// openAPI answers GET /openapi.json. It needs no key and tells nothing about projects or settings. Caches must
// revalidate it, so that clients see an upgrade at once.
func (*server) openAPI(ctx *fasthttp.RequestCtx) *ingest.Problem {
	h := &ctx.Response.Header
	h.Set(fasthttp.HeaderETag, openAPITag)
	h.Set(fasthttp.HeaderCacheControl, "no-cache")
	if bytes.Contains(ctx.Request.Header.Peek(fasthttp.HeaderIfNoneMatch), []byte(openAPITag)) {
		ctx.SetStatusCode(fasthttp.StatusNotModified)
		return nil
	}
	ctx.SetContentType("application/json")
	ctx.Response.SetBodyRaw(openAPIText)
	return nil
}
