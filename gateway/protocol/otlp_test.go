package protocol

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"sluice/gateway/ingest"
)

// TestOTLPSaysWhatToSendAgain: OpenTelemetry's clients send again what was answered 429 or 503, and drop the rest. So
// whatever may be sent again has one of these statuses and a Retry-After, and nothing else has.
func TestOTLPSaysWhatToSendAgain(t *testing.T) {
	t.Parallel()
	for _, kind := range ingest.Kinds() {
		for _, contentType := range []string{"application/json", "application/x-protobuf", "text/css"} {
			var ctx fasthttp.RequestCtx
			ctx.Request.Header.SetContentType(contentType)
			p := ingest.Refuse(kind, "It is so.")
			if kind == ingest.KindRateLimited {
				p.RetryAfter = 7
			}
			OTLPLogs.Refuse(&ctx, p)
			status := ctx.Response.StatusCode()
			again := status == 429 || status == 503
			assert.Equal(t, kind.Retryable(), again, "%s: %d", kind.Code(), status)
			assert.Equal(t, again, len(ctx.Response.Header.Peek("Retry-After")) > 0, "%s", kind.Code())
			if contentType == "application/x-protobuf" {
				assert.Equal(t, contentType, string(ctx.Response.Header.ContentType()))
				assert.Contains(t, string(ctx.Response.Body()), "\x12\x09It is so.")
				continue
			}
			var body struct {
				Code    int
				Message string
			}
			assert.Equal(t, "application/json", string(ctx.Response.Header.ContentType()))
			require.NoError(t, json.Unmarshal(ctx.Response.Body(), &body))
			assert.Equal(t, "It is so.", body.Message)
			assert.NotZero(t, body.Code)
		}
	}
}
