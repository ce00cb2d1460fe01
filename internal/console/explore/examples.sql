-- The last ten events.
SELECT received_at, project_id, event_id, level, message
FROM events ORDER BY received_at DESC LIMIT 10;

-- What became of everything that was sent.
SELECT project_id, protocol, outcome, reason, sum(events) AS events
FROM outcomes GROUP BY ALL ORDER BY ALL;

-- Who is hit by errors today?
SELECT environment, count() AS events, uniqExact(user_id) AS users
FROM events
WHERE project_id = 'demo' AND timestamp > now() - INTERVAL 1 DAY AND level >= 'error'
GROUP BY environment ORDER BY events DESC;

-- The issues with the most events.
SELECT issue_id, events, users, first_seen, last_seen, level, message
FROM issues WHERE project_id = 'demo' ORDER BY events DESC LIMIT 5;

-- Events a minute over the last hour.
SELECT minute, sum(events) AS events
FROM events_per_minute
WHERE project_id = 'demo' AND minute > now() - INTERVAL 1 HOUR
GROUP BY minute ORDER BY minute;

-- The share of errors of each release.
SELECT release, round(100 * countIf(level >= 'error') / count(), 1) AS errors_percent
FROM events GROUP BY release ORDER BY errors_percent DESC;

-- A tag, and a field that has no column.
SELECT tags['region'] AS region, JSONExtractString(payload, 'user', 'id') AS user, message
FROM events WHERE event_id = '0191d5a0-6d3e-7c4a-9a53-4f1f0f6f2a11';

-- What was rejected, and why, by the hour.
SELECT toStartOfHour(minute) AS hour, reason, sum(events) AS events
FROM outcomes
WHERE project_id = 'demo' AND outcome = 'rejected' AND minute > now() - INTERVAL 1 DAY
GROUP BY hour, reason ORDER BY hour, events DESC;

-- The projects that lose most to their rate limit.
SELECT project_id, round(100 * sumIf(events, outcome = 'rate_limited') / sum(events), 2) AS limited_percent
FROM outcomes
WHERE minute > now() - INTERVAL 1 HOUR
GROUP BY project_id HAVING limited_percent > 0 ORDER BY limited_percent DESC LIMIT 10;
