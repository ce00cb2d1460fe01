package gateway

import (
	"github.com/valyala/fasthttp"

	"sluice/gateway/body"
	"sluice/gateway/ingest"
)

// PostHog's clients ask for feature flags and a configuration, and page authors see errors if nobody answers. The
// answers say that there is none of it. They depend on nothing in the request, so they need no key.

const (
	posthogNoFlags = `{"flags":{},"featureFlags":{},"featureFlagPayloads":{},"errorsWhileComputingFlags":false,` +
		posthogNothing + `}`
	posthogNoConfig = `{"hasFeatureFlags":false,` + posthogNothing + `}`
	// posthogNothing turns off what needs PostHog's own service, and leaves autocapture to the page. Without these
	// members the client would wait for an answer, or look for scripts here.
	posthogNothing = `"supportedCompression":["gzip","gzip-js"],"sessionRecording":false,"surveys":false,` +
		`"autocapture_opt_out":false,"heatmaps":false,"captureDeadClicks":false,"siteApps":[],"toolbarParams":{},` +
		`"isAuthenticated":false`
	// posthogNoScript sets nothing: the client then asks for the configuration as JSON.
	posthogNoScript = "/* The configuration is JSON. */\n"
)

func (s *server) posthogFlags(ctx *fasthttp.RequestCtx) *ingest.Problem {
	body.Discard(ctx, s.ingester.BulkBytes())
	ctx.SetContentType("application/json")
	ctx.SetBodyString(posthogNoFlags)
	return nil
}

func (*server) posthogConfig(ctx *fasthttp.RequestCtx) *ingest.Problem {
	ctx.SetContentType("application/json")
	ctx.SetBodyString(posthogNoConfig)
	return nil
}

func (*server) posthogScript(ctx *fasthttp.RequestCtx) *ingest.Problem {
	ctx.SetContentType("application/javascript")
	ctx.SetBodyString(posthogNoScript)
	return nil
}
