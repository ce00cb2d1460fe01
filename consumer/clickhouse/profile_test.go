package clickhouse

import (
	"fmt"
	"log/slog"
	"testing"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"
)

func rowsWithPayload(n int, payload func(i int) string) []rowstest.Record {
	out := make([]rowstest.Record, n)
	for i := range out {
		out[i] = rowstest.From(int64(i), "demo", rowstest.ID(uint64(i)), rowstest.Noon, payload(i)) // not negative
	}
	return out
}

// Rows are compared with the table although a profile forbids the questions or cuts their answers short: the questions
// send other settings.
func TestReadUnderProfiles(t *testing.T) {
	for _, user := range []string{"keyed", "cut_short", "few_results", "cached", "not_async"} {
		d := clickhousetest.Migrated(t)
		if err := sendTo(t, reach(d.Native()), rowstest.Block(t, rowsWithPayload(250, func(i int) string { return fmt.Sprintf(`{"message":"event %d"}`, i) })...)); err != nil {
			t.Fatal(err)
		}
		more := 250
		for protocol, dsn := range d.OfUser(user) {
			p := New(reach(dsn), slog.New(slog.DiscardHandler))
			b := rowstest.Block(t, rowsWithPayload(260, func(i int) string { return fmt.Sprintf(`{"message":"event %d"}`, i) })...)
			missing, err := p.Missing(t.Context(), "events", 0, b)
			if err != nil || len(missing) != 260-more || missing[0] != int32(more) { // small
				t.Errorf("%s, %s: missing %v, error %v", user, protocol, missing, err)
			}
			if user == "cached" { // an answer of a moment ago would be the same
				if err := sendTo(t, reach(d.Native()), rowstest.Block(t, rowsWithPayload(more+1, func(i int) string { return fmt.Sprintf(`{"message":"event %d"}`, i) })[more:]...)); err != nil {
					t.Fatal(err)
				}
				more++
				if again, err := p.Missing(t.Context(), "events", 0, b); err != nil || len(again) != len(missing)-1 {
					t.Errorf("%s: missing %v after another insert, error %v", protocol, again, err)
				}
			}
			if highest, err := p.Highest(t.Context(), "events", 0, 0); highest != int64(more-1) || err != nil {
				t.Errorf("%s, %s: highest %d, error %v", user, protocol, highest, err)
			}
			p.Close()
		}
	}
}

// A setting that a profile pins to the wanted value is not sent.
func TestPinnedAsWanted(t *testing.T) {
	d := clickhousetest.Migrated(t)
	for protocol, dsn := range d.OfUser("not_async") {
		to := newSession(reach(dsn))
		if err := to.send(t.Context(), "a token of "+protocol, rowstest.Many(t, 3)); err != nil {
			t.Errorf("%s: %v", protocol, err)
		} else if _, sent := to.server.settings("t", nil)["async_insert"]; sent {
			t.Errorf("%s: async_insert is sent", protocol)
		}
		to.close()
	}
}
