-- Which messages contain a text?
--
-- Capitals do not matter. The text is taken as it is: % and _ are no wildcards.
-- Adapt: positionCaseInsensitive(payload, …) searches whole events, which is the slowest question of all: it reads most.
SELECT issue_id, count() AS events, max(timestamp) AS last_seen, argMax(message, timestamp) AS last_message
FROM events
WHERE project_id = {project:String}
    AND timestamp >= {start:DateTime('UTC')} AND timestamp < {end:DateTime('UTC')}
    AND positionCaseInsensitive(message, {text:String}) > 0
GROUP BY issue_id
ORDER BY events DESC, issue_id
LIMIT 20;
