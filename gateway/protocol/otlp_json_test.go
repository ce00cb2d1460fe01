package protocol

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/otlp"
)

// FuzzOTLPJSON: of a request that encoding/json and the splitter both take, the splitter finds the same records as
// encoding/json, and each makes an item that is JSON again.
func FuzzOTLPJSON(f *testing.F) {
	for _, seed := range []string{
		`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"a":1},{}],"schemaUrl":"s","scope":{}}],"schemaUrl":"r","resource":{}}]}`,
		`{"resourceLogs":[{"resource":null,"scopeLogs":[{"logRecords":[{}]},{}]},{"scopeLogs":null}],"x":[{}]}`,
		`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"a":"]}"}]}]}]} `, `{}`, `[]`, `{"resource\u004cogs":[{}]}`,
	} {
		f.Add([]byte(seed))
	}
	sp := newOTLPSplitter()
	f.Fuzz(func(t *testing.T, body []byte) {
		j := &sp.json
		defer j.release()
		var made bytes.Buffer
		problem, err := j.split(body, &made)
		require.NoError(t, err)
		if problem != nil || !json.Valid(body) {
			return
		}
		var request struct {
			ResourceLogs []struct {
				ScopeLogs []struct {
					LogRecords []json.RawMessage `json:"logRecords"`
				} `json:"scopeLogs"`
			} `json:"resourceLogs"`
		}
		if json.Unmarshal(body, &request) != nil {
			t.Skip("encoding/json takes names in any case, and these have values of another type")
		}
		var want []json.RawMessage
		for _, rl := range request.ResourceLogs {
			for _, sl := range rl.ScopeLogs {
				want = append(want, sl.LogRecords...)
			}
		}
		if len(want) != len(j.records) {
			t.Skip("a name in another case")
		}
		for i, r := range j.records {
			require.Equal(t, string(want[i]), string(r.raw))
			item := bytes.Join(
				[][]byte{r.resource.Of(made.Bytes()), r.scope.Of(made.Bytes()), r.raw, []byte(otlp.After)},
				nil,
			)
			require.True(t, json.Valid(item), "%s", item)
		}
	})
}
