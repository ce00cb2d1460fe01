package gateway

import (
	"bytes"
	"strings"

	"github.com/valyala/fasthttp"
)

// methods is what each path takes, beside OPTIONS, which all take.
var methods = map[string]string{
	pathEvents:  fasthttp.MethodPost,
	pathBulk:    fasthttp.MethodPost,
	pathOpenAPI: getAndHead,
	pathHealth:  getAndHead,
}

const getAndHead = fasthttp.MethodGet + ", " + fasthttp.MethodHead

// elsewhere refuses every path and method that is not ours, and says which are.
func (g *Gateway) elsewhere(ctx *fasthttp.RequestCtx) *problem {
	discardBody(ctx, g.cfg.MaxBulkBytes)
	path := ctx.URI().PathOriginal()
	if p, known := errWrongMethod[string(path)]; known {
		return p
	}
	if p, near := errMisspelt[nearestPath(path)]; near {
		return p
	}
	return errNotFound
}

// errWrongMethod are the answers to a wrong method, by path.
var errWrongMethod = func() map[string]*problem {
	out := map[string]*problem{}
	for path, allow := range methods {
		p := refuse(kindMethodNotAllowed, "This path takes only "+strings.ReplaceAll(allow, ", ", " and ")+".")
		p.allow = allow
		out[path] = p
	}
	return out
}()

var errNotFound = refuse(kindNotFound, "There is nothing at this path: send one event with POST to "+pathEvents+
	", several with POST to "+pathBulk+"; GET "+pathOpenAPI+" describes all paths.")

// errMisspelt are the answers to a path that is nearly right, by the right one.
var errMisspelt = func() map[string]*problem {
	out := map[string]*problem{}
	for path, allow := range methods {
		method, _, _ := strings.Cut(allow, ",")
		out[path] = refuse(kindNotFound, "There is nothing at this path, and paths are exact (prefix, case, a slash at the end): did you mean "+
			method+" "+path+"?")
	}
	return out
}()

// longestMisspelt is how long a path may be, in bytes, that is still compared with the right ones.
const longestMisspelt = 128

// nearestPath returns the path of ours that the client probably means, by its last word; "" if none. The answer names the
// right path and never repeats the client's.
func nearestPath(path []byte) string {
	if len(path) > longestMisspelt {
		return ""
	}
	words := bytes.FieldsFunc(bytes.ToLower(path), func(r rune) bool { return r == '/' || r == ' ' })
	if len(words) == 0 {
		return ""
	}
	switch string(bytes.TrimSuffix(words[len(words)-1], []byte("%20"))) {
	case "events", "event":
		return pathEvents
	case "bulk", "batch", "_bulk":
		return pathBulk
	case "healthz", "health":
		return pathHealth
	case "openapi.json", "openapi", "swagger.json":
		return pathOpenAPI
	}
	return ""
}
