package consumer

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/consumer/blocking"
	"sluice/consumer/budget"
	"sluice/consumer/schema"
	"sluice/internal/recordbatch"
)

func withPayload(n int, payload func(i int) string) []recordbatch.Record {
	out := make([]recordbatch.Record, n)
	for i := range out {
		out[i] = fromGateway(int64(i), "demo", idV4(uint64(i)), noon, payload(i))
	}
	return out
}

// onEngine is a worker whose rows go into the real table, as one of the engine's users. Its topic is in memory, and
// takes the rows for its own table's.
func onEngine(t *testing.T, store schema.Config, records []recordbatch.Record, edit ...func(*worker)) (*worker, *lines) {
	t.Helper()
	topic, table := newMemory(t)
	topic.put(records...)
	for offset := range int64(len(records)) {
		table.rows[offset] = 1
	}
	log := &lines{}
	real := tableOf(t, store)
	w := newWorker(t, func(w *worker) {
		w.topic, w.kafka, w.offsets, w.deadLetters = topic, topic, topic, topic
		w.partition.table, w.table = real, table
		w.log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelInfo}))
		w.size = &budget.Size{}
		w.patience = patience{maxPause: 20 * time.Millisecond, drain: 50 * time.Millisecond}
		for _, e := range edit {
			e(w)
		}
	})
	return w, log
}

// A block that is larger than the user's memory limit goes in by pieces, each row once and no row as a dead letter, and
// the next batches are smaller. A range that was recorded before is cut as it was, and goes in as well.
func TestMemoryLimit(t *testing.T) {
	const n, size = 8000, 3300
	filler := strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz", size/36)
	for protocol := range map[string]bool{"native": true, "http": true} {
		t.Run(protocol, func(t *testing.T) {
			d := migrated(t)
			store := d.store(d.OfUser("small")[protocol])
			records := withPayload(n, func(i int) string {
				return fmt.Sprintf(`{"message":"event %d","x":"%s","timestamp":"202%d-01-01T00:00:00Z"}`, i, filler, 4+i%3)
			})
			w, log := onEngine(t, store, records, func(w *worker) { w.cfg.BatchRows, w.cfg.BatchBytes = 100_000, 16<<20 })
			w.startUnbubbled()
			waitUntil(t, "all of it", func() bool { return w.topic.at() == n })
			d.asks("SELECT count(), uniqExact(_offset), uniqExact(event_id) FROM events_raw", fmt.Sprintf("%d\t%[1]d\t%[1]d", n))
			if len(w.topic.letters) > 0 {
				t.Errorf("%d dead letters", len(w.topic.letters))
			}
			if got := testutil.ToFloat64(w.metrics.insertErrors.WithLabelValues("241")); got == 0 {
				t.Error("nothing was too large: the test shows nothing")
			}
			if limit := w.size.Limit(16 << 20); limit >= 16<<20 || limit < budget.LeastBatch {
				t.Errorf("the next batches have up to %d bytes", limit)
			}
			if !strings.Contains(log.String(), "too large") || !strings.Contains(log.String(), "max_memory_usage") {
				t.Errorf("said:\n%s", log)
			}
		})
	}
}

// A column that a user added refuses one event: the event becomes a dead letter, which names the column, and all others
// go in. The same holds for columns that fail with other codes.
func TestColumnOfTheUser(t *testing.T) {
	for name, c := range map[string]struct{ column, bad, want string }{
		"675": {"ip IPv4 MATERIALIZED toIPv4(JSONExtractString(payload, 'user', 'ip_address'))", `"user":{"ip_address":"2001:db8::1"}`, "ip"},
		"153": {"share Int64 MATERIALIZED intDiv(1, length(JSONExtractString(payload, 'user', 'ip_address')))", `"user":{"ip_address":""}`, "share"},
		"395": {"checked UInt8 MATERIALIZED throwIf(JSONExtractString(payload, 'user', 'ip_address') = '10.0.0.9', 'no')", `"user":{"ip_address":"10.0.0.9"}`, "checked"},
		"376": {"other UUID MATERIALIZED toUUID(concat('00000000-0000-0000-0000-00000000000', if(JSONExtractString(payload, 'user', 'ip_address') = 'x', 'x', '1')))", `"user":{"ip_address":"x"}`, "other"},
		"469": {"", `"level":"fatal"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := migrated(t)
			if c.column == "" {
				d.ask("ALTER TABLE events_raw ADD CONSTRAINT calm CHECK level < 'fatal'")
			} else {
				d.ask("ALTER TABLE events_raw ADD COLUMN " + c.column)
			}
			const n, bad = 200, 137
			records := withPayload(n, func(i int) string {
				if i == bad {
					return fmt.Sprintf(`{"message":"hunter2",%s}`, c.bad)
				}
				return fmt.Sprintf(`{"message":"event %d","user":{"ip_address":"10.0.0.1"}}`, i)
			})
			w, log := onEngine(t, d.native(), records, func(w *worker) { w.cfg.BatchRows = 1000 })
			w.startUnbubbled()
			waitUntil(t, "all of it", func() bool { return w.topic.at() == n })
			d.asks("SELECT count(), uniqExact(_offset), countIf(_offset = 137) FROM events_raw", fmt.Sprintf("%d\t%[1]d\t0", n-1))
			letter := w.topic.letters[bad]
			if len(w.topic.letters) != 1 || letter.Reason != "refused_by_clickhouse" || c.want != "" && !strings.Contains(letter.Text, "column "+c.want+": ") {
				t.Errorf("dead letters: %d, %q", len(w.topic.letters), letter.Text)
			}
			text := log.String()
			if c.want != "" && !strings.Contains(text, "column="+c.want) || !strings.Contains(text, "code "+name) {
				t.Errorf("said:\n%s", text)
			}
			if strings.Contains(text, "2001:db8") || strings.Contains(text, "hunter2") {
				t.Errorf("the log quotes the event:\n%s", text)
			}
		})
	}
}

// If a profile forbids a read, or an insert's settings, the partition logs which setting it is, and counts the refusal.
func TestPinnedProfiles(t *testing.T) {
	for user, want := range map[string]struct{ code, setting string }{
		"keyed_pinned": {"277", "force_primary_key"},
		"few_rows":     {"158", "max_rows_to_read"},
		"async":        {"452", "async_insert"},
		"partitions":   {"452", "max_partitions_per_insert_block"},
		"readonly":     {"164", ""},
	} {
		t.Run(user, func(t *testing.T) {
			d := migrated(t)
			records := withPayload(20, func(i int) string { return fmt.Sprintf(`{"message":"event %d"}`, i) })
			d.insert(d.native(), records[:5]...)
			for protocol, dsn := range d.OfUser(user) {
				w, log := onEngine(t, d.store(dsn), records)
				w.startUnbubbled()
				waitUntil(t, user+" over "+protocol+": the setup", func() bool { return w.blocked(blocking.Setup) > 0 })
				waitUntil(t, "its line", func() bool { return strings.Contains(log.String(), "level=ERROR") })
				text := log.String()
				if !strings.Contains(text, want.code) || !strings.Contains(text, want.setting) || !strings.Contains(text, "the user's profile") {
					t.Errorf("%s: said:\n%s", protocol, text)
				}
				if got := testutil.ToFloat64(w.metrics.insertErrors.WithLabelValues(want.code)); got == 0 {
					t.Errorf("%s: refusals with code %s are not counted", protocol, want.code)
				}
				w.stop()
				if len(w.topic.letters) > 0 {
					t.Errorf("%d dead letters", len(w.topic.letters))
				}
			}
		})
	}
}
