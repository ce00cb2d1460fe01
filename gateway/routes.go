package gateway

import (
	"bytes"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"

	"sluice/gateway/body"
	"sluice/gateway/ingest"
	"sluice/gateway/protocol"
	"sluice/gateway/protocol/shippers"
)

// The public paths.
const (
	pathEvents  = "/api/v1/events"
	pathBulk    = "/api/v1/events/bulk"
	pathOpenAPI = "/openapi.json"
	pathLimits  = "/api/v1/limits"
	pathHealth  = "/healthz"
	pathStream  = "/api/v1/stream"

	pathOTLPLogs = "/v1/logs"
)

// The paths of Sentry's clients. The project in them is for the client: the key decides.
const (
	pathSentryEnvelope = "/api/{n}/envelope/"
	pathSentryStore    = "/api/{n}/store/"
)

// Names of the routes in metrics and log lines.
const (
	routeEvents  = "events"
	routeBulk    = "bulk"
	routeOpenAPI = "openapi"
	routeLimits  = "limits"
	routeHealth  = "health"
	routeSegment = "segment"
	routePostHog = "posthog"
	routeOTLP    = "otlp_logs"
	routeStream  = "stream"
	routeOther   = "other" // every other path, and requests that could not be read
)

// route is one row of the table of public paths.
type route struct {
	path    string   // exact: case and a trailing slash count. {n} stands for one segment that is not empty
	aliases []string // paths that are answered alike, and that the documents do not list
	methods []string // that the path takes beside OPTIONS, which every path takes
	label   string   // in metrics and log lines
	// statuses are the statuses that the route answers. Their counters start at zero.
	statuses []int
	// words are the last words, in lower case, of wrong paths that mean this route.
	words []string

	// Each route has one of these two.
	protocol *ingest.Protocol // takes events
	get      func(s *server, ctx *fasthttp.RequestCtx) *ingest.Problem

	// Derived from the fields above.
	allow       string          // the Allow header
	wrongMethod *ingest.Problem // 405
	misspelt    *ingest.Problem // 404 to a path that is nearly this one
}

// ingestStatuses are the statuses of a route that takes events.
var ingestStatuses = []int{202, 204, 400, 401, 403, 405, 408, 413, 415, 429, 500, 503}

// okStatuses are those of a route that takes events and answers 200.
var okStatuses = append([]int{200}, ingestStatuses[1:]...)

// segmentRoute is a path of Segment's clients, with its short form.
func segmentRoute(path string, aliases ...string) *route {
	return &route{
		path: path, aliases: aliases, methods: onlyPost, label: routeSegment, statuses: okStatuses,
		protocol: protocol.Segment,
	}
}

// otlpStatuses are those of OpenTelemetry's clients, which send again only what is answered 429 or 503.
var otlpStatuses = []int{200, 204, 400, 401, 403, 405, 413, 415, 429, 500, 503}

