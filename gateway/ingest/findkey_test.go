package ingest

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/valyala/fasthttp"
)

// FuzzFindKey: nothing panics, whatever the request has in place of a key. A found key is part of the request,
// without white space around it. A key that the request repeats in every place is found, and two different keys never
// are.
func FuzzFindKey(f *testing.F) {
	for _, key := range badKeys {
		f.Add("Bearer "+key, key, "Sentry sentry_key="+key, "api_key="+key)
		f.Add("Basic "+base64.StdEncoding.EncodeToString([]byte(key+":x")), "", key, "")
	}
	for _, v := range []string{"bearer", "Bearer ", "Basic", "Basic !", "Basic " + strings.Repeat("A", 4000), "Sentry ", "Sentry ,,,", "Sentry sentry_key", "Digest x"} {
		f.Add(v, "", v, "api_key="+v)
	}
	f.Add("Bearer "+testKey, testKey, "Sentry sentry_version=7, sentry_key="+testKey+", x", "api_key="+testKey)
	f.Add("Bearer "+testKey, "other", "", "api_key=a&api_key=b")
	f.Add("", "", "", "api_key=%00%0d%0a&api_key=%zz&=&&api_key")
	f.Fuzz(func(t *testing.T, authorization, apiKey, sentry, query string) {
		var ctx fasthttp.RequestCtx
		h := &ctx.Request.Header
		h.Set("Authorization", authorization)
		h.Set("X-Api-Key", apiKey)
		h.Set("X-Sentry-Auth", sentry)
		ctx.Request.SetRequestURI(pathEvents)
		ctx.URI().SetQueryString(query)
		found, p := FindKey(&ctx)
		key := found.bytes
		switch {
		case p != nil && (key != nil || p.Kind != KindConflictingKeys):
			t.Fatalf("%q and %+v", key, p)
		case key == nil:
		case len(key) == 0 || !bytes.Equal(bytes.TrimSpace(key), key):
			t.Fatalf("found %q", key)
		}
		// The key that was found, in every place of a request of its own, is found again.
		if len(key) == 0 || bytes.ContainsAny(key, ":,") || !plain(key) {
			return
		}
		var again fasthttp.RequestCtx
		again.Request.SetRequestURI(pathEvents)
		again.Request.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString(append(bytes.Clone(key), ":x"...)))
		again.Request.Header.Set("X-Sentry-Auth", "Sentry sentry_version=7, sentry_key="+string(key))
		again.Request.Header.SetBytesV("X-Api-Key", key)
		again.QueryArgs().SetBytesV("api_key", key)
		if got, p := FindKey(&again); p != nil || !bytes.Equal(got.bytes, key) {
			t.Fatalf("%q became %q, %v", key, got, p)
		}
		again.Request.Header.SetBytesV("X-Api-Key", append(bytes.Clone(key), 'x'))
		if got, p := FindKey(&again); p == nil || got.Given() {
			t.Fatalf("two keys, and %q was taken", got)
		}
	})
}

// TestFindKey: each place in which clients put a key, and what counts as two different ones.
func TestFindKey(t *testing.T) {
	basic := func(pair string) string { return base64.StdEncoding.EncodeToString([]byte(pair)) }
	for name, c := range map[string]struct {
		authorization, sentry, query string
		want, or                     string
		conflict                     bool
	}{
		"none":                         {},
		"bearer":                       {authorization: "Bearer k", want: "k"},
		"splunk":                       {authorization: "Splunk k", want: "k"},
		"user":                         {authorization: "Basic " + basic("k:"), want: "k"},
		"user without colon":           {authorization: "Basic " + basic("k"), want: "k"},
		"password":                     {authorization: "Basic " + basic(":k"), want: "k"},
		"user and password":            {authorization: "Basic " + basic("sluice:k"), want: "sluice", or: "k"},
		"password, and in the query":   {authorization: "Basic " + basic("sluice:k"), query: "api_key=k", want: "k"},
		"neither, and in the query":    {authorization: "Basic " + basic("sluice:k"), query: "api_key=x", conflict: true},
		"elasticsearch":                {authorization: "ApiKey k", want: "k"},
		"elasticsearch, in base64":     {authorization: "ApiKey " + basic("id:k"), want: "k", or: basic("id:k")},
		"sentry, in the query":         {query: "sentry_version=7&sentry_key=k", want: "k"},
		"sentry":                       {sentry: "Sentry sentry_version=7, sentry_key=k, sentry_client=x/1", want: "k"},
		"sentry, without spaces":       {sentry: "Sentry sentry_version=7,sentry_key=k,sentry_client=x/1", want: "k"},
		"sentry, twice":                {sentry: "Sentry sentry_key=k", query: "sentry_key=k", want: "k"},
		"sentry, two different":        {sentry: "Sentry sentry_key=k", query: "sentry_key=x", conflict: true},
		"another scheme":               {authorization: "Digest k"},
		"another scheme and the query": {authorization: "Digest x", query: "api_key=k", want: "k"},
	} {
		t.Run(name, func(t *testing.T) {
			var ctx fasthttp.RequestCtx
			ctx.Request.SetRequestURI(pathEvents)
			ctx.URI().SetQueryString(c.query)
			if c.authorization != "" {
				ctx.Request.Header.Set("Authorization", c.authorization)
			}
			if c.sentry != "" {
				ctx.Request.Header.Set("X-Sentry-Auth", c.sentry)
			}
			key, p := FindKey(&ctx)
			assert.Equal(t, c.conflict, p != nil)
			assert.Equal(t, c.want, string(key.bytes))
			assert.Equal(t, c.or, string(key.or))
		})
	}
}

// plain reports whether a header can carry the text.
func plain(b []byte) bool {
	return !bytes.ContainsFunc(b, func(r rune) bool { return r <= ' ' || r > '~' })
}
