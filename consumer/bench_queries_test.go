package consumer

import (
	"flag"
	"fmt"
	"testing"
	"time"
)

var (
	queryRows  = flag.Int("queries.rows", 10_000_000, "rows of BenchmarkQueries")
	queryPairs = flag.Int("queries.pairs", 5, "how often BenchmarkQueries asks each question of both")
)

// BenchmarkQueries asks questions of the view sluice.events, which shows each event once, and the same ones of the table behind
// it, in turn: first with many parts that are not merged yet, then with closed partitions merged as the table's settings have it
// done an hour later.
//
//	go test ./consumer -run '^$' -bench Queries -benchtime 1x -timeout 1h
func BenchmarkQueries(b *testing.B) {
	c := &consumerBench{size: 1}
	engine.once.Do(startEngine)
	if engine.err != nil {
		b.Fatal(engine.err)
	}
	name, _ := c.place(b)
	defer c.drop(b, name)
	// Twelve months, each in several parts; one event of a hundred came twice.
	c.ask(b, name, "SYSTEM STOP MERGES events_raw")
	const parts = 6
	for part := range parts {
		c.ask(b, name, fmt.Sprintf(`INSERT INTO events_raw (project_id, event_id, id_time, timestamp, client_timestamp, received_at, level, message, fingerprint,
			environment, release, server_name, user_id, payload, _topic, _partition, _offset)
			WITH if(number %% 100 = 0 AND number > 0, number - 1, number) AS n, toDateTime('2025-10-01 00:00:00', 'UTC') + toUInt32(n * (365 * 86400 / %d)) AS at
			SELECT ['demo', 'shop', 'pay'][n %% 3 + 1], reinterpretAsUUID(reverse(toString(sipHash128(n)))), at, at, at, at + 1 + number %% 2, n %% 5 + 1, concat('request ', toString(n), ' failed'), cityHash64(n %% 300),
				'prod', concat('1.4.', toString(n %% 20)), concat('host-', toString(n %% 50)), concat('u-', toString(n %% 100000)),
				concat('{"message":"request ', toString(n), ' failed","level":"error","tags":{"region":"eu-', toString(n %% 4), '"}}'), 'events', n %% 12, number
			FROM numbers(%d) WHERE number %% %d = %d
			SETTINGS max_partitions_per_insert_block = 300, max_insert_block_size = 2000000`, *queryRows, *queryRows, parts, part))
	}
	id := c.ask(b, name, "SELECT event_id FROM events_raw WHERE project_id = 'demo' AND id_time >= '2026-05-10 00:00:00' ORDER BY id_time LIMIT 1")
	questions := []struct{ name, text string }{
		{"count", "SELECT count() FROM %s"},
		{"group_by", "SELECT release, level, count(), uniq(user_id) FROM %s GROUP BY release, level"},
		{"one_day", "SELECT toStartOfHour(timestamp) AS h, count(), countIf(level >= 'error') FROM %s WHERE project_id = 'demo' AND timestamp >= '2026-05-10 00:00:00' AND timestamp < '2026-05-11 00:00:00' GROUP BY h"},
		{"point", "SELECT message, payload FROM %s WHERE project_id = 'demo' AND event_id = '" + id + "' AND timestamp >= '2026-05-10 00:00:00' AND timestamp < '2026-05-11 00:00:00'"},
	}
	ask := func(state string) {
		for _, q := range questions {
			var view, raw, ratios []float64
			for range *queryPairs + 1 {
				x, y := c.timed(b, name, fmt.Sprintf(q.text, "events")), c.timed(b, name, fmt.Sprintf(q.text, "events_raw"))
				view, raw, ratios = append(view, x), append(raw, y), append(ratios, x/y)
			}
			v, r, f := middle(view[1:]), middle(raw[1:]), middle(ratios[1:]) // the first warms
			b.ReportMetric(f, state+"_"+q.name)
			b.Logf("%s, %s: view %.1f ms, table %.1f ms, %.2f times", state, q.name, 1000*v, 1000*r, f)
		}
	}
	b.Logf("%s parts", c.ask(b, name, "SELECT count() FROM system.parts WHERE active AND database = currentDatabase() AND table = 'events_raw'"))
	ask("unmerged")
	c.ask(b, name, "SYSTEM START MERGES events_raw")
	c.ask(b, name, "OPTIMIZE TABLE events_raw FINAL")
	ask("merged")
	b.ReportMetric(0, "ns/op")
}

// timed is how long an answer takes, in seconds.
func (c *consumerBench) timed(b *testing.B, database, statement string) float64 {
	b.Helper()
	start := time.Now()
	c.ask(b, database, statement)
	return time.Since(start).Seconds()
}
