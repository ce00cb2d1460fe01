package e2e

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"
)

// capture is a recorded request.
type capture struct {
	name   string
	Family string `json:"family"`
	Client string `json:"client"`

	Request struct {
		Method  string      `json:"method"`
		Target  string      `json:"target"`
		Version string      `json:"version"`
		Headers [][2]string `json:"headers"`
		Framing string      `json:"framing"` // content-length, chunked, or none
		Chunks  []int       `json:"chunks"`  // their sizes in bytes
	} `json:"request"`

	BodyBase64 string `json:"body_base64"`
}

func readCaptures(t *testing.T) (captures []*capture) {
	t.Helper()
	for _, folder := range capturesFolders {
		files, err := filepath.Glob(filepath.Join(folder, "*.json"))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			c := &capture{name: strings.TrimSuffix(filepath.Base(file), ".json")}
			require.NoError(t, json.Unmarshal(text, c), file)
			captures = append(captures, c)
		}
	}
	return captures
}

func sha(key string) [sha256.Size]byte { return sha256.Sum256([]byte(key)) }

// body is the body as it was on the wire, without its framing.
func (c *capture) body() []byte {
	body, err := base64.StdEncoding.DecodeString(c.BodyBase64)
	if err != nil {
		panic(err)
	}
	return body
}

// header returns the value of a header, "" without one.
func (c *capture) header(name string) string {
	for _, h := range c.Request.Headers {
		if strings.EqualFold(h[0], name) {
			return h[1]
		}
	}
	return ""
}

// wire is the request as bytes. A body of another length than the recorded one has a Content-Length of its own, or is
// one chunk.
func (c *capture) wire(body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s %s\r\n", c.Request.Method, c.Request.Target, c.Request.Version)
	for _, h := range c.Request.Headers {
		if strings.EqualFold(h[0], "Content-Length") {
			h[1] = fmt.Sprint(len(body))
		}
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	if c.Request.Framing != "chunked" {
		b.Write(body)
		return b.Bytes()
	}
	sizes := c.Request.Chunks
	if len(body) != len(c.body()) {
		sizes = []int{len(body)}
	}
	for _, size := range sizes {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", size, body[:size])
		body = body[size:]
	}
	b.WriteString("0\r\n\r\n")
	return b.Bytes()
}

// send sends the request on a connection of its own.
func (c *capture) send(t *testing.T, url string, body []byte) reply {
	t.Helper()
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(url, "http://"), 10*time.Second)
	require.NoError(t, err)
	defer conn.Close() //nolint:errcheck // read to the answer's end
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, err = conn.Write(c.wire(body))
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: c.Request.Method})
	require.NoError(t, err)
	defer res.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return reply{Status: res.StatusCode, Body: string(text), Header: res.Header}
}

// sentAt matches the time sent, which some clients stamp anew when they send again.
var sentAt = regexp.MustCompile(`"(sent_at|sentAt)":"[^"]*"`)

// retried is the body as the client sends it again at that time.
func (c *capture) retried(t *testing.T, now time.Time) []byte {
	t.Helper()
	body := c.body()
	zipped := bytes.HasPrefix(body, []byte{0x1f, 0x8b}) // one client announces it nowhere
	if zipped {
		r, err := gzip.NewReader(bytes.NewReader(body))
		require.NoError(t, err)
		body, err = io.ReadAll(r)
		require.NoError(t, err)
	}
	stamp := now.UTC().Format("2006-01-02T15:04:05.000Z")
	again := sentAt.ReplaceAll(body, []byte(`"$1":"`+stamp+`"`))
	switch {
	case bytes.Equal(again, body):
		return c.body()
	case !zipped:
		return again
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(again)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}
