package conn

import (
	"bufio"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"
)

// FuzzFramed: no head makes the check panic. A head that passes has no bare line feed, no white space in a name, and
// no two ways to find its end.
func FuzzFramed(f *testing.F) {
	for _, head := range []string{
		"Host: a\r\nContent-Length: 5\r\n\r\n", "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n", "Host: a\nX: y\r\n\r\n",
		"Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "Host: a\r\nX-A: b\r\n c\r\n\r\n",
		"Host: a\r\nX A: b\r\n\r\n", "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "\r\n", ":\r\n\r\n",
		"Host: a\r\n\r\n\n",
	} {
		f.Add(head)
	}
	f.Fuzz(func(t *testing.T, head string) {
		var h fasthttp.RequestHeader
		if err := h.Read(bufio.NewReader(strings.NewReader("POST / HTTP/1.1\r\n" + head))); err != nil || !Framed(&h) {
			return
		}
		lines := strings.Split(strings.SplitN(head, "\r\n\r\n", 2)[0], "\r\n")
		names := map[string]int{}
		for _, line := range lines {
			name, _, _ := strings.Cut(line, ":")
			if strings.ContainsAny(name, " \t\n") || strings.Contains(line, "\n") {
				t.Fatalf("%q passed, with the line %q", head, line)
			}
			names[strings.ToLower(name)]++
		}
		if names["content-length"] > 0 && names["transfer-encoding"] > 0 {
			t.Fatalf("%q passed", head)
		}
	})
}

func BenchmarkFramed(b *testing.B) {
	var h fasthttp.RequestHeader
	head := "POST / HTTP/1.1\r\nHost: events.example.com\r\nUser-Agent: sdk/1.2.3\r\n" +
		"Authorization: Bearer 0123456789abcdef0123456789abcdef\r\nContent-Type: application/json\r\n" +
		"Content-Length: 200\r\nAccept-Encoding: gzip\r\n\r\n"
	require.NoError(b, h.Read(bufio.NewReader(strings.NewReader(head))))
	b.ReportAllocs()
	for b.Loop() {
		if !Framed(&h) {
			b.Fatal("refused")
		}
	}
}
