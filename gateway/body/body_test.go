package body_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"sluice/gateway/body"
	"sluice/gateway/body/bodytest"
)

// TestMain starts the clock of fasthttp's Date header, which never ends, outside of the tests with a clock of their own.
func TestMain(m *testing.M) {
	(&fasthttp.ResponseHeader{}).AppendBytes(nil)
	os.Exit(m.Run())
}

// receive lets a server read the body of one request and returns what it got. The client sends the headers and then
// the pieces of the body, with a pause before each piece but the first. With cut it then closes the connection, else
// once the body is read.
func receive(
	t *testing.T, r *body.Reader, headers string, cut bool, pause time.Duration, pieces ...string,
) (text string, err error) {
	t.Helper()
	done := make(chan struct{})
	handler := func(ctx *fasthttp.RequestCtx) {
		defer close(done)
		buffer := body.GetBuffer()
		defer buffer.Release()
		err = r.Read(ctx, buffer)
		text = buffer.String()
		if r.CheckHead(ctx) != nil {
			assert.Equal(t, r.CheckHead(ctx), err, "the head alone tells")
		}
		body.Discard(ctx, 1<<20)
	}
	server := &fasthttp.Server{
		Handler: handler, StreamRequestBody: true, ReadTimeout: time.Hour, MaxRequestBodySize: 1 << 20,
	}
	client, end := net.Pipe()
	served := make(chan struct{})
	go func() { defer close(served); _ = server.ServeConn(end) }()
	go func() { _, _ = io.Copy(io.Discard, client) }()
	_, _ = io.WriteString(client, "POST / HTTP/1.1\r\nHost: a\r\n"+headers+"\r\n")
	for i, piece := range pieces {
		if i > 0 {
			time.Sleep(pause)
		}
		if _, err := io.WriteString(client, piece); err != nil {
			break
		}
	}
	if !cut {
		<-done
	}
	require.NoError(t, client.Close())
	<-served
	return text, err
}

// readerOf returns a reader of bodies of at most limit bytes, without a budget.
func readerOf(t *testing.T, limit int) *body.Reader {
	t.Helper()
	pool, err := body.NewPool(body.Config{Largest: limit})
	require.NoError(t, err)
	return pool.Reader(limit)
}

func lengthOf(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }

const chunked = "Transfer-Encoding: chunked\r\n"

// chunk returns text as one chunk.
func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

const lastChunk = "0\r\n\r\n"

