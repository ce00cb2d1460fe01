-- Which issues are new since a release?
--
-- An issue is new if its first event is not older than the release's first event. The start bounds what counts as the
-- past: an issue that was silent since the start counts as new. Nothing is new since a release that does not exist.
-- Adapt: add `AND level >= 'fatal'` for crashes only.
WITH
    (
        SELECT minOrNull(timestamp)
        FROM events
        WHERE project_id = {project:String} AND timestamp >= {start:DateTime('UTC')} AND release = {release:String}
    ) AS released
SELECT
    issue_id,
    min(timestamp) AS first_seen,
    count() AS events,
    uniqExactIf(user_id, user_id != '') AS users,
    argMin(message, timestamp) AS first_message
FROM events
WHERE project_id = {project:String} AND timestamp >= {start:DateTime('UTC')} AND level >= 'error'
GROUP BY issue_id
HAVING first_seen >= released
ORDER BY events DESC, issue_id
LIMIT 20;
