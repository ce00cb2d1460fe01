package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// capturesFolders have requests that stock clients sent, byte for byte. One key is in all of them.
var capturesFolders = []string{"../../gateway/testdata/captures", "testdata/requests"}

const capturesKey = "0123456789abcdef0123456789abcdef"

// TestCaptures replays the recorded requests of stock clients over TCP, byte for byte. Each gets the answer that its
// client wants, and its rows are those of its golden file. Sent again, as clients retry, the requests add no row.
//
//	go test ./internal/e2e -plain -run 'TestCaptures$'
//	go test ./internal/e2e -plain -run 'TestCaptures$' -update
func TestCaptures(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 1) // offsets on the only partition tell whose a row is
	p.allow(capturesKey)
	p.startGateway("127.0.0.1:0")
	p.startConsumer("--max-event-age", "36500d") // the recorded times do not become too old
	captures := readCaptures(t)

	// Every request in turn, and what it put on the topic.
	ranges := make([][2]int64, len(captures))
	answers := make([]reply, len(captures))
	for i, c := range captures {
		before := p.end()
		answers[i] = c.send(t, p.url, c.body())
		ranges[i] = [2]int64{before, p.end()}
	}
	p.eventually("all records to be consumed", func() bool { return p.lag() == 0 })
	for i, c := range captures {
		t.Run(c.name, func(t *testing.T) {
			c.answeredWell(t, answers[i])
			compareGolden(t, c.name, answers[i], p.rowsAt(t, ranges[i]))
		})
	}

	once := p.ids(t)
	for _, c := range captures {
		t.Run("again/"+c.name, func(t *testing.T) {
			before := p.end()
			c.answeredWell(t, c.send(t, p.url, c.retried(t, time.Now())))
			p.eventually("the records to be consumed", func() bool { return p.lag() == 0 })
			if c.identifies() {
				assert.Equal(t, once, p.ids(t), "another row after records %d to %d", before, p.end()-1)
			}
			once = p.ids(t)
		})
	}
}

// allow adds a key to the scenario's project.
func (p *pipeline) allow(key string) {
	p.t.Helper()
	text, err := os.ReadFile(p.projects)
	require.NoError(p.t, err)
	with := strings.Replace(string(text), "keys: [", fmt.Sprintf("keys: [{name: other, sha256: %x}, ", sha(key)), 1)
	require.NoError(p.t, os.WriteFile(p.projects, []byte(with), 0o600))
}

// end returns the offset after the last record.
func (p *pipeline) end() int64 { return p.ends(p.name)[0] }

// capturedRows are the columns that a golden file holds. The time of a client that says when it sent is shifted by the
// difference of the clocks. Ids that the gateway drew are masked.
const capturedRows = `SELECT
	level, message, exception_type, exception_value, environment, release, platform, server_name, transaction, trace_id,
	user_id, user_email, sdk_name, sdk_version, tags, issue_id,
	if(timestamp = client_timestamp, toString(timestamp), 'by our clock') AS time,
	toString(client_timestamp) AS client_time,
	timestamp_adjusted AS adjusted,
	if(substring(toString(event_id), 15, 1) = '7' AND position(payload, toString(event_id)) = 0, 'drawn', toString(event_id)) AS id,
	isValidJSON(payload) AS valid_payload
FROM events WHERE _offset >= %d AND _offset < %d ORDER BY _offset`

// rowsAt returns the rows of records, as JSON objects.
func (p *pipeline) rowsAt(t *testing.T, offsets [2]int64) (rows []json.RawMessage) {
	t.Helper()
	rows = []json.RawMessage{}
	query := fmt.Sprintf("SELECT formatRowNoNewline('JSONEachRow', *) FROM ("+capturedRows+")", offsets[0], offsets[1])
	result, err := p.db.Query(context.Background(), query+" SETTINGS output_format_json_escape_forward_slashes = 0")
	require.NoError(t, err)
	defer result.Close() //nolint:errcheck // read to its end
	for result.Next() {
		var row string
		require.NoError(t, result.Scan(&row))
		rows = append(rows, json.RawMessage(row))
	}
	require.NoError(t, result.Err())
	return rows
}

// ids returns all events, in order.
func (p *pipeline) ids(t *testing.T) (ids []string) {
	t.Helper()
	result, err := p.db.Query(context.Background(), "SELECT toString(event_id) FROM events ORDER BY event_id")
	require.NoError(t, err)
	defer result.Close() //nolint:errcheck // read to its end
	for result.Next() {
		var id string
		require.NoError(t, result.Scan(&id))
		ids = append(ids, id)
	}
	require.NoError(t, result.Err())
	return ids
}

// compareGolden compares an answer and the rows with the golden file of a capture.
func compareGolden(t *testing.T, name string, answer reply, rows []json.RawMessage) {
	t.Helper()
	var got bytes.Buffer
	encoder := json.NewEncoder(&got)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(struct {
		Answer reply             `json:"answer"`
		Rows   []json.RawMessage `json:"rows"`
	}{answer.masked(), rows}))
	golden := filepath.Join("testdata", "captures", name+".json")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(golden), 0o755)) //nolint:gosec // a folder of the tree
		require.NoError(t, os.WriteFile(golden, got.Bytes(), 0o644)) //nolint:gosec // a file of the tree
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), got.String())
}
