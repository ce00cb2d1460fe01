-- What share of the events of each environment are errors, day by day?
--
-- Adapt: release or server_name in place of environment; toStartOfHour for a finer view.
SELECT
    toDate(timestamp) AS day,
    environment,
    count() AS events,
    round(100 * countIf(level >= 'error') / events, 2) AS errors_percent
FROM events
WHERE project_id = {project:String}
    AND timestamp >= {start:DateTime('UTC')} AND timestamp < {end:DateTime('UTC')}
GROUP BY day, environment
ORDER BY day, environment;
