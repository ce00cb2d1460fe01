package gateway

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"

	"github.com/valyala/fasthttp"
)

// openAPIText describes the public surface, OpenAPI 3.1. It is written by hand: the tests hold every answer they get
// against it.
//
//go:embed openapi.json
var openAPIText []byte

var openAPITag = func() string {
	sum := sha256.Sum256(openAPIText)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}()

// openAPI answers GET /openapi.json. It needs no key and says nothing about projects or settings. Whoever keeps it asks
// again whether it is still the same, so that an upgrade is seen at once.
func (*Gateway) openAPI(ctx *fasthttp.RequestCtx) *problem {
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