// routes is the whole public surface. The router, the Allow header, the hints of a 404, the labels of the metrics and
// the body limits come from this table, and a test compares it with openapi.json. A new protocol is a new row with
// its own protocol value.
var routes = derived(
	&route{
		path: pathEvents, methods: onlyPost, label: routeEvents, statuses: ingestStatuses,
		words: []string{"events", "event"}, protocol: protocol.NativeSingle,
	},
	&route{
		path: pathBulk, methods: onlyPost, label: routeBulk, statuses: ingestStatuses,
		words: []string{"bulk", "batch", "_bulk"}, protocol: protocol.NativeBulk,
	},
	segmentRoute("/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"),
	segmentRoute("/v1/track", "/v1/t"),
	segmentRoute("/v1/identify", "/v1/i"),
	segmentRoute("/v1/page", "/v1/p"),
	segmentRoute("/v1/screen", "/v1/s"),
	segmentRoute("/v1/group", "/v1/g"),
	segmentRoute("/v1/alias", "/v1/a"),
	&route{
		path: "/batch/", aliases: []string{"/batch", "/i/v0/ai/batch/", "/i/v0/ai/batch"},
		methods: onlyPost, label: routePostHog, statuses: okStatuses,
		protocol: protocol.PostHog,
	},
	&route{
		path: "/e/", aliases: []string{"/e", "/i/v0/e/", "/i/v0/e", "/capture/", "/capture", "/track/", "/track"},
		methods: onlyPost, label: routePostHog, statuses: okStatuses, words: []string{"capture"},
		protocol: protocol.PostHog,
	},
	&route{
		path: "/flags/", aliases: []string{"/flags", "/decide/", "/decide"},
		methods: []string{fasthttp.MethodGet, fasthttp.MethodHead, fasthttp.MethodPost},
		label:   routePostHog, statuses: okStatuses, get: (*server).posthogFlags,
	},
	&route{
		path: "/array/{n}/config", methods: getAndHead, label: routePostHog, statuses: okStatuses,
		get: (*server).posthogConfig,
	},
	&route{
		path: "/array/{n}/config.js", methods: getAndHead, label: routePostHog, statuses: okStatuses,
		get: (*server).posthogScript,
	},
	&route{
		path: pathSentryEnvelope, aliases: []string{"/api/{n}/envelope"}, methods: onlyPost, label: "sentry_envelope",
		statuses: okStatuses, words: []string{"envelope"}, protocol: protocol.SentryEnvelope,
	},
	&route{
		path: pathSentryStore, aliases: []string{"/api/{n}/store"}, methods: onlyPost, label: "sentry_store",
		statuses: okStatuses, words: []string{"store"}, protocol: protocol.SentryStore,
	},
	&route{
		path: pathOTLPLogs, methods: onlyPost, label: routeOTLP, statuses: otlpStatuses,
		words: []string{"logs", "logrecords"}, protocol: protocol.OTLPLogs,
	},
	&route{
		path: pathStream, methods: onlyGet, label: routeStream,
		// The statuses of the upgrade and of the messages.
		statuses: []int{101, 202, 204, 400, 401, 403, 405, 413, 429, 500, 503},
		words:    []string{"stream", "ws", "websocket"}, get: (*server).stream,
	},
	&route{
		path: pathLimits, methods: getAndHead, label: routeLimits, statuses: []int{200, 204, 400, 401, 403, 405, 429},
		words: []string{"limits", "limit", "quota"}, get: (*server).limits,
	},
	&route{
		path: pathOpenAPI, methods: getAndHead, label: routeOpenAPI, statuses: []int{200, 204, 304, 405},
		words: []string{"openapi.json", "openapi", "swagger.json"}, get: (*server).openAPI,
	},
	&route{
		path: pathHealth, methods: getAndHead, label: routeHealth, statuses: []int{200, 204, 405, 503},
		words: []string{"healthz", "health"}, get: (*server).health,
	},

	// Log shippers.
	&route{
		path: pathElastic, methods: postAndPut, label: "elastic", statuses: shipperStatuses,
		protocol: shippers.ElasticBulk,
	},
	&route{
		path: pathElasticIndex, methods: postAndPut, label: "elastic", statuses: shipperStatuses,
		protocol: shippers.ElasticBulk,
	},
	&route{
		path: pathElasticInfo, methods: getAndHead, label: "elastic_probe", statuses: probeStatuses,
		get: probe(shippers.ElasticInfo),
	},
	&route{
		path: pathElasticLicense, methods: getAndHead, label: "elastic_probe", statuses: probeStatuses,
		get: probe(shippers.ElasticLicense),
	},
	&route{
		path: pathElasticHealth, methods: getAndHead, label: "elastic_probe", statuses: probeStatuses,
		get: probe(shippers.ElasticHealth),
	},
	&route{path: pathLoki, methods: onlyPost, label: "loki", statuses: shipperStatuses, protocol: shippers.LokiPush},
	&route{
		path:    pathSplunk,
		aliases: []string{"/services/collector", "/services/collector/1.0", "/services/collector/event/1.0"},
		methods: onlyPost, label: "splunk", statuses: shipperStatuses, protocol: shippers.SplunkEvents,
	},
	&route{
		path: pathSplunkRaw, aliases: []string{"/services/collector/raw/1.0"},
		methods: onlyPost, label: "splunk", statuses: shipperStatuses, protocol: shippers.SplunkRaw,
	},
	&route{
		path: pathSplunkHealth, aliases: []string{"/services/collector/health/1.0"},
		methods: getAndHead, label: "splunk_probe", statuses: []int{200, 204, 405, 503}, get: (*server).splunkHealth,
	},
)

// otherRoute stands for every path that is not in the table.
var otherRoute = &route{label: routeOther, statuses: []int{204, 400, 404, 431}}

var (
	onlyGet    = []string{fasthttp.MethodGet}
	onlyPost   = []string{fasthttp.MethodPost}
	getAndHead = []string{fasthttp.MethodGet, fasthttp.MethodHead}
)

