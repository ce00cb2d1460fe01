-- How is a number in the payload distributed?
--
-- Events without the number are left out. JSONExtractFloat reads the payload of every row of the time range, so name a
-- short one.
-- Adapt: JSONExtractFloat(payload, 'request', 'bytes') for a number further inside.
SELECT
    toStartOfHour(timestamp) AS hour,
    count() AS events,
    quantilesExact(0.5, 0.95, 0.99)(JSONExtractFloat(payload, {field:String})) AS p50_p95_p99
FROM events
WHERE project_id = {project:String}
    AND timestamp >= {start:DateTime('UTC')} AND timestamp < {end:DateTime('UTC')}
    AND JSONHas(payload, {field:String})
GROUP BY hour
ORDER BY hour;
