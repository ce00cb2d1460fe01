-- An issue is all events of a project with the same fingerprint. level and message are those of the last event.
CREATE VIEW IF NOT EXISTS issues{{.OnCluster}} AS
SELECT
    project_id,
    fingerprint,
    any(e.issue_id) AS issue_id,
    min(e.timestamp) AS first_seen,
    max(e.timestamp) AS last_seen,
    count() AS events,
    uniqExactIf(e.user_id, e.user_id != '') AS users,
    argMax(e.level, (e.timestamp, e.event_id)) AS level,
    argMax(e.message, (e.timestamp, e.event_id)) AS message
FROM events AS e
GROUP BY project_id, fingerprint;
