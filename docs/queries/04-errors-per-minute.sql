-- How many warnings and errors came each minute, by level?
--
-- Minutes without events have no row.
-- Adapt: toStartOfHour for days and weeks; `WITH FILL STEP INTERVAL 1 MINUTE` after `minute` adds the empty minutes.
SELECT
    toStartOfMinute(timestamp) AS minute,
    countIf(level = 'warning') AS warnings,
    countIf(level = 'error') AS errors,
    countIf(level = 'fatal') AS crashes
FROM events
WHERE project_id = {project:String}
    AND timestamp >= {start:DateTime('UTC')} AND timestamp < {end:DateTime('UTC')}
    AND level >= 'warning'
GROUP BY minute
ORDER BY minute;
