-- As kafka_engine.sql, with the least work that fills the columns: times and ids are taken as they come, and the fingerprint is of
-- the message as it stands. Its table has the same columns, codecs
-- and key, and otherwise what a server does by default, so it need not wait for the disk either.
CREATE TABLE {{rival}} AS events_raw
ENGINE = ReplacingMergeTree(_ver)
PARTITION BY toRelativeDayNum(id_time) % 128
ORDER BY (toRelativeDayNum(id_time) % 128, project_id, toStartOfMinute(id_time), UUIDToNum(event_id), event_id);

CREATE TABLE {{rival}}_queue (raw String) ENGINE = Kafka
SETTINGS kafka_broker_list = '{{brokers}}', kafka_topic_list = '{{topic}}', kafka_group_name = '{{rival}}',
    kafka_format = 'RawBLOB', kafka_num_consumers = 2, kafka_thread_per_consumer = 1, kafka_flush_interval_ms = 1000,
    kafka_max_block_size = 1000000, kafka_poll_max_batch_size = 65536;

CREATE MATERIALIZED VIEW {{rival}}_view TO {{rival}} AS
WITH
    JSONExtract(raw, 'Tuple(message String, level String, timestamp String, environment String, release String, platform String,
        server_name String, transaction String, trace_id String, exception Tuple(type String, value String),
        user Tuple(id String, email String), sdk Tuple(name String, version String), tags Map(String, String))') AS e,
    toUUIDOrZero(_headers.value[indexOf(_headers.name, 'event-id')]) AS id,
    fromUnixTimestamp64Milli(toInt64OrZero(_headers.value[indexOf(_headers.name, 'received-at')]), 'UTC') AS received,
    ifNull(parseDateTime64BestEffortOrNull(e.timestamp, 3, 'UTC'), received) AS at
SELECT
    _headers.value[indexOf(_headers.name, 'project')] AS project_id,
    id AS event_id,
    toDateTime(at, 'UTC') AS id_time,
    at AS timestamp,
    at AS client_timestamp,
    false AS timestamp_adjusted,
    received AS received_at,
    CAST(if(e.level = '', 'error', lower(e.level)), 'Enum8(\'debug\' = 1, \'info\' = 2, \'warning\' = 3, \'error\' = 4, \'fatal\' = 5)') AS level,
    substring(e.message, 1, 65536) AS message,
    xxHash64(concat('msg:', lower(e.message))) AS fingerprint,
    e.exception.type AS exception_type,
    e.exception.value AS exception_value,
    e.environment AS environment,
    e.release AS release,
    e.platform AS platform,
    e.server_name AS server_name,
    e.transaction AS transaction,
    e.trace_id AS trace_id,
    e.user.id AS user_id,
    e.user.email AS user_email,
    e.sdk.name AS sdk_name,
    e.sdk.version AS sdk_version,
    e.tags AS tags,
    raw AS payload,
    _topic,
    toInt32(_partition) AS _partition,
    toInt64(_offset) AS _offset
FROM {{rival}}_queue;
