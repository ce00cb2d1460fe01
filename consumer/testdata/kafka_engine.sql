-- ClickHouse's own Kafka engine doing what the consumer does, as a rival to measure against: the same topic, the same columns,
-- two consumers, a flush a second. It parses each event once, into a tuple. It does not do what costs the consumer most care:
-- no exactly-once, no dead letters, no checks. What it writes into the columns is the same for good events; kafka_engine_cheap.sql does
-- not even do that. Its table has the same columns, codecs and key, and otherwise what a server does by default, so it need not
-- wait for the disk either.
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
    JSONExtract(raw, 'Tuple(message String, level String, timestamp String, fingerprint String, environment String, release String, platform String,
        server_name String, transaction String, trace_id String, exception Tuple(type String, value String),
        user Tuple(id String, email String), sdk Tuple(name String, version String), tags Map(String, String),
        stacktrace Array(Tuple(filename String, function String, in_app Bool)))') AS e,
    toUUIDOrZero(_headers.value[indexOf(_headers.name, 'event-id')]) AS id,
    fromUnixTimestamp64Milli(toInt64OrZero(_headers.value[indexOf(_headers.name, 'received-at')]), 'UTC') AS received,
    parseDateTime64BestEffortOrNull(e.timestamp, 3, 'UTC') AS sent,
    if(substring(toString(id), 15, 1) = '7', UUIDv7ToDateTime(id, 'UTC'), NULL) AS made,
    coalesce(sent, made, received) AS client,
    client > received + INTERVAL 1 HOUR OR client < received - INTERVAL 90 DAY AS absurd,
    coalesce(made, sent, toDateTime64(0, 3, 'UTC')) AS identity,
    if(e.message != '', e.message, concat(e.exception.type, ': ', e.exception.value)) AS message_text,
    x -> trim(BOTH ' ' FROM replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(lower(x), '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', '#'), '0x[0-9a-f]+', '#'), '[0-9]+', '#')) AS normalised,
    if(arrayExists(f -> f.in_app, e.stacktrace), arrayFilter(f -> f.in_app, e.stacktrace), e.stacktrace) AS frames
SELECT
    _headers.value[indexOf(_headers.name, 'project')] AS project_id,
    id AS event_id,
    if(toYear(identity) BETWEEN 2020 AND 2039, toDateTime(identity, 'UTC'), toDateTime(0, 'UTC')) AS id_time,
    if(absurd, received, client) AS timestamp,
    ifNull(sent, toDateTime64(0, 3, 'UTC')) AS client_timestamp,
    absurd AS timestamp_adjusted,
    received AS received_at,
    CAST(transform(lower(e.level), ['', 'critical', 'warn', 'log', 'trace'], ['error', 'fatal', 'warning', 'info', 'debug'], lower(e.level)), 'Enum8(\'debug\' = 1, \'info\' = 2, \'warning\' = 3, \'error\' = 4, \'fatal\' = 5)') AS level,
    substring(message_text, 1, 65536) AS message,
    xxHash64(multiIf(
        e.fingerprint != '', e.fingerprint,
        notEmpty(frames), concat(arrayStringConcat(arrayMap(f -> concat(f.filename, '|', f.function), frames), ';'), ':', normalised(message_text)),
        e.exception.type != '', concat(e.exception.type, ':', normalised(e.exception.value)),
        concat('msg:', normalised(message_text)))) AS fingerprint,
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
