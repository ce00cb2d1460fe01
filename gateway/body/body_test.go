package body

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"sluice/gateway/body/bodytest"
)

// receive lets a server read the body of one request and returns what it got. The client sends the headers and then
// the pieces of the body, with a pause before each piece but the first. With cut it then closes the connection, else
// once the body is read.
func receive(
	t *testing.T, r *Reader, headers string, cut bool, pause time.Duration, pieces ...string,
) (text string, err error) {
	t.Helper()
	done := make(chan struct{})
	handler := func(ctx *fasthttp.RequestCtx) {
		defer close(done)
		buffer := GetBuffer()
		defer buffer.Release()
		err = r.Read(ctx, buffer)
		text = buffer.String()
		if r.CheckHead(ctx) != nil {
			assert.Equal(t, r.CheckHead(ctx), err, "the head alone tells")
		}
		Discard(ctx, r.limit)
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

func lengthOf(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }

const chunkedBody = "Transfer-Encoding: chunked\r\n"

// httpChunk returns text as one chunk.
func httpChunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

const lastChunk = "0\r\n\r\n"

// TestRead: each reason not to take a body is one error.
func TestRead(t *testing.T) {
	const limit = 50_000
	spaces := func(n int) string { return strings.Repeat(" ", n) }
	zipped := func(n int) string { return bodytest.Compress("gzip", spaces(n)) }
	gzip := func(body string) string { return "Content-Encoding: gzip\r\n" + lengthOf(len(body)) }
	tiny := bodytest.ZstdFrame(0xFF, bodytest.ZstdRaw("x"))
	for name, c := range map[string]struct {
		headers string
		body    string
		want    string
		err     error
	}{
		"no body":                       {lengthOf(0), "", "", nil},
		"plain":                         {lengthOf(5), "hello", "hello", nil},
		"plain, by name":                {"Content-Encoding: identity\r\n" + lengthOf(5), "hello", "hello", nil},
		"chunks":                        {chunkedBody, httpChunk("he") + httpChunk("llo") + lastChunk, "hello", nil},
		"as large as the limit":         {lengthOf(limit), spaces(limit), spaces(limit), nil},
		"chunks, as large as the limit": {chunkedBody, httpChunk(spaces(limit)) + lastChunk, spaces(limit), nil},
		"larger":                        {lengthOf(limit + 1), spaces(limit + 1), "", ErrTooLarge},
		"chunks, larger":                {chunkedBody, httpChunk(spaces(limit+1)) + lastChunk, "", ErrTooLarge},
		"gzip":                          {gzip(zipped(limit)), zipped(limit), spaces(limit), nil},
		"gzip of nothing":               {gzip(""), "", "", nil},
		"gzip, larger":                  {gzip(zipped(limit + 1)), zipped(limit + 1), "", ErrDecodedTooLarge},
		"gzip, over the budget":         {gzip(zipped(limit)), zipped(limit), "", ErrNoRoom},
		"over the budget":               {lengthOf(limit), spaces(limit), "", ErrNoRoom},
		"not gzip":                      {gzip("hello"), "hello", "", errCorrupt},
		"zstd window":                   {"Content-Encoding: zstd\r\n" + lengthOf(len(tiny)), tiny, "", ErrZstdWindow},
		"unknown encoding":              {"Content-Encoding: lzma\r\n" + lengthOf(5), "hello", "", ErrEncoding},
		"two encodings":                 {"Content-Encoding: gzip, br\r\n" + lengthOf(5), "hello", "", ErrEncoding},
		"cut":                           {lengthOf(40_000), spaces(30_000), "", ErrTruncated},
		"chunks, cut":                   {chunkedBody, httpChunk("hello"), "", ErrTruncated},
		"chunks, malformed":             {chunkedBody, "ZZ\r\nxx\r\n0\r\n\r\n", "", ErrTruncated},
	} {
		t.Run(name, func(t *testing.T) {
			budget, refusals := int64(0), 0
			if c.err == ErrNoRoom {
				budget = limit / 2
			}
			pool, err := NewPool(Config{Budget: budget, Largest: limit, Refused: func() { refusals++ }})
			require.NoError(t, err)
			got, err := receive(t, pool.Reader(limit), c.headers, c.err == ErrTruncated, 0, c.body)
			assert.Zero(t, pool.Used(), "bytes are still held")
			if c.err != nil {
				assert.ErrorIs(t, err, c.err)
				assert.Equal(t, c.err == ErrNoRoom, refusals == 1)
				return
			}
			require.NoError(t, err)
			assert.True(t, got == c.want, "read %d bytes, want %d", len(got), len(c.want))
		})
	}
	assert.ErrorIs(t, ErrDecodedTooLarge, ErrTooLarge)
	assert.ErrorIs(t, ErrZstdWindow, errCorrupt)
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
		"half a KiB a second":    {1 << 9, time.Second, ErrTooSlow},
		"a KiB every 9 s":        {1 << 10, 9 * time.Second, ErrTooSlow},
		"9 KiB, but silent once": {9 << 10, Silence + time.Second, ErrTooSlow},
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
