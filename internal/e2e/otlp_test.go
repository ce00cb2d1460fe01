package e2e

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var updateOTLP = flag.Bool("update.otlp", false, "write the golden rows of TestOTLPCapturesBecomeRows")

// TestOTLPCapturesBecomeRows: recorded requests of OpenTelemetry's clients, sent twice, become the rows of the golden
// file.
func TestOTLPCapturesBecomeRows(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 3)
	p.startGateway("127.0.0.1:0")
	p.startConsumer()
	for _, name := range []string{"otlp-go-00-v1_logs.json", "otlp-node-json-00-v1_logs.json"} {
		var c struct {
			Request struct{ Headers [][2]string }
			Body    []byte `json:"body_base64"`
		}
		text, err := os.ReadFile(filepath.Join("../../gateway/testdata/captures", name))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &c))
		for range 2 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/v1/logs", strings.NewReader(string(c.Body)))
			require.NoError(t, err)
			for _, h := range c.Request.Headers {
				if h[0] == "Content-Type" {
					req.Header.Set(h[0], h[1])
				}
			}
			// OpenTelemetry's clients can set any header.
			req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("otel:"+key)))
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, 200, resp.StatusCode)
		}
	}
	p.rows(11)
	// Not timestamp: in ninety days these events will be too old for it.
	rows, err := p.db.Query(t.Context(), `SELECT client_timestamp, level, message, exception_type, exception_value, environment,
		release, platform, server_name, transaction, trace_id, user_id, user_email, sdk_name, sdk_version, tags, payload
		FROM events ORDER BY client_timestamp, event_id`)
	require.NoError(t, err)
	defer rows.Close() //nolint:errcheck // read to its end
	var got strings.Builder
	for rows.Next() {
		into := make([]any, len(rows.Columns()))
		for i, c := range rows.ColumnTypes() {
			into[i] = reflect.New(c.ScanType()).Interface()
		}
		require.NoError(t, rows.Scan(into...))
		row := map[string]any{}
		for i, name := range rows.Columns() {
			row[name] = into[i]
		}
		text, err := json.MarshalIndent(row, "", "\t")
		require.NoError(t, err)
		got.Write(text)
		got.WriteByte('\n')
	}
	require.NoError(t, rows.Err())
	const golden = "testdata/otlp-rows.txt"
	if *updateOTLP {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), got.String())
}
