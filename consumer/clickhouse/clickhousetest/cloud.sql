CREATE DATABASE IF NOT EXISTS elsewhere;

CREATE TABLE IF NOT EXISTS events_raw
(
    project_id         LowCardinality(String) COMMENT 'the project that the key of the sender belongs to' CODEC(LZ4),
    event_id           UUID
        COMMENT 'the UUID of the event, as sent or made by the gateway, unique within a project' CODEC(ZSTD(1)),
    id_time            DateTime('UTC')
        COMMENT 'the time in the identity of the event: that of a UUIDv7, else the timestamp as sent, else 1970' CODEC(Delta, ZSTD(1)),
    timestamp          DateTime64(3, 'UTC')
        COMMENT 'when the event happened (UTC), corrected if the clock of the sender was wrong' CODEC(T64, LZ4),
    client_timestamp   DateTime64(3, 'UTC')
        COMMENT 'the timestamp as sent (UTC), 1970-01-01 if there was none' CODEC(T64, LZ4),
    timestamp_adjusted Bool
        COMMENT 'true if the timestamp could not be right and the time received replaced it' CODEC(ZSTD(1)),
    received_at        DateTime64(3, 'UTC')
        COMMENT 'when the gateway received the event (UTC), retention counts from here' CODEC(T64, LZ4),
    inserted_at        DateTime64(3, 'UTC') DEFAULT now64(3)
        COMMENT 'when the row was inserted (UTC)' CODEC(Delta, ZSTD(1)),
    level              Enum8('debug' = 1, 'info' = 2, 'warning' = 3, 'error' = 4, 'fatal' = 5)
        COMMENT 'debug < info < warning < error < fatal: critical, warn and so on are stored as these' CODEC(ZSTD(1)),
    message            String COMMENT 'the first 64 KiB of the message' CODEC(ZSTD(1)),
    fingerprint        UInt64 COMMENT 'the hash that groups events into issues' CODEC(LZ4),
    issue_id           String ALIAS lower(leftPad(hex(fingerprint), 16, '0'))
        COMMENT 'the fingerprint as 16 hex digits, because JSON would round the number',
    exception_type     LowCardinality(String) COMMENT 'the type of the exception, empty if there is none' CODEC(LZ4),
    exception_value    String COMMENT 'the text of the exception, empty if there is none' CODEC(ZSTD(1)),
    environment        LowCardinality(String) COMMENT 'the environment as sent, such as production' CODEC(LZ4),
    release            LowCardinality(String) COMMENT 'the release as sent' CODEC(LZ4),
    platform           LowCardinality(String) COMMENT 'the platform as sent, such as javascript' CODEC(LZ4),
    server_name        LowCardinality(String) COMMENT 'the server as sent' CODEC(LZ4),
    transaction        LowCardinality(String) COMMENT 'the endpoint, page or job as sent' CODEC(LZ4),
    trace_id           String COMMENT 'the trace that the event belongs to, empty if there is none' CODEC(ZSTD(1)),
    user_id            String COMMENT 'the id of the user, empty if there is none' CODEC(ZSTD(1)),
    user_email         String COMMENT 'the email address of the user, empty if there is none' CODEC(ZSTD(1)),
    sdk_name           LowCardinality(String) COMMENT 'the name of the SDK that sent the event' CODEC(LZ4),
    sdk_version        LowCardinality(String) COMMENT 'the version of the SDK that sent the event' CODEC(LZ4),
    tags               Map(LowCardinality(String), String)
        COMMENT 'the first 256 tags: tags[''name''] is empty if the event lacks the tag' CODEC(LZ4),
    payload            String
        COMMENT 'the event as sent, as JSON: JSONExtractString(payload, ''user'', ''name'') reads a field' CODEC(ZSTD(3)),
    format             LowCardinality(String)
        COMMENT 'the protocol whose JSON the payload is, empty for the native one' CODEC(LZ4),
    _topic             LowCardinality(String)
        COMMENT 'the Kafka topic of the record that the row was made from' CODEC(LZ4),
    _partition         Int32 COMMENT 'the Kafka partition of that record' CODEC(ZSTD(1)),
    _offset            Int64 COMMENT 'the Kafka offset of that record' CODEC(T64, LZ4),
    _ver               UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Milli(received_at)))
        COMMENT 'the version for merging: the first copy received wins' CODEC(T64, LZ4),

    INDEX timestamp_range timestamp TYPE minmax GRANULARITY 1,
    INDEX received_range received_at TYPE minmax GRANULARITY 1,
    INDEX offset_range (_partition, _offset) TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_ver)
PARTITION BY toRelativeDayNum(id_time) % 128
ORDER BY (toRelativeDayNum(id_time) % 128, project_id, toStartOfMinute(id_time), UUIDToNum(event_id), event_id)
TTL toStartOfDay(received_at) + toIntervalSecond(259200)
SETTINGS replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800,
    min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1
