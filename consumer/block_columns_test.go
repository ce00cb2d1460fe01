package consumer

import (
	"slices"
	"testing"
)

// A block leaves out the columns that no row has anything in, and its rows are the same as beside one that has.
func TestAbsentColumns(t *testing.T) {
	const bare = `{"message":"m"}`
	const full = `{"message":"m","exception":{"type":"T","value":"v"},"environment":"e","release":"r","platform":"p","server_name":"s","transaction":"t",` +
		`"trace_id":"i","user":{"id":"u","email":"m"},"sdk":{"name":"n","version":"1"},"tags":{"a":"b"}}`
	names := func(values ...string) (names []string) {
		in := newBlock()
		for i, value := range values {
			r := fromGateway(int64(i), "demo", idV4(uint64(i)), noon, value) //nolint:gosec // not negative
			if err := newProcessor().process(&r, in); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // what is sent again is the same
			names = names[:0]
			for _, c := range in.columns() {
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
	for _, c := range newBlock().input {
		all = append(all, c.Name)
	}
	for _, events := range [][]string{{full}, {bare, full}, {full, bare}} {
		if got := names(events...); !slices.Equal(got, all) {
			t.Errorf("%v: %v", events, got)
		}
	}
	overBoth(t, func(t *testing.T, d *database, dsn func(string) string) {
		store := d.store(dsn(""))
		apply(t, store)
		d.insert(store, fromGateway(1, "demo", idV4(1), noon, bare))
		d.insert(store, fromGateway(2, "demo", idV4(2), noon, bare), fromGateway(3, "demo", idV4(3), noon, full))
		d.asks("SELECT count(), uniqExact(tuple(* EXCEPT (event_id, inserted_at, _offset))) FROM events_raw WHERE _offset < 3", "2\t1")
		d.asks("SELECT count() FROM events_raw WHERE _offset = 1 AND environment = '' AND transaction = '' AND user_id = '' AND tags = map()", "1")
		d.asks("SELECT environment, trace_id, tags FROM events_raw WHERE _offset = 3", "e\ti\t{'a':'b'}")
		// What is left out is what the table would put there only as long as it has no default of its own.
		d.asks("SELECT groupArray(name) FROM system.columns WHERE database = currentDatabase() AND table = 'events_raw' AND default_kind = 'DEFAULT'", "['inserted_at']")
	})
}
