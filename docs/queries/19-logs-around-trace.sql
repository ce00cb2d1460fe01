-- What happened around a trace?
--
-- The trace's own events, and what the same servers said from ten seconds before its first event to ten seconds after
-- its last. The time range must contain the trace.
-- Adapt: another distance than ten seconds.
WITH
    (
        SELECT (min(timestamp) - INTERVAL 10 SECOND, max(timestamp) + INTERVAL 10 SECOND, groupUniqArray(server_name))
        FROM events
        WHERE project_id = {project:String}
            AND timestamp >= {start:DateTime('UTC')} AND timestamp < {end:DateTime('UTC')}
            AND trace_id = {trace:String}
    ) AS around
SELECT timestamp, server_name, level, message, trace_id = {trace:String} AS of_trace, event_id
FROM events
WHERE project_id = {project:String}
    AND timestamp >= {start:DateTime('UTC')} AND timestamp < {end:DateTime('UTC')}
    AND timestamp >= around.1 AND timestamp <= around.2
    AND has(around.3, server_name)
ORDER BY timestamp, event_id
LIMIT 200;
