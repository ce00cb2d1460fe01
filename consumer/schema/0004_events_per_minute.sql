CREATE VIEW IF NOT EXISTS events_per_minute{{.OnCluster}} AS
SELECT
    project_id,
    toStartOfMinute(e.timestamp) AS minute,
    environment,
    level,
    count() AS events
FROM events AS e
GROUP BY project_id, minute, environment, level;
