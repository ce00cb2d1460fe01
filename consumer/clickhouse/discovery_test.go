package clickhouse

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
)

// forwarded is the result of a forwarder.
type forwarded struct {
	unread int64 // bytes that the server sent after the client had closed the connection
	err    error
}

// forward forwards one connection to the engine's native port. It calls seen when the client sends a text.
func forward(t *testing.T, text string, seen func()) (addr string, done <-chan forwarded) {
	t.Helper()
	target := clickhousetest.Engine(t).TCPAddr()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	result := make(chan forwarded, 1)
	go func() {
		client, err := l.Accept()
		if err != nil {
			result <- forwarded{err: err}
			return
		}
		defer client.Close()
		server, err := net.Dial("tcp", target)
		if err != nil {
			result <- forwarded{err: err}
			return
		}
		defer server.Close()
		unread := make(chan int64, 1)
		go func() { // what cannot be written any more is read to its end, so that the engine is not reset
			_, _ = io.Copy(client, server)
			n, _ := io.Copy(io.Discard, server)
			unread <- n
		}()
		var sent bytes.Buffer
		buf := make([]byte, 4096)
		for {
			n, err := client.Read(buf)
			if n > 0 {
				if _, err := server.Write(buf[:n]); err != nil {
					break
				}
				before := bytes.Contains(sent.Bytes(), []byte(text))
				sent.Write(buf[:n])
				if !before && bytes.Contains(sent.Bytes(), []byte(text)) {
					seen()
				}
			}
			if err != nil {
				break
			}
		}
		client.Close() // from here on the answer cannot be written to the client
		_ = server.(*net.TCPConn).CloseWrite()
		result <- forwarded{unread: <-unread}
	}()
	return l.Addr().String(), result
}

// A look-up reads its answer to the end although its caller stops waiting. Closing a connection with an answer unread
// resets it, which ends an embedded engine.
func TestLookUpIsReadToItsEnd(t *testing.T) {
	d := clickhousetest.Migrated(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	addr, done := forward(t, "the question", cancel)
	question := "SELECT concat('the question ', toString(number)) FROM numbers(20000)"
	lines, err := discovery{reach("clickhouse://" + addr + "/" + d.Name)}.ask(ctx, question)
	assert.NoError(t, err)
	assert.Len(t, lines, 20_000)
	assert.Error(t, ctx.Err())
	got := <-done
	require.NoError(t, got.err)
	assert.Zero(t, got.unread)
	_, err = discovery{reach(d.Native())}.ask(ctx, question)
	assert.ErrorIs(t, err, context.Canceled, "a caller that has gone before asks nothing")
}
