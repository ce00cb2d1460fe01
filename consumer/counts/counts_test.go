package counts

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/consumer/kafka"
	"sluice/internal/event"
	"sluice/internal/outcome"
	"sluice/internal/recordbatch"
)

var noon = time.Date(2026, 11, 23, 12, 0, 30, 0, time.UTC)

func envelope(format string) event.Envelope {
	return event.Envelope{Project: "demo", ID: uuid.UUID{1, 6: 0x40, 8: 0x80}, ReceivedAt: noon, Format: format}
}

// An event's minute is the gateway's, unless the record's own time says that it cannot be.
func TestMinute(t *testing.T) {
	at := outcome.MinuteOf(noon)
	for _, c := range []struct {
		received time.Time
		stamped  time.Time
		want     int64
	}{
		{noon, noon, at},
		{noon, time.UnixMilli(0), at},
		{noon, noon.Add(longestSpooled), at},
		{noon, noon.Add(longestSpooled + time.Millisecond), at + 86_400},
		{noon, noon.Add(-clockSlack), at},
		{noon, noon.Add(-clockSlack - time.Millisecond), at - 60},
		{time.Time{}, noon, at},
		{time.Time{}, time.UnixMilli(0), 0},
		{time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC), time.UnixMilli(0), latest},
		{time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), time.UnixMilli(0), 0},
	} {
		got := minute(c.received, c.stamped.UnixMilli())
		assert.Equal(t, c.want, got, "received %s, stamped %s", c.received, c.stamped)
		assert.Zero(t, got%60)
	}
}

// A record with counts is no dead letter. Anything else stays one, for its own reason.
func TestPublished(t *testing.T) {
	unknown := &event.RecordError{Reason: event.DeadUnknownFormat}
	rows := []Row{{Project: "p", Protocol: "native", Outcome: outcome.Rejected, Reason: "empty", Events: 2}}
	value := outcome.Encode(uuid.UUID{9}, rows)
	var c Counts
	require.NoError(t, c.Published(&recordbatch.Record{Value: value, Headers: envelope(outcome.Format).Headers()}, unknown))
	assert.Equal(t, rowBytes, c.Bytes())
	rows[0].Source = uuid.UUID{9}
	assert.Equal(t, rows, c.Rows(outcome.Range{}, "token"))

	for name, r := range map[string]recordbatch.Record{
		"another format": {Value: value, Headers: envelope("unheard-of").Headers()},
		"no headers":     {Value: value},
	} {
		require.ErrorIs(t, c.Published(&r, unknown), unknown, name)
	}
	tombstone := &event.RecordError{Reason: event.DeadTombstone}
	require.ErrorIs(t, c.Published(&recordbatch.Record{Headers: envelope(outcome.Format).Headers()}, tombstone), tombstone)
	var refused *event.RecordError
	bad := recordbatch.Record{Value: []byte(`{"outcomes":"SECRET"}`), Headers: envelope(outcome.Format).Headers()}
	require.ErrorAs(t, c.Published(&bad, unknown), &refused)
	assert.Equal(t, event.DeadInvalidEvent, refused.Reason)
	assert.NotContains(t, refused.Error(), "SECRET")
	assert.Len(t, c.Rows(outcome.Range{}, "token"), 1)
}

// Dropped events are counted by project, protocol, minute and step. The same range makes the same rows, another one
// others.
func TestDropped(t *testing.T) {
	var c Counts
	native, other := envelope(""), envelope("otlp")
	for range 3 {
		c.Dropped(&native, noon.UnixMilli(), "sample")
	}
	c.Dropped(&other, noon.UnixMilli(), "sample")
	native.ReceivedAt = noon.Add(time.Minute)
	c.Dropped(&native, noon.UnixMilli(), "sample")
	assert.Equal(t, 3*droppedBytes, c.Bytes())
	sums := map[string]int64{}
	for _, r := range c.Rows(outcome.Range{}, "a") {
		assert.Equal(t, "demo", r.Project)
		assert.Equal(t, outcome.Filtered, r.Outcome)
		sums[r.Protocol] += r.Events
	}
	assert.Equal(t, map[string]int64{"native": 4, "otlp": 1}, sums)
	assert.ElementsMatch(t, c.Rows(outcome.Range{}, "a"), c.Rows(outcome.Range{}, "a"))
	assert.NotEqual(t, c.Rows(outcome.Range{}, "a")[0].Source, c.Rows(outcome.Range{}, "b")[0].Source)
}

// A dead letter's words come from closed lists, whatever its headers say.
func TestDead(t *testing.T) {
	headers := func(name, value string) []event.Header {
		out := envelope("").Headers()
		for i := range out {
			if out[i].Key == name {
				out[i].Value = []byte(value)
			}
		}
		return out
	}
	for name, c := range map[string]struct {
		headers           []event.Header
		project, protocol string
	}{
		"our own":         {envelope("").Headers(), "demo", outcome.Native},
		"unknown format":  {envelope("unheard-of").Headers(), "demo", outcome.Unknown},
		"broken counts":   {envelope(outcome.Format).Headers(), "", outcome.Unknown},
		"none":            {nil, "", outcome.Unknown},
		"a bad project":   {headers("project", "DEMO"), "", outcome.Unknown},
		"a long project":  {headers("project", strings.Repeat("x", 65)), "", outcome.Unknown},
		"a bad time":      {headers("received-at", "x"), "", outcome.Unknown},
		"another version": {headers("v", "2"), "", outcome.Unknown},
	} {
		var all Counts
		for _, d := range []kafka.DeadLetter{
			{Offset: 7, Headers: c.headers, Reason: event.DeadMalformedJSON, Timestamp: noon.UnixMilli()},
			{Offset: 8, Headers: c.headers, Reason: event.DeadMalformedJSON, Timestamp: noon.UnixMilli()},
			{Offset: 7, Headers: c.headers, Reason: event.DeadMalformedJSON, Timestamp: noon.UnixMilli()},
		} {
			all.Dead("events", 0, &d)
		}
		rows := all.Rows(outcome.Range{}, "")
		require.Len(t, rows, 3, name)
		assert.Equal(t, rows[0], rows[2], "the same record is the same row")
		assert.NotEqual(t, rows[0], rows[1])
		want := Row{
			Project: c.project, Minute: outcome.MinuteOf(noon), Protocol: c.protocol, Outcome: outcome.DeadLettered,
			Reason: "malformed_json", Events: 1, Source: rows[0].Source,
		}
		assert.Equal(t, want, rows[0], name)
	}
}
