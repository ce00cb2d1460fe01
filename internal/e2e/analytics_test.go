package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestSegmentAndPostHog: calls of Segment's clients and events of PostHog's become rows, one each, although every request
// is sent three times with a fresh time of sending.
func TestSegmentAndPostHog(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 3)
	p.startGateway("127.0.0.1:0")
	p.startConsumer()
	requests := [][2]string{
		{"/v1/batch", `{"batch":[
			{"type":"track","event":"Paid","userId":"u-1","messageId":"m-1","timestamp":"2026-11-01T10:00:00.5Z"},
			{"type":"identify","anonymousId":"a-1","messageId":"m-2","traits":{"email":"a@example.com"},
				"context":{"app":{"version":"1.2"},"library":{"name":"node","version":"3"}}},
			{"type":"group","groupId":"g-1","messageId":"m-3"}],"writeKey":"` + key + `","sentAt":"SENT"}`},
		{"/v1/p", `{"name":"Home","userId":"u-1","properties":{"total":19.95},"sentAt":"SENT"}`},
		{"/batch/", `{"api_key":"` + key + `","batch":[
			{"event":"signed up","distinct_id":"u-2","uuid":"0193b3c4-5d6e-7a7b-8c9d-0e1f2a3b4c5d","properties":{"$lib":"posthog-node","$browser":"x"}},
			{"event":"$exception","distinct_id":"u-2","properties":{"$exception_list":[{"type":"E","value":"broke","stacktrace":
				{"frames":[{"filename":"a.js","function":"f","in_app":true}]}}]}}],"sent_at":"SENT"}`},
	}
	for i := range 3 {
		for _, r := range requests {
			sent := fmt.Sprintf("2026-11-28T12:00:0%dZ", i)
			if got := p.post(r[0], "text/plain", strings.ReplaceAll(r[1], "SENT", sent)); got.status != 200 {
				t.Fatalf("%s: got %+v", r[0], got)
			}
		}
	}
	p.rows(6)
	for _, row := range []string{
		"message='Paid' AND user_id='u-1' AND level='info' AND tags['type']='track' AND client_timestamp='2026-11-01 10:00:00.500'",
		"message='identify' AND user_id='a-1' AND user_email='a@example.com' AND release='1.2' AND sdk_name='node' AND sdk_version='3'",
		"message='group' AND tags['groupId']='g-1'",
		`message='page Home' AND startsWith(payload, '{"type":"page","name":"Home"') AND JSONExtractFloat(payload, 'properties', 'total')=19.95`,
		"message='signed up' AND event_id='0193b3c4-5d6e-7a7b-8c9d-0e1f2a3b4c5d' AND sdk_name='posthog-node' AND tags['$browser']='x'",
		"message='E: broke' AND exception_type='E' AND exception_value='broke' AND level='error'",
	} {
		if n := p.scalar("SELECT count() FROM events WHERE " + row); n != 1 {
			t.Errorf("%d rows where %s", n, row)
		}
	}
}
