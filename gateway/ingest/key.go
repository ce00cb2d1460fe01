package ingest

import (
	"bytes"
	"encoding/base64"

	"github.com/valyala/fasthttp"
)

// Key is a project key that a request carries. The zero Key is none. It aliases the request.
type Key struct {
	bytes []byte
	// or is another reading of the same header: the password of Basic auth, where bytes is the user. It counts if no
	// project has bytes.
	or []byte
}

// NewKey returns a key without another reading.
func NewKey(key []byte) Key { return Key{bytes: key} }

// Given reports whether there is a key.
func (k Key) Given() bool { return len(k.bytes) > 0 }

// same reports whether two keys can be one, and returns what both agree on.
func (k Key) same(other Key) (Key, bool) {
	for _, mine := range [][]byte{k.bytes, k.or} {
		for _, theirs := range [][]byte{other.bytes, other.or} {
			switch {
			case len(mine) == 0 || !bytes.Equal(mine, theirs):
			case bytes.Equal(k.bytes, other.bytes) && bytes.Equal(k.or, other.or):
				return k, true
			default:
				return Key{bytes: mine}, true
			}
		}
	}
	return k, false
}

// FindKey returns the project key of a request. It looks at
//
//	Authorization   Bearer KEY, Splunk KEY, Basic with the key as the user or as the password, ApiKey KEY, and ApiKey
//	                with the base64 of id:KEY
//	X-API-Key       KEY
//	X-Sentry-Auth   KEY, or Sentry sentry_key=KEY, …
//	the query       api_key=KEY and sentry_key=KEY, for beacons and browsers, which cannot set headers
//
// A request may repeat the same key. Two different ones are refused. The zero Key means that there is none.
func FindKey(ctx *fasthttp.RequestCtx) (Key, *Problem) {
	var found keys
	h := &ctx.Request.Header
	for _, v := range h.PeekAll(fasthttp.HeaderAuthorization) {
		found.add(authorizationKey(v))
	}
	for _, v := range h.PeekAll("X-Api-Key") {
		found.add(NewKey(v))
	}
	for _, v := range h.PeekAll("X-Sentry-Auth") {
		found.add(NewKey(sentryKey(v)))
	}
	if len(ctx.URI().QueryString()) > 0 {
		for _, name := range [...]string{"api_key", "sentry_key"} {
			for _, v := range ctx.QueryArgs().PeekMulti(name) {
				found.add(NewKey(v))
			}
		}
	}
	if found.conflict {
		return Key{}, errConflictingKeys
	}
	return found.key, nil
}

var errConflictingKeys = Refuse(KindConflictingKeys, "The request carries two different keys.")

// keys gathers the keys of a request.
type keys struct {
	key      Key
	conflict bool
}

func (f *keys) add(k Key) {
	k.bytes, k.or = bytes.TrimSpace(k.bytes), bytes.TrimSpace(k.or)
	if len(k.bytes) == 0 {
		k.bytes, k.or = k.or, nil
	}
	switch {
	case len(k.bytes) == 0:
	case !f.key.Given():
		f.key = k
	default:
		both, same := f.key.same(k)
		f.key, f.conflict = both, f.conflict || !same
	}
}

// authorizationKey reads the value of an Authorization header. Schemes that FindKey does not name carry no key of ours.
func authorizationKey(v []byte) Key {
	scheme, rest, _ := bytes.Cut(v, []byte(" "))
	rest = bytes.TrimSpace(rest)
	switch {
	case bytes.EqualFold(scheme, []byte("bearer")), bytes.EqualFold(scheme, []byte("splunk")):
		return NewKey(rest)
	case bytes.EqualFold(scheme, []byte("basic")):
		user, password, _ := decodedPair(rest)
		return Key{bytes: user, or: password}
	case bytes.EqualFold(scheme, []byte("apikey")):
		if _, key, ok := decodedPair(rest); ok {
			return Key{bytes: key, or: rest}
		}
		return NewKey(rest)
	default:
		return Key{}
	}
}

// decodedPair decodes base64 of a:b. Without a colon all of it is a.
func decodedPair(v []byte) (a, b []byte, ok bool) {
	decoded, err := base64.StdEncoding.AppendDecode(nil, v)
	if err != nil {
		return nil, nil, false
	}
	return bytes.Cut(decoded, []byte(":"))
}

// sentryKey reads "Sentry sentry_version=7, sentry_key=key, …" or the bare key. Some clients leave the spaces out.
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
