-- +goose NO TRANSACTION
-- +goose Up
-- The table behind sluice.events: one row a Kafka record, until resends of an event merge away.
--
-- Identity is (project_id, event_id) and id_time, which comes from the event's own bytes: the time in a UUIDv7 id, else the
-- timestamp as the client wrote it, else 1970-01-01. Nothing in the sorting key or the partition depends on when or where
-- an event was received, so a resend meets its first copy in the same partition under the same key, however late it comes.
-- _ver makes the first copy received win: without it the last one would, and anybody who knows a public key could
-- overwrite events.
--
-- ClickHouse sorts a UUID by its second half, so a UUIDv7 is not in time order by itself: the hour stands before it.
-- The partition expression comes first in the key, so that FINAL can work a partition at a time.
CREATE TABLE IF NOT EXISTS events_raw
(
    project_id         LowCardinality(String),
    event_id           UUID,
    id_time            DateTime('UTC') CODEC(Delta, ZSTD(1)),
    timestamp          DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    client_timestamp   DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    timestamp_adjusted Bool,
    received_at        DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    inserted_at        DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1)),
    level              Enum8('debug' = 1, 'info' = 2, 'warning' = 3, 'error' = 4, 'fatal' = 5),
    message            String CODEC(ZSTD(1)),
    fingerprint        UInt64,
    issue_id           String ALIAS lower(leftPad(hex(fingerprint), 16, '0')),
    exception_type     LowCardinality(String),
    exception_value    String CODEC(ZSTD(1)),
    environment        LowCardinality(String),
    release            LowCardinality(String),
    platform           LowCardinality(String),
    server_name        LowCardinality(String),
    transaction        LowCardinality(String),
    trace_id           String CODEC(ZSTD(1)),
    user_id            String CODEC(ZSTD(1)),
    user_email         String CODEC(ZSTD(1)),
    sdk_name           LowCardinality(String),
    sdk_version        LowCardinality(String),
    tags               Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    payload            String CODEC(ZSTD(1)),
    _topic             LowCardinality(String),
    _partition         Int32,
    _offset            Int64 CODEC(Delta, ZSTD(1)),
    _ver               UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Milli(received_at))) CODEC(Delta, ZSTD(1)),

    INDEX timestamp_range timestamp TYPE minmax GRANULARITY 1,
    INDEX offset_range (_partition, _offset) TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_ver)
PARTITION BY toYYYYMM(id_time)
ORDER BY (toYYYYMM(id_time), project_id, toStartOfHour(id_time), event_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
