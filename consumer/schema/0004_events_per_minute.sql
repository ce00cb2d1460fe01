CREATE VIEW IF NOT EXISTS events_per_minute{{.OnCluster}}
(
    project_id  LowCardinality(String) COMMENT 'the project that the key of the sender belongs to',
    minute      DateTime('UTC') COMMENT 'the minute of the timestamp (UTC)',
    environment LowCardinality(String) COMMENT 'the environment as sent, such as production',
    level       Enum8('debug' = 1, 'info' = 2, 'warning' = 3, 'error' = 4, 'fatal' = 5)
        COMMENT 'debug < info < warning < error < fatal: critical, warn and so on are stored as these',
    events      UInt64 COMMENT 'how many events, resends never count'
)
COMMENT 'Events by project, minute, environment and level. Minutes without events have no row. Sum the column events.' AS
SELECT
    project_id,
    toStartOfMinute(e.timestamp) AS minute,
    environment,
    level,
    count() AS events
FROM events AS e
GROUP BY project_id, minute, environment, level;
