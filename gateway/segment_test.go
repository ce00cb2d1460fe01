package gateway

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/projects"
	"sluice/internal/event"
	"sluice/internal/format"
)

// clientKey is the key in the recorded requests.
const clientKey = "0123456789abcdef0123456789abcdef"

// clientsGateway serves one project with the key of the recorded requests.
func clientsGateway(t *testing.T, options ...option) *served {
	t.Helper()
	return serve(t, append([]option{func(_ *Config, d *Deps) { d.Projects = projects.One("demo", clientKey) }}, options...)...)
}

// recordedRequest returns a request of testdata/captures.
func recordedRequest(t *testing.T, file string) request {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var c struct {
		Request struct {
			Method, Target string
			Headers        [][2]string
			Chunks         []int
		}
		Body string `json:"body_base64"`
	}
	require.NoError(t, json.Unmarshal(text, &c))
	body, err := base64.StdEncoding.DecodeString(c.Body)
	require.NoError(t, err)
	r := request{
		method: c.Request.Method, path: c.Request.Target, body: string(body), noKey: true,
		chunked: len(c.Request.Chunks) > 0, header: map[string]string{},
	}
	for _, h := range c.Request.Headers {
		switch strings.ToLower(h[0]) {
		case "host", "connection", "content-length", "transfer-encoding":
		default:
			r.header[h[0]] = h[1]
		}
	}
	return r
}

// rowView is what becomes of a record, as far as a test compares it.
type rowView struct {
	ID, Format, Time, Client, Sent, Level, Message, Type, Value string
	Frames                                                      []string          `json:",omitempty"`
	UserID, UserEmail, Release, SDK                             string            `json:",omitempty"`
	Tags                                                        map[string]string `json:",omitempty"`
}

// rows reads the stored records as the consumer does, each id once.
func (s *served) rows() (rows []rowView) {
	s.t.Helper()
	d, ev, seen := event.Decoder{Formats: format.All()}, event.Event{}, map[string]bool{}
	for _, r := range s.producer.Stored() {
		of, err := event.DecodeRecord(&d, r.Value, r.Headers, event.MaxEventBytes, &ev)
		require.NoError(s.t, err, string(r.Value))
		at, client, _ := ev.Times(of.ID, of.ReceivedAt, of.Correction(), 0)
		row := rowView{
			ID: of.ID.String(), Format: of.Format, Time: at.Format(time.RFC3339Nano), Client: client.Format(time.RFC3339Nano),
			Sent: of.SentAt.UTC().Format(time.RFC3339Nano), Level: ev.Level.String(), Message: ev.MessageText(),
			Type: ev.Exception.Type.String(), Value: ev.Exception.Value.String(),
			UserID: ev.UserID.String(), UserEmail: ev.UserEmail.String(), Release: ev.Release.String(),
			SDK: strings.TrimSpace(ev.SDK.Name.String() + " " + ev.SDK.Version.String()),
		}
		for _, f := range ev.Frames {
			row.Frames = append(row.Frames, fmt.Sprintf("%s|%s|%v", f.Filename.String(), f.Function.String(), f.InApp))
		}
		for _, tag := range ev.Tags {
			if row.Tags == nil {
				row.Tags = map[string]string{}
			}
			row.Tags[tag.Key.String()] = tag.Value.String()
		}
		if !seen[row.ID] {
			rows = append(rows, row)
		}
		seen[row.ID] = true
	}
	return rows
}

// TestSegmentCaptures: recorded requests of stock clients get the answer that the clients want, and the rows are those of
// the golden files. A request that is sent again with another sentAt adds no row.
func TestSegmentCaptures(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/captures/segment-*.json")
	require.NoError(t, err)
	require.Len(t, files, 3)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			s := clientsGateway(t)
			r := recordedRequest(t, file)
			got := s.do(r)
			if r.method == http.MethodOptions {
				assert.Equal(t, 204, got.status)
				assert.Contains(t, got.header.Get("Access-Control-Allow-Headers"), "Authorization")
				assert.Equal(t, "*", got.header.Get("Access-Control-Allow-Origin"))
				return
			}
			require.Equal(t, 200, got.status, got.text)
			assert.JSONEq(t, `{"success":true}`, got.text)
			rows := s.rows()
			text, err := json.MarshalIndent(rows, "", "  ")
			require.NoError(t, err)
			golden := strings.TrimSuffix(file, ".json") + ".golden"
			if os.Getenv("UPDATE_GOLDEN") != "" {
				require.NoError(t, os.WriteFile(golden, append(text, '\n'), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.JSONEq(t, string(want), string(text))

			again := r
			again.body = strings.Replace(r.body, `"sentAt":"2026-11-28T04:18:`, `"sentAt":"2026-11-28T05:19:`, 1)
			require.NotEqual(t, r.body, again.body)
			require.Equal(t, 200, s.do(again).status)
			assert.Equal(t, rows, s.rows())
			assert.Len(t, s.producer.Stored(), 2*len(rows))
		})
	}
}
