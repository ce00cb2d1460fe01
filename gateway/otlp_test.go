package gateway

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// otlpLogs returns a request in JSON with n log records.
func otlpLogs(n int) string {
	records := make([]string, n)
	for i := range records {
		records[i] = fmt.Sprintf(`{"timeUnixNano":"1795839551749000000","body":{"stringValue":"event %d"}}`, i)
	}
	return `{"resourceLogs":[{"resource":{"attributes":[]},"scopeLogs":[{"logRecords":[` + strings.Join(records, ",") + `]}]}]}`
}

// capture is a recorded request of a stock client.
type capture struct {
	Request struct {
		Target  string     `json:"target"`
		Headers [][]string `json:"headers"`
		Framing string     `json:"framing"`
	} `json:"request"`
	Body string `json:"body_base64"`
}

func readCapture(t *testing.T, name string) request {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "captures", name))
	require.NoError(t, err)
	var c capture
	require.NoError(t, json.Unmarshal(text, &c))
	body, err := base64.StdEncoding.DecodeString(c.Body)
	require.NoError(t, err)
	r := request{path: c.Request.Target, body: string(body), header: map[string]string{}, noKey: true, chunked: c.Request.Framing == "chunked"}
	for _, h := range c.Request.Headers {
		if h[0] != "Host" && h[0] != "Content-Length" && h[0] != "Transfer-Encoding" && h[0] != "Connection" {
			r.header[h[0]] = h[1]
		}
	}
	return r
}

func TestOTLPCaptures(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, name := range []string{"otlp-go-00-v1_logs.json", "otlp-node-json-00-v1_logs.json"} {
		r := readCapture(t, name)
		r.header["Authorization"] = "Bearer " + testKey
		got := s.do(r)
		assert.Equal(t, 200, got.status, got.text)
		for _, r := range s.producer.Stored() {
			t.Log(string(r.Value))
		}
	}
}
