package rows

import (
	"slices"
	"testing"
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
		all = append(all, c.Name)
	}
	for _, events := range [][]string{{full}, {bare, full}, {full, bare}} {
		if got := names(events...); !slices.Equal(got, all) {
			t.Errorf("%v: %v", events, got)
		}
	}
}
