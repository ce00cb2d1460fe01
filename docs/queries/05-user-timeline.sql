-- What did one user do and meet?
--
-- The last 200 events of a user, newest first.
-- Adapt: user_email in place of user_id; add payload for the whole events.
SELECT timestamp, level, transaction, message, release, issue_id, event_id
FROM events
WHERE project_id = {project:String}
    AND timestamp >= {start:DateTime('UTC')} AND timestamp < {end:DateTime('UTC')}
    AND user_id = {user:String}
ORDER BY timestamp DESC, event_id
LIMIT 200;
