-- What is in one event?
--
-- Name the project, and a time range if it is known: both make the question faster.
-- Adapt: SELECT * for all columns.
SELECT timestamp, received_at, level, message, user_id, tags, payload
FROM events
WHERE project_id = {project:String} AND event_id = {event:UUID}
    AND timestamp >= {start:DateTime('UTC')} AND timestamp < {end:DateTime('UTC')};
