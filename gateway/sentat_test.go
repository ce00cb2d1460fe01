package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/gateway/ingest"
	"sluice/internal/event"
)

// lastEnvelope returns the envelope of the last event on Kafka.
func (s *served) lastEnvelope() event.Envelope {
	s.t.Helper()
	records := s.producer.Stored()
	envelope, err := event.ParseHeaders(records[len(records)-1].Headers)
	if err != nil {
		s.t.Fatal(err)
	}
	return envelope
}

func TestTimeSent(t *testing.T) {
	t.Parallel()
	s := serve(t) // whose clock stands at 2026-11-23T12:00:00Z
	event := `{"message":"x"}`
	header := func(v string) map[string]string { return map[string]string{ingest.HeaderSentAt: v} }
	const ms = int64(1795435200000)
	tests := []struct {
		name   string
		r      request
		sentAt int64 // Unix ms; 0: none
	}{
		{"none", request{path: pathEvents, body: event}, 0},
		{"header, RFC 3339", request{path: pathEvents, body: event, header: header("2026-11-23T13:00:00.5+01:00")}, ms + 500},
		{"header, milliseconds", request{path: pathEvents, body: event, header: header("1795435200001")}, ms + 1},
		{"header, not understood", request{path: pathEvents, body: event, header: header("yesterday")}, 0},
		{"header, too far", request{path: pathEvents, body: event, header: header("99999999999999999")}, 0},
		{"header, empty", request{path: pathEvents, body: event, header: header("")}, 0},
		{"query", request{path: pathEvents + "?sent_at=1795435200002", body: event}, ms + 2},
		{"query, escaped offset", request{path: pathEvents + "?sent_at=" + url.QueryEscape("2026-11-23T13:00:00+01:00"), body: event}, ms},
		{"query, bare offset", request{path: pathEvents + "?sent_at=2026-11-23T13:00:00+01:00", body: event}, ms},
		{"query, not understood", request{path: pathEvents + "?sent_at=x", body: event}, 0},
		{"header before query", request{path: pathEvents + "?sent_at=1795435200002", body: event, header: header("1795435200001")}, ms + 1},
		{"query where the header is not understood", request{path: pathEvents + "?sent_at=1795435200002", body: event, header: header("?")}, ms + 2},
		{"bulk, header", request{path: pathBulk, body: `[` + event + `]`, header: header("1795435200001")}, ms + 1},
		{"bulk, body", request{path: pathBulk, body: `{"events":[` + event + `],"sent_at":"2026-11-23T12:00:00.003Z"}`}, ms + 3},
		{"bulk, body as a number", request{path: pathBulk, body: `{"sent_at":1795435200003,"events":[` + event + `]}`}, ms + 3},
		{"bulk, body not understood", request{path: pathBulk, body: `{"sent_at":{},"events":[` + event + `]}`}, 0},
		{"bulk, header before body", request{path: pathBulk, body: `{"sent_at":1795435200003,"events":[` + event + `]}`, header: header("1795435200001")}, ms + 1},
		{"bulk, query before body", request{path: pathBulk + "?sent_at=1795435200002", body: `{"sent_at":1795435200003,"events":[` + event + `]}`}, ms + 2},
		{"bulk, body where the header is not understood", request{path: pathBulk, body: `{"sent_at":1795435200003,"events":[` + event + `]}`, header: header("?")}, ms + 3},
		{"an event's own sent_at is a field like any other", request{path: pathEvents, body: `{"message":"x","sent_at":1795435200003}`}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := s.do(test.r); got.status != 202 {
				t.Fatalf("got %d %s", got.status, got.text)
			}
			var got int64
			if at := s.lastEnvelope().SentAt; !at.IsZero() {
				got = at.UnixMilli()
			}
			if got != test.sentAt {
				t.Errorf("got %d, want %d", got, test.sentAt)
			}
		})
	}
}

// TestTimeSentCorrects: the consumer corrects the event's time by the time sent.
func TestTimeSentCorrects(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for sent, correction := range map[string]time.Duration{
		"2026-11-23T12:00:02Z":     0,
		"2026-11-23T12:00:02.001Z": -2001 * time.Millisecond,
		"2026-11-23T11:00:00Z":     time.Hour,
	} {
		s.do(request{path: pathEvents, body: `{"message":"x"}`, header: map[string]string{ingest.HeaderSentAt: sent}})
		if got := s.lastEnvelope().Correction(); got != correction {
			t.Errorf("%s: got %s", sent, got)
		}
	}
}

// TestSlowBodyIsNoSlowClock: the time sent, when the client began to send, is compared with the time when we began to
// receive.
func TestSlowBodyIsNoSlowClock(t *testing.T) {
	var asked atomic.Int32
	s := serve(t, func(_ *Config, d *Deps) {
		now := d.Now
		d.Now = func() time.Time { asked.Add(1); return now() }
	})
	asked.Store(0) // New asks for the time, too
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := `{"message":"x"}` + strings.Repeat(" ", 16<<10) // more than is read together with the headers
	half := len(body) - 10
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: a\r\nX-Api-Key: %s\r\nX-Sent-At: 2026-11-23T12:00:00Z\r\nContent-Length: %d\r\n\r\n%s",
		pathEvents, testKey, len(body), body[:half]); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { return asked.Load() > 0 })
	s.clock.advance(time.Minute)
	if _, err := io.WriteString(conn, body[half:]); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("got %v, %v", resp, err)
	}
	_ = resp.Body.Close()
	if got := s.lastEnvelope().Correction(); got != 0 {
		t.Errorf("the events' time was shifted by %s", got)
	}
}
