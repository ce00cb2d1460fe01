package gateway

import (
	"bytes"
	"encoding/base64"

	"github.com/valyala/fasthttp"
)

// findKey returns the project key of a request: a Bearer token, the user of Basic auth, X-API-Key, X-Sentry-Auth in
// both of its forms, or ?api_key= for beacons, which cannot set headers. A request may repeat the same key. findKey
// returns nil if the request has no key. The key aliases the request.
func findKey(ctx *fasthttp.RequestCtx) ([]byte, *problem) {
	var found []byte
	conflict := false
	offer := func(key []byte) {
		key = bytes.TrimSpace(key)
		switch {
		case len(key) == 0:
		case found == nil:
			found = key
		case !bytes.Equal(found, key):
			conflict = true
		}
	}
	h := &ctx.Request.Header
	for _, v := range h.PeekAll(fasthttp.HeaderAuthorization) {
		offer(authorizationKey(v))
	}
	for _, v := range h.PeekAll("X-Api-Key") {
		offer(v)
	}
	for _, v := range h.PeekAll("X-Sentry-Auth") {
		offer(sentryKey(v))
	}
	if len(ctx.URI().QueryString()) > 0 {
		for _, v := range ctx.QueryArgs().PeekMulti("api_key") {
			offer(v)
		}
	}
	if conflict {
		return nil, refuse(kindConflictingKeys, "The request carries two different keys.")
	}
	return found, nil
}

// authorizationKey reads "Bearer key" and "Basic base64(key:anything)". Other schemes carry no key of ours.
func authorizationKey(v []byte) []byte {
	scheme, rest, _ := bytes.Cut(v, []byte(" "))
	switch {
	case bytes.EqualFold(scheme, []byte("bearer")):
		return rest
	case bytes.EqualFold(scheme, []byte("basic")):
		decoded, err := base64.StdEncoding.AppendDecode(nil, bytes.TrimSpace(rest))
		if err != nil {
			return nil
		}
		user, _, _ := bytes.Cut(decoded, []byte(":"))
		return user
	default:
		return nil
	}
}

// sentryKey reads "Sentry sentry_version=7, sentry_key=key, …" or the bare key.
func sentryKey(v []byte) []byte {
	scheme, rest, ok := bytes.Cut(v, []byte(" "))
	if !ok || !bytes.EqualFold(scheme, []byte("sentry")) {
		return v
	}
	for pair := range bytes.SplitSeq(rest, []byte(",")) {
		name, value, _ := bytes.Cut(bytes.TrimSpace(pair), []byte("="))
		if bytes.Equal(name, []byte("sentry_key")) {
			return value
		}
	}
	return nil
}