// derived fills in the derived fields of the rows.
func derived(rows ...*route) []*route {
	for _, r := range rows {
		r.allow = strings.Join(r.methods, ", ")
		r.wrongMethod = ingest.Refuse(ingest.KindMethodNotAllowed,
			"This path takes only "+strings.Join(r.methods, " and ")+".")
		r.wrongMethod.Allow = r.allow
		r.misspelt = ingest.Refuse(ingest.KindNotFound,
			"There is nothing at this path, and paths are exact (prefix, case, a slash at the end): did you mean "+
				r.methods[0]+" "+r.path+"?")
	}
	return rows
}

// protocolNames returns the names of all protocols.
func protocolNames() (names []string) {
	for _, r := range routes {
		if r.protocol != nil && !slices.Contains(names, r.protocol.Name) {
			names = append(names, r.protocol.Name)
		}
	}
	return names
}

// expectIgnored makes the counters of what the protocols ignore start at zero.
func expectIgnored(m *ingest.Metrics) {
	for _, r := range routes {
		if r.protocol != nil {
			m.Expect(r.protocol.Name, r.protocol.Ignores)
		}
	}
}

// routeStatuses returns the statuses of each label.
func routeStatuses() map[string][]int {
	statuses := map[string][]int{otherRoute.label: otherRoute.statuses}
	for _, r := range routes {
		statuses[r.label] = r.statuses
	}
	return statuses
}

// variable stands, in the path of a route, for one segment that is not empty.
const variable = "{n}"

// paths returns the path and its aliases.
func (r *route) paths() []string { return append([]string{r.path}, r.aliases...) }

// routeByPath has the paths without a variable, variableRoutes those with one.
var routeByPath, variableRoutes = func() (byPath map[string]*route, rest []variableRoute) {
	byPath = map[string]*route{}
	for _, r := range routes {
		for _, path := range r.paths() {
			if before, after, is := strings.Cut(path, variable); is {
				rest = append(rest, variableRoute{before, after, r})
			} else {
				byPath[path] = r
			}
		}
	}
	return byPath, rest
}()

// variableRoute is a path with a variable.
type variableRoute struct {
	before, after string
	route         *route
}

// match reports whether a path is the route's.
func (v *variableRoute) match(path string) bool {
	if len(path) <= len(v.before)+len(v.after) ||
		!strings.HasPrefix(path, v.before) || !strings.HasSuffix(path, v.after) {
		return false
	}
	return strings.IndexByte(path[len(v.before):len(path)-len(v.after)], '/') < 0
}

// routeOf returns the route of a request's path, or otherRoute.
func routeOf(ctx *fasthttp.RequestCtx) *route {
	path := ctx.URI().PathOriginal()
	if r, known := routeByPath[string(path)]; known {
		return r
	}
	for i := range variableRoutes {
		if v := &variableRoutes[i]; v.match(string(path)) {
			return v.route
		}
	}
	return otherRoute
}

// routePath returns the template of a request's path, from the table of routes.
func routePath(ctx *fasthttp.RequestCtx) string {
	if r := routeOf(ctx); r.path != "" {
		return r.path
	}
	return routeOther
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

// answer answers a request that has the route's path and one of its methods.
func (s *server) answer(ctx *fasthttp.RequestCtx, r *route) {
	if r.protocol != nil {
		s.ingester.Ingest(ctx, r.protocol)
		return
	}
	if p := r.get(s, ctx); p != nil {
		p.Write(ctx)
	}
}

// notFound answers 404 to a path that is not in the table, and 405 to a method that the path does not take.
func (s *server) notFound(ctx *fasthttp.RequestCtx, r *route) {
	body.Discard(ctx, s.ingester.BulkBytes())
	switch near := nearestRoute(ctx.URI().PathOriginal()); {
	case r != otherRoute:
		r.wrongMethod.Write(ctx)
	case near != nil:
		near.misspelt.Write(ctx)
	default:
		errNotFound.Write(ctx)
	}
}

var errNotFound = ingest.Refuse(ingest.KindNotFound,
	"There is nothing at this path: send one event with POST to "+pathEvents+", several with POST to "+pathBulk+"; GET "+pathOpenAPI+" describes all paths.")

// longestMisspelt is the length, in bytes, up to which a wrong path is compared with the right ones.
const longestMisspelt = 128

// nearestRoute returns the route that the last word of a wrong path probably means, or nil. The answer names the right
// path and never repeats the client's.
func nearestRoute(path []byte) *route {
	if len(path) > longestMisspelt {
		return nil
	}
	words := bytes.FieldsFunc(bytes.ToLower(path), func(r rune) bool { return r == '/' || r == ' ' })
	if len(words) == 0 {
		return nil
	}
	last := string(bytes.TrimSuffix(words[len(words)-1], []byte("%20")))
	for _, r := range routes {
		if slices.Contains(r.words, last) {
			return r
		}
	}
	return nil
}
