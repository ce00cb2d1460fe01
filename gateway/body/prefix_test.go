package body_test

import (
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"sluice/gateway/body"
	"sluice/gateway/body/bodytest"
)

// twoSteps is what a server got of one request's body in two steps.
type twoSteps struct {
	wire        int    // bytes that Begin read
	prefix      string // that Prefix returned
	held        int64  // bytes of the budget after Prefix
	whole       string // that Rest returned
	begin, rest error
}

// receiveTwice lets a server read the body of one request in two steps.
func receiveTwice(t *testing.T, pool *body.Pool, limit int, headers, text string) (got twoSteps) {
	t.Helper()
	r, done := pool.Reader(limit), make(chan struct{})
	handler := func(ctx *fasthttp.RequestCtx) {
		defer close(done)
		defer body.Discard(ctx, 1<<20)
		wire, scratch := body.GetBuffer(), body.GetBuffer()
		if got.begin = r.Begin(ctx, wire); got.begin != nil {
			wire.Release()
			scratch.Release()
			return
		}
		got.wire = wire.Len()
		prefix, err := r.Prefix(ctx, wire, scratch)
		assert.NoError(t, err)
		got.prefix, got.held = string(prefix), pool.Used()
		scratch.Release()
		whole, err := r.Rest(ctx, wire)
		if got.rest = err; err == nil {
			got.whole = whole.String()
			whole.Release()
		}
	}
	server := &fasthttp.Server{Handler: handler, StreamRequestBody: true, ReadTimeout: time.Hour, MaxRequestBodySize: 1 << 20}
	client, end := net.Pipe()
	served := make(chan struct{})
	go func() { defer close(served); _ = server.ServeConn(end) }()
	go func() { _, _ = io.Copy(io.Discard, client) }()
	_, _ = io.WriteString(client, "POST / HTTP/1.1\r\nHost: a\r\n"+headers+"\r\n"+text)
	<-done
	_ = client.Close()
	<-served
	assert.Zero(t, pool.Used(), "bytes are still held")
	return got
}

func length(text string) string { return "Content-Length: " + strconv.Itoa(len(text)) + "\r\n" }

// TestTwoSteps: the first step holds no more than the prefix, whatever the body, and the second has all of it.
func TestTwoSteps(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	for _, n := range []int{0, 1, 100, body.PrefixBytes - 1, body.PrefixBytes, body.PrefixBytes + 1, 300_000, limit, limit + 1} {
		text := strings.Repeat("0123456789", n/10+1)[:n]
		chunked := strconv.FormatInt(int64(n), 16) + "\r\n" + text + "\r\n0\r\n\r\n"
		if n == 0 {
			chunked = "0\r\n\r\n"
		}
		gzip, zstd := bodytest.Compress("gzip", text), bodytest.Compress("zstd", text)
		for name, c := range map[string][2]string{
			"plain":       {length(text), text},
			"chunked":     {"Transfer-Encoding: chunked\r\n", chunked},
			"gzip":        {length(gzip) + "Content-Encoding: gzip\r\n", gzip},
			"unannounced": {length(gzip), gzip},
			"zstd":        {length(zstd) + "Content-Encoding: zstd\r\n", zstd},
		} {
			pool, err := body.NewPool(body.Config{Budget: 8 << 20, Largest: limit, Refused: func() {}})
			require.NoError(t, err)
			got := receiveTwice(t, pool, limit, c[0], c[1])
			if n > limit && name == "plain" {
				assert.ErrorIs(t, got.begin, body.ErrTooLarge, name) // as announced
				continue
			}
			require.NoError(t, got.begin, "%s %d", name, n)
			assert.LessOrEqual(t, got.wire, body.PrefixBytes, "%s %d", name, n)
			assert.LessOrEqual(t, got.held, int64(3*body.PrefixBytes), "%s %d", name, n) // both buffers, as they double
			assert.Equal(t, text[:min(n, body.PrefixBytes)], got.prefix, "%s %d", name, n)
			if n > limit {
				assert.ErrorIs(t, got.rest, body.ErrTooLarge, "%s %d", name, n)
				assert.Equal(t, name != "chunked", errors.Is(got.rest, body.ErrDecodedTooLarge), name)
				continue
			}
			require.NoError(t, got.rest, "%s %d", name, n)
			assert.Equal(t, text, got.whole, "%s %d", name, n)
		}
	}
}

// TestTwoStepsWithBadBodies: what is wrong with a body shows in the second step, if it is not its head.
func TestTwoStepsWithBadBodies(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("abc", 1000)
	gzip := bodytest.Compress("gzip", text)
	for name, c := range map[string]struct {
		headers, body, prefix string
		begin, rest           error
	}{
		"unknown encoding": {headers: length(text) + "Content-Encoding: lzma\r\n", body: text, begin: body.ErrEncoding},
		"cut":              {headers: length(gzip[:30]), body: gzip[:30], prefix: "", rest: body.ErrCorrupt},
		"bad checksum":     {headers: length(gzip), body: gzip[:len(gzip)-8] + "xxxxxxxx", prefix: text, rest: body.ErrCorrupt},
		"trailing bytes":   {headers: length(gzip + "x"), body: gzip + "x", prefix: text, rest: body.ErrCorrupt},
		"plain called gzip": {
			headers: length(text) + "Content-Encoding: gzip\r\n", body: text, prefix: "", rest: body.ErrCorrupt,
		},
		"gzip twice, once announced": {
			headers: length(bodytest.Compress("gzip", gzip)) + "Content-Encoding: gzip\r\n", body: bodytest.Compress("gzip", gzip), prefix: gzip,
		},
		"broken chunks": {headers: "Transfer-Encoding: chunked\r\n", body: "ZZ\r\nabc", begin: body.ErrTruncated},
	} {
		pool, err := body.NewPool(body.Config{Budget: 8 << 20, Largest: 1 << 20, Refused: func() {}})
		require.NoError(t, err)
		got := receiveTwice(t, pool, 1<<20, c.headers, c.body)
		assert.ErrorIs(t, got.begin, c.begin, name)
		assert.ErrorIs(t, got.rest, c.rest, name)
		if name != "cut" {
			assert.Equal(t, c.prefix, got.prefix, name)
		}
	}
}

// TestStrangersLeaveRoom: bodies whose project is not known yet use the first half of the budget only.
func TestStrangersLeaveRoom(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a", 60_000) // for which 56 KiB are taken
	for budget, want := range map[int64]error{112<<10 - 1: body.ErrNoRoom, 112 << 10: nil} {
		refused := 0
		pool, err := body.NewPool(body.Config{Budget: budget, Largest: 1 << 20, Refused: func() { refused++ }})
		require.NoError(t, err)
		got := receiveTwice(t, pool, 1<<20, length(text), text)
		assert.ErrorIs(t, got.begin, want, budget)
		assert.Equal(t, want != nil, refused == 1)
		if want == nil {
			assert.Equal(t, text, got.whole)
		}
		whole, err := receive(t, pool.Reader(1<<20), length(text), false, 0, text)
		assert.NoError(t, err)
		assert.Equal(t, text, whole)
	}
}