// TestRead: each reason not to take a body is one error.
func TestRead(t *testing.T) {
	const limit = 50_000
	spaces := func(n int) string { return strings.Repeat(" ", n) }
	zipped := func(n int) string { return bodytest.Compress("gzip", spaces(n)) }
	gzip := func(body string) string { return "Content-Encoding: gzip\r\n" + lengthOf(len(body)) }
	zstd := func(body string) string { return "Content-Encoding: zstd\r\n" + lengthOf(len(body)) }
	window := func(descriptor byte) string { return bodytest.ZstdFrame(descriptor, bodytest.ZstdRaw("x")) }
	for name, c := range map[string]struct {
		headers string
		body    string
		want    string
		err     error
	}{
		"no body":                       {lengthOf(0), "", "", nil},
		"plain":                         {lengthOf(5), "hello", "hello", nil},
		"plain, by name":                {"Content-Encoding: identity\r\n" + lengthOf(5), "hello", "hello", nil},
		"chunks":                        {chunked, chunk("he") + chunk("llo") + lastChunk, "hello", nil},
		"as large as the limit":         {lengthOf(limit), spaces(limit), spaces(limit), nil},
		"chunks, as large as the limit": {chunked, chunk(spaces(limit)) + lastChunk, spaces(limit), nil},
		"larger":                        {lengthOf(limit + 1), spaces(limit + 1), "", body.ErrTooLarge},
		"chunks, larger":                {chunked, chunk(spaces(limit+1)) + lastChunk, "", body.ErrTooLarge},
		"gzip":                          {gzip(zipped(limit)), zipped(limit), spaces(limit), nil},
		"gzip of nothing":               {gzip(""), "", "", nil},
		"gzip, larger":                  {gzip(zipped(limit + 1)), zipped(limit + 1), "", body.ErrDecodedTooLarge},
		"gzip, over the budget":         {gzip(zipped(limit)), zipped(limit), "", body.ErrNoRoom},
		"over the budget":               {lengthOf(limit), spaces(limit), "", body.ErrNoRoom},
		"not gzip":                      {gzip("hello"), "hello", "", body.ErrCorrupt},
		"gzip, cut":                     {gzip(zipped(9)[:15]), zipped(9)[:15], "", body.ErrCorrupt},
		"gzip, a byte behind":           {gzip(zipped(9) + "x"), zipped(9) + "x", "", body.ErrCorrupt},
		"zstd window of 8 MiB":          {zstd(window(13 << 3)), window(13 << 3), "x", nil},
		"zstd window of 9 MiB":          {zstd(window(13<<3 | 1)), window(13<<3 | 1), "", body.ErrZstdWindow},
		"largest zstd window":           {zstd(window(0xFF)), window(0xFF), "", body.ErrZstdWindow},
		"unknown encoding":              {"Content-Encoding: lzma\r\n" + lengthOf(5), "hello", "", body.ErrEncoding},
		"two encodings":                 {"Content-Encoding: gzip, br\r\n" + lengthOf(5), "hello", "", body.ErrEncoding},
		"cut":                           {lengthOf(40_000), spaces(30_000), "", body.ErrTruncated},
		"chunks, cut":                   {chunked, chunk("hello"), "", body.ErrTruncated},
		"chunks, malformed":             {chunked, "ZZ\r\nxx\r\n0\r\n\r\n", "", body.ErrTruncated},
	} {
		t.Run(name, func(t *testing.T) {
			budget, refusals := int64(0), 0
			if c.err == body.ErrNoRoom {
				budget = limit / 2
			}
			pool, err := body.NewPool(body.Config{Budget: budget, Largest: limit, Refused: func() { refusals++ }})
			require.NoError(t, err)
			got, err := receive(t, pool.Reader(limit), c.headers, c.err == body.ErrTruncated, 0, c.body)
			assert.Zero(t, pool.Used(), "bytes are still held")
			if c.err != nil {
				assert.ErrorIs(t, err, c.err)
				assert.Equal(t, c.err == body.ErrNoRoom, refusals == 1)
				return
			}
			require.NoError(t, err)
			assert.True(t, got == c.want, "read %d bytes, want %d", len(got), len(c.want))
		})
	}
	assert.ErrorIs(t, body.ErrDecodedTooLarge, body.ErrTooLarge)
	assert.ErrorIs(t, body.ErrZstdWindow, body.ErrCorrupt)
}

// TestReadBySpeed: a slow body is taken as long as it comes on.
func TestReadBySpeed(t *testing.T) {
	const size = 90 << 10
	pieces := func(n int) (out []string) {
		for range size / n {
			out = append(out, strings.Repeat(" ", n))
		}
		return out
	}
	for name, c := range map[string]struct {
		piece int
		pause time.Duration
		err   error
	}{
		"9 KiB every 9 s":        {9 << 10, 9 * time.Second, nil},
		"1 KiB a second":         {1 << 10, time.Second, nil},
		"half a KiB a second":    {1 << 9, time.Second, body.ErrTooSlow},
		"a KiB every 9 s":        {1 << 10, 9 * time.Second, body.ErrTooSlow},
		"9 KiB, but silent once": {9 << 10, body.Silence + time.Second, body.ErrTooSlow},
	} {
		t.Run(name, func(t *testing.T) {
			r := readerOf(t, size)
			synctest.Test(t, func(t *testing.T) {
				got, err := receive(t, r, lengthOf(size), false, c.pause, pieces(c.piece)...)
				if c.err != nil {
					assert.ErrorIs(t, err, c.err)
					return
				}
				assert.NoError(t, err)
				assert.Len(t, got, size)
			})
		})
	}
}

// TestReadSilentChunk: fasthttp reports a chunk that times out in its frame as malformed. The error is ErrTooSlow
// all the same.
func TestReadSilentChunk(t *testing.T) {
	r := readerOf(t, 100)
	for name, pieces := range map[string][]string{
		"in the size": {"5", "\r\nhello\r\n" + lastChunk}, "before a size": {chunk("hello"), lastChunk},
		"in the text": {"5\r\nhe", "llo\r\n" + lastChunk}, "behind the text": {"5\r\nhello", "\r\n" + lastChunk},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, err := receive(t, r, chunked, false, body.Silence+time.Second, pieces...)
			assert.ErrorIs(t, err, body.ErrTooSlow, name)
		})
		synctest.Test(t, func(t *testing.T) {
			got, err := receive(t, r, chunked, false, body.Silence-time.Second, pieces...)
			assert.NoError(t, err, name)
			assert.Equal(t, "hello", got, name)
		})
	}
}
