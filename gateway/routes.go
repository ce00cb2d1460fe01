package gateway

import (
	"strings"

	"github.com/valyala/fasthttp"
)

// The public paths.
const (
	pathEvents  = "/api/v1/events"
	pathBulk    = "/api/v1/events/bulk"
	pathOpenAPI = "/openapi.json"
	pathHealth  = "/healthz"
)

// The routes' names in metrics and log lines.
const (
	routeEvents  = "events"
	routeBulk    = "bulk"
	routeOpenAPI = "openapi"
	routeHealth  = "health"
	routeOther   = "other" // every other path, and requests that could not be read
)

// route is one row of the table of public paths.
type route struct {
	path    string   // as OpenAPI and Fiber write it
	methods []string // that the path takes beside OPTIONS, which every path takes
	label   string   // in metrics and log lines
	// statuses are the answers that the route is known to give. Their counters start at zero.
	statuses []int
	// words are the last words, in lower case, of wrong paths by which clients mean this one.
	words []string

	// A route has one of these two.
	protocol *eventProtocol // takes events
	get      func(g *Gateway, ctx *fasthttp.RequestCtx) *problem

	// Derived from the above.
	allow       string   // the Allow header
	wrongMethod *problem // 405
	misspelt    *problem // 404 to a path that is nearly this one
}

// ingestStatuses are the answers of a route that takes events.
var ingestStatuses = []int{202, 204, 400, 401, 403, 405, 408, 413, 415, 429, 500, 503}

// routes is the whole public surface. The router, the Allow header, the hints of a 404, the labels of the metrics and the body
// limits come from this table; a test compares it with openapi.json. Another protocol is another row, with a protocol of its
// own.
var routes = derived(
	&route{
		path: pathEvents, methods: onlyPost, label: routeEvents, statuses: ingestStatuses,
		words: []string{"events", "event"}, protocol: nativeSingle,
	},
	&route{
		path: pathBulk, methods: onlyPost, label: routeBulk, statuses: ingestStatuses,
		words: []string{"bulk", "batch", "_bulk"}, protocol: nativeBulk,
	},
	&route{
		path: pathOpenAPI, methods: getAndHead, label: routeOpenAPI, statuses: []int{200, 204, 304, 405},
		words: []string{"openapi.json", "openapi", "swagger.json"}, get: (*Gateway).openAPI,
	},
	&route{
		path: pathHealth, methods: getAndHead, label: routeHealth, statuses: []int{200, 204, 405, 503},
		words: []string{"healthz", "health"}, get: (*Gateway).health,
	},
)

// otherRoute stands for every path that is not in the table.
var otherRoute = &route{label: routeOther, statuses: []int{204, 400, 404, 431}}

var (
	onlyPost   = []string{fasthttp.MethodPost}
	getAndHead = []string{fasthttp.MethodGet, fasthttp.MethodHead}
)

// derived fills in what follows from the rows.
func derived(rows ...*route) []*route {
	for _, r := range rows {
		r.allow = strings.Join(r.methods, ", ")
		r.wrongMethod = refuse(kindMethodNotAllowed, "This path takes only "+strings.Join(r.methods, " and ")+".")
		r.wrongMethod.allow = r.allow
		r.misspelt = refuse(kindNotFound, "There is nothing at this path, and paths are exact (prefix, case, a slash at the end): "+
			"did you mean "+r.methods[0]+" "+r.path+"?")
	}
	return rows
}

var routeByPath = func() map[string]*route {
	byPath := map[string]*route{}
	for _, r := range routes {
		byPath[r.path] = r
	}
	return byPath
}()

// routeOf returns the row of a path: otherRoute if the table has none.
func routeOf(ctx *fasthttp.RequestCtx) *route {
	if r, known := routeByPath[string(ctx.URI().PathOriginal())]; known {
		return r
	}
	return otherRoute
}

// takes reports whether the route takes a method.
func (r *route) takes(method []byte) bool {
	for _, m := range r.methods {
		if m == string(method) {
			return true
		}
	}
	return false
}

// serve answers a request whose path and method are the route's.
func (g *Gateway) serve(ctx *fasthttp.RequestCtx, r *route) {
	if r.protocol != nil {
		g.ingest(ctx, r.protocol)
		return
	}
	if p := r.get(g, ctx); p != nil {
		p.write(ctx)
	}
}
