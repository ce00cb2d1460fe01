package gateway

import (
	"github.com/valyala/fasthttp"

	"sluice/gateway/ingest"
)

// limits answers GET /api/v1/limits: what the holder of the key may send, and what is left. Caches must not keep it.
func (s *server) limits(ctx *fasthttp.RequestCtx) *ingest.Problem {
	limits, p := s.ingester.Limits(ctx)
	if p != nil {
		return p
	}
	ctx.Response.Header.Set(fasthttp.HeaderCacheControl, "no-store")
	ingest.WriteJSON(ctx, limits)
	return nil
}
