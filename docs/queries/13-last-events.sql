-- What came last?
--
-- The start keeps the question cheap: without it ClickHouse looks at every row of the project.
-- Adapt: `level >= 'error'` for the last errors.
SELECT timestamp, level, environment, message, user_id, event_id
FROM events
WHERE project_id = {project:String} AND timestamp >= {start:DateTime('UTC')}
ORDER BY timestamp DESC, event_id
LIMIT 50;
