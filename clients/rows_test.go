package clients

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// columns are the columns of a row that a golden file holds, with what differs from run to run replaced, and without the
// tags that describe the machine.
const columns = `SELECT
	level, message, exception_type, exception_value, environment, release, platform, server_name, transaction, trace_id,
	user_id, user_email, sdk_name, sdk_version,
	mapFilter((name, value) ->
		NOT match(name, '^((app|culture|device|process|url|user_agent)\\.|sentry.sdk.integrations|\\$(browser|current_url|device_type|host|os)$)'), tags) AS tags,
	if(abs(dateDiff('second', timestamp, received_at)) < 600, 'now', toString(timestamp)) AS time,
	if(abs(dateDiff('second', client_timestamp, received_at)) < 600, 'now', toString(client_timestamp)) AS client_time,
	timestamp_adjusted,
	'UUIDv' || substring(toString(event_id), 15, 1) AS id,
	fingerprint != 0 AS has_fingerprint, isValidJSON(payload) AS valid_payload
FROM sluice.events WHERE project_id = '%s' FORMAT JSONEachRow SETTINGS output_format_json_escape_forward_slashes = 0`

// rows returns the rows of a client's project, masked and in an order that does not depend on ids or times.
func (d *dev) rows(t *testing.T, client string) (rows []string) {
	t.Helper()
	for _, line := range d.query(t, fmt.Sprintf(columns, client)) {
		var indented bytes.Buffer
		require.NoError(t, json.Indent(&indented, []byte(mask(line)), "", "  "))
		rows = append(rows, indented.String())
	}
	slices.Sort(rows)
	return rows
}

// masks replace what differs from run to run and from machine to machine.
var masks = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "<uuid>"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "<32 hex digits>"},
	{regexp.MustCompile(`\b[0-9a-f]{16}\b`), "<16 hex digits>"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "<address>"},
}

func mask(text string) string {
	for _, m := range masks {
		text = m.pattern.ReplaceAllString(text, m.with)
	}
	return text
}

// compare compares the rows with the client's golden file.
func compare(t *testing.T, client string, rows []string) {
	t.Helper()
	got := "[" + strings.Join(rows, ",\n") + "]\n"
	golden := filepath.Join("testdata", client+".json")
	require.NotEmpty(t, rows)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(golden), 0o755)) //nolint:gosec // a folder of the tree
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o644)) //nolint:gosec // a file of the tree
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// names lists clients as an SQL list of strings.
func names(clients []stock) string {
	list := []string{"''"}
	for _, client := range clients {
		list = append(list, "'"+client.name+"'")
	}
	return strings.Join(list, ", ")
}
