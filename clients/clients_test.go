package clients

import (
	"flag"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// stock is a stock client and how its program runs.
type stock struct {
	name string // of its project and its golden file
	// send runs the program, which exits with an error unless all that the client sent was taken.
	send func(t *testing.T, url, key string)
}

var all = []stock{
	{"sentry-go", goProgram("sentry")},
	{"sentry-python", pythonScript("send_sentry.py")},
	{"sentry-node", nodeScript("sentry.js")},
	{"sentry-browser", page("page-sentry.js")},
	{"otlp-go", goProgram("otlp")},
	{"otlp-python", pythonScript("send_otlp.py")},
	{"otlp-node-json", nodeScript("otlp.js", "json")},
	{"otlp-node-protobuf", nodeScript("otlp.js", "protobuf")},
	{"segment-node", nodeScript("segment.js")},
	{"segment-python", pythonScript("send_segment.py")},
	{"segment-browser", page("page-segment.js")},
	{"rudder-node", nodeScript("rudder.js")},
	{"posthog-node", nodeScript("posthog.js")},
	{"posthog-python", pythonScript("send_posthog.py")},
	{"posthog-browser", page("page-posthog.js")},
	{"elasticsearch-node", nodeScript("elastic.js")},
	{"pino-loki", nodeScript("loki.js")},
	{"splunk-logging", nodeScript("splunk.js")},
}

// TestStockClients lets every client send to one pipeline, each to a project of its own, and then compares all rows
// with the golden files. A client that cannot be installed is skipped.
//
//	go test ./clients -run TestStockClients/send/sentry-go
//	go test ./clients -update
func TestStockClients(t *testing.T) {
	dev := startDev(t, all)
	var sent []stock
	t.Run("send", func(t *testing.T) {
		for _, client := range all {
			t.Run(client.name, func(t *testing.T) {
				t.Cleanup(func() {
					if !t.Skipped() && !t.Failed() {
						dev.mu.Lock()
						defer dev.mu.Unlock()
						sent = append(sent, client)
					}
				})
				t.Parallel()
				client.send(t, dev.gateway, key(client.name))
			})
		}
	})
	dev.settle(t)
	for _, client := range sent {
		t.Run("rows/"+client.name, func(t *testing.T) {
			compare(t, client.name, dev.rows(t, client.name))
		})
	}
	if !t.Failed() {
		require.Empty(t, dev.query(t, "SELECT project_id, count() FROM sluice.events GROUP BY 1 HAVING project_id NOT IN ("+names(sent)+")"),
			"rows of clients that did not send")
	}
}
