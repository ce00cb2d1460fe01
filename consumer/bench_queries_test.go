package consumer

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"sluice/consumer/clickhouse/clickhousetest"
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
	clickhousetest.Engine(b)
	name, _ := c.place(b)
	defer c.drop(b, name)
	// Twelve months, each in several parts; one event of a hundred came twice. Two projects have UUIDv7 ids, one has random ones.
	c.ask(b, name, "SYSTEM STOP MERGES events_raw")
	const parts = 6
	for part := range parts {
		c.ask(b, name, fmt.Sprintf(`INSERT INTO events_raw (project_id, event_id, id_time, timestamp, client_timestamp, received_at, level, message, fingerprint,
			environment, release, server_name, user_id, payload, _topic, _partition, _offset)
			WITH number - toUInt64(number %% 100 = 0 AND number > 0) AS n, toDateTime('2025-10-01 00:00:00', 'UTC') + toUInt32(n * (365 * 86400 / %d)) AS at,
				leftPad(lower(hex(toUInt64(toUnixTimestamp(at)) * 1000)), 12, '0') AS ms, lower(hex(sipHash128(n))) AS h,
				toUUID(concat(substring(ms, 1, 8), '-', substring(ms, 9, 4), '-7', substring(h, 1, 3), '-8', substring(h, 4, 3), '-', substring(h, 7, 12))) AS v7
			SELECT ['demo', 'shop', 'pay'][n %% 3 + 1], if(n %% 3 = 2, reinterpretAsUUID(sipHash128(n)), v7), at, at, at, at + 1 + number %% 2, n %% 5 + 1, concat('request ', toString(n), ' failed'), cityHash64(n %% 300),
				'prod', concat('1.4.', toString(n %% 20)), concat('host-', toString(n %% 50)), concat('u-', toString(n %% 100000)),
				concat('{"message":"request ', toString(n), ' failed","level":"error","tags":{"region":"eu-', toString(n %% 4), '"}}'), 'events', n %% 12, number
			FROM numbers(%d) WHERE number %% %d = %d
			SETTINGS max_partitions_per_insert_block = 300, max_insert_block_size = 2000000`, *queryRows, *queryRows, parts, part))
	}
	point := func(project string) string {
		const when = " FROM %s WHERE project_id = '%s' AND timestamp >= '2026-05-10 00:00:00' AND timestamp < '2026-05-11 00:00:00'"
		id := c.ask(b, name, "SELECT event_id"+fmt.Sprintf(when, "events_raw", project)+" ORDER BY timestamp LIMIT 1 OFFSET 1000")
		return "SELECT message, payload" + fmt.Sprintf(when, "%s", project) + " AND event_id = '" + id + "'"
	}
	questions := []struct{ name, text string }{
		{"count", "SELECT count() FROM %s"},
		{"group_by", "SELECT release, level, count(), uniq(user_id) FROM %s GROUP BY release, level"},
		{"one_day", "SELECT toStartOfHour(timestamp) AS h, count(), countIf(level >= 'error') FROM %s WHERE project_id = 'demo' AND timestamp >= '2026-05-10 00:00:00' AND timestamp < '2026-05-11 00:00:00' GROUP BY h"},
		{"point", point("demo")},
		{"point_random_id", point("pay")},
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
	const census = "SELECT count() FROM events"
	before := c.ask(b, name, census)
	if want := fmt.Sprint(*queryRows - (*queryRows-1)/100); before != want {
		b.Fatalf("%s events, not %s", before, want)
	}
	c.ask(b, name, "SYSTEM START MERGES events_raw")
	c.ask(b, name, "OPTIMIZE TABLE events_raw FINAL")
	if after := c.ask(b, name, census); after != before {
		b.Fatalf("%s events before merging, %s after", before, after)
	}
	b.Logf("%s events, %s parts", before, c.ask(b, name, "SELECT count() FROM system.parts WHERE active AND database = currentDatabase() AND table = 'events_raw' AND rows > 0"))
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
