CREATE DATABASE IF NOT EXISTS elsewhere;

CREATE TABLE IF NOT EXISTS events_raw
(
    project_id         LowCardinality(String) CODEC(LZ4),
    event_id           UUID CODEC(ZSTD(1)),
    id_time            DateTime('UTC') CODEC(Delta, ZSTD(1)),
    timestamp          DateTime64(3, 'UTC') CODEC(T64, LZ4),
    client_timestamp   DateTime64(3, 'UTC') CODEC(T64, LZ4),
    timestamp_adjusted Bool CODEC(ZSTD(1)),
    received_at        DateTime64(3, 'UTC') CODEC(T64, LZ4),
    inserted_at        DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1)),
    level              Enum8('debug' = 1, 'info' = 2, 'warning' = 3, 'error' = 4, 'fatal' = 5) CODEC(ZSTD(1)),
    message            String CODEC(ZSTD(1)),
    fingerprint        UInt64 CODEC(LZ4),
    issue_id           String ALIAS lower(leftPad(hex(fingerprint), 16, '0')),
    exception_type     LowCardinality(String) CODEC(LZ4),
    exception_value    String CODEC(ZSTD(1)),
    environment        LowCardinality(String) CODEC(LZ4),
    release            LowCardinality(String) CODEC(LZ4),
    platform           LowCardinality(String) CODEC(LZ4),
    server_name        LowCardinality(String) CODEC(LZ4),
    transaction        LowCardinality(String) CODEC(LZ4),
    trace_id           String CODEC(ZSTD(1)),
    user_id            String CODEC(ZSTD(1)),
    user_email         String CODEC(ZSTD(1)),
    sdk_name           LowCardinality(String) CODEC(LZ4),
    sdk_version        LowCardinality(String) CODEC(LZ4),
    tags               Map(LowCardinality(String), String) CODEC(LZ4),
    payload            String CODEC(ZSTD(3)),
    format             LowCardinality(String) CODEC(LZ4),
    _topic             LowCardinality(String) CODEC(LZ4),
    _partition         Int32 CODEC(ZSTD(1)),
    _offset            Int64 CODEC(T64, LZ4),
    _ver               UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Milli(received_at))) CODEC(T64, LZ4),

    INDEX timestamp_range timestamp TYPE minmax GRANULARITY 1,
    INDEX offset_range (_partition, _offset) TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_ver)
PARTITION BY toYYYYMM(id_time)
ORDER BY (toYYYYMM(id_time), project_id, toStartOfMinute(id_time), UUIDToNum(event_id), event_id)
TTL toDateTime(received_at) + toIntervalSecond(172800)
SETTINGS replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800,
    min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1;

CREATE VIEW IF NOT EXISTS events AS
SELECT
    project_id, event_id, timestamp, client_timestamp, timestamp_adjusted, received_at, inserted_at, level, message,
    fingerprint, issue_id, exception_type, exception_value, environment, release, platform, server_name, transaction,
    trace_id, user_id, user_email, sdk_name, sdk_version, tags, payload, _topic, _partition, _offset
FROM events_raw FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_move_to_prewhere_if_final = 1;

CREATE VIEW IF NOT EXISTS issues AS
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

CREATE VIEW IF NOT EXISTS events_per_minute AS
SELECT
    project_id,
    toStartOfMinute(e.timestamp) AS minute,
    environment,
    level,
    count() AS events
FROM events AS e
GROUP BY project_id, minute, environment, level;

CREATE TABLE IF NOT EXISTS outcomes_raw
(
    project_id LowCardinality(String) CODEC(LZ4),
    minute     DateTime('UTC') CODEC(Delta, ZSTD(1)),
    protocol   LowCardinality(String) CODEC(LZ4),
    outcome    LowCardinality(String) CODEC(LZ4),
    reason     LowCardinality(String) CODEC(LZ4),
    category   LowCardinality(String) CODEC(LZ4),
    source     UUID CODEC(ZSTD(1)),
    events     UInt64 CODEC(T64, LZ4)
)
ENGINE = ReplacingMergeTree(events)
PARTITION BY toYear(minute)
ORDER BY (toYear(minute), project_id, minute, outcome, protocol, reason, category, source)
TTL minute + toIntervalSecond(172800)
SETTINGS replicated_deduplication_window = 0;

CREATE VIEW IF NOT EXISTS outcomes AS
SELECT
    project_id,
    minute,
    protocol,
    outcome,
    reason,
    sum(o.counted) AS events,
    category
FROM
(
    SELECT
        project_id,
        toStartOfMinute(toDateTime(received_at, 'UTC')) AS minute,
        toLowCardinality(if(format = '', 'native', format)) AS protocol,
        toLowCardinality('accepted') AS outcome,
        toLowCardinality('') AS reason,
        toLowCardinality('') AS category,
        toUInt64(1) AS counted
    FROM events_raw FINAL
    UNION ALL
    SELECT project_id, minute, protocol, outcome, reason, category, events AS counted
    FROM outcomes_raw FINAL
) AS o
GROUP BY project_id, minute, protocol, outcome, reason, category
SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_move_to_prewhere_if_final = 1;