COMMENT 'The rows behind the view events: resends of an event may be here until they are merged. Query events instead.';

CREATE VIEW IF NOT EXISTS events
(
    project_id         LowCardinality(String) COMMENT 'the project that the key of the sender belongs to',
    event_id           UUID COMMENT 'the UUID of the event, as sent or made by the gateway, unique within a project',
    timestamp          DateTime64(3, 'UTC')
        COMMENT 'when the event happened (UTC), corrected if the clock of the sender was wrong',
    client_timestamp   DateTime64(3, 'UTC') COMMENT 'the timestamp as sent (UTC), 1970-01-01 if there was none',
    timestamp_adjusted Bool COMMENT 'true if the timestamp could not be right and the time received replaced it',
    received_at        DateTime64(3, 'UTC')
        COMMENT 'when the gateway received the event (UTC), retention counts from here',
    inserted_at        DateTime64(3, 'UTC') COMMENT 'when the row was inserted (UTC)',
    level              Enum8('debug' = 1, 'info' = 2, 'warning' = 3, 'error' = 4, 'fatal' = 5)
        COMMENT 'debug < info < warning < error < fatal: critical, warn and so on are stored as these',
    message            String COMMENT 'the first 64 KiB of the message',
    fingerprint        UInt64 COMMENT 'the hash that groups events into issues',
    issue_id           String COMMENT 'the fingerprint as 16 hex digits, because JSON would round the number',
    exception_type     LowCardinality(String) COMMENT 'the type of the exception, empty if there is none',
    exception_value    String COMMENT 'the text of the exception, empty if there is none',
    environment        LowCardinality(String) COMMENT 'the environment as sent, such as production',
    release            LowCardinality(String) COMMENT 'the release as sent',
    platform           LowCardinality(String) COMMENT 'the platform as sent, such as javascript',
    server_name        LowCardinality(String) COMMENT 'the server as sent',
    transaction        LowCardinality(String) COMMENT 'the endpoint, page or job as sent',
    trace_id           String COMMENT 'the trace that the event belongs to, empty if there is none',
    user_id            String COMMENT 'the id of the user, empty if there is none',
    user_email         String COMMENT 'the email address of the user, empty if there is none',
    sdk_name           LowCardinality(String) COMMENT 'the name of the SDK that sent the event',
    sdk_version        LowCardinality(String) COMMENT 'the version of the SDK that sent the event',
    tags               Map(LowCardinality(String), String)
        COMMENT 'the first 256 tags: tags[''name''] is empty if the event lacks the tag',
    payload            String
        COMMENT 'the event as sent, as JSON: JSONExtractString(payload, ''user'', ''name'') reads a field',
    _topic             LowCardinality(String) COMMENT 'the Kafka topic of the record that the row was made from',
    _partition         Int32 COMMENT 'the Kafka partition of that record',
    _offset            Int64 COMMENT 'the Kafka offset of that record'
)
COMMENT 'One row for each event: the first copy received. Fresh within seconds. Name a project_id and a range of timestamp.' AS
SELECT
    project_id, event_id, timestamp, client_timestamp, timestamp_adjusted, received_at, inserted_at, level, message,
    fingerprint, issue_id, exception_type, exception_value, environment, release, platform, server_name, transaction,
    trace_id, user_id, user_email, sdk_name, sdk_version, tags, payload, _topic, _partition, _offset
FROM events_raw FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_move_to_prewhere_if_final = 1,
    use_skip_indexes_if_final_exact_mode = 1;

CREATE VIEW IF NOT EXISTS issues
(
    project_id  LowCardinality(String) COMMENT 'the project that the key of the sender belongs to',
    fingerprint UInt64 COMMENT 'the hash that all events of the issue share',
    issue_id    String COMMENT 'the fingerprint as 16 hex digits, because JSON would round the number',
    first_seen  DateTime64(3, 'UTC') COMMENT 'the timestamp of the first event (UTC)',
    last_seen   DateTime64(3, 'UTC') COMMENT 'the timestamp of the last event (UTC)',
    events      UInt64 COMMENT 'how many events the issue has, resends never count',
    users       UInt64 COMMENT 'how many users with an id the issue has, exactly',
    level       Enum8('debug' = 1, 'info' = 2, 'warning' = 3, 'error' = 4, 'fatal' = 5)
        COMMENT 'the level of the last event',
    message     String COMMENT 'the message of the last event'
)
COMMENT 'One row for each issue: all events of a project with the same fingerprint. It reads all of them, so name a project_id.' AS
SELECT
    project_id,
    fingerprint,
    lower(leftPad(hex(fingerprint), 16, '0')) AS issue_id,
    min(e.timestamp) AS first_seen,
    max(e.timestamp) AS last_seen,
    count() AS events,
    uniqExactIf(e.user_id, e.user_id != '') AS users,
    argMax(e.level, e.latest) AS level,
    argMax(e.message, e.latest) AS message
