package protocol

import (
	"github.com/valyala/fasthttp"
)

// Answers to what clients of Elasticsearch ask before they send. They look at the version and the header, no further.
const (
	elasticInfo = `{"name":"sluice","cluster_name":"sluice","cluster_uuid":"sluice","version":{"number":"8.17.0",` +
		`"build_flavor":"default","build_type":"tar","build_hash":"unknown","build_date":"2024-12-11T12:08:05.663969764Z",` +
		`"build_snapshot":false,"lucene_version":"9.12.0","minimum_wire_compatibility_version":"7.17.0",` +
		`"minimum_index_compatibility_version":"7.0.0"},"tagline":"You Know, for Search"}`
	elasticLicense = `{"license":{"status":"active","uid":"sluice","type":"basic","mode":"basic"}}`
	elasticHealth  = `{"cluster_name":"sluice","status":"green","timed_out":false}`
)

// ElasticInfo answers GET /: every client asks for it that has to know the version.
func ElasticInfo(ctx *fasthttp.RequestCtx) { probed(ctx, elasticInfo) }

// ElasticLicense answers GET /_license, which Logstash and Beats ask for.
func ElasticLicense(ctx *fasthttp.RequestCtx) { probed(ctx, elasticLicense) }

// ElasticHealth answers GET /_cluster/health, which Vector asks for.
func ElasticHealth(ctx *fasthttp.RequestCtx) { probed(ctx, elasticHealth) }

func probed(ctx *fasthttp.RequestCtx, text string) {
	ctx.Response.Header.Set(headerProduct, productElastic)
	ctx.SetContentType("application/json")
	ctx.SetBodyString(text)
}
