//go:build unix

package gateway

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// envelopeOf returns an envelope of one event, as a client writes it.
func envelopeOf(n int, event string) string {
	return fmt.Sprintf(`{"event_id":"0193b3c45d6e7a7b8c9d%012d","sent_at":"2026-11-28T04:18:19.383722951Z",`+
		`"sdk":{"name":"sentry.go","version":"0.50.0"},"trace":{"environment":"prod","release":"shop@1.4.2",`+
		`"public_key":"0123456789abcdef0123456789abcdef","trace_id":"448b9eee471d519e2c1b6189f8cc385c"}}`+
		"\n{\"type\":\"event\",\"length\":%d}\n%s\n", n, len(event), event)
}

// stockEnvelope returns an envelope of 3 KB that sentry-go sent.
func stockEnvelope(b *testing.B) string {
	b.Helper()
	text, err := os.ReadFile("testdata/captures/sentry-go-00-event.json")
	require.NoError(b, err)
	var c sentryCapture
	require.NoError(b, json.Unmarshal(text, &c))
	body, err := base64.StdEncoding.DecodeString(c.BodyBase64)
	require.NoError(b, err)
	return string(body)
}

// sentry compares envelopes of one event with native requests of the same event.
func (e *edge) sentry(b *testing.B) {
	native, envelopes := requestsOf(1000), make([][]byte, 1000)
	for i := range envelopes {
		envelopes[i] = httpRequest(pathEnvelope, envelopeOf(i, event200(i)), "")
	}
	pairs(b, true, "ratio", "envelopes/s", "native_202/s",
		func(d time.Duration) float64 {
			return hammer{addr: e.gateway, connections: 256, requests: envelopes}.run(b, d).rate()
		},
		func(d time.Duration) float64 {
			return hammer{addr: e.gateway, connections: 256, requests: native}.run(b, d).rate()
		})
}
