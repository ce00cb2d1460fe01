package gateway

import (
	"github.com/valyala/fasthttp"

	"sluice/gateway/ingest"
	"sluice/gateway/protocol"
)

// The paths of log shippers.
const (
	pathElastic        = "/_bulk"
	pathElasticIndex   = "/{n}/_bulk"
	pathElasticInfo    = "/"
	pathElasticLicense = "/_license"
	pathElasticHealth  = "/_cluster/health"
	pathLoki           = "/loki/api/v1/push"
	pathSplunk         = "/services/collector/event"
	pathSplunkRaw      = "/services/collector/raw"
	pathSplunkHealth   = "/services/collector/health"
)

var (
	postAndPut      = []string{fasthttp.MethodPost, fasthttp.MethodPut}
	probeStatuses   = []int{200, 204, 405}
	shipperStatuses = []int{200, 204, 400, 401, 403, 405, 408, 413, 415, 429, 500, 503}
)

// probe makes a handler of one that needs nothing of the server. Like the health check, probes take no key: they tell
// nothing about projects.
func probe(answer func(ctx *fasthttp.RequestCtx)) func(*server, *fasthttp.RequestCtx) *ingest.Problem {
	return func(_ *server, ctx *fasthttp.RequestCtx) *ingest.Problem {
		answer(ctx)
		return nil
	}
}

// splunkHealth answers the health check of Splunk's clients as health answers ours.
func (s *server) splunkHealth(ctx *fasthttp.RequestCtx) *ingest.Problem {
	protocol.SplunkHealth(ctx, !s.draining.Load())
	return nil
}
