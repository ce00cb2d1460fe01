package gateway

import (
	"bytes"
	"slices"
	"sluice/gateway/body"

	"github.com/valyala/fasthttp"
)

// notFound refuses a path that is not in the table with 404, and a method that its path does not take with 405.
func (g *Gateway) notFound(ctx *fasthttp.RequestCtx, r *route) {
	body.Discard(ctx, g.cfg.MaxBulkBytes)
	switch near := nearestRoute(ctx.URI().PathOriginal()); {
	case r != otherRoute:
		r.wrongMethod.write(ctx)
	case near != nil:
		near.misspelt.write(ctx)
	default:
		errNotFound.write(ctx)
	}
}

var errNotFound = refuse(kindNotFound, "There is nothing at this path: send one event with POST to "+pathEvents+
	", several with POST to "+pathBulk+"; GET "+pathOpenAPI+" describes all paths.")

// longestMisspelt is how long a path may be, in bytes, that is still compared with the right ones.
const longestMisspelt = 128

// nearestRoute returns the route that the client probably means, by the path's last word; nil if none. The answer names the
// right path and never repeats the client's.
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
