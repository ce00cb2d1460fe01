package rows

import (
	"slices"
	"testing"

	"github.com/ClickHouse/ch-go/proto"

	"sluice/internal/event"
)

// A block leaves out the columns that are empty in every row.
func TestAbsentColumns(t *testing.T) {
	const bare = `{"message":"m"}`
	const full = `{"message":"m","exception":{"type":"T","value":"v"},"environment":"e","release":"r","platform":"p","server_name":"s","transaction":"t",` +
		`"trace_id":"i","user":{"id":"u","email":"m"},"sdk":{"name":"n","version":"1"},"tags":{"a":"b"}}`
	names := func(values ...string) (names []string) {
		in := New()
		for i, value := range values {
			appendEvent(t, in, int64(i), value)
		}
		for range 2 { // what is sent again is the same
			names = names[:0]
			for _, c := range in.Columns() {
				names = append(names, c.Name)
			}
		}
		return names
	}
	always := []string{
		"project_id", "event_id", "id_time", "timestamp", "client_timestamp", "timestamp_adjusted", "received_at", "level", "message", "fingerprint", "payload",
		"_topic", "_partition", "_offset",
	}
	if got := names(bare, bare); !slices.Equal(got, always) {
		t.Errorf("the columns of events with a message only are %v", got)
	}
	var all []string
	for _, c := range New().input {
		if c.Name != "format" { // events of our own format have none
			all = append(all, c.Name)
		}
	}
	for _, events := range [][]string{{full}, {bare, full}, {full, bare}} {
		if got := names(events...); !slices.Equal(got, all) {
			t.Errorf("%v: %v", events, got)
		}
	}
}

// A block has the formats of its rows, if one of them is not our own.
func TestFormats(t *testing.T) {
	b := New()
	for i, format := range []string{"", "sentry", "", "otlp", ""} {
		b.Append(&event.Event{Level: event.LevelInfo}, &Row{Envelope: event.Envelope{Format: format}, Offset: int64(i)})
	}
	has := func(b *Block) bool {
		return slices.ContainsFunc(b.Columns(), func(c proto.InputColumn) bool { return c.Name == "format" })
	}
	if err := b.Check(); err != nil || !has(b) || has(b.Pick([]int32{0, 2})) || !has(b.Pick([]int32{2, 3})) {
		t.Errorf("the column is not where it belongs: %v", err)
	}
	for row, want := range []string{"", "sentry", "", "otlp", ""} {
		if got := b.Format(row); got != want {
			t.Errorf("row %d: %q, want %q", row, got, want)
		}
	}
}