FROM
(
    SELECT
        project_id, fingerprint, timestamp, user_id, level, message,
        bitShiftLeft(toUInt128(toUnixTimestamp64Milli(timestamp)), 64) + cityHash64(event_id) AS latest
    FROM events
) AS e
GROUP BY project_id, fingerprint;

CREATE VIEW IF NOT EXISTS events_per_minute
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

CREATE TABLE IF NOT EXISTS outcomes_raw
(
    project_id LowCardinality(String)
        COMMENT 'the project, empty for requests without a valid key, and for records without valid headers' CODEC(LZ4),
    minute     DateTime('UTC') COMMENT 'the minute of receipt (UTC)' CODEC(Delta, ZSTD(1)),
    protocol   LowCardinality(String)
        COMMENT 'native, sentry, otlp, segment and so on, unknown for a record that does not say' CODEC(LZ4),
    outcome    LowCardinality(String)
        COMMENT 'accepted, rejected, rate_limited, filtered, dead_lettered or client_dropped' CODEC(LZ4),
    reason     LowCardinality(String)
        COMMENT 'why: the code of the answer, the processing step, the reason of the dead letter or of the client' CODEC(LZ4),
    category   LowCardinality(String)
        COMMENT 'of client_dropped: what was dropped, such as error or transaction' CODEC(LZ4),
    source     UUID COMMENT 'what counted: a process, a range of a partition, or one record' CODEC(ZSTD(1)),
    events     UInt64 COMMENT 'how many events' CODEC(T64, LZ4)
)
ENGINE = ReplacingMergeTree(events)
PARTITION BY toYear(minute)
ORDER BY (toYear(minute), project_id, minute, outcome, protocol, reason, category, source)
TTL minute + toIntervalSecond(172800)
SETTINGS replicated_deduplication_window = 0
COMMENT 'Counts behind the view outcomes. Rows with the same key are one count, the largest. Query outcomes instead.';

CREATE VIEW IF NOT EXISTS outcomes
(
    project_id LowCardinality(String)
        COMMENT 'the project, empty for requests without a valid key, and for records without valid headers',
    minute     DateTime('UTC') COMMENT 'the minute of receipt (UTC)',
    protocol   LowCardinality(String)
        COMMENT 'native, sentry, otlp, segment and so on, unknown for a record that does not say',
    outcome    LowCardinality(String)
        COMMENT 'accepted, rejected, rate_limited, filtered, dead_lettered or client_dropped',
    reason     LowCardinality(String)
        COMMENT 'why: the code of the answer, the processing step, the reason of the dead letter or of the client',
    events     UInt64 COMMENT 'how many events',
    category   LowCardinality(String) COMMENT 'of client_dropped: what was dropped, such as error or transaction'
)
COMMENT 'What became of everything that was sent, by minute of receipt. Sum the column events, accepted is the number of rows in events.' AS
SELECT project_id, minute, protocol, outcome, reason, events, category
FROM
(
    SELECT
        project_id,
        minute,
        toLowCardinality(if(format = '', 'native', format)) AS protocol,
        toLowCardinality('accepted') AS outcome,
        toLowCardinality('') AS reason,
        a.accepted AS events,
        toLowCardinality('') AS category
    FROM
    (
        SELECT
            project_id, toStartOfMinute(toDateTime(received_at, 'UTC')) AS minute, format, count() AS accepted
        FROM events_raw FINAL
        GROUP BY project_id, minute, format
    ) AS a
    UNION ALL
    SELECT project_id, minute, protocol, outcome, reason, sum(o.events) AS events, category
    FROM outcomes_raw AS o FINAL
    GROUP BY project_id, minute, protocol, outcome, reason, category
)
SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_move_to_prewhere_if_final = 1,
    use_skip_indexes_if_final_exact_mode = 1;

CREATE TABLE IF NOT EXISTS erasures
(
    id            UUID COMMENT 'the id of the erasure, which its receipt names',
    project_id    String COMMENT 'the project whose events were erased',
    kind          LowCardinality(String) COMMENT 'project, user or email: what the erasure goes by',
    salt          FixedString(16) COMMENT 'what the digest begins with',
    digest        FixedString(32)
        COMMENT 'the SHA-256 of salt, kind, project and the id or address of the user, zero for a project',
    erased_at     DateTime64(3, 'UTC') COMMENT 'events that happened or were received before are erased (UTC)',
    doubt_seconds UInt32
        COMMENT 'how long after erased_at events are dropped that do not tell when they happened, in seconds',
    forget_at     DateTime('UTC') COMMENT 'when the row may be removed, because nothing can come again (UTC)',
    note          String COMMENT 'what the operator noted, such as the number of a request'
)
ENGINE = MergeTree
ORDER BY (project_id, erased_at)
TTL forget_at
SETTINGS replicated_deduplication_window = 0
COMMENT 'Erasures by `sluice erase`: consumers drop what comes again. No ids or addresses of users, only salted hashes.';

