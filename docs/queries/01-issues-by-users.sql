-- Which issues hit the most users?
--
-- Counts the errors of a time range by issue. Users without an id are not counted.
-- Adapt: `ORDER BY events DESC` for the loudest issues; add `environment = 'production'`.
SELECT
    issue_id,
    uniqExactIf(user_id, user_id != '') AS users,
    count() AS events,
    max(timestamp) AS last_seen,
    argMax(exception_type, timestamp) AS type,
    argMax(message, timestamp) AS last_message
FROM events
WHERE project_id = {project:String}
    AND timestamp >= {start:DateTime('UTC')} AND timestamp < {end:DateTime('UTC')}
    AND level >= 'error'
GROUP BY issue_id
ORDER BY users DESC, events DESC, issue_id
LIMIT 20;
