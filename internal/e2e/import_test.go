package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// importFile writes lines, most of them events: ids as clients make them, and none at all; with timestamps and without.
// It returns how many of the lines are events.
func importFile(t *testing.T, path string, lines int) (events int) {
	t.Helper()
	var text bytes.Buffer
	for i := range lines {
		at := 1_795_000_000 + i
		switch i % 6 {
		case 0:
			fmt.Fprintf(&text, `{"event_id":"%s","message":"v7","tags":{"n":"%d"}}`, uuid.Must(uuid.NewV7()), i)
		case 1:
			id := strings.ReplaceAll(uuid.NewString(), "-", "")
			fmt.Fprintf(&text, `{"event_id":"%s","timestamp":%d.25,"message":"v4","tags":{"n":"%d"}}`, id, at, i)
		case 2:
			fmt.Fprintf(&text, `{"message":"no id","timestamp":%d,"tags":{"n":"%d"}}`, at, i)
		case 3:
			fmt.Fprintf(&text, `{"message":"neither","tags":{"n":"%d"}}`, i)
		case 4:
			if i%100 == 4 { // an id that cannot be written into the event
				fmt.Fprintf(&text, `{"message":"null","event_id":null,"tags":{"n":"%d"}}`, i)
			} else {
				fmt.Fprintf(&text, `{"message":"same","tags":{"n":"%d"}}`, i)
			}
		case 5:
			if i%500 == 5 {
				text.WriteString(`{"message":"half`)
				events--
			} else {
				fmt.Fprintf(&text, `{"message":"last","level":"info","tags":{"n":"%d"}}`, i)
			}
		}
		events++
		text.WriteString("\n")
	}
	packed := text.Bytes()
	switch {
	case strings.HasSuffix(path, ".gz"):
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(packed)
		require.NoError(t, z.Close())
		packed = b.Bytes()
	case strings.HasSuffix(path, ".zst"):
		z, err := zstd.NewWriter(nil)
		require.NoError(t, err)
		packed = z.EncodeAll(packed, nil)
	}
	require.NoError(t, os.WriteFile(path, packed, 0o600))
	return events
}

// TestImportKilled: sluice load --from is killed again and again, and the gateway once. Run again, it continues, and in
// the end each event of the file is one row.
func TestImportKilled(t *testing.T) {
	t.Parallel()
	const lines = 12_000
	for _, name := range []string{"plain.ndjson", "packed.ndjson.gz", "packed.ndjson.zst"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, kills := newPipeline(t, 3), 2
			if name == "plain.ndjson" {
				kills = 4
			}
			g := p.startGateway("127.0.0.1:0")
			p.startConsumer()
			path := filepath.Join(t.TempDir(), name)
			events := importFile(t, path, lines)
			rejects := path + ".rejects"
			args := []string{
				"load", "--url", p.url, "--key", key, "--from", path, "--rejects", rejects, "--bulk", "100", "--rate", "5000",
				"--connections", "4",
			}
			progress := func() (line int64) {
				text, err := os.ReadFile(path + ".sluice-progress")
				if os.IsNotExist(err) {
					return 0
				}
				require.NoError(t, err)
				var state struct {
					Line int64 `json:"line"`
				}
				require.NoError(t, json.Unmarshal(text, &state), "the progress file is whole at any time")
				return state.Line
			}
			for kill := range kills {
				before := progress()
				load := start(t, "sluice", args...)
				p.eventually("progress", func() bool { return progress() >= before+1500 })
				load.kill()
				if kill == 1 && kills > 2 {
					g.kill()
					g = p.startGateway(strings.TrimPrefix(p.url, "http://"))
				}
			}
			require.Less(t, progress(), int64(lines), "killed halfway")

			load := start(t, "sluice", args...)
			assert.Equal(t, 1, load.wait(5*time.Minute), "lines were rejected: %s", load.output())
			said := load.output()
			assert.Contains(t, said, fmt.Sprintf("%d events imported, %d lines rejected", events, lines-events))
			assert.Contains(t, said, "continues after line")

			p.rows(uint64(events))
			assert.EqualValues(t, events, p.scalar("SELECT uniqExact(event_id) FROM events_raw"), "distinct ids")
			assert.EqualValues(t, events, p.scalar("SELECT uniqExact(tags['n']) FROM events_raw"), "distinct lines")
			text, err := os.ReadFile(rejects)
			require.NoError(t, err)
			assert.Equal(t, lines-events, bytes.Count(text, []byte("\n")), "each bad line is in --rejects once")
			assert.Contains(t, string(text), `"line":6,`)

			code, said := runs(t, "sluice", args...)
			assert.Equal(t, 1, code)
			assert.Contains(t, said, "imported already")
			if name == "plain.ndjson" {
				code, said = runs(t, "sluice", append(args, "--restart", "--rate", "0")...)
				assert.Equal(t, 1, code, said)
				p.rows(uint64(events))
				assert.EqualValues(t, events, p.scalar("SELECT uniqExact(event_id) FROM events_raw"), "sent again")
			}
		})
	}
}
